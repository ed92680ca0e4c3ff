//! A pickle machine that can describe dictionaries of tensors and nothing else.
//!
//! Knows the opcodes that `torch.save` writes (pickle protocol 2, "pickletools" in Python's library has their
//! meaning) and the few names of [`Class`]. Any other opcode or name is an error. Values are kept in one flat
//! list and refer to each other by number, so that nesting, sharing and cycles cost nothing; how much can be
//! in that list is bounded by the length of the pickle and by [`MAX_ITEMS`].

use std::collections::HashMap;

use super::WeightsError;
use super::object::{self, Class, Storage, StoredTensor};

/// The most items of all lists, tuples and dictionaries together.
const MAX_ITEMS: usize = 1 << 20;
/// The longest name of a module or a class.
const MAX_NAME: usize = 128;

/// A value; whatever has parts is in the machine's list of objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// A long integer's bytes.
    Long(&'a [u8]),
    Text(&'a str),
    Class(Class),
    Object(usize),
}

#[derive(Debug)]
enum Object<'a> {
    Tuple(Vec<Value<'a>>),
    List(Vec<Value<'a>>),
    Dict(Vec<(Value<'a>, Value<'a>)>),
    Storage(Storage<'a>),
    Tensor(StoredTensor<'a>),
    /// A tensor in a wrapper, once it is told which.
    Parameter(Option<usize>),
}

/// What a pickle came to, and the bytes behind it.
#[derive(Debug)]
pub(super) struct Parsed<'a> {
    pub(super) root: Value<'a>,
    pub(super) rest: &'a [u8],
    objects: Vec<Object<'a>>,
}

impl<'a> Parsed<'a> {
    /// The items of a list.
    pub(super) fn list(&self) -> Option<&[Value<'a>]> {
        match self.object(self.root)? {
            Object::List(items) => Some(items),
            _ => None,
        }
    }

    /// A value of a dictionary.
    pub(super) fn entry(&self, key: &str) -> Option<Value<'a>> {
        match self.object(self.root)? {
            Object::Dict(items) => items.iter().find(|(name, _)| *name == Value::Text(key)).map(|(_, value)| *value),
            _ => None,
        }
    }

    /// Every storage that is mentioned.
    pub(super) fn storages(&self) -> impl Iterator<Item = Storage<'a>> {
        self.objects.iter().filter_map(|object| match object {
            Object::Storage(storage) => Some(*storage),
            _ => None,
        })
    }

    /// The tensors of a dictionary that holds nothing else.
    pub(super) fn tensors(&self) -> Result<Vec<(&'a str, &StoredTensor<'a>)>, String> {
        let Some(Object::Dict(items)) = self.object(self.root) else {
            return Err("expected a dictionary of tensors".to_owned());
        };
        let tensor = |(name, value): &(Value<'a>, Value<'a>)| {
            let Value::Text(name) = *name else { return Err(format!("expected a name of a tensor, found {name:?}")) };
            let object = match self.object(*value) {
                Some(Object::Parameter(Some(inner))) => self.objects.get(*inner),
                object => object,
            };
            match object {
                Some(Object::Tensor(tensor)) => Ok((name, tensor)),
                _ => Err(format!("{name}: expected a tensor")),
            }
        };
        items.iter().map(tensor).collect()
    }

    fn object(&self, value: Value<'a>) -> Option<&Object<'a>> {
        match value {
            Value::Object(index) => self.objects.get(index),
            _ => None,
        }
    }
}

/// Reads one pickle from the start of `bytes`.
pub(super) fn parse(bytes: &[u8]) -> Result<Parsed<'_>, WeightsError> {
    let mut machine = Machine {
        bytes,
        at: 0,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        objects: Vec::new(),
        items: 0,
    };
    loop {
        let at = machine.at;
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(Parsed { root, rest: &bytes[machine.at..], objects: machine.objects }),
            Err(message) => return Err(WeightsError::Pth(format!("pickle, byte {at}: {message}"))),
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    stack: Vec<Value<'a>>,
    /// Heights of the stack at which a group began.
    marks: Vec<usize>,
    memo: HashMap<u32, Value<'a>>,
    objects: Vec<Object<'a>>,
    /// Items of all objects together.
    items: usize,
}

impl<'a> Machine<'a> {
    /// Runs one opcode; the result of the pickle if it was the last one.
    fn step(&mut self) -> Result<Option<Value<'a>>, String> {
        let [opcode] = self.array()?;
        match opcode {
            0x80 => match self.array()? {
                [2] => {}
                [version] => return Err(format!("expected protocol 2, found {version}")),
            },
            b'.' => {
                let root = self.pop()?;
                return if self.stack.is_empty() { Ok(Some(root)) } else { Err("ends with values left over".into()) };
            }
            b'(' => self.marks.push(self.stack.len()),
            b'N' => self.stack.push(Value::None),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),
            b'J' => {
                let number = i32::from_le_bytes(self.array()?);
                self.stack.push(Value::Int(number.into()));
            }
            b'K' => {
                let [number] = self.array()?;
                self.stack.push(Value::Int(number.into()));
            }
            b'M' => {
                let number = u16::from_le_bytes(self.array()?);
                self.stack.push(Value::Int(number.into()));
            }
            0x8a => {
                let [len] = self.array()?;
                let long = self.take(len.into())?;
                self.stack.push(integer(long));
            }
            b'X' => {
                let len = u32::from_le_bytes(self.array()?);
                self.text(len as usize)?;
            }
            b'U' => {
                let [len] = self.array()?;
                self.text(len.into())?;
            }
            b'c' => self.global()?,
            b'q' => {
                let [key] = self.array()?;
                self.remember(key.into())?;
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?);
                self.remember(key)?;
            }
            b'h' => {
                let [key] = self.array()?;
                self.recall(key.into())?;
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?);
                self.recall(key)?;
            }
            b')' => self.push(Object::Tuple(Vec::new()))?,
            b']' => self.push(Object::List(Vec::new()))?,
            b'}' => self.push(Object::Dict(Vec::new()))?,
            0x85..=0x87 => self.tuple(usize::from(opcode - 0x84))?,
            b't' => {
                let start = self.unmark()?;
                self.tuple(self.stack.len() - start)?;
            }
            b'a' => self.append(1)?,
            b'e' => {
                let start = self.unmark()?;
                self.append(self.stack.len() - start)?;
            }
            b's' => self.set(2)?,
            b'u' => {
                let start = self.unmark()?;
                self.set(self.stack.len() - start)?;
            }
            b'Q' => self.persistent()?,
            b'R' => self.reduce()?,
            0x81 => self.new_object()?,
            b'b' => self.build()?,
            _ => return Err(format!("opcode {opcode:#04x} has no place in a dictionary of tensors")),
        }
        Ok(None)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], String> {
        let taken = self.bytes[self.at..].get(..len).ok_or("ends in the middle")?;
        self.at += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.take(N)?;
        Ok(taken.try_into().expect("as many were taken"))
    }

    fn text(&mut self, len: usize) -> Result<(), String> {
        let text = str::from_utf8(self.take(len)?).map_err(|_| "a text that is not UTF-8")?;
        self.stack.push(Value::Text(text));
        Ok(())
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = &self.bytes[self.at..];
        let len = rest.iter().take(MAX_NAME + 1).position(|&byte| byte == b'\n').ok_or("a name without an end")?;
        let line = self.take(len)?;
        self.at += 1;
        str::from_utf8(line).map_err(|_| "a name that is not UTF-8".to_owned())
    }

    fn global(&mut self) -> Result<(), String> {
        let (module, name) = (self.line()?, self.line()?);
        let class = Class::find(module, name);
        let class = class.ok_or_else(|| {
            format!("{:?} has no place in a dictionary of tensors; nothing was executed", format!("{module}.{name}"))
        })?;
        self.stack.push(Value::Class(class));
        Ok(())
    }

    fn pop(&mut self) -> Result<Value<'a>, String> {
        // What lies below the last mark belongs to a group that is still open.
        if self.marks.last().is_some_and(|&mark| mark >= self.stack.len()) {
            return Err("takes a value from an open group".into());
        }
        self.stack.pop().ok_or_else(|| "takes a value from an empty stack".into())
    }

    fn unmark(&mut self) -> Result<usize, String> {
        self.marks.pop().ok_or_else(|| "ends a group that has no beginning".into())
    }

    fn remember(&mut self, key: u32) -> Result<(), String> {
        let value = *self.stack.last().ok_or("remembers nothing")?;
        self.memo.insert(key, value);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<(), String> {
        let value = *self.memo.get(&key).ok_or("recalls what was never remembered")?;
        self.stack.push(value);
        Ok(())
    }

    fn push(&mut self, object: Object<'a>) -> Result<(), String> {
        self.count(1)?;
        self.stack.push(Value::Object(self.objects.len()));
        self.objects.push(object);
        Ok(())
    }

    fn count(&mut self, items: usize) -> Result<(), String> {
        self.items = self.items.saturating_add(items);
        if self.items > MAX_ITEMS { Err(format!("more than {MAX_ITEMS} items")) } else { Ok(()) }
    }

    /// The last `len` values.
    fn drain(&mut self, len: usize) -> Result<Vec<Value<'a>>, String> {
        self.count(len)?;
        let below = self.marks.last().copied().unwrap_or(0);
        let start = self.stack.len().checked_sub(len).filter(|&start| start >= below);
        Ok(self.stack.split_off(start.ok_or("takes more values than there are")?))
    }

    fn tuple(&mut self, len: usize) -> Result<(), String> {
        let items = self.drain(len)?;
        self.push(Object::Tuple(items))
    }

    fn append(&mut self, len: usize) -> Result<(), String> {
        let new = self.drain(len)?;
        match self.top()? {
            Object::List(items) => items.extend(new),
            _ => return Err("appends to what is no list".into()),
        }
        Ok(())
    }

    fn set(&mut self, len: usize) -> Result<(), String> {
        let new = self.drain(len)?;
        let (pairs, []) = new.as_chunks::<2>() else { return Err("sets a name without a value".into()) };
        match self.top()? {
            Object::Dict(items) => items.extend(pairs.iter().map(|&[name, value]| (name, value))),
            _ => return Err("sets a value in what is no dictionary".into()),
        }
        Ok(())
    }

    fn top(&mut self) -> Result<&mut Object<'a>, String> {
        let top = self.stack.last().copied();
        self.object(top.unwrap_or(Value::None))
    }

    fn object(&mut self, value: Value<'a>) -> Result<&mut Object<'a>, String> {
        match value {
            Value::Object(index) => self.objects.get_mut(index).ok_or_else(|| "no such object".into()),
            _ => Err("expected an object".into()),
        }
    }

    fn pop_tuple(&mut self) -> Result<Vec<Value<'a>>, String> {
        let value = self.pop()?;
        let items = match self.object(value)? {
            Object::Tuple(items) => items.clone(),
            _ => return Err("expected a tuple".into()),
        };
        // A copy counts like any other: the same tuple can be asked for again and again.
        self.count(items.len())?;
        Ok(items)
    }

    fn persistent(&mut self) -> Result<(), String> {
        let items = self.pop_tuple()?;
        let storage = object::storage(&items).ok_or("expected a storage that is no part of another")?;
        self.push(Object::Storage(storage))
    }

    fn reduce(&mut self) -> Result<(), String> {
        let arguments = self.pop_tuple()?;
        let Value::Class(class) = self.pop()? else { return Err("calls what cannot be called".into()) };
        match (class, arguments.as_slice()) {
            (Class::OrderedDict, []) => self.push(Object::Dict(Vec::new())),
            // Python 2 wrote the pairs as an argument.
            (Class::OrderedDict, &[pairs]) => self.ordered(pairs),
            (Class::RebuildTensor, &[storage, offset, shape, strides])
            | (
                Class::RebuildTensorV2,
                &[storage, offset, shape, strides, _, _] | &[storage, offset, shape, strides, _, _, _],
            ) => self.tensor(storage, offset, shape, strides),
            (Class::RebuildParameter, &[tensor, _, _]) => {
                let tensor = self.tensor_index(tensor)?;
                self.push(Object::Parameter(Some(tensor)))
            }
            _ => Err(format!("{class:?} does not take {} arguments", arguments.len())),
        }
    }

    fn ordered(&mut self, pairs: Value<'a>) -> Result<(), String> {
        let pairs = match self.object(pairs)? {
            Object::List(pairs) => pairs.clone(),
            _ => return Err("expected a list of pairs".into()),
        };
        self.count(2 * pairs.len())?;
        let mut items = Vec::with_capacity(pairs.len());
        for pair in pairs {
            match self.object(pair)? {
                Object::Tuple(pair) | Object::List(pair) if pair.len() == 2 => items.push((pair[0], pair[1])),
                _ => return Err("expected a pair".into()),
            }
        }
        self.push(Object::Dict(items))
    }

    fn tensor(
        &mut self,
        storage: Value<'a>,
        offset: Value<'a>,
        shape: Value<'a>,
        strides: Value<'a>,
    ) -> Result<(), String> {
        let storage = match self.object(storage)? {
            Object::Storage(storage) => *storage,
            _ => return Err("expected a storage".into()),
        };
        let offset = match offset {
            Value::Int(offset) => usize::try_from(offset).map_err(|_| "an offset below zero")?,
            _ => return Err("expected an offset".into()),
        };
        let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
        if shape.len() != strides.len() {
            return Err(format!("{} sizes, but {} strides", shape.len(), strides.len()));
        }
        self.push(Object::Tensor(StoredTensor { storage, offset, shape, strides }))
    }

    fn sizes(&mut self, value: Value<'a>) -> Result<Vec<usize>, String> {
        let sizes = match self.object(value)? {
            Object::Tuple(items) => object::sizes(items),
            _ => None,
        };
        sizes.ok_or_else(|| "expected a tuple of sizes".into())
    }

    fn tensor_index(&mut self, value: Value<'a>) -> Result<usize, String> {
        match (self.object(value)?, value) {
            (Object::Tensor(_), Value::Object(index)) => Ok(index),
            _ => Err("expected a tensor".into()),
        }
    }

    fn new_object(&mut self) -> Result<(), String> {
        let arguments = self.pop_tuple()?;
        let class = self.pop()?;
        if class != Value::Class(Class::Parameter) {
            return Err("makes an object that is no parameter".into());
        }
        let tensor = arguments.first().map(|&tensor| self.tensor_index(tensor)).transpose()?;
        self.push(Object::Parameter(tensor))
    }

    /// Gives an object its state: attributes of a dictionary, which say nothing of its tensors, or the tensor of a
    /// parameter.
    fn build(&mut self) -> Result<(), String> {
        let state = self.pop()?;
        let first = match self.object(state)? {
            Object::Tuple(items) => items.first().copied(),
            _ => None,
        };
        match (self.top()?, first) {
            (Object::Dict(_), None) => Ok(()),
            (Object::Parameter(_), Some(tensor)) => {
                let index = self.tensor_index(tensor)?;
                *self.top()? = Object::Parameter(Some(index));
                Ok(())
            }
            _ => Err("gives a state to what has none".into()),
        }
    }
}

/// A long integer, as a plain one where it fits.
fn integer(bytes: &[u8]) -> Value<'_> {
    if bytes.len() > 8 {
        return Value::Long(bytes);
    }
    // Two's complement, little-endian: the sign fills what is not given.
    let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
    let mut whole = [fill; 8];
    whole[..bytes.len()].copy_from_slice(bytes);
    Value::Int(i64::from_le_bytes(whole))
}

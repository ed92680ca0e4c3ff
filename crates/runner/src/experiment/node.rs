//! A TOML tree in which every key and every value knows its origin, and how two of them merge.
//!
//! Knows no schema: what keys mean is the business of the types that are read from it.

use super::origin::Origin;

/// A value and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) value: Value,
}

/// What TOML can say.
#[derive(Clone, Debug)]
pub(super) enum Value {
    String(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Node>),
    Table(Table),
}

/// Keys in the order in which they were first said. Tables here have a dozen keys at most, so a list
/// does.
#[derive(Clone, Debug, Default)]
pub(super) struct Table(Vec<Entry>);

/// A key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_origin: Origin,
    pub(super) node: Node,
}

/// The key that chooses a variant, as in `[optimizer] kind = "adam"`.
pub(super) const KIND: &str = "kind";

impl Node {
    pub(super) fn new(origin: Origin, value: Value) -> Self {
        Self { origin, value }
    }

    pub(super) fn string(origin: &Origin, text: impl Into<String>) -> Self {
        Self::new(origin.clone(), Value::String(text.into()))
    }

    pub(super) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The child by key, or by index in an array.
    pub(super) fn child(&self, segment: &str) -> Option<&Self> {
        match &self.value {
            Value::Table(table) => table.get(segment),
            Value::Array(items) => segment.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        }
    }

    /// The value as messages name it, as in `the string "many"`.
    pub(super) fn describe(&self) -> String {
        match &self.value {
            Value::String(text) => format!("the string {text:?}"),
            Value::Integer(number) => number.to_string(),
            Value::Float(number) => format!("{number:?}"),
            Value::Boolean(value) => value.to_string(),
            Value::Datetime(text) => format!("the date {text}"),
            Value::Array(_) => "an array".to_owned(),
            Value::Table(_) => "a table".to_owned(),
        }
    }

    /// Turns a plain `"adam"` into `{ kind = "adam" }`, which says the same, so that settings can join it.
    pub(super) fn expand_kind(&mut self) {
        if matches!(self.value, Value::String(_)) {
            let kind = self.clone();
            let mut table = Table::default();
            table.insert(Entry { key: KIND.to_owned(), key_origin: self.origin.clone(), node: kind });
            self.value = Value::Table(table);
        }
    }

    /// Lays `over` on this node: tables merge key by key, everything else is replaced.
    ///
    /// A table of another `kind` is replaced whole, because the settings of one kind mean nothing to
    /// the next.
    pub(super) fn merge(&mut self, over: Self) {
        if over.as_table().is_some_and(|table| table.get(KIND).is_none()) {
            self.expand_kind();
        }
        match (&mut self.value, over.value) {
            (Value::Table(below), Value::Table(over_table)) if !below.changes_kind(&over_table) => {
                self.origin = over.origin;
                for entry in over_table.0 {
                    below.merge_entry(entry);
                }
            }
            (_, value) => *self = Self::new(over.origin, value),
        }
    }
}

impl Table {
    pub(super) fn entries(&self) -> &[Entry] {
        &self.0
    }

    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.0
    }

    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.0.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
    }

    pub(super) fn remove(&mut self, key: &str) -> Option<Entry> {
        let index = self.0.iter().position(|entry| entry.key == key)?;
        Some(self.0.remove(index))
    }

    /// Adds an entry whose key is not there yet.
    pub(super) fn insert(&mut self, entry: Entry) {
        debug_assert!(self.entry(&entry.key).is_none(), "{} is there already", entry.key);
        self.0.push(entry);
    }

    /// Forgets every key but `kind`.
    pub(super) fn clear_settings(&mut self) {
        self.0.retain(|entry| entry.key == KIND);
    }

    fn merge_entry(&mut self, entry: Entry) {
        match self.0.iter_mut().find(|it| it.key == entry.key) {
            Some(below) => {
                below.key_origin = entry.key_origin;
                below.node.merge(entry.node);
            }
            None => self.0.push(entry),
        }
    }

    fn changes_kind(&self, over: &Self) -> bool {
        match (self.get(KIND).and_then(Node::as_str), over.get(KIND).and_then(Node::as_str)) {
            (Some(below), Some(over)) => below != over,
            _ => false,
        }
    }
}

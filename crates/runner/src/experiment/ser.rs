//! Any `Serialize` type → [`Value`], in the conventions that [`super::de`] reads: an enum variant becomes
//! a table with a `kind` key, and a variant without content a plain string. Nothing is written for `None`.

use serde::ser::{
    Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    Serializer,
};

use super::{
    node::{Entry, KIND, Node, Table, Value},
    origin::Origin,
};

/// Turns `value` into a tree without origins.
///
/// # Panics
///
/// If `value` holds what TOML cannot say, such as bytes or maps with other keys than strings: a mistake
/// in a configuration type, which every test that writes one finds.
pub(super) fn to_node(value: &impl Serialize) -> Node {
    let value = value.serialize(NodeSerializer).expect("configuration types hold nothing that TOML cannot say");
    node(value.unwrap_or_else(|| Value::Table(Table::default())))
}

fn node(value: Value) -> Node {
    Node::new(Origin::Default, value)
}

fn unsupported<T>(what: &str) -> Result<T, toml::ser::Error> {
    Err(serde::ser::Error::custom(format!("{what} has no place in a configuration")))
}

type Written = Result<Option<Value>, toml::ser::Error>;

struct NodeSerializer;

/// An array or table under construction, with the kind that it is the content of.
#[derive(Default)]
struct Builder {
    items: Vec<Node>,
    table: Table,
    key: Option<String>,
}

impl Builder {
    fn of_kind(kind: &str) -> Self {
        let mut builder = Self::default();
        builder.put(KIND, Some(Value::String(kind.to_owned())));
        builder
    }

    fn put(&mut self, key: &str, value: Option<Value>) {
        if let Some(value) = value {
            self.table.insert(Entry { key: key.to_owned(), key_origin: Origin::Default, node: node(value) });
        }
    }
}

macro_rules! integers {
    ($($method:ident: $ty:ty),*) => {$(
        fn $method(self, value: $ty) -> Written {
            match i64::try_from(value) {
                Ok(value) => Ok(Some(Value::Integer(value))),
                Err(_) => unsupported("an integer beyond 64 bits"),
            }
        }
    )*};
}

impl Serializer for NodeSerializer {
    type Ok = Option<Value>;
    type Error = toml::ser::Error;
    type SerializeSeq = Builder;
    type SerializeTuple = Builder;
    type SerializeTupleStruct = Impossible<Self::Ok, Self::Error>;
    type SerializeTupleVariant = Impossible<Self::Ok, Self::Error>;
    type SerializeMap = Builder;
    type SerializeStruct = Builder;
    type SerializeStructVariant = Builder;

    integers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64
    }

    fn serialize_bool(self, value: bool) -> Written {
        Ok(Some(Value::Boolean(value)))
    }

    fn serialize_f32(self, value: f32) -> Written {
        // By way of the shortest text: people wrote 0.08, not 0.07999999821186066.
        let text = value.to_string();
        Ok(Some(Value::Float(text.parse().expect("a printed float can be read"))))
    }

    fn serialize_f64(self, value: f64) -> Written {
        Ok(Some(Value::Float(value)))
    }

    fn serialize_char(self, value: char) -> Written {
        Ok(Some(Value::String(value.to_string())))
    }

    fn serialize_str(self, value: &str) -> Written {
        Ok(Some(Value::String(value.to_owned())))
    }

    fn serialize_bytes(self, _value: &[u8]) -> Written {
        unsupported("bytes")
    }

    fn serialize_none(self) -> Written {
        Ok(None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Written {
        Ok(None)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Written {
        Ok(None)
    }

    fn serialize_unit_variant(self, _name: &'static str, _index: u32, variant: &'static str) -> Written {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _name: &'static str, value: &T) -> Written {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Written {
        let Some(Value::Table(content)) = value.serialize(self)? else {
            return unsupported("a variant whose content is no struct");
        };
        let mut builder = Builder::of_kind(variant);
        content.into_entries().into_iter().for_each(|entry| builder.table.insert(entry));
        SerializeStruct::end(builder)
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Builder, Self::Error> {
        Ok(Builder::default())
    }

    fn serialize_tuple(self, _len: usize) -> Result<Builder, Self::Error> {
        Ok(Builder::default())
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleStruct, Self::Error> {
        unsupported("a tuple struct")
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        _variant: &'static str,
        _len: usize,
    ) -> Result<Self::SerializeTupleVariant, Self::Error> {
        unsupported("a tuple variant")
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Builder, Self::Error> {
        Ok(Builder::default())
    }

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Builder, Self::Error> {
        Ok(Builder::default())
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Builder, Self::Error> {
        Ok(Builder::of_kind(variant))
    }
}

impl SerializeSeq for Builder {
    type Ok = Option<Value>;
    type Error = toml::ser::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Self::Error> {
        self.items.extend(value.serialize(NodeSerializer)?.map(node));
        Ok(())
    }

    fn end(self) -> Written {
        Ok(Some(Value::Array(self.items)))
    }
}

impl SerializeTuple for Builder {
    type Ok = Option<Value>;
    type Error = toml::ser::Error;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Self::Error> {
        SerializeSeq::serialize_element(self, value)
    }

    fn end(self) -> Written {
        SerializeSeq::end(self)
    }
}

impl SerializeMap for Builder {
    type Ok = Option<Value>;
    type Error = toml::ser::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Self::Error> {
        let Some(Value::String(key)) = key.serialize(NodeSerializer)? else {
            return unsupported("a key that is no string");
        };
        self.key = Some(key);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Self::Error> {
        let key = self.key.take().expect("serde writes a key before its value");
        self.put(&key, value.serialize(NodeSerializer)?);
        Ok(())
    }

    fn end(self) -> Written {
        Ok(Some(Value::Table(self.table)))
    }
}

impl SerializeStruct for Builder {
    type Ok = Option<Value>;
    type Error = toml::ser::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Self::Error> {
        self.put(key, value.serialize(NodeSerializer)?);
        Ok(())
    }

    fn end(self) -> Written {
        Ok(Some(Value::Table(self.table)))
    }
}

impl SerializeStructVariant for Builder {
    type Ok = Option<Value>;
    type Error = toml::ser::Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, key: &'static str, value: &T) -> Result<(), Self::Error> {
        SerializeStruct::serialize_field(self, key, value)
    }

    fn end(self) -> Written {
        SerializeStruct::end(self)
    }
}

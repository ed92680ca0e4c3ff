//! [`Node`] → any `Deserialize` type, with errors that know the file, line and column.
//!
//! Two conventions beyond plain serde: a table with a `kind` key is the enum variant of that name (the
//! other keys are its content, and a plain string is a variant with no settings), and whole numbers are
//! welcome where floats are expected. Types should not use `flatten`, `untagged` or `tag`: serde buffers
//! their content, and the places get lost.

mod access;
mod error;

use serde::de::{DeserializeOwned, Deserializer, Visitor};

pub(crate) use self::error::nearest;
pub(super) use self::error::{did_you_mean, list};
use self::{
    access::{Items, Settings, Variant},
    error::DeError,
};
use super::{
    error::Problem,
    node::{KIND, Node, Value},
    origin::Origin,
};

/// Reads a `T`.
///
/// # Errors
///
/// The first unknown key, missing key, wrong type or unknown kind.
pub(super) fn from_node<T: DeserializeOwned>(node: Node) -> Result<T, Problem> {
    let place = Place { origin: node.origin.clone(), path: String::new() };
    T::deserialize(NodeDeserializer { node, path: String::new() }).map_err(|error| error.into_problem(&place))
}

/// Where the reader is: for messages.
struct Place {
    origin: Origin,
    /// Dotted key; empty at the root.
    path: String,
}

struct NodeDeserializer {
    node: Node,
    path: String,
}

impl NodeDeserializer {
    fn place(&self) -> Place {
        Place { origin: self.node.origin.clone(), path: self.path.clone() }
    }

    fn wrong_type<T>(&self, expected: &str) -> Result<T, DeError> {
        Err(DeError::message(format!("expected {expected}, found {}", self.node.describe())).at(&self.place()))
    }

    /// Runs a visitor and says where it stood if it fails.
    fn placed<T>(self, visit: impl FnOnce(Self) -> Result<T, DeError>) -> Result<T, DeError> {
        let place = self.place();
        visit(self).map_err(|error| error.at(&place))
    }
}

/// The whole-number types: one check of the sign and a readable message for all of them.
macro_rules! deserialize_integers {
    ($($method:ident => $ty:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
            let Value::Integer(number) = self.node.value else { return self.wrong_type("a whole number") };
            if <$ty>::try_from(number).is_err() {
                let (min, max) = (<$ty>::MIN, <$ty>::MAX);
                return match number {
                    ..0 if min == 0 => self.wrong_type("a whole number of at least 0"),
                    _ => self.wrong_type(&format!("a whole number from {min} to {max}")),
                };
            }
            self.placed(|_| visitor.visit_i64(number))
        }
    )*};
}

impl<'de> Deserializer<'de> for NodeDeserializer {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.placed(|this| match this.node.value {
            Value::String(text) | Value::Datetime(text) => visitor.visit_string(text),
            Value::Integer(number) => visitor.visit_i64(number),
            Value::Float(number) => visitor.visit_f64(number),
            Value::Boolean(value) => visitor.visit_bool(value),
            Value::Array(items) => visitor.visit_seq(Items::new(items, this.path)),
            Value::Table(table) => visitor.visit_map(Settings::new(table, this.path)),
        })
    }

    deserialize_integers! {
        deserialize_i8 => i8, deserialize_i16 => i16, deserialize_i32 => i32, deserialize_i64 => i64,
        deserialize_u8 => u8, deserialize_u16 => u16, deserialize_u32 => u32, deserialize_u64 => u64
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let number = match self.node.value {
            Value::Float(number) => number,
            #[expect(clippy::cast_precision_loss, reason = "a setting beyond 2^53 means its nearest float")]
            Value::Integer(number) => number as f64,
            _ => return self.wrong_type("a number"),
        };
        self.placed(|_| visitor.visit_f64(number))
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.node.value {
            Value::Float(number) if number.abs() > f64::from(f32::MAX) => self.wrong_type("a number up to 3.4e38"),
            _ => self.deserialize_f64(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        let Value::Boolean(value) = self.node.value else { return self.wrong_type("true or false") };
        self.placed(|_| visitor.visit_bool(value))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.node.value {
            Value::String(_) => self.deserialize_any(visitor),
            _ => self.wrong_type("a string"),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.deserialize_string(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.node.value {
            Value::Array(_) => self.deserialize_any(visitor),
            _ => self.wrong_type("an array"),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, DeError> {
        match &self.node.value {
            Value::Array(items) if items.len() == len => self.deserialize_any(visitor),
            Value::Array(items) => {
                let message = format!("expected an array of {len}, found {}", items.len());
                Err(DeError::message(message).at(&self.place()))
            }
            _ => self.wrong_type(&format!("an array of {len}")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.node.value {
            Value::Table(_) => self.deserialize_any(visitor),
            _ => self.wrong_type("a table"),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        let place = self.place();
        let kind_path = match self.node.value {
            Value::String(_) => place.path.clone(),
            _ => error::join(&place.path, KIND),
        };
        self.node.expand_kind();
        let Value::Table(mut settings) = self.node.value else {
            return self.wrong_type(&format!("one of {}", error::list(variants)));
        };
        let Some(kind) = settings.remove(KIND) else {
            return Err(DeError::missing_key(KIND, Some(variants)).at(&place));
        };
        let Value::String(name) = kind.node.value else {
            let kind = Self { node: kind.node, path: kind_path };
            return kind.wrong_type(&format!("one of {}", error::list(variants)));
        };
        let kind_place = Place { origin: kind.node.origin, path: kind_path };
        visitor
            .visit_enum(Variant { name, kind_place, settings: Settings::new(settings, place.path.clone()) })
            .map_err(|error| error.at(&place))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { i128 u128 char bytes byte_buf unit unit_struct tuple_struct identifier }
}

//! Arrays, tables and kinds, one item at a time; each error gets the place of the item it arose in.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
    value::StringDeserializer,
};

use super::{
    super::node::{Entry, Node, Table},
    NodeDeserializer, Place,
    error::{DeError, join},
};

/// The items of an array.
pub(super) struct Items {
    items: std::iter::Enumerate<std::vec::IntoIter<Node>>,
    path: String,
}

impl Items {
    pub(super) fn new(items: Vec<Node>, path: String) -> Self {
        Self { items: items.into_iter().enumerate(), path }
    }
}

impl<'de> SeqAccess<'de> for Items {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, DeError> {
        let Some((index, node)) = self.items.next() else { return Ok(None) };
        seed.deserialize(NodeDeserializer { node, path: join(&self.path, &index.to_string()) }).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// The keys and values of a table.
pub(super) struct Settings {
    entries: std::vec::IntoIter<Entry>,
    value: Option<NodeDeserializer>,
    path: String,
}

impl Settings {
    pub(super) fn new(table: Table, path: String) -> Self {
        Self { entries: table.into_entries().into_iter(), value: None, path }
    }
}

impl<'de> MapAccess<'de> for Settings {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, DeError> {
        let Some(Entry { key, key_origin, node }) = self.entries.next() else { return Ok(None) };
        let place = Place { origin: key_origin, path: self.path.clone() };
        self.value = Some(NodeDeserializer { node, path: join(&self.path, &key) });
        let key: StringDeserializer<DeError> = key.into_deserializer();
        seed.deserialize(key).map(Some).map_err(|error| error.at(&place))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DeError> {
        seed.deserialize(self.value.take().expect("serde asks for a key before its value"))
    }
}

/// A kind and its settings.
pub(super) struct Variant {
    pub(super) name: String,
    pub(super) kind_place: Place,
    pub(super) settings: Settings,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = DeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), DeError> {
        let name: StringDeserializer<DeError> = self.name.clone().into_deserializer();
        let value = seed.deserialize(name).map_err(|error| error.at(&self.kind_place))?;
        Ok((value, self))
    }
}

impl<'de> VariantAccess<'de> for Variant {
    type Error = DeError;

    fn unit_variant(mut self) -> Result<(), DeError> {
        let Some(entry) = self.settings.entries.next() else { return Ok(()) };
        let place = Place { origin: entry.key_origin, path: self.settings.path };
        let message = format!("unknown key `{}`: kind `{}` takes no settings", entry.key, self.name);
        Err(DeError::message(message).at(&place))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, DeError> {
        seed.deserialize(Content(self.settings))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_map(self.settings)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_map(self.settings)
    }
}

/// A table without its `kind`, read as the struct that the kind stands for.
struct Content(Settings);

impl<'de> Deserializer<'de> for Content {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_map(self.0)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

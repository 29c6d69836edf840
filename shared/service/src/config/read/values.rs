//! The deserializer: fields say what a text means.

use std::borrow::Cow;
use std::str::FromStr;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::fault::{Fault, Kind};
use crate::config::tree::{Node, Origin, Step, Value};

/// A node to be read, and the way to it.
pub(super) struct Reader<'a> {
    node: &'a Node,
    path: Vec<Step>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(root: &'a Node) -> Self {
        Self { node: root, path: Vec::new() }
    }

    fn inner(&self, node: &'a Node, step: Step) -> Self {
        Self { node, path: [self.path.as_slice(), &[step]].concat() }
    }

    fn number<N: FromStr>(&self, what: &str) -> Result<N, Fault> {
        let number = match &self.node.value {
            Value::Text { text, .. } => text.trim().parse().ok(),
            _ => None,
        };
        number.ok_or_else(|| Fault::expected(what).at(&self.path))
    }

    fn text(&self) -> Result<&'a str, Fault> {
        match &self.node.value {
            Value::Text { text, .. } => Ok(text),
            _ => Err(Fault::expected("a text").at(&self.path)),
        }
    }

    /// Runs the reading of what a variable or flag holds as text.
    fn spelled_out<R>(&self, read: impl FnOnce(&Reader<'_>) -> Result<R, Fault>) -> Result<R, Fault> {
        let node = match (&self.node.value, &self.node.origin) {
            (Value::Text { .. }, Origin::Environment(_) | Origin::Flag) => {
                Cow::Owned(self.node.clone().spelled_out())
            }
            _ => Cow::Borrowed(self.node),
        };
        read(&Reader { node: &node, path: self.path.clone() })
    }

    fn read_seq<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Fault> {
        self.spelled_out(|reader| match (&reader.node.value, &reader.node.origin) {
            (Value::List(list), _) => {
                visitor.visit_seq(Elements { around: reader, rest: list.iter().enumerate() })
            }
            (Value::Text { text, .. }, origin @ (Origin::Environment(_) | Origin::Flag)) => {
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                let list: Vec<_> = parts.map(|part| Node::text(origin.clone(), part, false)).collect();
                visitor.visit_seq(Elements { around: reader, rest: list.iter().enumerate() })
            }
            _ => Err(Fault::expected("a list")),
        })
        .map_err(|fault| fault.at(&self.path))
    }

    fn read_map<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Fault> {
        self.spelled_out(|reader| match &reader.node.value {
            Value::Map(map) => visitor.visit_map(Entries { around: reader, rest: map.iter(), value: None }),
            Value::Null => {
                visitor.visit_map(Entries { around: reader, rest: Default::default(), value: None })
            }
            _ => Err(Fault::expected("a section of keys and values")),
        })
        .map_err(|fault| fault.at(&self.path))
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $number:ty, $what:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let number = self.number::<$number>(&$what)?;
            visitor.$visit(number).map_err(|fault: Fault| fault.at(&self.path))
        }
    )*};
}

fn whole(min: impl ToString, max: impl ToString) -> String {
    format!("a whole number from {} to {}", min.to_string(), max.to_string())
}

impl<'de> Deserializer<'de> for Reader<'_> {
    type Error = Fault;

    numbers! {
        deserialize_bool visit_bool bool, "`true` or `false`";
        deserialize_i8 visit_i8 i8, whole(i8::MIN, i8::MAX);
        deserialize_i16 visit_i16 i16, whole(i16::MIN, i16::MAX);
        deserialize_i32 visit_i32 i32, whole(i32::MIN, i32::MAX);
        deserialize_i64 visit_i64 i64, whole(i64::MIN, i64::MAX);
        deserialize_u8 visit_u8 u8, whole(0, u8::MAX);
        deserialize_u16 visit_u16 u16, whole(0, u16::MAX);
        deserialize_u32 visit_u32 u32, whole(0, u32::MAX);
        deserialize_u64 visit_u64 u64, whole(0, u64::MAX);
        deserialize_f32 visit_f32 f32, "a number";
        deserialize_f64 visit_f64 f64, "a number";
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let (text, plain) = match &self.node.value {
            Value::Null | Value::Gone => return visitor.visit_unit(),
            Value::List(_) => return self.read_seq(visitor),
            Value::Map(_) => return self.read_map(visitor),
            Value::Text { text, plain } => (text, plain),
        };
        let number = if *plain { Some(text) } else { None };
        let read = match number {
            Some(text) if text == "true" || text == "false" => visitor.visit_bool(text == "true"),
            Some(text) if text.parse::<u64>().is_ok() => visitor.visit_u64(text.parse().unwrap_or_default()),
            Some(text) if text.parse::<i64>().is_ok() => visitor.visit_i64(text.parse().unwrap_or_default()),
            Some(text) if text.parse::<f64>().is_ok() => visitor.visit_f64(text.parse().unwrap_or_default()),
            _ => visitor.visit_str(text),
        };
        read.map_err(|fault: Fault| fault.at(&self.path))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_str(self.text()?).map_err(|fault: Fault| fault.at(&self.path))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value {
            Value::Null | Value::Gone => visitor.visit_none(),
            _ => {
                let path = self.path.clone();
                visitor.visit_some(self).map_err(|fault: Fault| fault.at(&path))
            }
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let path = self.path.clone();
        visitor.visit_newtype_struct(self).map_err(|fault: Fault| fault.at(&path))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.read_seq(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.read_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.read_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.read_map(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.read_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let read = self.spelled_out(|reader| match &reader.node.value {
            Value::Text { text, .. } => visitor.visit_enum(StrDeserializer::new(text)),
            // One key names the variant; a default variant below the one that was given does not count.
            Value::Map(map) => {
                let given = |node: &Node| node.origin != Origin::Default;
                let mut keys = map.iter().filter(|(_, node)| map.len() == 1 || given(node));
                match (keys.next(), keys.next()) {
                    (Some((key, node)), None) => {
                        visitor.visit_enum(Variant { key, inner: reader.inner(node, Step::Key(key.clone())) })
                    }
                    _ => Err(Fault::expected("exactly one key")),
                }
            }
            _ => Err(Fault::expected("a text, or one key with its section")),
        });
        read.map_err(|fault| fault.at(&self.path))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { bytes byte_buf unit unit_struct }
}

struct Elements<'a, I> {
    around: &'a Reader<'a>,
    rest: I,
}

impl<'de, 'a, I: Iterator<Item = (usize, &'a Node)>> SeqAccess<'de> for Elements<'a, I> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let present = self.rest.find(|(_, node)| node.value != Value::Gone);
        present.map(|(index, node)| seed.deserialize(self.around.inner(node, Step::Index(index)))).transpose()
    }
}

struct Entries<'a> {
    around: &'a Reader<'a>,
    rest: std::collections::btree_map::Iter<'a, String, Node>,
    value: Option<Reader<'a>>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, node)) = self.rest.next() else { return Ok(None) };
        let inner = self.around.inner(node, Step::Key(key.clone()));
        let name = Node::text(node.origin.clone(), key, true);
        let read = seed.deserialize(Reader { node: &name, path: inner.path.clone() });
        self.value = Some(inner);
        read.map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let value = self.value.take().ok_or_else(|| Fault::expected("a key before its value"))?;
        let path = value.path.clone();
        seed.deserialize(value).map_err(|fault| fault.at(&path))
    }
}

struct Variant<'a> {
    key: &'a str,
    inner: Reader<'a>,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Fault;
    type Variant = Reader<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self::Variant), Fault> {
        let name: StrDeserializer<'_, Fault> = self.key.into_deserializer();
        Ok((seed.deserialize(name).map_err(|fault| fault.at(&self.inner.path))?, self.inner))
    }
}

impl<'de> VariantAccess<'de> for Reader<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.node.value {
            Value::Null => Ok(()),
            _ => Err(Fault::from(Kind::Other("takes nothing further".to_owned())).at(&self.path)),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        let path = self.path.clone();
        seed.deserialize(self).map_err(|fault| fault.at(&path))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.read_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.read_map(visitor)
    }
}

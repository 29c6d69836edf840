//! What is configured about rules besides their files. Keys are named as Falco's are.

use std::fmt;

use audit_rules::load::{AppendOutput, ExtraValue};
use audit_rules::select::Selection;
use audit_service::config::{Check, Mistakes};
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

/// Switches rules on or off once they are loaded, whatever their files say. Those further down win.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Switch {
    /// On.
    Enable(Which),
    /// Off.
    Disable(Which),
}

/// The rules with the name and those with the tag.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Which {
    /// Name of rules, `*` for any text.
    pub rule: Option<String>,
    /// Tag that rules have.
    pub tag: Option<String>,
}

/// Adds to the outputs of some rules.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Append {
    /// Whose.
    #[serde(rename = "match")]
    pub to: AppendTo,
    /// Template that follows the rule's own behind a blank.
    pub extra_output: Option<String>,
    /// More output fields.
    pub extra_fields: Vec<ExtraField>,
}

/// Rules to whose outputs something is added: all that is given must fit.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppendTo {
    /// Their source.
    pub source: Option<String>,
    /// Tags that they have, all of them.
    pub tags: Vec<String>,
    /// The rule's name.
    pub rule: Option<String>,
}

/// An output field: the field of an event whose value it is, or `{NAME: TEMPLATE}`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExtraField(String, ExtraValue);

impl From<&Switch> for Selection {
    fn from(switch: &Switch) -> Self {
        let (enable, which) = match switch {
            Switch::Enable(which) => (true, which),
            Switch::Disable(which) => (false, which),
        };
        Self { enable, rule: which.rule.clone(), tag: which.tag.clone() }
    }
}

impl From<&Append> for AppendOutput {
    fn from(append: &Append) -> Self {
        let Append { to: AppendTo { source, tags, rule }, extra_output, extra_fields } = append.clone();
        let fields = extra_fields.into_iter().map(|ExtraField(name, value)| (name, value)).collect();
        Self { source, tags, rule, output: extra_output, fields }
    }
}

impl Check for Switch {
    fn check(&self, mistakes: &mut Mistakes) {
        let (Self::Enable(which) | Self::Disable(which)) = self;
        if *which == Which::default() {
            mistakes.add("", "must name rules by `rule`, by `tag` or by both; `rule: \"*\"` is all of them");
        }
    }
}

impl Check for Append {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.extra_output.is_none() && self.extra_fields.is_empty() {
            mistakes.add("", "adds nothing: give `extra_output`, `extra_fields` or both");
        }
    }
}

impl Serialize for ExtraField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.1 {
            ExtraValue::Raw => serializer.serialize_str(&self.0),
            ExtraValue::Template(template) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(&self.0, template)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for ExtraField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = ExtraField;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a field, or `{NAME: TEMPLATE}`")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<ExtraField, E> {
                Ok(ExtraField(name.to_owned(), ExtraValue::Raw))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ExtraField, A::Error> {
                let one = map.next_entry()?.ok_or_else(|| de::Error::invalid_length(0, &self))?;
                match map.next_entry::<String, String>()? {
                    None => Ok(ExtraField(one.0, ExtraValue::Template(one.1))),
                    Some(_) => Err(de::Error::invalid_length(2, &self)),
                }
            }
        }

        deserializer.deserialize_any(Read)
    }
}

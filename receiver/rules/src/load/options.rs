//! What a configuration adds to rules.

use std::collections::BTreeSet;

/// How rules are loaded.
#[derive(Clone, Default, Debug)]
pub struct Options {
    /// Added to the outputs of rules, in this order.
    pub append_output: Vec<AppendOutput>,
}

/// An addition to the outputs of some rules.
#[derive(Clone, Default, Debug)]
pub struct AppendOutput {
    /// Rules of this source only.
    pub source: Option<String>,
    /// Rules with all of these tags only.
    pub tags: Vec<String>,
    /// The rule of this name only.
    pub rule: Option<String>,
    /// Template that follows the rule's own behind a blank.
    pub output: Option<String>,
    /// More output fields, by name.
    pub fields: Vec<(String, ExtraValue)>,
}

/// What an extra output field holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExtraValue {
    /// The value of the field that it is named after.
    Raw,
    /// A template filled in.
    Template(String),
}

impl AppendOutput {
    pub(super) fn matches(&self, rule: &str, source: &str, tags: &BTreeSet<String>) -> bool {
        self.source.as_deref().is_none_or(|wanted| wanted == source)
            && self.rule.as_deref().is_none_or(|wanted| wanted == rule)
            && self.tags.iter().all(|tag| tags.contains(tag))
    }
}

impl ExtraValue {
    pub(super) fn template(&self, name: &str) -> String {
        match self {
            Self::Raw => format!("%{name}"),
            Self::Template(template) => template.clone(),
        }
    }

    pub(super) fn is_raw(&self) -> bool {
        *self == Self::Raw
    }
}

//! Tests of one text against what a rule says, ready to be applied to bytes.

mod glob;
mod networks;
mod paths;
mod regex;

use std::collections::HashSet;

pub(crate) use glob::Glob;
pub(crate) use networks::Networks;
pub(crate) use paths::Paths;
pub(crate) use regex::{Regex, is_special};

/// A test of a text.
#[derive(Clone, Debug)]
pub(crate) enum Pattern {
    Equal(Vec<u8>),
    Differs(Vec<u8>),
    Less(Vec<u8>),
    AtMost(Vec<u8>),
    Greater(Vec<u8>),
    AtLeast(Vec<u8>),
    Contains(Vec<u8>),
    /// The part in lower case.
    ContainsAnyCase(Vec<u8>),
    StartsWith(Vec<u8>),
    EndsWith(Vec<u8>),
    Glob(Glob),
    Regex(Regex),
    OneOf(HashSet<Vec<u8>>),
    UnderAny(Paths),
}

impl Pattern {
    pub(crate) fn matches(&self, text: &[u8]) -> bool {
        match self {
            Self::Equal(other) => text == other,
            Self::Differs(other) => text != other,
            Self::Less(other) => text < other.as_slice(),
            Self::AtMost(other) => text <= other.as_slice(),
            Self::Greater(other) => text > other.as_slice(),
            Self::AtLeast(other) => text >= other.as_slice(),
            Self::Contains(part) => contains(text, part),
            Self::ContainsAnyCase(part) => contains(&text.to_ascii_lowercase(), part),
            Self::StartsWith(part) => text.starts_with(part),
            Self::EndsWith(part) => text.ends_with(part),
            Self::Glob(glob) => glob.matches(text),
            Self::Regex(regex) => regex.matches(text),
            Self::OneOf(set) => set.contains(text),
            Self::UnderAny(paths) => paths.any_leads_to(text),
        }
    }
}

/// Whether `part` stands anywhere in `text`; the empty one does.
pub(crate) fn contains(text: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(text, part).is_some()
}

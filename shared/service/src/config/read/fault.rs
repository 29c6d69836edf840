//! What a reader stumbled over, and where.

use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::config::tree::Step;

#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    at: Option<Vec<Step>>,
}

#[derive(Debug)]
pub(super) enum Kind {
    Unknown(String, &'static [&'static str]),
    Variant(String, &'static [&'static str]),
    Missing(&'static str),
    Other(String),
}

impl Fault {
    pub(super) fn expected(what: impl fmt::Display) -> Self {
        Kind::Other(format!("expected {what}")).into()
    }

    /// Notes where it happened; the innermost place stays.
    pub(super) fn at(mut self, path: &[Step]) -> Self {
        self.at.get_or_insert_with(|| path.to_owned());
        self
    }

    pub(super) fn path(&self) -> &[Step] {
        self.at.as_deref().unwrap_or_default()
    }
}

impl From<Kind> for Fault {
    fn from(kind: Kind) -> Self {
        Self { kind, at: None }
    }
}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Kind::Other(reason.to_string()).into()
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::expected(expected)
    }

    fn unknown_field(field: &str, allowed: &'static [&'static str]) -> Self {
        Kind::Unknown(field.to_owned(), allowed).into()
    }

    fn unknown_variant(variant: &str, allowed: &'static [&'static str]) -> Self {
        Kind::Variant(variant.to_owned(), allowed).into()
    }

    fn missing_field(field: &'static str) -> Self {
        Kind::Missing(field).into()
    }
}

impl std::error::Error for Fault {}

/// For `serde` only: people read a `Mistake`.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

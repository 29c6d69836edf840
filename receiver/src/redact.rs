//! Secrets are not to be kept: what goes into the store passes through here. Pure: bytes in, bytes out.
//!
//! Events are evaluated as they came; what is kept of them is not. Left out, and marked by [`REDACTED`], are the values of
//! secrets (`data`, `stringData`, also in patches, lists and `last-applied-configuration`), members whose name says that
//! they are secret (`token`, `password`, an `env` of such a name), what looks like a secret in commands, and what looks
//! like one by itself wherever it stands (private keys, web tokens, access keys, passwords in URLs). Names stay. What is cut
//! or broken is read as far as it can be, and where it can't be told what a value belongs to, it is left out.

use std::borrow::Cow;

use audit_event::{Event, payload};
use audit_service::config::{Check, Mistakes};
use serde::{Deserialize, Serialize};

pub use pointer::Pointer;
pub use words::Words;

mod json;
mod pointer;
mod shapes;
#[cfg(test)]
mod tests;
mod tokens;
mod uri;
mod words;

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// What is left out of what is kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redact {
    /// What is or looks like a secret.
    pub secrets: bool,
    /// What stands at these places of an event or record.
    pub paths: Vec<Pointer>,
}

impl Default for Redact {
    fn default() -> Self {
        Self { secrets: true, paths: Vec::new() }
    }
}

impl Check for Redact {
    fn check(&self, mistakes: &mut Mistakes) {
        for path in self.paths.iter().filter(|path| path.is_needed()) {
            mistakes.add("redact.paths", format!("`{path}` tells events apart and must stay"));
        }
    }
}

impl Redact {
    /// Leaves nothing out.
    pub const NOTHING: Self = Self { secrets: false, paths: Vec::new() };

    /// A JSON document, or what is left of one, or any text. It keeps its structure, and what is not left out is as it was,
    /// to the byte.
    pub fn record<'a>(&self, record: &'a [u8]) -> Cow<'a, [u8]> {
        if *self == Self::NOTHING {
            return record.into();
        }
        json::redact(record, self, json::Place::ROOT)
    }

    /// Shows an event without what is not to be kept.
    pub fn event<T>(&self, event: &Event<'_>, see: impl FnOnce(&Event<'_>) -> T) -> T {
        match self.record(event.raw().text().as_bytes()) {
            Cow::Borrowed(_) => see(event),
            Cow::Owned(kept) => match Event::parse_item(&payload::text(&kept)) {
                Ok(kept) => see(&kept),
                // Never: what is left out is not what makes it an event.
                Err(_) => see(event),
            },
        }
    }

    /// The arguments of a command in one line.
    pub fn command(&self, arguments: &[String]) -> String {
        let mut words = Words::default();
        let shown = |argument| if self.secrets { words.argument(argument) } else { Cow::from(argument) };
        arguments.iter().map(String::as_str).map(shown).collect::<Vec<_>>().join(" ")
    }
}

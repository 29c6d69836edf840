//! The fields that conditions and outputs can name: one table, and how each is read from an event.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

mod clock;
mod cluster;
mod compute;
mod containers;
mod json;
mod listing;
mod providers;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod uri;

pub(crate) use clock::{Clock, nanoseconds, utc};
pub(crate) use compute::at;
pub(crate) use json::Pointer;
pub use listing::{json, text};
pub use providers::{Carried, Provider, UnknownProvider};
pub(crate) use source::Source;

use crate::eval::Subject;
use crate::value::Value;

/// What a field's values are.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Type {
    /// Text, compared byte by byte also when it looks like a number.
    String,
    /// An IP address; `in` and `intersects` take addresses and networks (`10.0.0.0/8`).
    Address,
    /// An unsigned integer.
    Number,
    /// Nanoseconds since the first event.
    RelTime,
    /// Nanoseconds since 1970.
    AbsTime,
    /// `true` or `false`.
    Bool,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::String => "string",
            Self::Address => "address",
            Self::Number => "number",
            Self::RelTime => "relative time",
            Self::AbsTime => "absolute time",
            Self::Bool => "boolean",
        })
    }
}

/// What may stand in brackets behind a field's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Argument {
    /// Nothing.
    None,
    /// A key, always.
    Key,
    /// An index, counted from 0, or nothing.
    Index,
}

/// Whose field it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// Falco's or one of its plugins'; behaves as there, bugs included.
    Falco,
    /// Ours; Falco refuses rules that name it.
    Ours,
}

/// A field that behaves otherwise than its name and documentation let one think.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quirk {
    /// What it does instead.
    pub what: &'static str,
    /// The expression that has the evident meaning.
    pub instead: &'static str,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// As written in rules.
    pub name: &'static str,
    /// Type of the value, or of each element.
    pub r#type: Type,
    /// Whether the value is a list.
    pub list: bool,
    /// What may stand in brackets.
    pub argument: Argument,
    /// Where in an event the value is found, for people.
    pub path: &'static str,
    /// What it is, in a line.
    pub doc: &'static str,
    /// Set when a rule that names it probably means something else.
    pub quirk: Option<Quirk>,
    /// Whose it is.
    pub origin: Origin,
    pub(crate) source: Source,
}

impl PartialEq for Field {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Field {}

/// The field of that exact name.
pub fn lookup(name: &str) -> Option<&'static Field> {
    static BY_NAME: LazyLock<HashMap<&'static str, &'static Field>> =
        LazyLock::new(|| all().iter().map(|field| (field.name, field)).collect());
    BY_NAME.get(name).copied()
}

/// All fields, grouped as documented.
pub fn all() -> &'static [Field] {
    static ALL: LazyLock<Vec<Field>> = LazyLock::new(table::all);
    &ALL
}

/// All names, in the order of [`all`].
pub fn names() -> impl Iterator<Item = &'static str> {
    all().iter().map(|field| field.name)
}

/// A field with its argument, both sound.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reference {
    /// The field.
    pub field: &'static Field,
    /// Its argument.
    pub arg: Arg,
}

/// What stands in brackets, read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arg {
    /// Nothing.
    None,
    /// A key, as written.
    Key(String),
    /// A JSON pointer: as written, and its steps.
    Pointer(String, Pointer),
    /// An index, counted from 0.
    Index(usize),
}

impl Reference {
    /// The value for an event, or `None` where the event has none.
    pub fn value<'a, 's: 'a>(&'a self, subject: &Subject<'s>) -> Option<Value<'a>> {
        compute::value(self, subject)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.arg {
            Arg::None => f.write_str(self.field.name),
            Arg::Key(key) | Arg::Pointer(key, _) => write!(f, "{}[{key}]", self.field.name),
            Arg::Index(index) => write!(f, "{}[{index}]", self.field.name),
        }
    }
}

/// Why an argument does not fit a field.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum BadArgument {
    #[error("field `{0}` takes no argument in brackets")]
    Unwanted(&'static str),
    #[error("field `{0}` needs a key in brackets: `{0}[key]`")]
    Missing(&'static str),
    #[error(
        "the argument of field `{0}` must be an index, counted from 0: digits without sign or leading zero"
    )]
    NoIndex(&'static str),
    #[error(
        "the key in the brackets of field `{0}` holds {1}, which Falco does not read there, quoted or not"
    )]
    NoKey(&'static str, &'static str),
}

impl Field {
    /// A reference to this field with the text in brackets, if there are brackets.
    pub fn with(&'static self, arg: Option<&str>) -> Result<Reference, BadArgument> {
        let arg = match (self.argument, arg) {
            (Argument::None | Argument::Index, None) => Arg::None,
            (Argument::None, Some(_)) => return Err(BadArgument::Unwanted(self.name)),
            (Argument::Key, None) => return Err(BadArgument::Missing(self.name)),
            // Falco joins name and key again, and reads that up to the first blank or closing bracket.
            (Argument::Key, Some(key)) if key.contains(' ') => {
                return Err(BadArgument::NoKey(self.name, "a blank"));
            }
            (Argument::Key, Some(key)) if key.contains(']') => {
                return Err(BadArgument::NoKey(self.name, "a `]`"));
            }
            (Argument::Key, Some(key)) => match self.source {
                Source::Pointer => Arg::Pointer(key.to_owned(), Pointer::parse(key)),
                _ => Arg::Key(key.to_owned()),
            },
            (Argument::Index, Some(index)) => {
                Arg::Index(read_index(index).ok_or(BadArgument::NoIndex(self.name))?)
            }
        };
        Ok(Reference { field: self, arg })
    }
}

fn read_index(text: &str) -> Option<usize> {
    let plain = text == "0" || !text.starts_with('0');
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (plain && digits).then(|| text.parse().ok()).flatten()
}

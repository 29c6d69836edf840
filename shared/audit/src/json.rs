//! A JSON reader that checks structure in one pass and hands out slices of the text.
//!
//! Audit events are mostly body that no rule looks at, so nothing here builds a tree: [`Raw`] is the text of one
//! value, opened only where someone asks. The reader is strict about structure (brackets, commas, colons, closed
//! strings, nothing behind the end) and lenient inside scalars, as Falco's reader is: numbers keep their text
//! unchecked, raw control characters and unknown escapes pass. Of equal keys the first counts. It never recurses, so
//! depth costs one bit a level and cannot exhaust a stack.

use std::borrow::Cow;
use std::ops::Range;

mod decode;
mod quotes;
mod scan;
#[cfg(test)]
mod tests;

pub use decode::{decode, write_string};
pub(crate) use scan::Scanner;
pub use scan::{Documents, Malformed};

/// The text of one JSON value, without blanks around it; its structure has been checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Raw<'a>(&'a str);

/// What a value is, told by its first byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `{...}`
    Object,
    /// `[...]`
    Array,
    /// `"..."`
    String,
    /// `true`, `false`
    Bool,
    /// `null`
    Null,
    /// Any other scalar; its text is kept as it came, also `01.2.3` or `nan`.
    Number,
}

impl<'a> Raw<'a> {
    /// Checks that `text` is exactly one JSON value (blanks around it are allowed).
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        let mut scanner = Scanner::new(text);
        scanner.blanks();
        let value = scanner.value()?;
        scanner.blanks();
        scanner.end()?;
        Ok(value)
    }

    /// The value as it stands in the document.
    pub fn text(self) -> &'a str {
        self.0
    }

    /// Where the value begins and ends in `whole`, the text that it was read from; `None` in any other.
    pub fn range_in(self, whole: &str) -> Option<Range<usize>> {
        let start = (self.0.as_ptr() as usize).checked_sub(whole.as_ptr() as usize)?;
        let range = start..start + self.0.len();
        whole.get(range.clone()).map(|_| range)
    }

    /// What the value is.
    pub fn kind(self) -> Kind {
        match self.0.as_bytes() {
            [b'{', ..] => Kind::Object,
            [b'[', ..] => Kind::Array,
            [b'"', ..] => Kind::String,
            b"true" | b"false" => Kind::Bool,
            b"null" => Kind::Null,
            _ => Kind::Number,
        }
    }

    /// The content of a string value, decoded; `None` for every other kind.
    pub fn string(self) -> Option<Cow<'a, str>> {
        Some(decode(self.quoted()?))
    }

    /// The content of a string value between its quotes, escapes undecoded; `None` for every other kind.
    pub fn quoted(self) -> Option<&'a str> {
        self.0.strip_prefix('"')?.strip_suffix('"')
    }

    /// The members of an object, in order and with repeated keys; empty for every other kind.
    pub fn members(self) -> Members<'a> {
        Members { scanner: Scanner::inside(self.0, b'{') }
    }

    /// The elements of an array, in order; empty for every other kind.
    pub fn elements(self) -> Elements<'a> {
        Elements { scanner: Scanner::inside(self.0, b'[') }
    }

    /// The first member of that name; `None` when there is none or this is no object.
    pub fn get(self, key: &str) -> Option<Raw<'a>> {
        self.members().find(|(name, _)| name.is(key)).map(|(_, value)| value)
    }

    /// [`Raw::get`] along a path of object keys.
    pub fn at(self, path: &[&str]) -> Option<Raw<'a>> {
        path.iter().try_fold(self, |value, key| value.get(key))
    }
}

/// A member's name as it stands between its quotes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key<'a>(&'a str);

impl<'a> Key<'a> {
    /// Whether the decoded name equals `name`.
    pub fn is(self, name: &str) -> bool {
        // What an escape stands for is shorter than the escape.
        self.0 == name || (self.0.len() > name.len() && decode(self.0) == name)
    }

    /// The name as it stands between its quotes, escapes undecoded.
    pub fn text(self) -> &'a str {
        self.0
    }

    /// The decoded name.
    pub fn name(self) -> Cow<'a, str> {
        decode(self.0)
    }
}

/// Iterator of [`Raw::members`]; by default of no object.
#[derive(Clone, Default, Debug)]
pub struct Members<'a> {
    scanner: Option<Scanner<'a>>,
}

impl<'a> Iterator for Members<'a> {
    type Item = (Key<'a>, Raw<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let scanner = self.scanner.as_mut()?;
        let member = scanner.member();
        if !matches!(member, Ok(Some(_))) {
            self.scanner = None;
        }
        member.ok().flatten()
    }
}

/// Iterator of [`Raw::elements`].
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    scanner: Option<Scanner<'a>>,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let scanner = self.scanner.as_mut()?;
        let element = scanner.element();
        if !matches!(element, Ok(Some(_))) {
            self.scanner = None;
        }
        element.ok().flatten()
    }
}

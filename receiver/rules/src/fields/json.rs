//! JSON values as text, and the way to them.

use std::borrow::Cow;

use audit_event::json::{Kind, Raw};

use crate::value::{Bytes, bytes};

/// A value as text: a string's content; of everything else the JSON, without blanks.
pub(crate) fn text(raw: Raw<'_>) -> Bytes<'_> {
    match raw.string() {
        Some(text) => bytes(text),
        None => compact(raw),
    }
}

/// The JSON text without blanks; strings, keys and numbers as they came.
pub(crate) fn compact(raw: Raw<'_>) -> Bytes<'_> {
    let text = raw.text().as_bytes();
    if !matches!(raw.kind(), Kind::Object | Kind::Array) {
        return Cow::Borrowed(text);
    }
    let length = (Tokens { rest: text }).map(<[u8]>::len).sum();
    if length == text.len() {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(length);
    for token in (Tokens { rest: text }) {
        out.extend_from_slice(token);
    }
    Cow::Owned(out)
}

/// The JSON text with every member and element on a line of its own, indented by two blanks a level.
pub(crate) fn indented(raw: Raw<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.text().len() * 2);
    let mut depth = 0_usize;
    let mut fresh = false;
    let line = |out: &mut Vec<u8>, depth: usize| {
        out.push(b'\n');
        out.resize(out.len() + 2 * depth, b' ');
    };
    for token in (Tokens { rest: raw.text().as_bytes() }) {
        let closes = matches!(token, b"}" | b"]");
        if closes {
            depth = depth.saturating_sub(1);
        }
        if fresh != closes {
            line(&mut out, depth);
        }
        out.extend_from_slice(token);
        fresh = matches!(token, b"{" | b"[");
        match token {
            b"{" | b"[" => depth += 1,
            b":" => out.push(b' '),
            b"," => line(&mut out, depth),
            _ => {}
        }
    }
    out
}

/// The tokens of a JSON text whose structure is known to be sound.
struct Tokens<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.trim_ascii_start();
        let length = match text.first()? {
            b'{' | b'}' | b'[' | b']' | b',' | b':' => 1,
            b'"' => quoted(text),
            _ => text
                .iter()
                .position(|byte| matches!(byte, b'}' | b']' | b',' | b':') || byte.is_ascii_whitespace())
                .unwrap_or(text.len()),
        };
        let (token, rest) = text.split_at_checked(length).unwrap_or((text, &[]));
        self.rest = rest;
        Some(token)
    }
}

/// Length of the string that `text` begins with, quotes included.
fn quoted(text: &[u8]) -> usize {
    let mut bytes = text.iter().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return at + 1,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
    text.len()
}

/// A way into a document, as `json.value` takes it: `/` between steps, `~1` for `/` and `~0` for `~` in a step. One
/// `/` at the start may be left out; nothing at all is the whole document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pointer(Vec<String>);

impl Pointer {
    /// Reads the text of a pointer; every text is one.
    pub(crate) fn parse(text: &str) -> Self {
        if text.is_empty() {
            return Self(Vec::new());
        }
        let steps = text.strip_prefix('/').unwrap_or(text).split('/');
        Self(steps.map(|step| step.replace("~1", "/").replace("~0", "~")).collect())
    }

    /// The steps.
    pub(crate) fn steps(&self) -> &[String] {
        &self.0
    }
}

/// One step into an object by key or into an array by index.
pub(crate) fn step<'a>(from: Raw<'a>, step: &str) -> Option<Raw<'a>> {
    match from.kind() {
        Kind::Array => from.elements().nth(array_index(step)?),
        _ => from.get(step),
    }
}

/// A decimal number as Go's `Atoi` reads it: a sign and leading zeros are fine; what is negative is no index.
fn array_index(text: &str) -> Option<usize> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|index| !negative || *index == 0)
}

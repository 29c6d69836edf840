//! The smallest pieces of the grammar.

use super::ParseError;
use super::quoted::{self, Quoted};
use crate::ast::Text;

/// A place in the text, moved forward by what is read.
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn is_done(&self) -> bool {
        self.rest().is_empty()
    }

    pub(super) fn eat(&mut self, token: &str) -> bool {
        let eaten = self.rest().starts_with(token);
        if eaten {
            self.at += token.len();
        }
        eaten
    }

    /// Skips blanks; whether there were any.
    pub(super) fn blanks(&mut self) -> bool {
        let count = prefix_len(self.rest(), is_blank);
        self.at += count;
        count > 0
    }

    /// `not` with the white space it needs behind it.
    pub(super) fn not(&mut self) -> bool {
        let Some(behind) = self.rest().strip_prefix("not") else { return false };
        let blanks = prefix_len(behind, is_space);
        if blanks > 0 {
            self.at += "not".len() + blanks;
        }
        blanks > 0
    }

    pub(super) fn identifier(&mut self) -> Option<Text> {
        self.take(identifier_len(self.rest()))
    }

    pub(super) fn field_name(&mut self) -> Option<Text> {
        self.take(field_name_len(self.rest()))
    }

    pub(super) fn bare(&mut self) -> Option<Text> {
        self.take(bare_len(self.rest()))
    }

    pub(super) fn field_arg(&mut self) -> Option<Text> {
        self.take(field_arg_len(self.rest()))
    }

    pub(super) fn number(&mut self) -> Option<Text> {
        let rest = self.rest();
        self.take(match hexadecimal_len(rest) {
            0 => decimal_len(rest),
            length => length,
        })
    }

    /// A quoted string; none if the next byte is no quote or the quote is never closed.
    pub(super) fn quoted(&mut self) -> Result<Option<Text>, Box<ParseError>> {
        let start = self.at;
        match quoted::read(self.rest()) {
            Quoted::None => Ok(None),
            Quoted::Text { text, len } => {
                self.at += len;
                Ok(Some(Text { text, span: start..self.at }))
            }
            Quoted::BadEscape { at, len } => {
                self.at += len;
                let offset = start + at;
                let found = self.text.get(offset..).unwrap_or_default().chars().take(2).collect::<String>();
                let found = format!("`{found}`");
                Err(Box::new(ParseError { offset, reached: self.at, expected: quoted::ESCAPES, found }))
            }
        }
    }

    fn take(&mut self, len: usize) -> Option<Text> {
        let text = self.rest().get(..len).filter(|text| !text.is_empty())?.to_owned();
        let start = self.at;
        self.at += len;
        Some(Text { text, span: start..self.at })
    }
}

fn prefix_len(text: &str, keep: impl Fn(u8) -> bool) -> usize {
    text.bytes().take_while(|byte| keep(*byte)).count()
}

/// What separates words. A vertical tab or form feed does not, though it ends them.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\x08' | b'\r' | b'\n')
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Bytes of the identifier that the text starts with.
pub(crate) fn identifier_len(text: &str) -> usize {
    if text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        prefix_len(text, |byte| byte.is_ascii_alphanumeric() || byte == b'_')
    } else {
        0
    }
}

fn field_name_len(text: &str) -> usize {
    let mut len = identifier_len(text);
    let mut parts = usize::from(len > 0);
    while parts > 0 {
        let next = text.get(len..).and_then(|rest| rest.strip_prefix('.')).map_or(0, identifier_len);
        if next == 0 {
            break;
        }
        len += 1 + next;
        parts += 1;
    }
    if parts > 1 { len } else { 0 }
}

/// Bytes of the unquoted string that the text starts with.
pub(crate) fn bare_len(text: &str) -> usize {
    prefix_len(text, |byte| !is_space(byte) && !matches!(byte, b'(' | b')' | b'"' | b'\'' | b'=' | b','))
}

/// Bytes of the unquoted argument of a field that the text starts with.
pub(crate) fn field_arg_len(text: &str) -> usize {
    prefix_len(text, |byte| !is_space(byte) && !matches!(byte, b'[' | b']' | b'"' | b'\''))
}

fn hexadecimal_len(text: &str) -> usize {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    match digits.map_or(0, |digits| prefix_len(digits, |byte| byte.is_ascii_hexdigit())) {
        0 => 0,
        count => 2 + count,
    }
}

fn decimal_len(text: &str) -> usize {
    let digits = |from: usize| prefix_len(text.get(from..).unwrap_or_default(), |byte| byte.is_ascii_digit());
    let has = |at: usize, set: &[u8]| text.as_bytes().get(at).is_some_and(|byte| set.contains(byte));
    let sign = usize::from(has(0, b"+-"));
    let whole = digits(sign);
    if whole == 0 {
        return 0;
    }
    let mut len = sign + whole;
    if has(len, b".") {
        len += 1 + digits(len + 1);
    }
    if has(len, b"eE") && has(len + 1, b"+-") {
        let exponent = digits(len + 2);
        if exponent > 0 {
            len += 2 + exponent;
        }
    }
    len
}

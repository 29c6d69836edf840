//! A JSON reader for what may be cut or broken: it gives what it sees, and never fails.

use std::borrow::Cow;
use std::ops::Range;

use super::REDACTED;

/// What stands next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Token {
    /// `{` or `[`, and where.
    Open {
        array: bool,
        at: usize,
    },
    /// `}` or `]`, and what comes behind it.
    Close {
        end: usize,
    },
    Comma,
    Colon,
    /// Where its content stands.
    String {
        content: Range<usize>,
    },
    /// A number, a word, or whatever else.
    Scalar(Range<usize>),
}

/// How a text begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Beginning {
    Json,
    /// Inside of a string of JSON.
    Inside,
    /// It is none.
    Text,
}

/// The tokens of a text.
#[derive(Clone, Debug)]
pub(super) struct Tokens<'a> {
    text: &'a [u8],
    at: usize,
    beginning: Beginning,
}

impl<'a> Tokens<'a> {
    /// `sound`: nothing is cut or broken.
    pub(super) fn new(text: &'a [u8], sound: bool) -> Self {
        Self { text, at: 0, beginning: if sound { Beginning::Json } else { beginning(text) } }
    }

    /// Whether it looks like JSON at all.
    pub(super) fn is_json(&self) -> bool {
        self.beginning != Beginning::Text
    }

    /// Whether something was cut off in front of it.
    pub(super) fn is_tail(&self) -> bool {
        self.beginning == Beginning::Inside || !matches!(self.text.trim_ascii_start(), [b'{' | b'[', ..])
    }

    fn string(&mut self, from: usize) -> Token {
        let end = closing(self.text, from);
        self.at = end.map_or(self.text.len(), |end| end + 1);
        Token::String { content: from..end.unwrap_or(self.text.len()) }
    }
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        if self.at == 0 && self.beginning == Beginning::Inside {
            return Some(self.string(0));
        }
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let first = *self.text.get(self.at)?;
        let simple = match first {
            b'{' => Token::Open { array: false, at: self.at },
            b'[' => Token::Open { array: true, at: self.at },
            b'}' | b']' => Token::Close { end: self.at + 1 },
            b',' => Token::Comma,
            b':' => Token::Colon,
            b'"' => return Some(self.string(self.at + 1)),
            _ => {
                let start = self.at;
                let rest = self.text.get(start..).unwrap_or_default();
                let ends = |byte: &u8| byte.is_ascii_whitespace() || b"{}[],:\"".contains(byte);
                self.at += rest.iter().position(ends).unwrap_or(rest.len());
                return Some(Token::Scalar(start..self.at));
            }
        };
        self.at += 1;
        Some(simple)
    }
}

/// Where the quote is that ends the string whose content begins at `from`.
fn closing(text: &[u8], from: usize) -> Option<usize> {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(from) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at),
            _ => {}
        }
    }
    None
}

/// How a text begins, told by what stands around its first quote.
fn beginning(text: &[u8]) -> Beginning {
    let is_structure = |byte: &u8| b"{}[]:,".contains(byte);
    let first = text.trim_ascii_start();
    let is_document = first.first().is_some_and(is_structure) && !first.starts_with(REDACTED.as_bytes());
    let whole = if is_document { Beginning::Json } else { Beginning::Text };
    let Some(quote) = closing(text, 0) else {
        let escapes = text.windows(2).any(|pair| pair == br#"\""#);
        return if escapes { Beginning::Inside } else { whole };
    };
    let (front, behind) = (text.get(..quote).unwrap_or_default(), text.get(quote + 1..).unwrap_or_default());
    let follows = behind.trim_ascii_start().first().map(|byte| b":,}]".contains(byte));
    if front.contains(&b'\\') {
        // Strings alone have escapes.
        return if follows == Some(false) { whole } else { Beginning::Inside };
    }
    match (front.trim_ascii_end().last(), follows) {
        (Some(b'{' | b'[' | b',' | b':'), _) => Beginning::Json,
        (None, Some(true)) | (Some(_), Some(true) | None) => Beginning::Inside,
        (None, _) => Beginning::Json,
        (Some(_), Some(false)) => whole,
    }
}

/// The text as a JSON string without its quotes.
pub(super) fn encoded(text: &str) -> Cow<'_, str> {
    let mut quoted = String::with_capacity(text.len() + 2);
    audit_event::json::write_string(&mut quoted, text);
    let content = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
    if content == text { text.into() } else { content.to_owned().into() }
}

//! Output templates: text with `%field`, `%field[arg]` and `%transformer(...)`.

use std::fmt::Write;

use crate::check::{self, Operand, Transform};
use crate::eval::Subject;
use crate::fields::{Clock, Reference, Source};
use crate::parse;
use crate::value::{Value, cut_at_nul};

#[cfg(test)]
mod tests;

/// A template of a rule's output.
#[derive(Clone, Debug)]
pub struct Output {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    /// A value, cut or padded with blanks to so many bytes if a width is given.
    Value {
        width: Option<usize>,
        operand: Operand,
    },
}

/// Why a text is no template.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Unusable {
    /// Byte of the text.
    pub offset: usize,
    /// In words.
    pub message: String,
    /// Whether a field that does not exist is to blame.
    pub unknown_field: bool,
}

/// What a missing value prints as.
const MISSING: &str = "<NA>";

/// The most bytes of a list that are printed.
const LONGEST_LIST: usize = 1023;

impl Output {
    /// Reads a template. At each `%` the longest expression counts that can be read there, so `%ka.verbose` is
    /// `%ka.verb` with `ose` behind. One `*` at the start is passed over.
    ///
    /// # Errors
    /// At a `%` that no expression follows.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        let mut pieces = Vec::new();
        let mut rest = text.strip_prefix('*').unwrap_or(text);
        while let Some((plain, behind)) = rest.split_once('%') {
            if !plain.is_empty() {
                pieces.push(Piece::Text(plain.to_owned()));
            }
            let offset = text.len() - behind.len() - 1;
            let expression = behind.trim_start_matches(|digit: char| digit.is_ascii_digit());
            let digits = behind.get(..behind.len() - expression.len()).unwrap_or_default();
            let width = digits.parse().ok().filter(|width| *width > 0);
            let (operand, length) = longest(expression)
                .map_err(|Refused { message, unknown_field }| Unusable { offset, message, unknown_field })?;
            pieces.push(Piece::Value { width, operand });
            rest = expression.get(length..).unwrap_or_default();
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Self { pieces })
    }

    /// This template, a blank, and another one.
    #[must_use]
    pub fn followed_by(mut self, other: Self) -> Self {
        self.pieces.push(Piece::Text(" ".to_owned()));
        self.pieces.extend(other.pieces);
        self
    }

    /// The text for an event; a field without value prints `<NA>`. Bytes that are no UTF-8 become U+FFFD.
    pub fn message(&self, subject: &Subject<'_>) -> String {
        let mut out = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Value { width, operand } => {
                    let start = out.len();
                    print(operand, subject, &mut out);
                    if let Some(width) = width {
                        out.resize(start + width, b' ');
                    }
                }
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The fields that the template names, also inside transformers, in order.
    pub fn fields(&self) -> Vec<&Reference> {
        let mut found = Vec::new();
        for piece in &self.pieces {
            if let Piece::Value { operand, .. } = piece {
                operand.fields(&mut found);
            }
        }
        found
    }
}

impl Operand {
    /// Adds the fields that the operand reads, in order.
    pub(crate) fn fields<'a>(&'a self, found: &mut Vec<&'a Reference>) {
        match self {
            Self::Field(reference) => found.push(reference),
            Self::Text(_) | Self::Number(_) => {}
            Self::List(items) => items.iter().for_each(|item| item.fields(found)),
            Self::Transform(transform) => match &**transform {
                Transform::Map(_, inner) | Transform::Length(inner) => inner.fields(found),
                Transform::Join(first, second) | Transform::Options(first, second, _) => {
                    first.fields(found);
                    second.fields(found);
                }
                Transform::Concat(parts) => parts.iter().for_each(|part| part.fields(found)),
            },
        }
    }
}

struct Refused {
    message: String,
    unknown_field: bool,
}

/// The longest expression at the start of `text`, and its length.
fn longest(text: &str) -> Result<(Operand, usize), Refused> {
    let mut first_reason = None;
    for end in ends(text).into_iter().rev() {
        let Some(expression) = text.get(..end) else { continue };
        match parse::operand(expression) {
            Ok(operand) => match check::operand(&operand) {
                Ok((operand, _)) => return Ok((operand, end)),
                Err(unsound) => drop(first_reason.get_or_insert(unsound.message)),
            },
            Err(_) => continue,
        }
    }
    let message = match (first_reason, text.starts_with(|first: char| first.is_ascii_alphabetic())) {
        (Some(reason), _) => reason,
        (None, false) => {
            "a field or a transformer must follow `%`; there is no way to write a literal `%`, so \
                          write `percent`"
                .to_owned()
        }
        (None, true) => {
            let shown: String = text.chars().take(32).collect();
            format!("no field or transformer can be read at `%{shown}`")
        }
    };
    Err(Refused { message, unknown_field: !text.is_empty() })
}

/// Where an expression at the start of `text` can end: within its name, at the bracket that closes its argument, at the
/// parenthesis that closes its arguments, or at the bracket behind that. Ascending.
fn ends(text: &str) -> Vec<usize> {
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_');
    let bytes = text.as_bytes();
    let name = bytes.iter().take_while(|byte| word(byte)).count();
    let mut ends: Vec<usize> = (1..=name).collect();
    let mut closings = Closings { bytes, at: name };
    let blanks = bytes.iter().skip(name).take_while(|byte| byte.is_ascii_whitespace()).count();
    match bytes.get(name) {
        Some(b'[') => ends.extend(closings.next_of(b'[', b']')),
        _ if bytes.get(name + blanks) == Some(&b'(') => {
            closings.at += blanks;
            if let Some(end) = closings.next_of(b'(', b')') {
                ends.push(end);
                if bytes.get(end) == Some(&b'[') {
                    ends.extend(closings.next_of(b'[', b']'));
                }
            }
        }
        _ => {}
    }
    ends
}

struct Closings<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Closings<'_> {
    /// Just behind the bracket that closes the one here; what stands in quotes does not count.
    fn next_of(&mut self, open: u8, close: u8) -> Option<usize> {
        let mut depth = 0_usize;
        let mut quote = None;
        let mut before = 0;
        for (at, byte) in self.bytes.iter().enumerate().skip(self.at) {
            match quote {
                Some(mark) if *byte == mark && before != b'\\' => quote = None,
                Some(_) => {}
                None if matches!(byte, b'"' | b'\'') => quote = Some(*byte),
                None if *byte == open => depth += 1,
                None if *byte == close => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        self.at = at + 1;
                        return Some(at + 1);
                    }
                }
                None => {}
            }
            before = *byte;
        }
        None
    }
}

/// An operand's value as templates print it.
pub(crate) fn printed(operand: &Operand, subject: &Subject<'_>) -> Option<String> {
    operand.value(subject)?;
    let mut out = Vec::new();
    print(operand, subject, &mut out);
    Some(String::from_utf8_lossy(&out).into_owned())
}

fn print(operand: &Operand, subject: &Subject<'_>, out: &mut Vec<u8>) {
    match operand.value(subject) {
        None => out.extend_from_slice(MISSING.as_bytes()),
        Some(Value::Text(text)) => out.extend_from_slice(&text),
        Some(Value::Bool(truth)) => out.extend_from_slice(truth.to_string().as_bytes()),
        Some(Value::Number(number)) => {
            let mut text = String::new();
            let width = if is_remainder(operand) { 9 } else { 0 };
            // Writing to a string does not fail.
            let _ = write!(text, "{number:0width$}");
            out.extend_from_slice(text.as_bytes());
        }
        Some(Value::List(elements)) => {
            let start = out.len();
            out.push(b'(');
            for element in elements {
                // As Falco has it: no comma as long as nothing stands behind the parenthesis.
                if out.len() > start + 1 {
                    out.push(b',');
                }
                out.extend_from_slice(&cut_at_nul(element));
            }
            out.push(b')');
            out.truncate(start + LONGEST_LIST);
        }
    }
}

/// Nanoseconds behind a whole second, which print with all nine digits.
fn is_remainder(operand: &Operand) -> bool {
    let Operand::Field(reference) = operand else { return false };
    matches!(reference.field.source, Source::Time(Clock::RawNanoseconds | Clock::RelativeNanoseconds))
}

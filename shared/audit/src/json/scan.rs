//! The scanner: one forward pass over the bytes, structure checked, nothing allocated but one bit a level.

use super::quotes::Quotes;
use super::{Key, Raw};

/// Where and why a document's structure is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("broken JSON at byte {offset}: expected {expected}")]
pub struct Malformed {
    /// Bytes from the start of the text that was read.
    pub offset: usize,
    /// What would have been right there.
    pub expected: &'static str,
}

impl Malformed {
    const END: &'static str = "the end";

    /// Whether nothing is wrong but that more follows behind a whole value.
    pub fn is_surplus(&self) -> bool {
        self.expected == Self::END
    }
}

/// A position in a text.
#[derive(Clone, Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Inside a container, whether its first entry is still to come.
    fresh: bool,
    quotes: Quotes,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Object,
    Array,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self::at(text, 0)
    }

    fn at(text: &'a str, at: usize) -> Self {
        Self { text, at, fresh: true, quotes: Quotes::default() }
    }

    /// A scanner just behind the opening bracket of `text`, if it opens with `bracket`.
    pub(super) fn inside(text: &'a str, bracket: u8) -> Option<Self> {
        (text.as_bytes().first() == Some(&bracket)).then(|| Self::at(text, 1))
    }

    /// The value between this scanner, at its first byte, and `end`, just behind it.
    pub(crate) fn since(&self, end: &Self) -> Result<Raw<'a>, Malformed> {
        self.text.get(self.at..end.at).map(Raw).ok_or_else(|| self.expected("a value"))
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    pub(crate) fn blanks(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    pub(crate) fn end(&self) -> Result<(), Malformed> {
        if self.at == self.text.len() { Ok(()) } else { Err(self.expected(Malformed::END)) }
    }

    /// Takes `byte` if it comes next.
    pub(crate) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Steps into the container that `bracket` opens; [`Scanner::member`] or [`Scanner::element`] walk it.
    pub(crate) fn open(&mut self, bracket: u8) -> bool {
        self.fresh = true;
        self.take(bracket)
    }

    /// The next member up to and including its colon; the caller reads the value. `None` behind the last one.
    pub(crate) fn member_name(&mut self) -> Result<Option<Key<'a>>, Malformed> {
        if self.next_entry(b'}', "`,` or `}`")? { self.name().map(Some) } else { Ok(None) }
    }

    /// Whether another element begins here; the caller reads it.
    pub(crate) fn next_element(&mut self) -> Result<bool, Malformed> {
        self.next_entry(b']', "`,` or `]`")
    }

    pub(super) fn member(&mut self) -> Result<Option<(Key<'a>, Raw<'a>)>, Malformed> {
        match self.member_name()? {
            Some(key) => Ok(Some((key, self.value()?))),
            None => Ok(None),
        }
    }

    pub(super) fn element(&mut self) -> Result<Option<Raw<'a>>, Malformed> {
        if self.next_element()? { self.value().map(Some) } else { Ok(None) }
    }

    fn next_entry(&mut self, close: u8, expected: &'static str) -> Result<bool, Malformed> {
        self.blanks();
        if self.take(close) {
            self.fresh = false;
            return Ok(false);
        }
        if !std::mem::take(&mut self.fresh) {
            if !self.take(b',') {
                return Err(self.expected(expected));
            }
            self.blanks();
        }
        Ok(true)
    }

    fn name(&mut self) -> Result<Key<'a>, Malformed> {
        let start = self.at + 1;
        let end = self.pass_name()?;
        self.text.get(start..end).map(Key).ok_or_else(|| self.expected("a member name"))
    }

    /// Steps over a member's name and what is between it and the value; gives where its closing quote stands.
    fn pass_name(&mut self) -> Result<usize, Malformed> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("a member name in double quotes"));
        }
        self.string()?;
        let end = self.at - 1;
        self.blanks();
        if !self.take(b':') {
            return Err(self.expected("`:`"));
        }
        self.blanks();
        Ok(end)
    }

    /// Reads one value of any depth. The scanner stands at its first byte.
    pub(crate) fn value(&mut self) -> Result<Raw<'a>, Malformed> {
        let start = self.at;
        let mut open = Levels::default();
        loop {
            match self.peek() {
                Some(b'{') => {
                    self.at += 1;
                    self.blanks();
                    if !self.take(b'}') {
                        open.push(Container::Object);
                        self.pass_name()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.at += 1;
                    self.blanks();
                    if !self.take(b']') {
                        open.push(Container::Array);
                        continue;
                    }
                }
                Some(b'"') => self.string()?,
                _ => self.scalar()?,
            }
            if self.ascend(&mut open)? {
                return self.text.get(start..self.at).map(Raw).ok_or_else(|| self.expected("a value"));
            }
        }
    }

    /// Behind a value: closes what ends here. True when nothing is open any more, false when another value follows.
    fn ascend(&mut self, open: &mut Levels) -> Result<bool, Malformed> {
        loop {
            let Some(container) = open.last() else { return Ok(true) };
            self.blanks();
            match (container, self.peek()) {
                (Container::Object, Some(b',')) => {
                    self.at += 1;
                    self.blanks();
                    self.pass_name()?;
                    return Ok(false);
                }
                (Container::Array, Some(b',')) => {
                    self.at += 1;
                    self.blanks();
                    return Ok(false);
                }
                (Container::Object, Some(b'}')) | (Container::Array, Some(b']')) => {
                    self.at += 1;
                    open.pop();
                }
                (Container::Object, _) => return Err(self.expected("`,` or `}`")),
                (Container::Array, _) => return Err(self.expected("`,` or `]`")),
            }
        }
    }

    /// Steps over a string, quotes included.
    fn string(&mut self) -> Result<(), Malformed> {
        let opened = self.at;
        match self.quotes.next(self.text.as_bytes(), opened + 1) {
            Some(closing) => {
                self.at = closing + 1;
                Ok(())
            }
            None => {
                self.at = self.text.len();
                Err(Malformed { offset: opened, expected: "a string that is closed" })
            }
        }
    }

    /// Steps over `true`, `false`, `null` or the unchecked text of a number.
    fn scalar(&mut self) -> Result<(), Malformed> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let digits =
            rest.iter().take_while(|b| matches!(b, b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E')).count();
        let word = |from: usize, word: &str| {
            rest.get(from..from + word.len()).is_some_and(|text| text.eq_ignore_ascii_case(word.as_bytes()))
        };
        let signed = digits == 0 || (digits == 1 && matches!(rest.first(), Some(b'-' | b'+')));
        let length = match rest.first() {
            Some(b't') if rest.starts_with(b"true") => 4,
            Some(b'f') if rest.starts_with(b"false") => 5,
            Some(b'n') if rest.starts_with(b"null") => 4,
            _ if signed && (word(digits, "inf") || word(digits, "nan")) => digits + 3,
            _ => digits,
        };
        if length == 0 {
            return Err(self.expected("a value"));
        }
        self.at += length;
        Ok(())
    }

    /// Whether the text ended where this scanner failed, so that more text could have mended it.
    pub(crate) fn ran_out(&self) -> bool {
        let rest = self.text.get(self.at..).unwrap_or_default().trim_ascii_end();
        // A word whose end is missing is no value; a number without its digits neither.
        ["true", "false", "null", "-"].iter().any(|scalar| scalar.starts_with(rest))
    }

    pub(crate) fn expected(&self, expected: &'static str) -> Malformed {
        Malformed { offset: self.at.min(self.text.len()), expected }
    }
}

/// The open containers, innermost last, one bit each.
#[derive(Default)]
struct Levels {
    /// The innermost up to 64 levels, the last pushed in bit 0.
    near: u64,
    /// Full words of outer levels.
    far: Vec<u64>,
    depth: usize,
}

impl Levels {
    fn push(&mut self, container: Container) {
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.far.push(self.near);
        }
        self.near = (self.near << 1) | u64::from(container == Container::Object);
        self.depth += 1;
    }

    fn pop(&mut self) {
        self.near >>= 1;
        self.depth = self.depth.saturating_sub(1);
        if self.depth > 0
            && self.depth.is_multiple_of(64)
            && let Some(word) = self.far.pop()
        {
            self.near = word;
        }
    }

    fn last(&self) -> Option<Container> {
        (self.depth > 0).then_some(if self.near & 1 == 1 { Container::Object } else { Container::Array })
    }
}

/// The documents of a text one behind the other, apart by blanks or by nothing (JSON lines, concatenated JSON).
#[derive(Clone, Debug)]
pub struct Documents<'a> {
    scanner: Scanner<'a>,
}

impl<'a> Documents<'a> {
    /// Reads from the start of `text`; a byte order mark is passed over.
    pub fn new(text: &'a str) -> Self {
        let mut scanner = Scanner::new(text);
        if text.starts_with('\u{feff}') {
            scanner.at = '\u{feff}'.len_utf8();
        }
        Self { scanner }
    }

    /// The scanner at the next document's first byte, or `None` at the end.
    pub(crate) fn begin(&mut self) -> Option<&mut Scanner<'a>> {
        self.scanner.blanks();
        self.scanner.peek().is_some().then_some(&mut self.scanner)
    }
}

impl<'a> Iterator for Documents<'a> {
    type Item = Result<Raw<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        let value = self.begin()?.value();
        if value.is_err() {
            self.scanner.at = self.scanner.text.len();
        }
        Some(value)
    }
}

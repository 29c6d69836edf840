//! Text that remembers where it was written, through unfolding, joining and the expansion of lists.

use std::ops::Range;

use super::{Scalar, Source, Style};

/// A byte of one of the files that are being loaded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Origin {
    pub(crate) file: usize,
    pub(crate) offset: usize,
    /// The text is not written there, it only belongs there.
    pub(crate) derived: bool,
}

impl Origin {
    fn moved(self, by: usize) -> Self {
        if self.derived { self } else { Self { offset: self.offset + by, ..self } }
    }
}

#[derive(Clone, Default, Debug)]
pub(crate) struct Traced {
    text: String,
    /// From which byte of the text on which origin counts; the first is 0.
    runs: Vec<(usize, Origin)>,
}

impl Traced {
    /// A scalar's text.
    pub(crate) fn scalar(file: usize, source: &Source, scalar: &Scalar) -> Self {
        let mut traced = Self::default();
        let mut rest = source.text.get(scalar.content.clone());
        if matches!(scalar.style, Style::Single | Style::Double) {
            rest = rest.and_then(|text| text.get(1..));
        }
        for char in scalar.text.chars() {
            let found = rest.and_then(|text| find(char, text, scalar.style));
            rest = found.map(|(_, behind)| behind);
            let origin = match found {
                Some((at, _)) => Origin { file, offset: scalar.content.end - at.len(), derived: false },
                None => Origin { file, offset: scalar.content.start, derived: true },
            };
            traced.push(char.encode_utf8(&mut [0; 4]), origin);
        }
        traced
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Appends text that is, or belongs, at `origin`.
    pub(crate) fn push(&mut self, text: &str, origin: Origin) {
        let at = self.text.len();
        let continues = self.runs.last().is_some_and(|(start, run)| run.moved(at - start) == origin);
        if !continues && !text.is_empty() {
            self.runs.push((at, origin));
        }
        self.text.push_str(text);
    }

    /// Appends a part of another text.
    pub(crate) fn push_part(&mut self, other: &Self, part: Range<usize>) {
        let mut at = part.start;
        while at < part.end {
            let next = other.runs.partition_point(|(start, _)| *start <= at);
            let end = other.runs.get(next).map_or(part.end, |(start, _)| part.end.min(*start));
            let (Some(origin), Some(text)) = (other.origin(at), other.text.get(at..end)) else { return };
            self.push(text, origin);
            at = end;
        }
    }

    /// Cuts the text off.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.text.truncate(len);
        while self.runs.pop_if(|(start, _)| *start >= len).is_some() {}
    }

    /// Appends another text behind a blank.
    pub(crate) fn append(&mut self, other: &Self) {
        if let Some(origin) = other.origin(0) {
            self.push(" ", Origin { derived: true, ..origin });
        }
        self.push_part(other, 0..other.text.len());
    }

    /// Without blanks at both ends.
    pub(crate) fn trimmed(&self) -> Self {
        let is_blank = |char: char| matches!(char, ' ' | '\t'..='\r');
        let start = self.text.len() - self.text.trim_start_matches(is_blank).len();
        let end = self.text.trim_end_matches(is_blank).len();
        let mut trimmed = Self::default();
        trimmed.push_part(self, start..end.max(start));
        trimmed
    }

    /// Where a byte was written. The byte behind the last is taken to follow it.
    pub(crate) fn origin(&self, at: usize) -> Option<Origin> {
        let run = self.runs.partition_point(|(start, _)| *start <= at).checked_sub(1)?;
        self.runs.get(run).map(|(start, origin)| origin.moved(at - start))
    }
}

/// Finds the next char of a scalar's text in what remains of its source: the source from it on, and from behind it on.
/// None where the two cannot be matched.
fn find(char: char, mut source: &str, style: Style) -> Option<(&str, &str)> {
    if style == Style::Double {
        while let Some(below) = source.strip_prefix("\\\n") {
            source = below.trim_start();
        }
    }
    if escape_len(source, style) == 0 {
        if matches!(char, ' ' | '\t' | '\n') {
            // A blank may also stand for a line end that was folded.
            return Some((source, source.strip_prefix(char).unwrap_or(source)));
        }
        source = source.trim_start_matches([' ', '\t', '\r', '\n']);
    }
    let behind = match escape_len(source, style) {
        0 => source.strip_prefix(char),
        escape => source.get(escape..),
    };
    behind.map(|behind| (source, behind))
}

/// Bytes of the escape that the source starts with.
fn escape_len(source: &str, style: Style) -> usize {
    match (style, source.as_bytes()) {
        (Style::Single, [b'\'', b'\'', ..]) => 2,
        (Style::Double, [b'\\', b'x', ..]) => 4,
        (Style::Double, [b'\\', b'u', ..]) => 6,
        (Style::Double, [b'\\', b'U', ..]) => 10,
        (Style::Double, [b'\\', _, ..]) => 2,
        _ => 0,
    }
}

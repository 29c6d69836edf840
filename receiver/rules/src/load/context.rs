//! Where a thing stands, the way Falco tells it.

use crate::diagnostic::Location;
use crate::document::{Node, Source};

/// The way from a file down to the thing being looked at.
#[derive(Clone, Debug)]
pub(super) struct Context {
    locations: Vec<Location>,
    /// File and byte.
    at: (usize, usize),
    /// The text that the last location is in, if it is a condition.
    condition: Option<String>,
}

impl Context {
    pub(super) fn file(file: usize, source: &Source) -> Self {
        let context = Self { locations: Vec::new(), at: (file, 0), condition: None };
        context.at_offset(source, 0, "rules content", "")
    }

    /// One step further, to a node of the same file.
    pub(super) fn node(
        &self,
        source: &Source,
        node: &Node,
        item_type: &'static str,
        item_name: &str,
    ) -> Self {
        self.at_offset(source, node.start, item_type, item_name)
    }

    pub(super) fn at_offset(
        &self,
        source: &Source,
        offset: usize,
        item_type: &'static str,
        item_name: &str,
    ) -> Self {
        let (line, column) = source.position(offset);
        let item_name = item_name.to_owned();
        let mut context = self.clone();
        context.at.1 = offset;
        context.locations.push(Location {
            item_type,
            item_name,
            name: source.name.clone(),
            line,
            column,
            offset,
        });
        context
    }

    /// One step further, into the text of a condition. Falco names it after the condition as it is written, and tells
    /// the place in the text that was `read`, which is that of a macro or has lists written out. It adds that place to
    /// the one of the step before, the former counted from 1 and the latter from 0.
    pub(super) fn condition(&self, text: &str, read: &str, at: usize) -> Self {
        let before = read.as_bytes().get(..at).unwrap_or(read.as_bytes());
        let line_ends = before.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
        let column = before.iter().rev().take_while(|byte| !matches!(byte, b'\n' | b'\r')).count();
        let short = if text.len() > 20 { format!("{}...", head(text, 17)) } else { text.to_owned() };
        let parent = self.locations.last();
        let sum = |part: fn(&Location) -> usize| parent.map_or(0, part);
        let mut context = self.clone();
        context.locations.push(Location {
            item_type: "condition expression",
            item_name: String::new(),
            name: format!("\"{}\"", short.replace(['\n', '\r'], " ")),
            line: sum(|location| location.line) + line_ends + 1,
            column: sum(|location| location.column) + column + 1,
            offset: sum(|location| location.offset) + at,
        });
        context.condition = Some(text.to_owned());
        context
    }

    /// The file alone, though the place stays known.
    pub(super) fn root(&self) -> Self {
        let mut context = self.clone();
        context.locations.truncate(1);
        context
    }

    pub(super) fn into_locations(self) -> Vec<Location> {
        self.locations
    }

    /// File and byte of the thing.
    pub(super) fn at(&self) -> (usize, usize) {
        self.at
    }

    /// The line around the last location and a caret, at most 160 bytes wide, as Falco draws them.
    pub(super) fn snippet(&self, sources: &[Source]) -> String {
        const HALF: usize = 80;
        let content = match &self.condition {
            Some(condition) => condition.as_str(),
            None => sources.get(self.at.0).map_or("", |source| source.text.as_str()),
        };
        let bytes = content.as_bytes();
        let line_end = |at: &usize| bytes.get(*at).is_none_or(|byte| *byte == b'\n');
        let mut at = self.locations.last().map_or(0, |location| location.offset);
        while at > 0 && line_end(&at) {
            at -= 1;
        }
        let from =
            (at.saturating_sub(HALF)..at).rev().take_while(|place| !line_end(place)).last().unwrap_or(at);
        let to = (at..at + HALF).take_while(|place| !line_end(place)).last().map_or(at, |last| last + 1);
        let mut line = String::from_utf8_lossy(bytes.get(from..to).unwrap_or_default()).into_owned();
        if line.is_empty() {
            return "<No context available>\n".to_owned();
        }
        if at - from >= HALF {
            line = format!("...{}", line.chars().skip(3).collect::<String>());
        }
        if to - at >= HALF && !line_end(&to) {
            line = format!("{}...", head(&line, line.len().saturating_sub(3)));
        }
        format!("{line}\n{}^\n", " ".repeat(at - from))
    }
}

/// At most so many bytes, on a character's border.
fn head(text: &str, mut len: usize) -> &str {
    while !text.is_char_boundary(len) {
        len -= 1;
    }
    text.get(..len).unwrap_or(text)
}

//! Mistakes where they are found, on their way to becoming diagnostics.

use std::ops::Range;

use super::context::Context;
use crate::diagnostic::{Code, Diagnostic, Excerpt};
use crate::document::{Source, Traced};

pub(super) type Checked<T> = Result<T, Fault>;

/// A mistake or a remark.
#[derive(Debug)]
pub(super) struct Fault(pub(super) Box<Parts>);

#[derive(Debug)]
pub(super) struct Parts {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) context: Context,
    /// The exact place, if it is better known than the context tells: a text and a part of it.
    pub(super) part: Option<(Traced, Range<usize>)>,
    pub(super) deprecated_field: Option<&'static str>,
}

impl Fault {
    pub(super) fn new(code: Code, message: impl Into<String>, context: &Context) -> Self {
        let message = message.into();
        let context = context.clone();
        Self(Box::new(Parts { code, message, help: None, context, part: None, deprecated_field: None }))
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    pub(super) fn part(mut self, text: &Traced, part: Range<usize>) -> Self {
        self.0.part = Some((text.clone(), part));
        self
    }

    pub(super) fn deprecated_field(mut self, name: &'static str) -> Self {
        self.0.deprecated_field = Some(name);
        self
    }

    pub(super) fn into_diagnostic(self, sources: &[Source]) -> Diagnostic {
        let parts = *self.0;
        let origin = parts.part.as_ref().and_then(|(text, part)| text.origin(part.start));
        let (file, offset) = origin.map_or(parts.context.at(), |origin| (origin.file, origin.offset));
        let source = sources.get(file);
        let (line, column) = source.map_or((0, 0), |source| source.position(offset));
        let text = source.map_or("", |source| source.line(line));
        let is_derived = origin.is_none_or(|origin| origin.derived);
        let len = match &parts.part {
            Some((traced, part)) if !is_derived => {
                part_len(traced, part, origin.map_or(0, |origin| origin.offset))
            }
            Some(_) => 1,
            // Only the start is known: what follows on the line belongs to it.
            None => text.get(column..).map_or(1, |rest| rest.trim_end().len()),
        };
        let excerpt = Excerpt::of(text, column, len);
        let expanded = parts.part.as_ref().filter(|_| is_derived).map(|(traced, part)| {
            Excerpt::of(&traced.as_str().replace(['\n', '\r', '\t'], " "), part.start, part.len())
        });
        Diagnostic {
            code: parts.code,
            message: parts.message,
            help: parts.help,
            file: source.map_or_else(String::new, |source| source.name.clone()),
            line: line + 1,
            column: excerpt.start + 1,
            excerpt,
            expanded,
            snippet: parts.context.snippet(sources),
            locations: parts.context.into_locations(),
            deprecated_field: parts.deprecated_field,
        }
    }
}

/// Bytes of the part that stand in the source in one piece.
fn part_len(text: &Traced, part: &Range<usize>, start: usize) -> usize {
    let last = part.end.saturating_sub(1).max(part.start);
    text.origin(last).filter(|last| !last.derived).map_or(1, |last| (last.offset + 1).saturating_sub(start))
}

impl Excerpt {
    /// Marks bytes of a line.
    fn of(line: &str, start: usize, len: usize) -> Self {
        let chars = |range: Range<usize>| line.char_indices().filter(|(at, _)| range.contains(at)).count();
        let marked = chars(start..start.saturating_add(len)).max(1);
        Self { text: line.to_owned(), start: chars(0..start), len: marked }
    }
}

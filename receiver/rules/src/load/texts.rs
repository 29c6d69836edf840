//! The texts that one condition is put together from, laid end to end so that one number tells text and place.

use std::ops::Range;

use crate::ast::{Expr, Span};
use crate::document::Traced;

#[derive(Default)]
pub(super) struct Texts {
    /// With the place where each begins.
    texts: Vec<(usize, Traced)>,
    end: usize,
}

impl Texts {
    /// Adds a text and moves the places of its tree there.
    pub(super) fn add(&mut self, text: Traced, expr: &mut Expr) {
        let start = self.end;
        expr.map_spans(&mut |span| *span = span.start + start..span.end + start);
        // One more, so that the end of a text is not the start of the next.
        self.end += text.as_str().len() + 1;
        self.texts.push((start, text));
    }

    /// The text that a place is in, and the place in it.
    pub(super) fn find(&self, span: &Span) -> Option<(&Traced, Range<usize>)> {
        let at = self.texts.partition_point(|(start, _)| *start <= span.start).checked_sub(1)?;
        let (start, text) = self.texts.get(at)?;
        Some((text, span.start - start..span.end.max(span.start) - start))
    }
}

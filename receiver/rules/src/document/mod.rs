//! Rules files as trees in which every node knows where it was written.

mod read;
mod source;
mod traced;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::rc::Rc;

pub(crate) use read::read;
pub(crate) use source::Source;
pub(crate) use traced::{Origin, Traced};

/// A value of a document. An alias is the very node that was anchored.
#[derive(Debug)]
pub(crate) struct Node {
    /// First byte in the file, with its anchor and tag.
    pub(crate) start: usize,
    pub(crate) value: Value,
    /// Nodes in it and below, aliases counted as if written out.
    weight: usize,
}

#[derive(Debug)]
pub(crate) enum Value {
    /// Plain `null`, `~` or nothing.
    Null,
    Scalar(Scalar),
    Sequence(Vec<Rc<Node>>),
    /// In the order of the file, repeated keys included.
    Mapping(Vec<(Rc<Node>, Rc<Node>)>),
}

/// Text, decoded from how it was quoted but never taken for a number or boolean.
#[derive(Debug)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    style: Style,
    /// Where the text stands, with its quotes.
    content: Range<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Style {
    Plain,
    Single,
    Double,
    Block,
}

impl Scalar {
    /// Whether it is written without quotes and not as a block.
    pub(crate) fn is_plain(&self) -> bool {
        self.style == Style::Plain
    }
}

impl Node {
    /// The value of a key; of repeated keys the first counts.
    pub(crate) fn get(&self, key: &str) -> Option<&Rc<Node>> {
        self.entries().iter().find(|(name, _)| name.text() == Some(key)).map(|(_, value)| value)
    }

    /// Empty unless a mapping.
    pub(crate) fn entries(&self) -> &[(Rc<Node>, Rc<Node>)] {
        match &self.value {
            Value::Mapping(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn is_mapping(&self) -> bool {
        matches!(self.value, Value::Mapping(_))
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub(crate) fn sequence(&self) -> Option<&[Rc<Node>]> {
        match &self.value {
            Value::Sequence(items) => Some(items),
            _ => None,
        }
    }

    pub(crate) fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// A scalar's text.
    pub(crate) fn text(&self) -> Option<&str> {
        self.scalar().map(|scalar| scalar.text.as_str())
    }
}

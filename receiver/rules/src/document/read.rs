//! YAML events to trees. Depth and the size that aliases amount to are bounded; nothing here recurses.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use granit_parser::{Event, Options, Parser, ScalarStyle, StructureStyle, Tag};

use super::{Node, Scalar, Style, Value};

const MAX_DEPTH: usize = 100;
const MAX_NODES: usize = 1_000_000;

/// Text that is not YAML, or more of it than any rules file needs.
#[derive(Debug)]
pub(crate) struct Malformed {
    pub(crate) offset: usize,
    pub(crate) message: String,
}

/// Reads all documents of a file; what is empty is null.
pub(crate) fn read(text: &str) -> Result<Vec<Rc<Node>>, Malformed> {
    let mut options = Options::default();
    options.set_emit_comments(false);
    let mut reader = Reader { text, ..Reader::default() };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| Malformed {
            offset: error.marker().byte_offset().unwrap_or_default(),
            message: error.info(),
        })?;
        let span = span.byte_range().unwrap_or_default();
        reader.take(event, span)?;
    }
    Ok(reader.documents)
}

#[derive(Default)]
struct Reader<'t> {
    text: &'t str,
    documents: Vec<Rc<Node>>,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    /// Where the last event ended.
    before: usize,
}

/// A collection not yet complete.
struct Open {
    start: usize,
    anchor: usize,
    weight: usize,
    items: Items,
}

enum Items {
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<(Rc<Node>, Rc<Node>)>, Option<Rc<Node>>),
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), Malformed> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let start = self.start(&span, anchor, tag.is_some(), style);
                let value = self.value(text.into_owned(), style, tag.as_deref(), &span);
                let start =
                    if span.is_empty() && matches!(value, Value::Null) { self.next(start) } else { start };
                self.add(Rc::new(Node { start, value, weight: 1 }), anchor, span.start)?;
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.indentation(style, &span)?;
                self.begin(Items::Sequence(Vec::new()), anchor, tag.is_some(), &span)?;
            }
            Event::MappingStart(style, anchor, tag) => {
                self.indentation(style, &span)?;
                self.begin(Items::Mapping(Vec::new(), None), anchor, tag.is_some(), &span)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span.start)?,
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned();
                let node = node.ok_or_else(|| malformed(span.start, "an alias inside what it names"))?;
                self.add(node, 0, span.start)?;
            }
            _ => {}
        }
        self.before = span.end.max(self.before);
        Ok(())
    }

    fn value(&self, text: String, style: ScalarStyle, tag: Option<&Tag>, span: &Range<usize>) -> Value {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        let is_null = matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL");
        if style == Style::Plain && tag.is_none() && is_null {
            return Value::Null;
        }
        // The parser gives `~` for a plain scalar that is not there.
        let text = if style == Style::Plain && span.is_empty() { String::new() } else { text };
        Value::Scalar(Scalar { text, style, content: span.clone() })
    }

    /// Where a node begins with its anchor, its tag and the sign of a block scalar, all of which its span leaves out.
    fn start(&self, span: &Range<usize>, anchor: usize, is_tagged: bool, style: ScalarStyle) -> usize {
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let signs: &[char] = match (anchor > 0, is_tagged, is_block) {
            (false, false, false) => return span.start,
            (false, false, true) => &['|', '>'],
            (true, false, _) => &['&'],
            (false, true, _) => &['!'],
            (true, true, _) => &['&', '!'],
        };
        let lead = self.text.get(self.before..span.start).unwrap_or_default();
        lead.find(signs).map_or(span.start, |at| self.before + at)
    }

    /// The next thing behind a node that is not there.
    fn next(&self, at: usize) -> usize {
        let mut rest = self.text.get(at..).unwrap_or_default().trim_start_matches(':').trim_start();
        while rest.starts_with('#') {
            rest = rest.split_once('\n').map_or("", |(_, below)| below).trim_start();
        }
        self.text.len() - rest.len()
    }

    /// Blocks are indented by spaces. The parser looks at those inside others only.
    fn indentation(&self, style: StructureStyle, span: &Range<usize>) -> Result<(), Malformed> {
        let before = self.text.get(..span.start).unwrap_or_default();
        let indentation = before.rsplit('\n').next().unwrap_or_default();
        match indentation.find('\t') {
            Some(at) if style == StructureStyle::Block => {
                Err(malformed(span.start - indentation.len() + at, "a tab is no indentation"))
            }
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        items: Items,
        anchor: usize,
        is_tagged: bool,
        span: &Range<usize>,
    ) -> Result<(), Malformed> {
        if self.open.len() >= MAX_DEPTH {
            return Err(malformed(span.start, format!("more than {MAX_DEPTH} levels inside one another")));
        }
        let start = self.start(span, anchor, is_tagged, ScalarStyle::Plain);
        self.open.push(Open { start, anchor, weight: 1, items });
        Ok(())
    }

    fn end(&mut self, offset: usize) -> Result<(), Malformed> {
        let Some(Open { start, anchor, weight, items }) = self.open.pop() else { return Ok(()) };
        let value = match items {
            Items::Sequence(items) => Value::Sequence(items),
            Items::Mapping(entries, _) => Value::Mapping(entries),
        };
        self.add(Rc::new(Node { start, value, weight }), anchor, offset)
    }

    fn add(&mut self, node: Rc<Node>, anchor: usize, offset: usize) -> Result<(), Malformed> {
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        open.weight = open.weight.saturating_add(node.weight);
        if open.weight > MAX_NODES {
            return Err(malformed(offset, format!("aliases that amount to more than {MAX_NODES} values")));
        }
        match &mut open.items {
            Items::Sequence(items) => items.push(node),
            Items::Mapping(entries, key) => match key.take() {
                Some(key) => entries.push((key, node)),
                None => *key = Some(node),
            },
        }
        Ok(())
    }
}

fn malformed(offset: usize, message: impl Into<String>) -> Malformed {
    Malformed { offset, message: message.into() }
}

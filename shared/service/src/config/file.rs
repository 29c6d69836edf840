//! YAML with positions.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput};

use super::mistakes::{Mistake, Mistakes};
use super::tree::{Node, Origin, Value};

/// Deeper than any configuration of ours, and far from the end of the stack.
const MAX_DEPTH: usize = 32;

/// The tree of a file; none when it cannot be read.
pub(super) fn read(path: &Path, mistakes: &mut Mistakes) -> Option<Node> {
    let shown: Arc<str> = path.display().to_string().into();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            mistakes.push(Mistake::new("", format!("cannot read the configuration file `{shown}`: {error}")));
            return None;
        }
    };
    let origin = |span: Span| Origin::File {
        path: shown.clone(),
        line: span.start.line(),
        column: span.start.col().saturating_add(1),
    };
    let mut note = |wrong: Wrong| {
        mistakes.push(Mistake { origin: Some(wrong.origin), ..Mistake::new("", wrong.reason) });
    };
    let mut reader = Reader::new(&text, &origin);
    let document = reader.document();
    reader.twice.into_iter().for_each(&mut note);
    match document {
        Ok(node @ Node { value: Value::Map(_) | Value::Null, .. }) => Some(node),
        Ok(Node { origin, .. }) => {
            note(Wrong { origin, reason: "expected keys and values".to_owned() });
            None
        }
        Err(wrong) => {
            note(wrong);
            None
        }
    }
}

/// The list or map that a text writes in YAML, all of it from `origin`.
pub(super) fn flow(text: &str, origin: &Origin) -> Option<Node> {
    let origin = |_| origin.clone();
    let mut reader = Reader::new(text, &origin);
    reader.document().ok().filter(|_| reader.twice.is_empty())
}

fn empty(origin: Origin) -> Node {
    Node { origin, value: Value::Map(BTreeMap::new()) }
}

struct Wrong {
    origin: Origin,
    reason: String,
}

struct Reader<'a> {
    parser: Parser<'a, StrInput<'a>>,
    origin: &'a dyn Fn(Span) -> Origin,
    anchors: HashMap<usize, Node>,
    /// Keys that are there already; what they say first is taken.
    twice: Vec<Wrong>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, origin: &'a dyn Fn(Span) -> Origin) -> Self {
        Self { parser: Parser::new_from_str(text), origin, anchors: HashMap::new(), twice: Vec::new() }
    }

    fn document(&mut self) -> Result<Node, Wrong> {
        let mut root = None;
        loop {
            match self.next()? {
                (Event::StreamEnd, span) => return Ok(root.unwrap_or_else(|| empty((self.origin)(span)))),
                (Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd, _) => {}
                (_, span) if root.is_some() => return Err(self.wrong(span, "a second document in one file")),
                (event, span) => root = Some(self.node(event, span, 0)?),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Wrong> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(self.broken(&error)),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Wrong> {
        if depth > MAX_DEPTH {
            return Err(self.wrong(span, "nested too deep"));
        }
        if let Some(tag) = event.tag().filter(|tag| !tag.is_yaml_core_schema()) {
            return Err(self.wrong(span, &format!("the tag `{}` means nothing here", tag.original())));
        }
        let (anchor, tagged) = (event.anchor_id(), event.tag().is_some());
        let value = match event {
            Event::Scalar(text, style, ..) => scalar(&text, style == ScalarStyle::Plain && !tagged),
            Event::SequenceStart(..) => self.list(depth)?,
            Event::MappingStart(..) => self.map(depth)?,
            Event::Alias(id) => match self.anchors.get(&id) {
                Some(node) => return Ok(node.clone()),
                None => return Err(self.wrong(span, "an alias within what it stands for")),
            },
            _ => return Err(self.wrong(span, "a value is missing")),
        };
        let node = Node { origin: (self.origin)(span), value };
        if let Some(id) = anchor {
            self.anchors.insert(id, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Value, Wrong> {
        let mut list = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Value::List(list)),
                (event, span) => list.push(self.node(event, span, depth.saturating_add(1))?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Value, Wrong> {
        let mut map = BTreeMap::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Value::Map(map)),
                (Event::Scalar(key, ..), span) => {
                    if map.contains_key(&*key) {
                        let twice = self.wrong(span, &format!("`{key}` is here a second time"));
                        self.twice.push(twice);
                    }
                    key.into_owned()
                }
                (_, span) => return Err(self.wrong(span, "a key must be a text")),
            };
            let (event, span) = self.next()?;
            let node = self.node(event, span, depth.saturating_add(1))?;
            map.entry(key).or_insert(node);
        }
    }

    fn wrong(&self, span: Span, reason: &str) -> Wrong {
        Wrong { origin: (self.origin)(span), reason: reason.to_owned() }
    }

    fn broken(&self, error: &ScanError) -> Wrong {
        self.wrong(Span::empty(*error.marker()), &format!("is not YAML: {}", error.info()))
    }
}

fn scalar(text: &str, plain: bool) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" if plain => Value::Null,
        _ => Value::Text { text: text.to_owned(), plain },
    }
}

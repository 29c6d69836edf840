//! The tree that all layers become.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::file;

/// Where a value came from, weakest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    Default,
    File { path: Arc<str>, line: usize, column: usize },
    Environment(Arc<str>),
    Flag,
}

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    /// A scalar as written. `plain`: without quotes, so that a reader who takes anything may read a number.
    Text {
        text: String,
        plain: bool,
    },
    List(Vec<Node>),
    Map(BTreeMap<String, Node>),
    /// An element that was found mistaken; the others keep their index.
    Gone,
}

/// The way from the root to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Node {
    pub(super) fn text(origin: Origin, text: impl Into<String>, plain: bool) -> Self {
        Self { origin, value: Value::Text { text: text.into(), plain } }
    }

    /// Lays a stronger layer over this one.
    pub(super) fn merge(&mut self, over: Self) {
        let Value::Map(below) = &mut self.value else {
            *self = over;
            return;
        };
        match over.spelled_out() {
            Self { value: Value::Map(above), origin } => {
                if !above.is_empty() {
                    self.origin = origin;
                }
                for (key, node) in above {
                    match below.get_mut(&key) {
                        Some(existing) => existing.merge(node),
                        None => drop(below.insert(key, node)),
                    }
                }
            }
            // A section with nothing in it, such as one whose lines are all commented out.
            Self { value: Value::Null, .. } => {}
            over => *self = over,
        }
    }

    /// A list or section that a variable or flag holds as YAML text, as such.
    pub(super) fn spelled_out(self) -> Self {
        match (&self.value, &self.origin) {
            (Value::Text { text, .. }, Origin::Environment(_) | Origin::Flag)
                if text.starts_with(['[', '{']) =>
            {
                file::flow(text, &self.origin).unwrap_or(self)
            }
            _ => self,
        }
    }

    /// Takes out nulls, empty lists and empty maps.
    pub(super) fn prune(&mut self) {
        if let Value::Map(map) = &mut self.value {
            map.retain(|_, node| {
                node.prune();
                match &node.value {
                    Value::Null | Value::Gone => false,
                    Value::List(list) => !list.is_empty(),
                    Value::Map(map) => !map.is_empty(),
                    Value::Text { .. } => true,
                }
            });
        }
    }

    /// The value for an error message: short, and without the credentials that a URL may hold.
    pub(super) fn shown(&self) -> Option<String> {
        let Value::Text { text, .. } = &self.value else { return None };
        let text = without_credentials(text);
        let short: String = text.chars().take(80).collect();
        Some(if short.len() < text.len() { format!("{short}...") } else { short })
    }

    pub(super) fn get(&self, path: &[Step]) -> Option<&Self> {
        path.iter().try_fold(self, |node, step| match (&node.value, step) {
            (Value::Map(map), Step::Key(key)) => map.get(key),
            (Value::List(list), Step::Index(index)) => list.get(*index),
            _ => None,
        })
    }

    pub(super) fn get_mut(&mut self, path: &[Step]) -> Option<&mut Self> {
        path.iter().try_fold(self, |node, step| match (&mut node.value, step) {
            (Value::Map(map), Step::Key(key)) => map.get_mut(key),
            (Value::List(list), Step::Index(index)) => list.get_mut(*index),
            _ => None,
        })
    }
}

fn without_credentials(text: &str) -> Cow<'_, str> {
    let found = text.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1)));
    found.map_or(Cow::Borrowed(text), |(scheme, host)| format!("{scheme}://...@{host}").into())
}

/// The key as one writes it: `sources[0].cluster`.
pub(super) fn written(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.extend([".", key]),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// The way that a key as one writes it goes.
pub(super) fn way(written: &str) -> Vec<Step> {
    let steps = written.split(['.', '[']).filter(|step| !step.is_empty());
    let step = |step: &str| match step.strip_suffix(']').and_then(|index| index.parse().ok()) {
        Some(index) => Step::Index(index),
        None => Step::Key(step.to_owned()),
    };
    steps.map(step).collect()
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, column } => write!(f, "{path}:{line}:{column}"),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag => f.write_str("command line"),
        }
    }
}

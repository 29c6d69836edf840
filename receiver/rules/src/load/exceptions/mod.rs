//! Exceptions of rules: how they are written, whether they are sound, and what they add to the condition.

mod read;
mod text;

pub(super) use read::read;
pub(super) use text::{quoted, with_exceptions};

use super::context::Context;
use super::fault::{Checked, Fault};
use super::source::is_known_field;
use crate::diagnostic::Code;
use crate::document::Origin;

#[derive(Clone, Debug)]
pub(super) struct Exception {
    pub(super) name: String,
    pub(super) fields: Entry,
    pub(super) comps: Entry,
    /// Each with its place.
    pub(super) values: Vec<(Entry, Origin)>,
    pub(super) context: Context,
}

/// A text or a list of these.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Text(String),
    List(Vec<Entry>),
}

const SET_OPERATORS: [&str; 3] = ["in", "intersects", "pmatch"];
const TEXT_OPERATORS: [&str; 12] = [
    "=",
    "==",
    "!=",
    "glob",
    "iglob",
    "contains",
    "icontains",
    "bcontains",
    "startswith",
    "bstartswith",
    "endswith",
    "regex",
];
const OTHER_OPERATORS: [&str; 5] = ["exists", "<", "<=", ">", ">="];

impl Entry {
    /// Not given, or given empty.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::List(items) => items.is_empty(),
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::List(_) => "",
        }
    }

    fn items(&self) -> &[Self] {
        match self {
            Self::Text(_) => &[],
            Self::List(items) => items,
        }
    }
}

impl Exception {
    /// Fills in the comparisons that go without saying, and checks fields and comparisons.
    pub(super) fn complete(&mut self, checks_fields: bool) -> Checked<()> {
        if self.comps.is_empty() {
            self.comps = match &self.fields {
                Entry::Text(_) => Entry::Text("in".to_owned()),
                Entry::List(fields) => {
                    Entry::List(fields.iter().map(|_| Entry::Text("=".to_owned())).collect())
                }
            };
        }
        let fields: Vec<&str> = match (&self.fields, &self.comps) {
            (Entry::List(fields), comps) => {
                if fields.len() != comps.items().len() {
                    return self.refuse("`fields` and `comps` must be lists of the same length");
                }
                for comp in comps.items().iter().map(Entry::text) {
                    if !is_comparison(comp) {
                        return self.refuse(format!("`{comp}` is no comparison"));
                    }
                }
                fields.iter().map(Entry::text).collect()
            }
            (Entry::Text(_), Entry::List(_)) => {
                return self.refuse("`fields` and `comps` must both be single or both be lists");
            }
            (Entry::Text(field), Entry::Text(comp)) => {
                if !SET_OPERATORS.contains(&comp.as_str()) && !has_modifier(comp) {
                    return self.refuse(format!(
                        "`{comp}` does not compare with a list; with a single field there are `in`, `intersects`, \
                         `pmatch`, and others with `oneof`, `anyof` or `allof` behind them"
                    ));
                }
                vec![field]
            }
        };
        if let Some(field) = fields.into_iter().find(|field| checks_fields && !is_known_field(field)) {
            return self.refuse(format!("`{field}` is no field"));
        }
        Ok(())
    }

    fn refuse<T>(&self, message: impl Into<String>) -> Checked<T> {
        Err(Fault::new(Code::Validate, message, &self.context))
    }

    /// Names of the fields, as written.
    pub(super) fn field_names(&self) -> Vec<String> {
        match &self.fields {
            Entry::Text(field) => vec![field.clone()],
            Entry::List(fields) => fields.iter().map(|field| field.text().to_owned()).collect(),
        }
    }
}

fn is_comparison(comp: &str) -> bool {
    let comp = comp.trim();
    SET_OPERATORS.contains(&comp)
        || TEXT_OPERATORS.contains(&comp)
        || OTHER_OPERATORS.contains(&comp)
        || has_modifier(comp)
}

fn takes_list(comp: &str) -> bool {
    SET_OPERATORS.contains(&comp.trim()) || has_modifier(comp)
}

/// An operator on texts, then `oneof`, `anyof` or `allof`.
fn has_modifier(comp: &str) -> bool {
    let mut words = comp.split_ascii_whitespace();
    matches!(
        (words.next(), words.next(), words.next()),
        (Some(operator), Some("oneof" | "anyof" | "allof"), None) if TEXT_OPERATORS.contains(&operator)
    )
}

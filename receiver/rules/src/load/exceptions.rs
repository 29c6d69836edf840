//! Exceptions of rules: how they are written, whether they are sound, and what they add to the condition.

use std::rc::Rc;

use super::fault::{Checked, Context, Fault};
use super::source::is_known_field;
use super::values::Keys;
use crate::diagnostic::Code;
use crate::document::{Node, Origin, Source, Traced};

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

    /// Reads a value. Mappings and nulls count as not given.
    fn read(source: &Source, node: &Node, context: &Context) -> Checked<Self> {
        if let Some(items) = node.sequence() {
            let items = items.iter().map(|item| {
                let context = context.node(source, item, "exception", "");
                Self::read(source, item, &context.node(source, item, "value for", ""))
            });
            return items.collect::<Checked<_>>().map(Self::List);
        }
        match node.text() {
            Some("") => {
                Err(Fault::new(Code::YamlValidate, "a value of an exception must not be empty", context))
            }
            text => Ok(Self::Text(text.unwrap_or_default().to_owned())),
        }
    }

    fn read_key(keys: Keys<'_>, key: &str) -> Checked<Option<Self>> {
        let read = |node: &Rc<Node>| {
            Self::read(keys.source, node, &keys.context.node(keys.source, node, "value for", key))
        };
        keys.node.get(key).map(read).transpose()
    }
}

/// Reads the exceptions of a rule's item; those of an appending one need no fields.
pub(super) fn read(keys: Keys<'_>, is_append: bool, warn: &mut impl FnMut(Fault)) -> Checked<Vec<Exception>> {
    let Keys { source, context: rule, .. } = keys;
    let Some(node) = keys.node.get("exceptions").filter(|node| !node.is_null()) else {
        return Ok(Vec::new());
    };
    let all = rule.node(source, node, "exceptions", "");
    let Some(items) = node.sequence() else {
        return Err(Fault::new(Code::YamlValidate, "`exceptions` must be a list", &all));
    };
    let mut exceptions: Vec<Exception> = Vec::new();
    for node in items {
        let unnamed = all.node(source, node, "exception", "");
        if !node.is_mapping() {
            return Err(Fault::new(Code::YamlValidate, "an exception must be a mapping", &unnamed));
        }
        let name = Keys { source, node, context: &unnamed }.text("name")?.0.to_owned();
        let context = rule.node(source, node, "exception", &name);
        if exceptions.iter().any(|other| other.name == name) {
            let message = format!("the rule has several exceptions named `{name}`");
            warn(Fault::new(Code::ExceptionNameNotUnique, message, &context));
        }
        exceptions.push(one(Keys { source, node, context: &context }, name, is_append, warn)?);
    }
    Ok(exceptions)
}

fn one(keys: Keys<'_>, name: String, is_append: bool, warn: &mut impl FnMut(Fault)) -> Checked<Exception> {
    let Keys { source, node, context } = keys;
    let fields = match Entry::read_key(keys, "fields")? {
        Some(fields) => fields,
        None if is_append => Entry::Text(String::new()),
        None => return keys.refuse("the key `fields` is missing"),
    };
    let comps = Entry::read_key(keys, "comps")?.unwrap_or(Entry::Text(String::new()));
    let mut values = Vec::new();
    if let Some(node) = node.get("values") {
        let context = context.node(source, node, "exception values", "");
        let Some(items) = node.sequence() else {
            return Err(Fault::new(Code::YamlValidate, "`values` of an exception must be a list", &context));
        };
        for item in items {
            let value = context.node(source, item, "exception value", "").node(source, item, "value for", "");
            let origin = Origin { file: context.at().0, offset: item.start, derived: true };
            values.push((Entry::read(source, item, &value)?, origin));
        }
    } else if is_append {
        warn(
            Fault::new(Code::AppendNoValues, format!("nothing is appended to exception `{name}`"), context)
                .help("give `values`"),
        );
    }
    Ok(Exception { name, fields, comps, values, context: context.clone() })
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

    /// What the exception excludes, as condition text; empty without values.
    fn condition(&self) -> Checked<Traced> {
        match &self.fields {
            Entry::Text(field) => self.one_list(field),
            Entry::List(fields) => self.alternatives(fields),
        }
    }

    /// `(field comp (value, value))`
    fn one_list(&self, field: &str) -> Checked<Traced> {
        let mut text = Traced::default();
        for (value, origin) in &self.values {
            let Entry::Text(value) = value else {
                return self.refuse("each of `values` must be a single value, as `fields` is");
            };
            let lead = if text.as_str().is_empty() {
                format!("({field} {} (", self.comps.text())
            } else {
                ", ".to_owned()
            };
            text.push(&lead, *origin);
            text.push(&quoted(value), *origin);
        }
        if let Some((_, origin)) = self.values.last() {
            text.push("))", *origin);
        }
        Ok(text)
    }

    /// `((field comp value and field comp value) or (...))`
    fn alternatives(&self, fields: &[Entry]) -> Checked<Traced> {
        let mut text = Traced::default();
        for (value, origin) in &self.values {
            if value.items().len() != fields.len() {
                return self.refuse("each of `values` must be a list as long as `fields`");
            }
            let each =
                fields.iter().zip(self.comps.items()).zip(value.items()).map(|((field, comp), value)| {
                    let comp = comp.text();
                    let value = match value {
                        Entry::List(values) => {
                            let values: Vec<_> = values.iter().map(|value| quoted(value.text())).collect();
                            format!("({})", values.join(", "))
                        }
                        Entry::Text(value) if !takes_list(comp) => quoted(value),
                        Entry::Text(value) if value.starts_with('(') => value.clone(),
                        Entry::Text(value) => format!("({value})"),
                    };
                    format!(" {} {comp} {value}", field.text())
                });
            let each: Vec<_> = each.collect();
            text.push(if text.as_str().is_empty() { "((" } else { " or (" }, *origin);
            text.push(&format!("{})", each.join(" and ")), *origin);
        }
        if let Some((_, origin)) = self.values.last() {
            text.push(")", *origin);
        }
        Ok(text)
    }
}

/// A rule's condition with what its exceptions exclude.
pub(super) fn with_exceptions(condition: &Traced, exceptions: &[Exception]) -> Checked<Traced> {
    let Some(start) = condition.origin(0).filter(|_| !exceptions.is_empty()) else {
        return Ok(condition.clone());
    };
    let start = Origin { derived: true, ..start };
    let mut text = Traced::default();
    text.push("(", start);
    text.push_part(condition, 0..condition.as_str().len());
    text.push(")", start);
    for exception in exceptions {
        let excluded = exception.condition()?;
        if let Some(origin) = excluded.origin(0) {
            text.push(" and not ", origin);
            text.push_part(&excluded, 0..excluded.as_str().len());
        }
    }
    Ok(text)
}

/// In double quotes if it has a blank and no quote at its start. Nothing inside is escaped.
pub(super) fn quoted(text: &str) -> String {
    if text.contains(' ') && !text.starts_with(['"', '\'']) { format!("\"{text}\"") } else { text.to_owned() }
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

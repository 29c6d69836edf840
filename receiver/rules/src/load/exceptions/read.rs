//! Exceptions as they are written.

use std::rc::Rc;

use super::{Entry, Exception};
use crate::diagnostic::Code;
use crate::document::{Node, Origin, Source};
use crate::load::context::Context;
use crate::load::fault::{Checked, Fault};
use crate::load::values::Keys;

/// Reads the exceptions of a rule's item; those of an appending one need no fields.
pub(in crate::load) fn read(
    keys: Keys<'_>,
    is_append: bool,
    warn: &mut impl FnMut(Fault),
) -> Checked<Vec<Exception>> {
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

impl Entry {
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

//! The layers that are no file: values of ours (defaults and flags) and the environment.

use std::collections::BTreeMap;
use std::ffi::OsString;

use serde::Serialize;
use serde_json::Value as Json;

use super::PREFIX;
use super::mistakes::{Mistake, Mistakes};
use super::tree::{Node, Origin, Value};

pub(super) fn serialized(value: &impl Serialize, origin: &Origin, mistakes: &mut Mistakes) -> Node {
    let json = serde_json::to_value(value).unwrap_or_else(|error| {
        let reason = format!("cannot be written as a configuration: {error}");
        mistakes.push(Mistake { origin: Some(origin.clone()), ..Mistake::new("", reason) });
        Json::Null
    });
    match node(json, origin) {
        // A unit struct, say: no flags at all.
        Node { value: Value::Null, origin } => Node { origin, value: Value::Map(BTreeMap::new()) },
        node => node,
    }
}

fn node(json: Json, origin: &Origin) -> Node {
    let value = match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Text { text: value.to_string(), plain: true },
        Json::Number(value) => Value::Text { text: value.to_string(), plain: true },
        Json::String(text) => Value::Text { text, plain: false },
        Json::Array(list) => Value::List(list.into_iter().map(|json| node(json, origin)).collect()),
        Json::Object(map) => {
            Value::Map(map.into_iter().map(|(key, json)| (key, node(json, origin))).collect())
        }
    };
    Node { origin: origin.clone(), value }
}

/// A tree for each variable, shortest name first, so that `KAB_A__B` adds to what `KAB_A` says as a section.
pub(super) fn environment(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    mistakes: &mut Mistakes,
) -> Vec<Node> {
    let mut found = BTreeMap::new();
    for (name, value) in variables {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        match value.into_string() {
            Ok(text) => drop(found.insert(name.to_owned(), text)),
            Err(_) => mistakes.push(Mistake {
                origin: Some(Origin::Environment(name.into())),
                ..Mistake::new(keys(name).join("."), "is not valid UTF-8")
            }),
        }
    }
    for (name, text) in &found {
        let section = format!("{name}__");
        let inner = found.keys().find(|other| other.starts_with(&section));
        if let (Some(inner), false) = (inner, text.starts_with('{')) {
            mistakes.push(Mistake {
                value: Some(text.clone()),
                origin: Some(Origin::Environment(name.as_str().into())),
                ..Mistake::new(
                    keys(name).join("."),
                    format!("cannot be a value while `{inner}` is set inside it"),
                )
            });
        }
    }
    found.into_iter().map(|(name, text)| variable(&name, text)).collect()
}

fn variable(name: &str, text: String) -> Node {
    let origin = Origin::Environment(name.into());
    let leaf = Node::text(origin.clone(), text, false);
    keys(name).into_iter().rev().fold(leaf, |inner, key| Node {
        origin: origin.clone(),
        value: Value::Map(BTreeMap::from([(key, inner)])),
    })
}

fn keys(name: &str) -> Vec<String> {
    let name = name.strip_prefix(PREFIX).unwrap_or(name);
    name.split("__").map(str::to_lowercase).collect()
}

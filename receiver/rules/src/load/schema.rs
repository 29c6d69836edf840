//! The plain shape of rules files. What differs from it is told beside the load result and never an error.

use std::rc::Rc;

use crate::document::{Node, read};

#[derive(Clone, Copy)]
enum Shape {
    Text,
    Boolean,
    Integer,
    Anything,
    OneOf(&'static [&'static str]),
    Each(&'static Shape),
    Keys(&'static Mapping),
}

/// The keys that there are, and those that must be.
struct Mapping {
    keys: &'static [(&'static str, Shape)],
    required: &'static [&'static str],
    /// Whether it may be empty.
    empty: bool,
}

const OPERATION: Shape = Shape::OneOf(&["append", "replace"]);
const PRIORITIES: &[&str] =
    &["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "INFORMATIONAL", "DEBUG"];

const OVERRIDE: Mapping = Mapping {
    keys: &[
        ("items", OPERATION),
        ("desc", OPERATION),
        ("condition", OPERATION),
        ("output", OPERATION),
        ("priority", OPERATION),
        ("enabled", OPERATION),
        ("exceptions", OPERATION),
        ("capture", OPERATION),
        ("capture_duration", OPERATION),
        ("tags", OPERATION),
        ("warn_evttypes", OPERATION),
        ("skip-if-unknown-filter", OPERATION),
    ],
    required: &[],
    empty: false,
};

const EXCEPTION: Mapping = Mapping {
    keys: &[
        ("name", Shape::Text),
        ("fields", Shape::Anything),
        ("comps", Shape::Anything),
        ("values", Shape::Anything),
    ],
    required: &["name"],
    empty: true,
};

const ALTERNATIVE: Mapping = Mapping {
    keys: &[("name", Shape::Text), ("version", Shape::Text)],
    required: &["name", "version"],
    empty: true,
};

const PLUGIN: Mapping = Mapping {
    keys: &[
        ("name", Shape::Text),
        ("version", Shape::Text),
        ("alternatives", Shape::Each(&Shape::Keys(&ALTERNATIVE))),
    ],
    required: &["name", "version"],
    empty: true,
};

/// Keys of all kinds of items together.
const ITEM: Mapping = Mapping {
    keys: &[
        ("required_engine_version", Shape::Text),
        ("required_plugin_versions", Shape::Each(&Shape::Keys(&PLUGIN))),
        ("macro", Shape::Text),
        ("condition", Shape::Text),
        ("list", Shape::Text),
        ("items", Shape::Each(&Shape::Text)),
        ("rule", Shape::Text),
        ("desc", Shape::Text),
        ("enabled", Shape::Boolean),
        ("output", Shape::Text),
        ("append", Shape::Boolean),
        ("priority", Shape::OneOf(PRIORITIES)),
        ("capture", Shape::Boolean),
        ("capture_duration", Shape::Integer),
        ("source", Shape::Text),
        ("exceptions", Shape::Each(&Shape::Keys(&EXCEPTION))),
        ("override", Shape::Keys(&OVERRIDE)),
        ("tags", Shape::Each(&Shape::Text)),
        ("warn_evttypes", Shape::Boolean),
        ("skip-if-unknown-filter", Shape::Boolean),
    ],
    required: &[],
    empty: true,
};

/// What differs, each with the way to it: `<root>[3][rule]: ...`.
pub(super) fn check(text: &str) -> Vec<String> {
    let documents = match read(text) {
        Ok(documents) => documents,
        Err(malformed) => return vec![format!("<root>: {}", malformed.message)],
    };
    let mut findings = Vec::new();
    if documents.is_empty() {
        findings.push("<root>: expected a list".to_owned());
    }
    for document in &documents {
        shape(document, &Shape::Each(&Shape::Keys(&ITEM)), "<root>", &mut findings);
    }
    findings
}

fn shape(node: &Rc<Node>, expected: &Shape, path: &str, findings: &mut Vec<String>) {
    let is_text = |test: &dyn Fn(&str) -> bool| node.text().is_some_and(test);
    let expected = match expected {
        Shape::Anything => return,
        Shape::Text if is_text(&|_| true) => return,
        Shape::Boolean if is_text(&|text| matches!(text, "true" | "false")) => return,
        Shape::Integer if is_text(&|text| text.parse::<i64>().is_ok()) => return,
        Shape::OneOf(choices) if is_text(&|text| choices.contains(&text)) => return,
        Shape::Each(inner) if node.sequence().is_some() => {
            for (at, item) in node.sequence().unwrap_or_default().iter().enumerate() {
                shape(item, inner, &format!("{path}[{at}]"), findings);
            }
            return;
        }
        Shape::Keys(mapping) if node.is_mapping() => return keys(node, mapping, path, findings),
        Shape::Text => "a text",
        Shape::Boolean => "a boolean",
        Shape::Integer => "a whole number",
        Shape::OneOf(choices) => &format!("one of {}", choices.join(", ")),
        Shape::Each(_) => "a list",
        Shape::Keys(_) => "a mapping",
    };
    findings.push(format!("{path}: expected {expected}"));
}

fn keys(node: &Rc<Node>, mapping: &Mapping, path: &str, findings: &mut Vec<String>) {
    for (key, value) in node.entries() {
        let name = key.text().unwrap_or_default();
        match mapping.keys.iter().find(|(known, _)| *known == name) {
            Some((_, expected)) => shape(value, expected, &format!("{path}[{name}]"), findings),
            None => findings.push(format!("{path}: unknown key {name}")),
        }
    }
    for required in mapping.required.iter().filter(|key| node.get(key).is_none()) {
        findings.push(format!("{path}: missing key {required}"));
    }
    if !mapping.empty && node.entries().is_empty() {
        findings.push(format!("{path}: expected at least one key"));
    }
}

//! Diagnostics for machines, in our own form.

use serde_json::{Value, json};

use super::{Diagnostic, Excerpt};
use crate::load::Loaded;

/// `{"ok", "files": [{"name", "ok", "diagnostics": [{"severity", "code", "message", "help", "file", "line", "column",
/// "length", "text", "expanded"}], "schema"}]}`. Lines and columns count from 1, columns and length in characters.
pub fn json(loaded: &Loaded) -> Value {
    let files: Vec<_> = loaded
        .results
        .iter()
        .map(|result| {
            json!({
                "name": result.name,
                "ok": result.is_ok(),
                "diagnostics": result.diagnostics.iter().map(one).collect::<Vec<_>>(),
                "schema": result.schema,
            })
        })
        .collect();
    let requirements: Vec<_> = loaded.unmet.iter().map(one).collect();
    json!({"ok": loaded.is_ok(), "files": files, "requirements": requirements})
}

fn one(diagnostic: &Diagnostic) -> Value {
    json!({
        "severity": diagnostic.severity().as_str(),
        "code": diagnostic.code.as_str(),
        "message": diagnostic.message,
        "help": diagnostic.help,
        "file": diagnostic.file,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "length": diagnostic.excerpt.len,
        "text": diagnostic.excerpt.text,
        "expanded": diagnostic.expanded.as_ref().map(|Excerpt { text, start, len }| {
            json!({"text": text, "column": start + 1, "length": len})
        }),
    })
}

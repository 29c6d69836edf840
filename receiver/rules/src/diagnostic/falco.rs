//! Diagnostics in the form of Falco's load results.

use serde_json::{Value, json};

use super::{Diagnostic, Severity};
use crate::load::{FileResult, Loaded};

/// `{"falco_load_results": [...]}`: per file what came up to and including its first error, as Falco stops there.
pub fn falco_json(loaded: &Loaded) -> Value {
    json!({"falco_load_results": loaded.results.iter().map(file).collect::<Vec<_>>()})
}

fn file(result: &FileResult) -> Value {
    let (mut errors, mut warnings) = (Vec::new(), Vec::new());
    for diagnostic in &result.diagnostics {
        match diagnostic.severity() {
            Severity::Error => {
                errors.push(one(diagnostic));
                break;
            }
            Severity::Warning => warnings.push(one(diagnostic)),
            Severity::Note => {}
        }
    }
    json!({
        "name": result.name,
        "successful": errors.is_empty(),
        "schema_valid": result.schema.is_empty(),
        "schema_warnings": result.schema,
        "errors": errors,
        "warnings": warnings,
    })
}

fn one(diagnostic: &Diagnostic) -> Value {
    let locations: Vec<_> = diagnostic
        .locations
        .iter()
        .map(|location| {
            json!({
                "item_type": location.item_type,
                "item_name": location.item_name,
                "position": {
                    "name": location.name,
                    "line": location.line,
                    "column": location.column,
                    "offset": location.offset,
                },
            })
        })
        .collect();
    let mut one = json!({
        "code": diagnostic.code.as_str(),
        "codedesc": diagnostic.code.description(),
        "message": diagnostic.message,
        "context": {"locations": locations, "snippet": diagnostic.snippet},
    });
    if let (Some(field), Some(one)) = (diagnostic.deprecated_field, one.as_object_mut()) {
        one.insert("deprecated_field".to_owned(), field.into());
    }
    one
}

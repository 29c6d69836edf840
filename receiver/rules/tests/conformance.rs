//! Parsing and loading beside what a Falco made of the same texts.
//!
//! The recorded cases are not part of the project: `KAB_FALCO_VECTORS` names their folder.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test, whose skipping must be seen"
)]

use std::io::{Write as _, stderr};
use std::path::PathBuf;

use audit_rules::diagnostic::falco_json;
use audit_rules::{Options, SourceFile, load, parse};
use serde_json::Value;

fn cases(file: &str) -> Option<Vec<Value>> {
    let Some(folder) = std::env::var_os("KAB_FALCO_VECTORS").map(PathBuf::from) else {
        // Written past the test harness, which hides what the print macros say when a test passes.
        stderr().write_all(b"SKIPPED: conformance vectors not given (KAB_FALCO_VECTORS)\n").unwrap();
        return None;
    };
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    Some(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[track_caller]
fn passed(what: &str, total: usize, failures: &[String]) {
    for failure in failures {
        eprintln!("{failure}");
    }
    eprintln!("{what}: {} of {total} pass", total - failures.len());
    assert!(failures.is_empty());
}

#[test]
fn conditions_are_accepted_as_falco_accepts_them() {
    let Some(cases) = cases("parse-cases.jsonl") else { return };
    let failures: Vec<String> = cases
        .iter()
        .filter_map(|case| {
            let condition = case["condition"].as_str().unwrap();
            let parsed = parse::condition(condition);
            let right = parsed.is_ok() == case["accept"].as_bool().unwrap();
            (!right).then(|| format!("{}: {condition:?}: {parsed:?}", case["id"]))
        })
        .collect();
    passed("parse cases", cases.len(), &failures);
}

#[test]
fn files_load_as_falco_loads_them() {
    let Some(cases) = cases("load-cases.jsonl") else { return };
    let mut failures = Vec::new();
    for case in &cases {
        let differences = differences(case);
        if !differences.is_empty() {
            failures.push(format!("{}: {}", case["id"], differences.join("; ")));
        }
    }
    passed("load cases", cases.len(), &failures);
}

fn differences(case: &Value) -> Vec<String> {
    let texts: Vec<&str> = match case["files"].as_array() {
        Some(files) => files.iter().map(|file| file.as_str().unwrap()).collect(),
        None => vec![case["rules_yaml"].as_str().unwrap()],
    };
    let files: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(at, text)| SourceFile { name: format!("{at}.yaml"), text: (*text).to_owned() })
        .collect();
    let loaded = load(&files, &Options::default());
    let document = falco_json(&loaded);
    let results = document["falco_load_results"].as_array().unwrap();
    let mut found = Vec::new();
    let mut equal = |what: &str, ours: Value, theirs: &Value| {
        if ours != *theirs {
            found.push(format!("{what} {ours}, not {theirs}"));
        }
    };
    if case["startup_failure"] == true {
        equal("unmet", (!loaded.unmet.is_empty()).into(), &true.into());
        equal("loaded", loaded.is_ok().into(), &false.into());
        return found;
    }
    let all = |result: &Value, kind: &str| result[kind].as_array().unwrap().clone();
    let per_file: Vec<Vec<Value>> = results
        .iter()
        .map(|result| [all(result, "errors"), all(result, "warnings")].concat())
        .map(|entries| entries.iter().map(|entry| entry["code"].clone()).collect())
        .collect();
    let errors: Vec<Value> = results.iter().flat_map(|result| all(result, "errors")).collect();
    let warnings: Vec<Value> = results.iter().flat_map(|result| all(result, "warnings")).collect();
    let outcome = match (errors.len(), warnings.len()) {
        (0, 0) => "ok",
        (0, _) => "warning",
        _ => "error",
    };
    equal("outcome", outcome.into(), &case["expect"]);
    if case["files"].is_array() {
        equal("codes per file", per_file.into(), &case["codes_per_file"]);
    } else {
        equal("codes", per_file.concat().into(), &case["codes"]);
    }
    if let Some(valid) = case.get("schema_valid") {
        let ours = results.iter().all(|result| result["schema_valid"] == true);
        equal("schema", ours.into(), valid);
    }
    for (ours, theirs) in warnings.iter().zip(case["warnings"].as_array().into_iter().flatten()) {
        let (path, _) = path(ours);
        let name = path.iter().map(|step| &step[1]).rfind(|name| **name != "").unwrap();
        equal("warning", ours["code"].clone(), &theirs["code"]);
        equal("item type", path.last().unwrap()[0].clone(), &theirs["item_type"]);
        equal("item name", name.clone(), &theirs["item_name"]);
    }
    if let (Some(ours), Some(theirs)) = (errors.first(), case.get("error")) {
        let (path, place) = path(ours);
        equal("code", ours["code"].clone(), &theirs["code"]);
        equal("path", path.into(), &theirs["path"]);
        equal("line", place["line"].clone(), &theirs["line"]);
        equal("column", place["column"].clone(), &theirs["column"]);
        equal(
            "condition",
            condition_position(ours),
            theirs.get("condition_position").unwrap_or(&Value::Null),
        );
    }
    found
}

/// The way to the fault without the step into a condition's text, and the last place of it.
fn path(entry: &Value) -> (Vec<Value>, Value) {
    let locations = entry["context"]["locations"].as_array().unwrap();
    let mut steps = locations.iter().filter(|step| step["item_type"] != "condition expression");
    let path = steps.clone().map(|step| serde_json::json!([step["item_type"], step["item_name"]])).collect();
    (path, steps.next_back().unwrap()["position"].clone())
}

/// The place in the condition's text alone.
fn condition_position(entry: &Value) -> Value {
    let locations = entry["context"]["locations"].as_array().unwrap();
    let [.., parent, last] = locations.as_slice() else { return Value::Null };
    if last["item_type"] != "condition expression" {
        return Value::Null;
    }
    let part =
        |key: &str| last["position"][key].as_u64().unwrap() - parent["position"][key].as_u64().unwrap();
    serde_json::json!({"line": part("line"), "column": part("column"), "offset": part("offset")})
}

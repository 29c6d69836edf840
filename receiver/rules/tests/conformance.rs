//! Parsing and loading beside what a Falco made of the same texts.
//!
//! The recorded cases are not part of the project: `KAB_FALCO_VECTORS` names their folder.

#![allow(clippy::print_stderr, reason = "what was skipped must be seen")]

use std::path::PathBuf;

use audit_rules::parse;
use serde_json::Value;

fn cases(file: &str) -> Option<Vec<Value>> {
    let Some(folder) = std::env::var_os("KAB_FALCO_VECTORS").map(PathBuf::from) else {
        eprintln!("SKIPPED: conformance vectors not given (KAB_FALCO_VECTORS)");
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

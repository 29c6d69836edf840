//! Verdicts and outputs against vectors recorded from Falco. The folder is named by `KAB_FALCO_VECTORS`.

#![allow(
    clippy::print_stderr,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, which says what it skipped"
)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use audit_event::json::Raw;
use audit_event::{Event, Item, split};
use audit_rules::{Context, Engine, Matching, Options, SourceFile, alert, load};
use serde_json::Value;

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("KAB_FALCO_VECTORS").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED: set KAB_FALCO_VECTORS to the folder of the recorded vectors");
    }
    folder
}

fn lines(folder: &Path, file: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join(file)).expect("the vectors' folder holds the file");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// Fixtures by name, as JSON text. Read with a reader that keeps the order of members and the text of numbers.
fn events(folder: &Path) -> HashMap<String, String> {
    let text =
        std::fs::read_to_string(folder.join("events.jsonl")).expect("the vectors' folder holds the events");
    let event = |line: &str| {
        let line = Raw::parse(line).expect("a line is JSON");
        let name = line.get("name").and_then(Raw::string).expect("a name").into_owned();
        let raw = line.get("event_raw").and_then(Raw::string);
        let event = line.get("event").map(|event| event.text().into());
        (name, raw.or(event).expect("an event").into_owned())
    };
    text.lines().map(event).collect()
}

fn usable(text: &str) -> Vec<Event<'_>> {
    let items = split(text).unwrap_or_default();
    items
        .into_iter()
        .filter_map(|item| if let Item::Event(event) = item { Some(event) } else { None })
        .collect()
}

/// An engine with one rule behind a prelude, or what is wrong with it.
fn engine(prelude: &str, condition: &str, output: &str) -> Result<Engine, String> {
    let [condition, output] = [condition, output].map(|text| Value::from(text).to_string());
    let text = format!(
        "{prelude}\n- rule: tested\n  desc: tested\n  condition: {condition}\n  output: {output}\n  priority: WARNING\n  \
         source: k8s_audit\n"
    );
    let loaded = load(&[SourceFile { name: "rules.yaml".into(), text }], &Options::default());
    let faults: Vec<_> = loaded.diagnostics().map(|fault| format!("{fault:?}")).collect();
    loaded.rules.map(|rules| Engine::new(rules, Matching::First)).ok_or_else(|| faults.join("\n"))
}

fn report(of: usize, failures: &[String]) {
    eprintln!("{} of {of} cases pass", of - failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn conditions_have_falcos_verdicts() {
    let Some(folder) = folder() else { return };
    let events = events(&folder);
    let cases = lines(&folder, "eval-cases.jsonl");
    let mut failures = Vec::new();
    for case in &cases {
        let [id, condition, event] =
            ["id", "condition", "event"].map(|key| case[key].as_str().expect("a text"));
        let verdicts = engine(case["prelude"].as_str().unwrap_or_default(), condition, "x").map(|engine| {
            let (mut context, mut plain) = (Context::new("host"), Context::new("host"));
            let usable = usable(&events[event]);
            let fires = usable.iter().any(|event| !engine.evaluate(event, &mut context).is_empty());
            (fires, usable.iter().any(|event| !engine.evaluate_by_definition(event, &mut plain).is_empty()))
        });
        let expected = case["expect"] == true;
        let refused_as_in_falco = case.get("min_engine").is_some() && verdicts.is_err();
        if !refused_as_in_falco && verdicts != Ok((expected, expected)) {
            failures.push(format!("{id}: {condition:?} on {event}: {verdicts:?}, {}", case["note"]));
        }
    }
    report(cases.len(), &failures);
}

#[test]
fn outputs_are_falcos() {
    let Some(folder) = folder() else { return };
    let events = events(&folder);
    let cases = lines(&folder, "output-cases.jsonl");
    let mut failures = Vec::new();
    for case in &cases {
        let [id, output, event] = ["id", "output", "event"].map(|key| case[key].as_str().expect("a text"));
        let engine = match engine("", "evt.num exists", output) {
            Ok(engine) => engine,
            Err(error) => {
                failures.push(format!("{id}: {output}: {error}"));
                continue;
            }
        };
        let usable = usable(&events[event]);
        let event = usable.first().expect("an event");
        let mut context = Context::new("host");
        assert_eq!(engine.evaluate(event, &mut context), [0]);
        let options = alert::Options { iso8601: true, message: true, ..Default::default() };
        let document = alert::render(engine.rule(0).expect("the rule"), event, &context, &options);
        if document["message"] != case["expect_string"] || document["output_fields"] != case["output_fields"]
        {
            failures
                .push(format!("{id}: {} {}\n  want {case}", document["message"], document["output_fields"]));
        }
    }
    report(cases.len(), &failures);
}

//! Verdicts and outputs against vectors recorded from Falco. The folder is named by `KAB_FALCO_VECTORS`.

#![allow(clippy::print_stderr, reason = "what was skipped must be seen")]

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use audit_event::json::Raw;
use audit_event::{Event, Item, split};
use audit_rules::{
    Context, Engine, Matching, Place, Priority, Rule, RuleSet, Subject, alert, check, format, parse,
};
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

fn rule(condition: check::Condition, output: format::Output) -> Rule {
    Rule {
        name: "rule".into(),
        desc: String::new(),
        priority: Priority::Warning,
        tags: Vec::new(),
        source: "k8s_audit".into(),
        enabled: true,
        condition,
        output,
        extra_fields: Vec::new(),
        exception_fields: Default::default(),
        place: Place { file: String::new(), line: 1 },
    }
}

/// Whether the condition holds for any event of the text; an error when it does not load.
fn fires(condition: &str, event: &str) -> Result<bool, String> {
    let expr = parse::condition(condition).map_err(|error| error.to_string())?;
    let condition = check::condition(&expr).map_err(|error| error.to_string())?;
    let output = format::Output::parse("x").expect("a plain text is a template");
    let engine = Engine::new(RuleSet { rules: vec![rule(condition, output)] }, Matching::First);
    let mut context = Context::new("host");
    Ok(usable(event).iter().any(|event| !engine.evaluate(event, &mut context).is_empty()))
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
        if case.get("prelude").is_some() {
            continue;
        }
        let [id, condition, event] =
            ["id", "condition", "event"].map(|key| case[key].as_str().expect("a text"));
        let verdict = fires(condition, &events[event]);
        let refused_as_in_falco = case.get("min_engine").is_some() && verdict.is_err();
        if !refused_as_in_falco && verdict != Ok(case["expect"] == true) {
            failures.push(format!("{id}: {condition:?} on {event}: {verdict:?}, {}", case["note"]));
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
    let always = check::condition(&parse::condition("evt.num exists").expect("parses")).expect("is sound");
    for case in &cases {
        let [id, output, event] = ["id", "output", "event"].map(|key| case[key].as_str().expect("a text"));
        let output = match format::Output::parse(output) {
            Ok(output) => output,
            Err(error) => {
                failures.push(format!("{id}: {output}: {error}"));
                continue;
            }
        };
        let rule = rule(always.clone(), output);
        let usable = usable(&events[event]);
        let event = usable.first().expect("an event");
        let mut context = Context::new("host");
        context.next(event);
        let message = rule.output.message(&Subject { event, context: &context });
        let options = alert::Options { iso8601: true, ..Default::default() };
        let document = alert::render(&rule, event, &context, &options);
        if message != case["expect_string"] || document["output_fields"] != case["output_fields"] {
            failures.push(format!("{id}: {message:?} {}\n  want {case}", document["output_fields"]));
        }
    }
    report(cases.len(), &failures);
}

//! Alerts on a recording of a real cluster against those that Falco raised on it. The folder is named by
//! `KAB_FALCO_RECORDING`; it holds `k8s_audit_rules.yaml`, `audit-log.jsonl` and `falco-alerts-{all,first}.jsonl`.

#![allow(
    clippy::print_stderr,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test, which says what it skipped"
)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use audit_event::{Event, Field};
use audit_rules::{Context, Engine, Matching, Options, SourceFile, alert, load};
use serde_json::Value;

/// Rule, audit id, stage and line of an alert, with how often it was raised.
type Alerts = BTreeMap<[String; 4], usize>;

fn read(folder: &Path, file: &str) -> String {
    std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn recorded(text: &str) -> Alerts {
    let mut alerts = Alerts::new();
    for line in text.lines() {
        let alert: Value = serde_json::from_str(line).expect("a line is JSON");
        let key =
            ["rule", "auditID", "stage", "output"].map(|key| alert[key].as_str().expect("a text").to_owned());
        *alerts.entry(key).or_default() += 1;
    }
    alerts
}

fn raised(engine: &Engine, log: &str) -> Alerts {
    let (mut context, mut plain) = (Context::new("host"), Context::new("host"));
    let mut alerts = Alerts::new();
    for line in log.lines() {
        let event = Event::parse(line).expect("a line is an event");
        let matching = engine.evaluate(&event, &mut context);
        assert_eq!(matching, engine.evaluate_by_definition(&event, &mut plain), "{line}");
        for rule in matching {
            let rule = engine.rule(rule).expect("a rule of the engine");
            let document = alert::render(rule, &event, &context, &alert::Options::default());
            let text = |field| event.text(field).unwrap_or_default().into_owned();
            let output = document["output"].as_str().expect("a text").to_owned();
            let key = [rule.name.clone(), text(Field::AuditId), text(Field::Stage), output];
            *alerts.entry(key).or_default() += 1;
        }
    }
    alerts
}

#[test]
fn alerts_are_falcos() {
    let Some(folder) = std::env::var_os("KAB_FALCO_RECORDING").map(PathBuf::from) else {
        eprintln!("SKIPPED: set KAB_FALCO_RECORDING to the folder of the recording");
        return;
    };
    let files =
        [SourceFile { name: "k8s_audit_rules.yaml".into(), text: read(&folder, "k8s_audit_rules.yaml") }];
    let loaded = load(&files, &Options::default());
    let rules = loaded.rules.expect("the rules load");
    let log = read(&folder, "audit-log.jsonl");
    for (matching, file) in
        [(Matching::All, "falco-alerts-all.jsonl"), (Matching::First, "falco-alerts-first.jsonl")]
    {
        let expected = recorded(&read(&folder, file));
        let raised = raised(&Engine::new(rules.clone(), matching), &log);
        let missing: Vec<_> =
            expected.iter().filter(|(key, count)| raised.get(*key) != Some(count)).collect();
        let surplus: Vec<_> =
            raised.iter().filter(|(key, count)| expected.get(*key) != Some(count)).collect();
        eprintln!(
            "{matching:?}: {} alerts expected, {} raised",
            expected.values().sum::<usize>(),
            raised.values().sum::<usize>()
        );
        assert!(missing.is_empty() && surplus.is_empty(), "missing {missing:#?}\nsurplus {surplus:#?}");
    }
}

use std::collections::HashSet;

use serde_json::Value;

use super::{Line, RULES, Traffic};

const START: i64 = 1_767_225_600_000;

fn lines(seed: u64, count: usize) -> Vec<Line> {
    Traffic::new(seed).lines(START, 20).take(count).collect()
}

#[test]
fn is_the_same_for_the_same_seed_and_differs_for_another() {
    assert_eq!(lines(1, 500), lines(1, 500));
    assert_ne!(lines(1, 5), lines(2, 5));
}

#[test]
fn is_made_of_audit_events_of_the_expected_size_and_times() {
    let lines = lines(3, 5000);
    let mut bytes = 0;
    for line in &lines {
        let event: Value = serde_json::from_str(&line.text).unwrap();
        assert_eq!(event["kind"], "Event");
        assert_eq!(event["auditID"], line.audit_id.as_str());
        let time: jiff::Timestamp = event["stageTimestamp"].as_str().unwrap().parse().unwrap();
        assert_eq!(time.as_millisecond(), line.at_ms);
        assert!(
            event["requestReceivedTimestamp"].as_str().unwrap() < event["stageTimestamp"].as_str().unwrap()
        );
        assert!(line.text.starts_with(r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":""#));
        bytes += line.text.len();
    }
    let mean = bytes / lines.len();
    assert!((1500..2500).contains(&mean), "{mean}");
    assert!(lines.iter().all(|line| (500..5000).contains(&line.text.len())));
}

#[test]
fn has_two_lines_of_one_id_for_what_runs_long_and_else_ids_of_its_own() {
    let lines: Vec<Line> = Traffic::new(4).lines(START, 2000).take(2000).collect();
    let mut stages = HashSet::new();
    let mut twice = 0;
    for line in &lines {
        let event: Value = serde_json::from_str(&line.text).unwrap();
        assert!(stages.insert((line.audit_id.clone(), event["stage"].to_string())));
        twice += usize::from(event["stage"] == "ResponseStarted");
    }
    let ids: HashSet<&str> = lines.iter().map(|line| line.audit_id.as_str()).collect();
    assert!(twice > 100 && ids.len() < lines.len());
}

#[test]
fn marks_about_two_in_a_hundred_and_with_rules_that_there_are() {
    let lines = lines(5, 5000);
    let marked: Vec<&str> = lines.iter().filter_map(|line| line.rule).collect();
    assert!((60..160).contains(&marked.len()), "{}", marked.len());
    let names: HashSet<&str> = marked.into_iter().collect();
    assert_eq!(names.len(), RULES.matches("- rule: ").count());
    assert!(names.iter().all(|name| RULES.contains(&format!("- rule: {name}\n"))));
}

use std::io::Write as _;

use audit_rules::{Matching, Options, SourceFile, load};

use super::*;

const RULE: &str = "- rule: All\n  desc: d\n  condition: ka.verb exists\n  output: o\n  priority: DEBUG\n  source: k8s_audit\n";

fn evaluator() -> Arc<Evaluator> {
    let file = SourceFile { name: "r.yaml".to_owned(), text: RULE.to_owned() };
    let rules = Rules::of(load(&[file], &Options::default()), Matching::First).unwrap();
    Arc::new(Evaluator::new(rules, String::new()))
}

fn event(id: usize) -> String {
    format!(
        r#"{{"kind":"Event","auditID":"{id:06}","verb":"get","stageTimestamp":"2026-01-02T03:04:05Z","pad":"{}"}}"#,
        "x".repeat(id % 700)
    )
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn findings(files: &[&tempfile::NamedTempFile]) -> Vec<Finding> {
    let paths = files.iter().map(|file| file.path().to_owned()).collect();
    pipeline::start(paths, evaluator()).collect::<Result<_, _>>().unwrap()
}

fn ids(findings: &[Finding]) -> Vec<usize> {
    let alerts = findings.iter().flat_map(|finding| &finding.alerts);
    alerts
        .map(|alert| {
            let document: serde_json::Value = serde_json::from_str(&alert.document).unwrap();
            document["audit_id"].as_str().unwrap().parse().unwrap()
        })
        .collect()
}

#[test]
fn alerts_keep_the_order_of_the_input() {
    let part = |range: std::ops::Range<usize>| file(&range.map(|id| event(id) + "\n").collect::<String>());
    let findings = findings(&[&part(0..5000), &part(5000..6000)]);
    assert!(findings.len() > 4, "several chunks, evaluated side by side");
    assert_eq!(ids(&findings), (0..6000).collect::<Vec<_>>());
}

#[test]
fn a_document_over_several_lines_is_one() {
    let list = format!("{{\n\"kind\":\"EventList\",\n\"items\":[{},\n{}]}}\n", event(1), event(2));
    assert_eq!(ids(&findings(&[&file(&list)])), [1, 2]);
}

#[test]
fn what_can_not_be_evaluated_is_told_by_file_and_line() {
    let file = file(&format!("{}\n{{]\n{{\"kind\":\"Pod\"}}\n[{{\"kind\":\"Event\"}},7]\n", event(1)));
    let findings = findings(&[&file]);
    let mut summary = Summary::default();
    findings.iter().for_each(|finding| summary.add(finding));
    assert_eq!((summary.received, summary.evaluated, summary.ignored, summary.quarantined), (5, 1, 1, 3));
    let name = file.path().display();
    let problems: Vec<_> = findings.iter().flat_map(|finding| &finding.problems).collect();
    assert!(problems[0].starts_with(&format!("{name}:2: broken JSON at byte 1")), "{problems:?}");
    assert!(problems[1].starts_with(&format!("{name}:4: entry 0: `stageTimestamp`")), "{problems:?}");
    assert!(problems[2].starts_with(&format!("{name}:4: entry 1: ")), "{problems:?}");
}

#[test]
fn a_missing_file_ends_it_after_what_came_before() {
    let good = file(&event(1));
    let files = vec![good.path().to_owned(), PathBuf::from("/no/such/file"), good.path().to_owned()];
    let all: Vec<_> = pipeline::start(files, evaluator()).collect();
    assert_eq!(all.len(), 2);
    assert!(all[0].is_ok());
    assert!(all[1].as_ref().unwrap_err().to_string().contains("/no/such/file"));
}

//! Commands beside the receiver, on its store.

use std::process::{Command, Output};

use crate::client::ask;
use crate::target::Target;

fn run(target: &Target, args: &[&str]) -> (Output, String) {
    let store = format!("sqlite:{}", target.folder.path().join("alerts.db").display());
    let output =
        Command::new(env!("CARGO_BIN_EXE_audit-receiver")).args(args).args(["--store", &store]).output();
    let output = output.unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    (output, told)
}

#[test]
fn what_is_mistyped_on_the_command_line_is_told() {
    let target = Target::start("outputs: {http: {pager: {url: 'http://127.0.0.1:1/'}}}", |_| {});
    let event = r#"{"kind":"Event","auditID":"1","verb":"create","stageTimestamp":"2020-01-02T03:04:05Z"}"#;
    assert_eq!(ask(target.intake, "/k8s_audit", "", event).1["alerts"], 1);
    let (ended, told) = run(&target, &["outputs", "retry", "nope"]);
    assert!(!ended.status.success() && told.contains("`nope`") && told.contains("`http/pager`"), "{told}");
    assert!(run(&target, &["outputs", "retry", "http/pager"]).0.status.success());
    let silence =
        |rule| run(&target, &["silences", "add", "--for=1h", "--reason=r", "--author=a", "--rule", rule]);
    let (ended, told) = silence("Craete");
    assert!(ended.status.success() && told.contains("did you mean `Create`?"), "{told}");
    let (ended, told) = silence("Create");
    assert!(ended.status.success() && told.is_empty(), "{told}");
}

#[test]
fn alerts_of_a_backlog_are_found_by_when_they_were_stored() {
    let target = Target::start("outputs: {stdout: false}", |_| {});
    let event = r#"{"kind":"Event","auditID":"1","verb":"create","stageTimestamp":"2020-01-02T03:04:05Z"}"#;
    assert_eq!(ask(target.intake, "/k8s_audit", "", event).1["alerts"], 1);
    let found = |args: &[&str]| {
        let (ended, told) = run(&target, &[&["alerts"], args].concat());
        assert!(ended.status.success(), "{told}");
        ended.stdout.iter().filter(|byte| **byte == b'\n').count()
    };
    assert_eq!(found(&["--since=1h"]), 0);
    assert_eq!(found(&["--stored-since=1h"]), 1);
    assert_eq!(found(&["--stored-since=2100-01-01T00:00:00Z"]), 0);
}

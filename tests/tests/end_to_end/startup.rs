//! Mistakes that must be told at the start, and failures that must be told while running.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::harness::{Bridge, Cloud, Ended, RECEIVER, run, tested};

fn serve(store: &Path, rules: &Path) -> Ended {
    let mut command = Command::new(tested(RECEIVER));
    command.args(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
    run(command.arg("--store").arg(format!("sqlite:{}", store.display())).arg("--rules").arg(rules))
}

#[test]
fn a_mistake_in_a_rule_is_told_with_file_line_and_column() {
    let folder = TempDir::new().unwrap();
    let rules = folder.path().join("mine.yaml");
    fs::write(&rules, "- rule: A\n  desc: a\n  condition: ka.verb = get and\n  output: x\n  priority: INFO\n  source: k8s_audit\n")
        .unwrap();
    let place = format!("{}:3:", rules.display());
    let ended = serve(&folder.path().join("store.db"), &rules);
    assert!(ended.code.is_some_and(|code| code != 0), "{ended:?}");
    assert!(ended.stderr.contains(&place), "{ended:?}");

    let ended = run(Command::new(tested(RECEIVER)).args(["rules", "check"]).arg(&rules));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(format!("{}{}", ended.stdout, ended.stderr).contains(&place), "{ended:?}");
}

#[test]
fn a_store_that_cannot_be_written_is_told_at_the_start() {
    let folder = TempDir::new().unwrap();
    let rules = folder.path().join("rules.yaml");
    fs::write(&rules, audit_fakes::traffic::RULES).unwrap();
    // A file where a folder should be stops root too.
    fs::write(folder.path().join("file"), "").unwrap();
    let store = folder.path().join("file/store.db");
    let ended = serve(&store, &rules);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(store.to_str().unwrap()), "{ended:?}");
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_told_at_the_start() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let aws = audit_fakes::aws::Aws::start();
    let cloud = Cloud { endpoint: aws.endpoint(), receiver: "http://127.0.0.1:9/k8s_audit".to_owned() };
    let ended = Bridge::new(&cloud).checkpoint_at(&file.join("checkpoint")).once();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains(file.to_str().unwrap()), "{ended:?}");
}

#[test]
fn a_checkpoint_that_cannot_be_read_is_told_and_never_taken_for_none() {
    let aws = audit_fakes::aws::Aws::start();
    aws.group(crate::pipeline::GROUP);
    let receiver = audit_fakes::receiver::Receiver::start();
    let bridge = Bridge::new(&Cloud { endpoint: aws.endpoint(), receiver: receiver.url() });
    let ended = bridge.once();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for path in bridge.checkpoint_files() {
        fs::write(path, "{\"schema\": ").unwrap();
    }
    let ended = bridge.once();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("checkpoint"), "{ended:?}");
}

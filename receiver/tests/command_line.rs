//! The binary as a person meets it.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

const RULE: &str = "- rule: Any\n  desc: d\n  condition: ka.verb exists\n  output: \"%evt.time %evt.datetime\"\n  \
                    priority: DEBUG\n  source: k8s_audit\n";

const EVENT: &str =
    r#"{"kind":"Event","auditID":"1","verb":"get","stageTimestamp":"2026-01-02T23:04:05.000000006Z"}"#;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    fn receiver(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_audit-receiver"));
        command.current_dir(self.0.path()).env_clear();
        command
    }
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

#[test]
fn local_times_are_those_of_the_systems_zone() {
    let folder = Folder::new();
    folder.file("r.yaml", RULE);
    folder.file("events", EVENT);
    let replay =
        |zone: &str| folder.receiver().env("TZ", zone).args(["replay", "--rules=r.yaml", "events"]).output();
    let told = texts(&replay("CET-1").unwrap());
    let expected = "00:04:05.000000006: Debug 00:04:05.000000006 2026-01-03 00:04:05.000000006";
    assert!(told.0.contains(expected), "{told:?}");
    let told = texts(&replay("Nowhere/Else").unwrap());
    assert!(told.0.contains("23:04:05.000000006: Debug 23:04:05"), "{told:?}");
    assert!(told.1.contains("`Nowhere/Else`"), "{told:?}");
}

#[test]
fn rules_are_selected_for_a_replay() {
    let folder = Folder::new();
    folder.file("r.yaml", RULE);
    folder.file("events", EVENT);
    let replay = ["replay", "--rules=r.yaml", "events", "--without-rule=An*"];
    let told = texts(&folder.receiver().args(replay).output().unwrap());
    assert!(told.0.is_empty() && told.1.contains("no rule is in use"), "{told:?}");
}

#[test]
fn all_files_that_are_of_no_use_are_told_at_once_with_their_keys() {
    let folder = Folder::new();
    folder.file("empty", "");
    folder.file("token", "secret");
    let config = "\
listen: 127.0.0.1:0
admin: {listen: '127.0.0.1:0', token_file: no/admin}
tls: {certificate_file: no/certificate, key_file: empty}
auth: {tokens: [{file: token}, {file: no/token}, {file: empty}]}
admission: {secrets: [{file: no/secret, cluster: c}]}
rules: [no/rules.yaml]
outputs:
  file: {z: {path: no/file}}
  http:
    z:
      url: https://127.0.0.1:1/
      token_file: no/output
      header_files: {x-key: empty}
      tls: {ca_file: no/ca}
log: {level: inof}
";
    folder.file("config.yaml", config);
    let ended = folder.receiver().args(["--config=config.yaml"]).output().unwrap();
    let told = texts(&ended).1;
    assert_eq!(ended.status.code(), Some(2), "{told}");
    for mistake in [
        "admin.token_file = `no/admin` (",
        "tls.certificate_file = `no/certificate` (",
        "auth.tokens[1].file = `no/token` (",
        "auth.tokens[2].file = `empty` (",
        "admission.secrets[0].file = `no/secret` (",
        "rules[0] = `no/rules.yaml` (",
        "outputs.file.z.path = `no/file` (",
        "outputs.http.z.token_file = `no/output` (",
        "outputs.http.z.header_files.x-key = `empty` (",
        "outputs.http.z.tls.ca_file = `no/ca` (",
        "log.level = `inof` (",
    ] {
        assert!(told.contains(mistake), "{mistake}: {told}");
    }
    assert!(told.contains("11 mistakes") && told.contains("make it, or name another one"), "{told}");
    assert!(!told.contains("listening"), "{told}");
}

#[test]
fn a_rules_file_that_is_missing_is_told_and_keeps_no_other_from_being_checked() {
    let folder = Folder::new();
    folder.file("r.yaml", &RULE.replace("ka.verb", "ka.vreb"));
    let check = |format: &str| {
        let ended =
            folder.receiver().args(["rules", "check", "r.yaml", "no.yaml", "--format", format]).output();
        let ended = ended.unwrap();
        assert_eq!(ended.status.code(), Some(1));
        texts(&ended).0
    };
    let document: serde_json::Value = serde_json::from_str(&check("falco-json")).unwrap();
    let codes: Vec<_> = document["falco_load_results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| (file["name"].as_str().unwrap(), file["errors"][0]["code"].as_str().unwrap()))
        .collect();
    assert_eq!(codes, [("no.yaml", "LOAD_ERR_FILE_READ"), ("r.yaml", "LOAD_ERR_COMPILE_CONDITION")]);
    let text = check("text");
    assert!(text.contains("can't read the rules `no.yaml`") && text.contains("`ka.vreb`"), "{text}");
}

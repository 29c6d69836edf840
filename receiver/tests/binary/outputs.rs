//! Where alerts arrive.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use crate::client::{ask, becomes, get};
use crate::sink::{FalcoPayload, Sink};
use crate::target::Target;

/// One output of every kind.
fn all_outputs(sink: std::net::SocketAddr) -> String {
    format!(
        "outputs:\n  file: {{siem: {{path: $DIR/alerts.jsonl}}}}\n  http:\n    sidekick: {{url: 'http://{sink}/sidekick'}}\n    \
         pager: {{url: 'http://{sink}/pager', form: alertmanager}}\n    collector: {{url: 'http://{sink}/collector', form: otlp}}\n"
    )
}

fn event(id: usize, verb: &str, more: &str) -> Value {
    let mut event = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": id.to_string(), "stage": "ResponseComplete", "verb": verb,
        "stageTimestamp": "2026-01-02T03:04:05.000006Z", "requestURI": "/x", "user": {"username": "eve"},
    });
    if !more.is_empty() {
        event["annotations"] = serde_json::from_str(more).unwrap();
    }
    event
}

/// Lines that a child writes, as they come.
fn lines(stdout: std::process::ChildStdout) -> Arc<Mutex<Vec<Value>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let filled = lines.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            filled.lock().unwrap().push(serde_json::from_str(&line).unwrap());
        }
    });
    lines
}

fn texts<'a>(documents: impl IntoIterator<Item = &'a Value>, key: &str) -> BTreeSet<String> {
    documents.into_iter().filter_map(|document| Some(document[key].as_str()?.to_owned())).collect()
}

fn file_lines(target: &Target, name: &str) -> Vec<Value> {
    target.file(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The names of the rules that arrived at each output, in [`all_outputs`]' order after standard output.
fn arrived(target: &Target, stdout: &Mutex<Vec<Value>>, sink: &Sink) -> [BTreeSet<String>; 5] {
    let pages: Vec<Value> =
        sink.bodies("/pager").iter().flat_map(|body| body.as_array().unwrap().clone()).collect();
    let records: Vec<Value> = sink
        .bodies("/collector")
        .iter()
        .flat_map(|body| body["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array().unwrap().clone())
        .map(|record| serde_json::from_str(record["body"]["stringValue"].as_str().unwrap()).unwrap())
        .collect();
    [
        texts(stdout.lock().unwrap().iter(), "rule"),
        texts(&file_lines(target, "alerts.jsonl"), "rule"),
        texts(&sink.bodies("/sidekick"), "rule"),
        texts(pages.iter().map(|page| &page["labels"]), "alertname"),
        texts(&records, "rule"),
    ]
}

#[test]
fn alerts_of_our_own_and_those_of_rules_arrive_everywhere() {
    let (sink, address) = Sink::start(None);
    // No disk has as much, so it is low.
    let config = format!("silent_after: 1s\nretention: {{disk_low: 1000000GiB}}\n{}", all_outputs(address));
    let full = full();
    let mut target = Target::start_with(&config, Stdio::piped(), |folder| {
        std::fs::copy(full.folder.path().join("alerts.db"), folder.join("alerts.db")).unwrap();
    });
    let stdout = lines(target.stdout.take().unwrap());
    let cut = event(1, "get", r#"{"audit.k8s.io/truncated": "true", "cluster_name": "prod"}"#);
    let body = json!([event(2, "create", ""), cut, {"kind": "Event"}]).to_string();
    let (status, answer) = ask(target.intake, "/k8s_audit", "", &body);
    assert_eq!(
        (status, &answer["alerts"], answer["quarantined"].as_array().unwrap().len()),
        (200, &json!(3), 1)
    );
    std::fs::write(target.folder.path().join("rules.yaml"), "- rule: broken").unwrap();
    let wanted = [
        "Audit event cut short",
        "Cluster silent",
        "Create",
        "Disk low",
        "Rules not loaded",
        "Unreadable audit event",
    ];
    let wanted: BTreeSet<_> = wanted.map(str::to_owned).into();
    becomes_all(&wanted, || arrived(&target, &stdout, &sink));
    // Every one of them as falcosidekick reads them.
    for document in sink.bodies("/sidekick").iter().chain(stdout.lock().unwrap().iter()) {
        FalcoPayload::read(document);
    }
    let reason = stdout.lock().unwrap().iter().find(|alert| alert["rule"] == "Rules not loaded").cloned();
    assert!(reason.unwrap()["output"].as_str().unwrap().contains("rules.yaml"));

    // A file that was moved away is begun anew, with a hangup as without.
    let file = |name: &str| target.folder.path().join(name);
    std::fs::rename(file("alerts.jsonl"), file("old.jsonl")).unwrap();
    target.signal("HUP");
    assert_eq!(ask(target.intake, "/k8s_audit", "", &event(3, "create", "").to_string()).1["alerts"], 1);
    becomes("a new file", || !file_lines(&target, "alerts.jsonl").is_empty());
    let id = file_lines(&target, "alerts.jsonl")[0]["audit_id"].clone();
    assert_eq!((id, file_lines(&target, "old.jsonl").len() >= 6), (json!("3"), true));
    target.signal("TERM");
    assert!(target.ended().success());
}

/// One that has ended, whose store has old alerts that may go when the disk is low: more than go at once, and as much as makes
/// the room that is wanted, so that what comes afterwards stays.
fn full() -> Target {
    let mut target = Target::start("silent_after: 0s\noutputs: {stdout: false}", |_| {});
    let body: Value = (1000..2100).map(|at| event(at, "create", "")).collect();
    assert_eq!(ask(target.intake, "/k8s_audit", "", &body.to_string()).1["alerts"], 1100);
    let record = |text: &str| json!({"reason": "r", "source": "s", "record": text.repeat(10 << 20)});
    let records = json!({"records": [record("x"), record("y")]});
    assert_eq!(ask(target.intake, "/quarantine", "", &records.to_string()).1["quarantined"], 2);
    target.signal("TERM");
    assert!(target.ended().success());
    target
}

fn becomes_all(wanted: &BTreeSet<String>, arrived: impl Fn() -> [BTreeSet<String>; 5]) {
    let all = || arrived().iter().all(|arrived| wanted.is_subset(arrived));
    let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| becomes("all alerts", all)));
    assert!(waited.is_ok(), "{:#?}", arrived());
}

#[test]
fn a_test_alert_arrives_everywhere() {
    let (sink, address) = Sink::start(None);
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    let text = all_outputs(address).replace("$DIR", &folder.path().display().to_string());
    let test = |text: &str| {
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_audit-receiver"));
        command.args(["test-alert", "--config"]).arg(&config).output().unwrap()
    };
    let ended = test(&text);
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{told}");
    assert_eq!(told.lines().filter(|line| line.starts_with("[ok]")).count(), 5, "{told}");
    let alert = FalcoPayload::read(&serde_json::from_slice(&ended.stdout).unwrap());
    assert_eq!(alert.rule, "Test of outputs");
    assert_eq!(FalcoPayload::read(&sink.bodies("/sidekick")[0]).uuid, alert.uuid);
    assert_eq!(sink.bodies("/pager")[0][0]["annotations"]["uuid"], alert.uuid);
    assert_eq!(sink.bodies("/collector").len(), 1);
    let ended = test(&text.replace(&address.to_string(), "127.0.0.1:1"));
    assert_eq!(ended.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&ended.stderr).contains("[fail] http/pager: "));
}

#[test]
fn a_reader_that_stands_still_holds_up_nobody_and_gets_all_of_it_in_the_end() {
    const BODIES: usize = 40;
    const TOGETHER: usize = 100;
    let config = "silent_after: 0s\noutputs: {file: {siem: {path: $DIR/alerts.jsonl}}}";
    let mut target = Target::start_with(config, Stdio::piped(), |_| {});
    let rest = target.peak();
    for number in 0..BODIES {
        let body: Value = (0..TOGETHER).map(|at| event(number * TOGETHER + at, "create", "")).collect();
        assert_eq!(ask(target.intake, "/k8s_audit", "", &body.to_string()).1["alerts"], TOGETHER);
    }
    // Another output has all of it; what stands in the pipe is a small part.
    becomes("the file", || target.file("alerts.jsonl").lines().count() == BODIES * TOGETHER);
    let peak = target.peak();
    let waiting = || {
        let (_, page) = get(target.admin, "/api/v1/outputs", &[]);
        let page: Value = serde_json::from_str(&page).unwrap();
        let stdout =
            page["items"].as_array().unwrap().iter().find(|item| item["output"] == "stdout").cloned();
        stdout.map_or(0, |item| item["waiting"].as_u64().unwrap())
    };
    // A pipe takes 64 KiB.
    assert!(waiting() as usize > BODIES * TOGETHER / 2, "nothing counts as written that may not have been");
    println!(
        "{} alerts while standard output stands still: {} MiB at rest, {} MiB at most",
        BODIES * TOGETHER,
        rest >> 20,
        peak >> 20
    );
    assert!(peak < rest + (64 << 20), "{} MiB", peak >> 20);
    let stdout = lines(target.stdout.take().unwrap());
    becomes("all of it", || texts(stdout.lock().unwrap().iter(), "uuid").len() == BODIES * TOGETHER);
    becomes("nothing waits", || waiting() == 0);
    assert_eq!(stdout.lock().unwrap().len(), BODIES * TOGETHER, "each once, since nothing broke");
}

#[test]
fn a_process_ends_although_a_reader_stands_still() {
    let mut target = Target::start_with("silent_after: 0s", Stdio::piped(), |_| {});
    let body: Value = (0..1000).map(|at| event(at, "create", "")).collect();
    assert_eq!(ask(target.intake, "/k8s_audit", "", &body.to_string()).0, 200);
    target.signal("TERM");
    assert!(target.ended().success());
}

#[test]
fn a_server_that_was_down_gets_every_alert() {
    // `OUTAGE_SECONDS` is how long it is down; alerts come all the while.
    let outage = std::env::var("OUTAGE_SECONDS").map_or(2, |seconds| seconds.parse().unwrap());
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!(
        "silent_after: 0s\noutputs: {{stdout: false, http: {{sidekick: {{url: 'http://{address}/sidekick'}}}}}}"
    );
    let target = Target::start(&config, |_| {});
    let mut sent = 0;
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_secs(outage) {
        let body: Value = (sent..sent + 10).map(|at| event(at, "create", "")).collect();
        assert_eq!(ask(target.intake, "/k8s_audit", "", &body.to_string()).1["alerts"], 10);
        sent += 10;
        std::thread::sleep(Duration::from_millis(100));
    }
    becomes("what waits is counted", || {
        let (_, page) = get(target.admin, "/metrics", &[]);
        page.contains(&format!("audit_receiver_output_waiting{{output=\"http/sidekick\"}} {sent}\n"))
            && !page.contains("audit_receiver_output_oldest_waiting_seconds{output=\"http/sidekick\"} 0.0\n")
    });
    let (sink, _) = Sink::start(Some(address));
    let arrived = || texts(&sink.bodies("/sidekick"), "uuid").len();
    becomes("every alert", || arrived() == sent);
    println!("{sent} alerts in {outage} s, all there; {} came again", sink.bodies("/sidekick").len() - sent);
}

#[test]
fn alerts_alike_come_as_one_at_every_output_and_all_are_in_the_store() {
    let config = "silent_after: 0s\noutputs: {group: 2s, stdout: false, file: {chat: {path: $DIR/chat.jsonl}, siem: {path: $DIR/siem.jsonl, group: 0s}}}";
    let target = Target::start(config, |_| {});
    let body: Value = (0..7).map(|at| event(at, "create", "")).collect();
    assert_eq!(ask(target.intake, "/k8s_audit", "", &body.to_string()).1["alerts"], 7);
    becomes("the first and the rest", || file_lines(&target, "chat.jsonl").len() == 2);
    let said = file_lines(&target, "chat.jsonl")[1]["output"].as_str().unwrap().to_owned();
    assert!(said.contains("(6 more in "), "{said}");
    assert_eq!((target.file("siem.jsonl").lines().count(), target.alerts()), (7, 7));
}

#[test]
fn what_was_grouped_comes_when_nothing_is_grouped_any_more() {
    let chat = |group: &str| {
        format!(
            "silent_after: 0s\noutputs: {{stdout: false, file: {{chat: {{path: $DIR/chat.jsonl{group}}}}}}}"
        )
    };
    let mut before = Target::start(&chat(", group: 1s"), |_| {});
    let body: Value = (0..7).map(|at| event(at, "create", "")).collect();
    assert_eq!(ask(before.intake, "/k8s_audit", "", &body.to_string()).1["alerts"], 7);
    // Alone it would say so itself.
    before.signal("KILL");
    before.ended();
    let store = before.folder.path().join("alerts.db");
    let target = Target::start(&chat(""), |folder| {
        for name in ["alerts.db", "alerts.db-wal"] {
            std::fs::copy(store.with_file_name(name), folder.join(name)).unwrap();
        }
    });
    becomes("the rest", || target.file("chat.jsonl").contains("(6 more in "));
}

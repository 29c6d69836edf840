#![expect(clippy::string_slice, reason = "these texts are ours, and the tests cut them on purpose")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const RESOURCE: &str =
    "/SUBSCRIPTIONS/0A1B/RESOURCEGROUPS/SHOP-RG/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/SHOP";
const CLUSTER_ID: &str =
    "/subscriptions/0a1b/resourcegroups/shop-rg/providers/microsoft.containerservice/managedclusters/shop";

/// An audit event as kube-apiserver writes it, with a field no version of ours knows.
fn event(id: &str) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"{id}","stage":"ResponseComplete","requestURI":"/api/v1/nodes/n1?x=1","verb":"patch","user":{{"username":"nodeclient","groups":["system:nodes"]}},"sourceIPs":["192.0.2.1"],"userAgent":"kubelet","objectRef":{{"resource":"nodes","name":"n1","apiVersion":"v1"}},"responseStatus":{{"metadata":{{}},"code":200}},"requestObject":{{"n":1.50,"n":2}},"responseObject":{{"deep":[[]]}},"newField":{{"a":1e2}},"requestReceivedTimestamp":"2026-01-02T03:04:05.655912Z","stageTimestamp":"2026-01-02T03:04:05.663647Z","annotations":{{"authorization.k8s.io/decision":"allow"}}}}"#
    )
}

/// A record as Azure Monitor writes it.
fn azure(category: &str, log: &str) -> Value {
    json!({
        "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
        "category": category,
        "ccpNamespace": "5eb1",
        "resourceId": RESOURCE,
        "properties": {"log": log, "stream": "stdout", "pod": "kube-apiserver-1"},
        "time": "2026-01-02T03:04:06.0000000Z",
        "Cloud": "AzureCloud",
    })
}

fn message(records: &[Value]) -> String {
    json!({ "records": records }).to_string()
}

fn events(message: &str) -> Vec<Value> {
    convert(message, None)
        .into_iter()
        .map(|outcome| match outcome {
            Outcome::Event(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?}"),
        })
        .collect()
}

fn only(message: &str) -> Outcome<'_> {
    let mut outcomes = convert(message, None);
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    outcomes.remove(0)
}

#[test]
fn the_inner_event_passes_as_it_stands_with_its_cluster() {
    let message = message(&[azure("kube-audit", &format!("{}\n", event("a1")))]);
    let Outcome::Event(text) = only(&message) else { panic!() };
    let cluster = format!(r#","cluster_name":"shop","cluster_id":"{CLUSTER_ID}"}}}}"#);
    assert_eq!(text, event("a1").strip_suffix("}}").unwrap().to_owned() + &cluster);
}

#[test]
fn every_shape_of_a_message() {
    let record = azure("kube-audit-admin", &event("a1"));
    let list = message(&[azure("kube-audit", &event("a1")), azure("kube-audit-admin", &event("a2"))]);
    let ids = |message: &str| {
        events(message).iter().map(|event| event["auditID"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&list), ["a1", "a2"]);
    assert_eq!(ids(&record.to_string()), ["a1"]);
    assert_eq!(ids(&format!("\u{feff}{}", serde_json::to_string_pretty(&record).unwrap())), ["a1"]);
    assert_eq!(ids(&format!("{list}\n{record}")), ["a1", "a2", "a1"]);
    assert!(ids(r#"{"records":[]}"#).is_empty());
    assert!(ids("").is_empty());
}

#[test]
fn other_logs_are_skipped_unread() {
    let other = message(&[
        azure("kube-apiserver", "I0102 03:04:05 httplog.go:1] \"HTTP\""),
        azure("guard", &event("a1")),
        azure("Kube-Audit", &event("a1")),
        json!({"metricName": "cpu", "count": 1}),
        azure("kube-audit", r#"{"kind":"Event","apiVersion":"v1","metadata":{}}"#),
    ]);
    let reasons: Vec<String> = convert(&other, None)
        .into_iter()
        .map(|outcome| match outcome {
            Outcome::Ignored(reason) => reason.to_string(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        reasons,
        [
            "category `kube-apiserver` is no audit log",
            "category `guard` is no audit log",
            "category `Kube-Audit` is no audit log",
            "no `category`",
            "`properties.log`: not an audit event: kind `Event`, apiVersion `v1`",
        ]
    );
}

#[test]
fn skipped_bodies_become_absent_and_marked() {
    let log = event("a1")
        .replace(r#"{"n":1.50,"n":2}"#, SKIPPED_BODY)
        .replace(r#"{"deep":[[]]}"#, SKIPPED_BODY)
        .replace("kubelet", "skipped-too-big-size-object");
    let event = events(&message(&[azure("kube-audit", &log)])).remove(0);
    assert_eq!(event.get("requestObject"), None);
    assert_eq!(event.get("responseObject"), None);
    assert_eq!(event["userAgent"], "skipped-too-big-size-object");
    assert_eq!(
        event["annotations"],
        json!({"authorization.k8s.io/decision": "allow", "cluster_name": "shop", "cluster_id": CLUSTER_ID,
               "audit.k8s.io/truncated": "true"})
    );
}

#[test]
fn a_body_that_is_only_a_part_of_the_skip_mark_is_a_body() {
    let log = event("a1").replace(r#"{"n":1.50,"n":2}"#, r#"{"n":"skipped-too-big-size-object"}"#);
    let event = events(&message(&[azure("kube-audit", &log)])).remove(0);
    assert_eq!(event["requestObject"], json!({"n": "skipped-too-big-size-object"}));
    assert_eq!(event["annotations"].get("audit.k8s.io/truncated"), None);
}

fn cut_at(length: usize) -> String {
    let padded = event("a1").replace("\"deep\":", &format!("\"pad\":\"{}\",\"deep\":", "x".repeat(40_000)));
    padded[..length].to_owned()
}

#[test]
fn an_inner_event_cut_at_16_or_32_kib_is_salvaged() {
    for length in [16_384, 32_768, 32_700] {
        let event = events(&message(&[azure("kube-audit", &cut_at(length))])).remove(0);
        assert_eq!(event["objectRef"]["resource"], "nodes");
        assert_eq!(event["requestObject"], json!({"n": 2}));
        assert_eq!(event.get("responseObject"), None);
        assert_eq!(event["stageTimestamp"], "2026-01-02T03:04:06.000000000Z");
        assert_eq!(event["annotations"]["audit.k8s.io/truncated"], "true");
        assert_eq!(event["annotations"]["cluster_name"], "shop");
    }
}

#[test]
fn the_message_gives_the_time_of_a_cut_event_whose_record_says_none() {
    let mut record = azure("kube-audit", &cut_at(16_384));
    record["time"] = json!("yesterday");
    let message = message(&[record]);
    assert!(matches!(only(&message), Outcome::Quarantined(_, Unreadable::NoTime)));
    let enqueued = Timestamp::parse("2026-05-06T07:08:09Z");
    let outcomes = convert(&message, enqueued);
    let [Outcome::Event(text)] = outcomes.as_slice() else { panic!() };
    assert!(text.contains(r#""stageTimestamp":"2026-05-06T07:08:09.000000000Z""#));
}

#[test]
fn a_bad_record_harms_no_neighbour_and_is_kept_whole() {
    let bad = [
        (json!(42), "a record must be a JSON object"),
        (json!({"category": "kube-audit"}), "`properties.log` must be a string"),
        (json!({"category": "kube-audit", "properties": {"log": {}}}), "`properties.log` must be a string"),
        (
            azure("kube-audit", "tail of it\"}}\n"),
            "`properties.log`: broken JSON at byte 0: expected a value; not salvaged: no sign that it was cut",
        ),
        (
            azure("kube-audit", &cut_at(20_000)),
            "`properties.log`: broken JSON at byte 437: expected a string that is closed; not salvaged: no sign \
             that it was cut",
        ),
        (
            azure("kube-audit", &event("a1").replace("663647Z", "663647")),
            "`properties.log`: `stageTimestamp` must be an RFC 3339 time, found \"2026-01-02T03:04:05.663647\"; not \
             salvaged: no sign that it was cut",
        ),
    ];
    for (record, reason) in bad {
        let good = |id| azure("kube-audit", &event(id));
        let message = message(&[good("a1"), record.clone(), good("a2")]);
        let outcomes = convert(&message, None);
        let [Outcome::Event(_), Outcome::Quarantined(raw, why), Outcome::Event(_)] = outcomes.as_slice()
        else {
            panic!("{record}")
        };
        assert_eq!(serde_json::from_str::<Value>(raw).unwrap(), record);
        assert_eq!(why.to_string(), reason);
    }
}

#[test]
fn records_in_front_of_a_broken_one_are_converted() {
    let whole = message(&[azure("kube-audit", &event("a1")), azure("kube-audit", &event("a2"))]);
    let cut = format!("\u{feff}{}", &whole[..whole.len() - 40]);
    let outcomes = convert(&cut, None);
    let [Outcome::Event(first), Outcome::Quarantined(raw, Unreadable::Message(_))] = outcomes.as_slice()
    else {
        panic!()
    };
    assert!(first.contains("\"a1\""));
    assert_eq!(*raw, cut);
}

#[test]
fn clusters_are_one_in_either_case() {
    let same = Cluster { id: CLUSTER_ID.to_owned(), name: "shop".to_owned() };
    assert_eq!(Cluster::of(RESOURCE), Some(same.clone()));
    assert_eq!(Cluster::of(&format!("{CLUSTER_ID}/")), Some(same));
    let arc = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/Edge/providers/Microsoft.HybridContainerService/provisionedClusterInstances/default";
    assert_eq!(Cluster::of(arc).unwrap().name, "edge");
    for other in
        ["", "/", "shop", "/subscriptions/s", "https://x/subscriptions/s/resourcegroups/g/providers/p/t/n"]
    {
        assert_eq!(Cluster::of(other), None, "{other}");
    }
}

#[test]
fn an_unknown_cluster_is_no_reason_to_lose_the_event() {
    let mut record = azure("kube-audit", &event("a1"));
    record["resourceId"] = Value::Null;
    let event = events(&message(&[record])).remove(0);
    assert_eq!(event["annotations"], json!({"authorization.k8s.io/decision": "allow"}));
}

proptest! {
    #[test]
    fn never_panics_and_loses_no_record(texts in prop::collection::vec(".{0,80}", 0..6), cut in 0..2_000usize) {
        let records: Vec<Value> = texts
            .iter()
            .enumerate()
            .map(|(at, text)| match at % 3 {
                0 => azure("kube-audit", &event(&format!("{at}"))),
                1 => azure("kube-audit", text),
                _ => json!({"category": text, "x": text}),
            })
            .collect();
        let whole = message(&records);
        prop_assert_eq!(convert(&whole, None).len(), records.len());

        let cut = whole.char_indices().map(|(at, _)| at).take_while(|at| *at <= cut).last().unwrap_or(0);
        convert(&whole[..cut], None);
    }

    #[test]
    fn never_panics_on_any_text(text in any::<String>(), json in r#"[{}\[\]",:a-z0-9\\]{0,60}"#) {
        convert(&text, None);
        convert(&json, None);
        convert(&format!(r#"{{"records":[{json}]}}"#), None);
        Cluster::of(&text);
    }
}

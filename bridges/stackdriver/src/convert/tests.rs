use audit_event::{Event, Field};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn event(record: &str) -> String {
    match convert(record) {
        Ok(Converted::Event(event)) => event,
        other => panic!("{other:?}"),
    }
}

/// An ordinary entry with one member of the entry, and one of its payload, set or (by null) taken away.
fn entry(member: (&str, Value), payload: (&str, Value)) -> String {
    let mut entry = json!({
        "logName": "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
        "insertId": "i1",
        "timestamp": "2026-01-02T03:04:05.123456Z",
        "operation": {"id": "i1", "producer": "k8s.io", "first": true, "last": true},
        "protoPayload": {
            "serviceName": "k8s.io",
            "methodName": "io.k8s.core.v1.pods.delete",
            "resourceName": "core/v1/namespaces/shop/pods/web",
        },
    });
    entry[member.0] = member.1;
    entry["protoPayload"][payload.0] = payload.1;
    entry.to_string()
}

fn with(key: &str, value: Value) -> String {
    entry((key, value), ("x", Value::Null))
}

fn with_payload(key: &str, value: Value) -> String {
    entry(("x", Value::Null), (key, value))
}

fn field(record: &str, field: Field) -> Option<String> {
    let event = event(record);
    Event::parse(&event).unwrap().get(field).map(|value| value.text().to_owned())
}

#[test]
fn pairs_of_entry_and_event() {
    let pairs: Vec<Value> = serde_json::from_str(include_str!("../../tests/pairs.json")).unwrap();
    assert!(pairs.len() >= 10);
    for pair in pairs {
        let seen: Value = serde_json::from_str(&event(&pair["entry"].to_string())).unwrap();
        assert_eq!(seen, pair["event"], "{}", pair["case"]);
    }
}

#[test]
fn both_spellings_of_an_entry_are_one_event() {
    let payload = json!({"serviceName": "k8s.io", "methodName": "io.k8s.core.v1.pods.delete",
        "resourceName": "core/v1/namespaces/shop/pods/web", "request": {"@type": "k8s.io/Patch", "n": 1.50}});
    let operation = json!({"id": "i1", "producer": "k8s.io", "first": true});
    let resource =
        json!({"type": "k8s_cluster", "labels": {"cluster_name": "c", "location": "l", "project_id": "p"}});
    let labels = json!({"authorization.k8s.io/decision": "allow"});
    let rest = json!({"insertId": "i1", "timestamp": "2026-01-02T03:04:05.1Z", "operation": operation,
        "labels": labels, "resource": resource, "logName": "n", "protoPayload": payload});
    let saved = json!({"AuditPayload": payload.to_string(), "Entry": {"Timestamp": "2026-01-02T03:04:05.1Z",
        "Severity": 0, "Payload": {"service_name": "k8s.io"}, "Labels": labels, "InsertID": "i1", "HTTPRequest": null,
        "Operation": operation, "LogName": "n", "Resource": resource}});
    assert_eq!(event(&rest.to_string()), event(&saved.to_string()));
}

#[test]
fn bodies_pass_through_as_sent() {
    let body = r#"{"replicas":1.0,"big":9007199254740993,"exp":1E+3,"@typo":"\u0041","n":null,"d":1,"d":2}"#;
    let record = with_payload("request", json!("BODY"))
        .replace("\"BODY\"", &body.replacen('{', "{\"@type\":\"k8s.io/Patch\",", 1));
    assert_eq!(field(&record, Field::RequestObject).as_deref(), Some(body));
    assert_eq!(field(&record, Field::Level).as_deref(), Some("\"Request\""));
    let list = with_payload("response", json!([{"@type": "kept"}]));
    assert_eq!(field(&list, Field::ResponseObject).as_deref(), Some(r#"[{"@type":"kept"}]"#));
    assert_eq!(field(&list, Field::Level).as_deref(), Some("\"RequestResponse\""));
    assert_eq!(field(&with_payload("request", Value::Null), Field::RequestObject), None);
}

#[test]
fn what_has_no_place_in_an_event_is_kept_beside_it() {
    let record = with_payload("numResponseItems", json!("12"));
    assert!(event(&record).contains(r#""protoPayload":{"numResponseItems":"12""#));
}

#[test]
fn stages() {
    let stage = |operation: Value| field(&with("operation", operation), Field::Stage).unwrap();
    let operation =
        |first: Value, last: Value| json!({"id": "a", "producer": "k8s.io", "first": first, "last": last});
    assert_eq!(stage(operation(json!(true), json!(true))), "\"ResponseComplete\"");
    assert_eq!(stage(operation(json!(true), Value::Null)), "\"ResponseStarted\"");
    assert_eq!(stage(operation(Value::Null, json!(true))), "\"ResponseComplete\"");
    assert_eq!(stage(operation(json!(true), json!(false))), "\"ResponseStarted\"");
    assert_eq!(stage(Value::Null), "\"ResponseComplete\"");
}

#[test]
fn audit_ids() {
    let id = |operation: Value| field(&with("operation", operation), Field::AuditId).unwrap();
    assert_eq!(id(json!({"id": "o1", "producer": "k8s.io"})), "\"o1\"");
    assert_eq!(id(json!({"id": "o1", "producer": "else"})), "\"i1\"");
    assert_eq!(id(json!({"producer": "k8s.io"})), "\"i1\"");
    assert_eq!(id(Value::Null), "\"i1\"");
}

#[test]
fn users() {
    let user = |info: Value, which| field(&with_payload("authenticationInfo", info), which);
    let (real, as_other) = (Field::User, Field::ImpersonatedUser);
    assert_eq!(user(json!({"principalEmail": "eve"}), real).unwrap(), r#"{"username":"eve"}"#);
    assert_eq!(user(json!({"principalEmail": "eve"}), as_other), None);
    assert_eq!(
        user(json!({"principalSubject": "principal://x"}), real).unwrap(),
        r#"{"username":"principal://x"}"#
    );
    assert_eq!(user(json!({}), real).unwrap(), "{}");
    assert_eq!(user(Value::Null, real).unwrap(), "{}");
    let impersonation = json!({"principalEmail": "eve", "authoritySelector": "admin"});
    assert_eq!(user(impersonation, as_other).unwrap(), r#"{"username":"admin"}"#);
}

#[test]
fn labels_can_not_speak_for_the_bridge() {
    let labels = json!({"cluster_name": "other", "kube-audit-bridge/inferred": "", "cluster\\u005fid": "x", "n": 1,
        "mutation.webhook.admission.k8s.io/round_0_index_0": "{\"mutated\":true}"});
    let mut record: Value = serde_json::from_str(&with("labels", labels)).unwrap();
    record["resource"] = json!({"labels": {"cluster_name": "c", "location": "l", "project_id": "p"}});
    let event = event(&record.to_string());
    let event = Event::parse(&event).unwrap();
    assert_eq!(event.annotation(CLUSTER_NAME).as_deref(), Some("c"));
    assert_eq!(event.annotation(CLUSTER_ID).as_deref(), Some("p/l/c"));
    let webhook = event.annotation("mutation.webhook.admission.k8s.io/round_0_index_0");
    assert_eq!(webhook.as_deref(), Some("{\"mutated\":true}"));
    assert!(event.annotation(INFERRED).unwrap().contains("requestURI"));
    assert_eq!(event.annotation("n"), None);
}

#[test]
fn split_entries_are_marked() {
    let record = with("split", json!({"uid": "u", "index": 1, "totalSplits": 3}));
    let event = event(&record);
    assert_eq!(Event::parse(&event).unwrap().annotation(SPLIT).as_deref(), Some("1/3"));
}

#[test]
fn others_are_ignored() {
    let other = with_payload("serviceName", json!("container.googleapis.com"));
    let service = NotAudit::OtherService("container.googleapis.com".into());
    assert_eq!(convert(&other), Ok(Converted::Ignored(service)));
    let log = r#"{"logName":"projects/p/logs/stdout","textPayload":"hello"}"#;
    assert_eq!(convert(log), Ok(Converted::Ignored(NotAudit::OtherLog)));
}

#[test]
fn what_cannot_be_converted_has_a_reason() {
    for (record, reason) in [
        (
            with("protoPayload", Value::Null).replace("{\"x\":null}", "7"),
            "an audit log entry must have an object `protoPayload`",
        ),
        (with_payload("serviceName", Value::Null), "`protoPayload` must have a `serviceName`"),
        (with_payload("methodName", json!("")), "`protoPayload` must have a `methodName`"),
        (with("timestamp", json!("yesterday")), "`timestamp` must be an RFC 3339 time, found `yesterday`"),
        (with("timestamp", Value::Null), "`timestamp` must be an RFC 3339 time, found ``"),
        ("[]".into(), "a log entry must be a JSON object"),
    ] {
        assert_eq!(convert(&record).map_err(|reason| reason.to_string()), Err(reason.into()), "{record}");
    }
    assert!(matches!(convert("{"), Err(Unconvertible::Malformed(_))));
    let saved = r#"{"Entry":{"Timestamp":"2026-01-02T03:04:05Z"},"AuditPayload":"{"}"#;
    assert!(matches!(convert(saved), Err(Unconvertible::SavedPayload(_))));
}

/// JSON of any shape, made of the names and values that mean something here.
fn document() -> impl Strategy<Value = Value> {
    let word = prop::sample::select(vec![
        "",
        "k8s.io",
        "core/v1/namespaces/a/pods/b/exec",
        "io.k8s.core.v1.pods.exec.get",
        "true",
        "\"",
        "//",
        "é%/ ",
        "2026-01-02T03:04:05.000001Z",
        "namespaces",
        "projects/p/logs/cloudaudit.googleapis.com%2Factivity",
        "forbid",
    ]);
    let name = prop::sample::select(vec![
        "timestamp",
        "insertId",
        "labels",
        "operation",
        "resource",
        "logName",
        "protoPayload",
        "serviceName",
        "methodName",
        "resourceName",
        "status",
        "code",
        "message",
        "request",
        "response",
        "@type",
        "kind",
        "id",
        "producer",
        "first",
        "last",
        "authenticationInfo",
        "principalEmail",
        "authoritySelector",
        "requestMetadata",
        "callerIp",
        "split",
        "Entry",
        "AuditPayload",
        "annotations",
        "authorization.k8s.io/decision",
        "command.gke.io/command",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        word.prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 64, 12, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..12).prop_map(|members| members
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect()),
        ]
    })
}

fn sound(record: &str) -> Result<(), TestCaseError> {
    if let Ok(Converted::Event(event)) = convert(record) {
        prop_assert!(!event.contains('\n'));
        prop_assert!(Event::parse(&event).is_ok(), "{event}");
        prop_assert!(serde_json::from_str::<Value>(&event).is_ok(), "{event}");
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_text_is_survived(text in any::<String>()) {
        let _ = convert(&text);
    }

    #[test]
    fn any_document_becomes_an_event_or_a_reason(document in document()) {
        sound(&document.to_string())?;
    }

    #[test]
    fn any_member_may_be_anything(value in document(), key in prop::sample::select(vec![
        "operation", "labels", "resource", "split", "insertId", "logName", "receiveTimestamp", "timestamp",
    ])) {
        sound(&with(key, value))?;
    }

    #[test]
    fn any_member_of_the_payload_may_be_anything(value in document(), key in prop::sample::select(vec![
        "status", "request", "response", "authenticationInfo", "requestMetadata", "methodName", "resourceName", "new",
    ])) {
        sound(&with_payload(key, value))?;
    }

    #[test]
    fn any_name_becomes_an_event(method in "[a-z./%é ]{1,40}", resource in "[a-z/.:%é ?]{0,60}") {
        let mut record: Value = serde_json::from_str(&with_payload("methodName", json!(method))).unwrap();
        record["protoPayload"]["resourceName"] = json!(resource);
        let record = record.to_string();
        prop_assert!(Event::parse(&event(&record)).is_ok());
    }
}

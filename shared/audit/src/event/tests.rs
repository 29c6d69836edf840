use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const MINIMAL: &str =
    r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","stageTimestamp":"2026-01-02T03:04:05.678Z"}"#;

fn annotated(text: &str, annotations: &[(&str, &str)]) -> Value {
    let mut out = String::new();
    Event::parse(text).unwrap().write_annotated(&mut out, annotations);
    serde_json::from_str(&out).unwrap()
}

#[test]
fn fields_are_found_where_they_stand() {
    let text = r#" {"verb":"get","kind":"Event","auditID":"a","st\u0061ge":"Panic","stageTimestamp":"2026-01-02T03:04:05Z",
        "objectRef":{"resource":"pods"},"verb":"delete","annotations":{"a/b":"c","n":1},"extra":[1]} "#;
    let event = Event::parse(text).unwrap();
    assert_eq!(event.text(Field::Verb).unwrap(), "get");
    assert_eq!(event.text(Field::Stage).unwrap(), "Panic");
    assert_eq!(event.get(Field::ObjectRef).unwrap().get("resource").unwrap().string().unwrap(), "pods");
    assert_eq!(event.annotation("a/b").unwrap(), "c");
    assert_eq!(event.annotation("n"), None);
    assert_eq!(event.get(Field::User), None);
    assert_eq!(event.raw().get("extra").unwrap().text(), "[1]");
    assert_eq!(event.stage_timestamp().as_milliseconds(), 1_767_323_045_000);
}

#[test]
fn kinds_and_versions() {
    for version in ["audit.k8s.io/v1", "audit.k8s.io/v1beta1", "audit.k8s.io/v9"] {
        assert!(Event::parse(&MINIMAL.replace("audit.k8s.io/v1", version)).is_ok(), "{version}");
    }
    assert!(Event::parse(r#"{"kind":"Event","stageTimestamp":"2026-01-02T03:04:05Z"}"#).is_ok());
    for other in [
        MINIMAL.replace("audit.k8s.io/v1", "v1"),
        MINIMAL.replace("audit.k8s.io/v1", "events.k8s.io/v1"),
        MINIMAL.replace("\"Event\"", "\"Pod\""),
        MINIMAL.replace("\"Event\"", "7"),
        r#"{"stageTimestamp":"2026-01-02T03:04:05Z"}"#.to_owned(),
        r#"{}"#.to_owned(),
    ] {
        assert!(matches!(Event::parse(&other), Err(Unusable::OtherKind { .. })), "{other}");
    }
}

#[test]
fn unusable_events_say_why() {
    let reason = |text: &str| Event::parse(text).unwrap_err().to_string();
    assert_eq!(reason("7"), "an audit event must be a JSON object");
    assert_eq!(reason("{\"a\":"), "broken JSON at byte 5: expected a value");
    assert_eq!(
        reason(&MINIMAL.replace("2026-01-02T", "2026-02-30T")),
        "`stageTimestamp` must be an RFC 3339 time, found \"2026-02-30T03:04:05.678Z\""
    );
    assert_eq!(reason(r#"{"kind":"Event"}"#), "`stageTimestamp` must be an RFC 3339 time, found nothing");
    let long = format!(r#"{{"kind":"{}"}}"#, "é".repeat(1000));
    assert!(reason(&long).len() < 250, "{}", reason(&long));
}

#[test]
fn the_envelope_is_read_past_a_body_of_any_depth() {
    let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
    let text = MINIMAL.replace("\"kind\"", &format!("\"requestObject\":{deep},\"verb\":\"create\",\"kind\""));
    let event = Event::parse(&text).unwrap();
    assert_eq!(event.text(Field::Verb).unwrap(), "create");
    assert_eq!(event.get(Field::RequestObject).unwrap().text(), deep);
}

#[test]
fn annotations_are_set_and_everything_else_is_kept() {
    let set = [("cluster_name", "prod \"1\""), ("cluster_id", "arn")];
    assert_eq!(
        annotated(MINIMAL, &set)["annotations"],
        json!({"cluster_name": "prod \"1\"", "cluster_id": "arn"})
    );
    let with = MINIMAL
        .replace("\"kind\"", r#""annotations":{"a":"b","cluster_n\u0061me":"forged"},"unknown":1.50,"kind""#);
    let out = annotated(&with, &set);
    assert_eq!(out["annotations"], json!({"a": "b", "cluster_name": "prod \"1\"", "cluster_id": "arn"}));
    assert_eq!(out["unknown"].to_string(), "1.5");
    let null = MINIMAL.replace("\"kind\"", r#""annotations":null,"kind""#);
    assert_eq!(annotated(&null, &set)["annotations"]["cluster_id"], "arn");
    let mut same = String::new();
    Event::parse(MINIMAL).unwrap().write_annotated(&mut same, &[]);
    assert_eq!(same, MINIMAL);
}

proptest! {
    #[test]
    fn annotating_changes_nothing_else(
        extra in prop::collection::hash_map("[a-z]{1,8}", any::<String>(), 0..4),
        own in prop::option::of(prop::collection::hash_map("[a-z_]{1,12}", any::<String>(), 0..4)),
        value in any::<String>(),
        pretty in any::<bool>(),
    ) {
        let mut event: Value = serde_json::from_str(MINIMAL).unwrap();
        for (key, content) in extra {
            event[format!("x-{key}")] = content.into();
        }
        if let Some(own) = own {
            event["annotations"] = json!(own);
        }
        let text = if pretty { serde_json::to_string_pretty(&event) } else { serde_json::to_string(&event) }.unwrap();
        event["annotations"]["cluster_name"] = value.as_str().into();
        prop_assert_eq!(annotated(&text, &[("cluster_name", &value)]), event);
    }

    #[test]
    fn never_panics(text in any::<String>()) {
        let _ = Event::parse(&text);
    }
}

#[test]
fn an_item_of_a_list_needs_no_kind() {
    let text = r#"{"auditID":"1","stageTimestamp":"2026-01-02T03:04:05Z"}"#;
    assert!(Event::parse_item(text).is_ok());
    assert!(matches!(Event::parse(text), Err(Unusable::OtherKind { .. })));
    let other = r#"{"kind":"Pod","stageTimestamp":"2026-01-02T03:04:05Z"}"#;
    assert!(matches!(Event::parse_item(other), Err(Unusable::OtherKind { .. })));
}

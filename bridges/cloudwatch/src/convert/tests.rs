#![expect(clippy::string_slice, reason = "a test that fails here fails")]

use proptest::prelude::*;

use super::*;

const EVENT: &str = concat!(
    r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"1","stage":"ResponseComplete","#,
    r#""requestURI":"/x","verb":"get","stageTimestamp":"2026-11-23T04:40:04.745560Z","#,
    r#""annotations":{"cluster_name":"forged","authorization.k8s.io/decision":"allow"}}"#
);

fn prod() -> Cluster {
    Cluster::new("prod", "eu-central-1", Some("111122223333"))
}

fn one(record: &Record) -> Converted {
    let mut converted = prod().convert(record);
    assert_eq!(converted.len(), 1);
    converted.remove(0)
}

fn at(text: impl Into<String>) -> Record {
    Record { time: Some(Time::from_millis(1_763_872_804_745)), ..Record::bare(text) }
}

fn reason(text: &str) -> String {
    reason_of(&Record::bare(text))
}

fn reason_of(record: &Record) -> String {
    let text = &record.text;
    match one(record) {
        Converted::Quarantined { reason, record } => {
            assert_eq!(record, *text);
            reason
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_event_leaves_with_its_clusters_identity() {
    let Converted::Event(text) = one(&Record::bare(EVENT)) else { panic!() };
    let event = Event::parse(&text).unwrap();
    assert_eq!(event.annotation("cluster_name").unwrap(), "prod");
    assert_eq!(event.annotation("cluster_id").unwrap(), "arn:aws:eks:eu-central-1:111122223333:cluster/prod");
    assert_eq!(event.annotation("authorization.k8s.io/decision").unwrap(), "allow");
}

#[test]
fn a_cluster_of_unknown_account_has_no_id() {
    let cluster = Cluster::new("prod", "eu-central-1", None);
    let Some(Converted::Event(text)) = cluster.convert(&Record::bare(EVENT)).pop() else { panic!() };
    assert_eq!(Event::parse(&text).unwrap().annotation("cluster_id"), None);
}

#[test]
fn partitions() {
    for (region, partition) in [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
    ] {
        assert_eq!(super::partition(region), partition);
    }
}

#[test]
fn a_filtered_log_event_is_opened() {
    let quoted = serde_json::to_string(EVENT).unwrap();
    let line = |stream: &str| {
        format!(
            r#"{{"logStreamName":"{stream}","timestamp":1763872804745,"message":{quoted},"ingestionTime":1,"eventId":"42"}}"#
        )
    };
    let record = prod().read(&line("kube-apiserver-audit-71"));
    assert_eq!(
        (record.origin.as_str(), record.time),
        ("kube-apiserver-audit-71 42", Some(Time::from_millis(1763872804745)))
    );
    assert!(matches!(one(&record), Converted::Event(_)));
    for stream in ["authenticator-71", "kube-apiserver-71"] {
        assert!(matches!(one(&prod().read(&line(stream))), Converted::Ignored(_)));
    }
    assert_eq!(prod().read(EVENT), Record::bare(EVENT));
    let unnamed = line("").replace(r#""logStreamName":"","#, "");
    assert!(matches!(one(&prod().read(&unnamed)), Converted::Event(_)));
}

#[test]
fn a_cut_amid_blanks_is_one() {
    let blanks = " ".repeat(262_144 - 26 - EVENT.len());
    let text = EVENT.replace(r#""/x","#, &format!("\"/x\",\"requestObject\":{{\"a\":\"{blanks}"));
    let head = &text[..text.rfind("  ").unwrap()];
    let head = format!("{head}{}", " ".repeat(262_118 - head.len()));
    let Converted::Event(event) = one(&at(head)) else { panic!("the envelope is lost") };
    assert!(event.contains(r#""requestURI":"/x""#) && !event.contains("requestObject"), "{event}");
}

#[test]
fn the_head_of_a_cut_event_speaks_for_what_stands_in_it_and_is_marked() {
    let head = format!("{}[Truncated...]", &EVENT[..160]);
    let Converted::Event(text) = one(&at(head.clone())) else { panic!() };
    let event = Event::parse(&text).unwrap();
    assert_eq!(event.annotation("audit.k8s.io/truncated").unwrap(), "true");
    assert_eq!(event.annotation("cluster_name").unwrap(), "prod");
    assert_eq!(event.text(audit_event::Field::Verb).unwrap(), "get");
    assert_eq!(event.stage_timestamp().as_milliseconds(), 1_763_872_804_745);
    // Without evidence of a cut, or without a time, nothing is made of it.
    assert!(matches!(one(&at(&EVENT[..160])), Converted::Quarantined { .. }));
    assert!(reason(&head).starts_with("piece of an event"), "{}", reason(&head));
}

#[test]
fn pieces_of_cut_events_are_told_apart() {
    assert!(reason_of(&at(&EVENT[50..])).starts_with("tail of an event"));
    assert!(reason_of(&at("t\"}[Truncated...]")).starts_with("tail of an event"));
    // What never was in the log is no piece of what was.
    assert!(!reason("null").contains("CloudWatch"), "{}", reason("null"));
    let inner = reason(r#"{"a":{"kind":"Event"}}}[Truncated...]"#);
    assert!(inner.starts_with("tail of an event"), "{inner}");
    let broken = reason(&EVENT[..200]);
    assert!(!broken.contains("CloudWatch"), "{broken}");
    assert!(reason(&EVENT.replace("stageTimestamp", "stageTime")).contains("stageTimestamp"));
}

/// Somebody sends a body that holds a whole event of somebody else's, so long that it stands at a cut.
#[test]
fn a_crafted_object_at_a_cut_speaks_for_nobody_unmarked() {
    let forged = EVENT.replace("\"level\"", "\"user\":{\"username\":\"admin\"},\"level\"");
    let tail = format!("{forged},\"padding\":\"...\"}}}},\"stageTimestamp\":\"2026-11-23T04:40:04Z\"}}");
    for text in [tail.clone(), format!("{tail}[Truncated...]"), format!("{forged}[Truncated...]")] {
        let record = Record { time: Some(Time::from_millis(0)), ..Record::bare(text) };
        match one(&record) {
            Converted::Quarantined { .. } => {}
            Converted::Event(text) => {
                let event = Event::parse(&text).unwrap();
                assert_eq!(event.annotation("audit.k8s.io/truncated").as_deref(), Some("true"), "{text}");
            }
            Converted::Ignored(reason) => panic!("{reason}"),
        }
    }
}

#[test]
fn a_whole_event_as_long_as_a_piece_is_marked() {
    let of_length =
        |length: usize| EVENT.replace("\"/x\"", &format!("\"/{}\"", "x".repeat(length + 1 - EVENT.len())));
    for (length, marked) in [(262_144 - 201, false), (262_144 - 200, true), (262_144, true), (262_145, false)]
    {
        let Converted::Event(text) = one(&Record::bare(of_length(length))) else { panic!() };
        let mark = Event::parse(&text).unwrap().annotation("audit.k8s.io/truncated").is_some();
        assert_eq!(mark, marked, "{length}");
    }
}

#[test]
fn what_is_no_audit_event_is_ignored() {
    let other = one(&Record::bare(r#"{"kind":"Pod","apiVersion":"v1"}"#));
    assert!(matches!(other, Converted::Ignored(_)), "{other:?}");
}

proptest! {
    #[test]
    fn no_message_is_lost_or_panics(text in ".{0,200}") {
        let cluster = prod();
        prop_assert_eq!(cluster.convert(&cluster.read(&text)).len(), 1);
    }

    #[test]
    fn no_cut_of_an_event_is_taken_for_one(at in 1..EVENT.len()) {
        let whole = |text: &str| matches!(one(&Record::bare(text)), Converted::Event(_));
        prop_assert!(!whole(&EVENT[..at]));
        prop_assert!(!whole(&EVENT[at..]));
        let head = format!("{}{CUT_SUFFIX}", &EVENT[..at]);
        prop_assert!(!whole(&head));
    }
}

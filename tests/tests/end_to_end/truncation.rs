//! What CloudWatch Logs cuts to pieces, and what somebody may write across a cut.

use audit_fakes::aws::Aws;
use serde_json::Value;

use crate::harness::{Bridge, Cloud, Receiver, becomes, now_ms};
use crate::pipeline::{GROUP, STREAM};

/// The most bytes of a record, and what the shipper writes over the end of a piece.
const LIMIT: usize = 262_144;
const SUFFIX: &str = "[Truncated...]";

/// Somebody reads a secret: alerts under a rule of the traffic's.
fn secret_read(audit_id: &str, user: &str, padding: usize) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{audit_id}","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/secrets/key?{}","verb":"get","user":{{"username":"{user}"}},"sourceIPs":["192.0.2.7"],"objectRef":{{"resource":"secrets","namespace":"shop","name":"key","apiVersion":"v1"}},"responseStatus":{{"metadata":{{}},"code":200}},"requestReceivedTimestamp":"2026-11-23T04:40:04.000000Z","stageTimestamp":"2026-11-23T04:40:04.700000Z","annotations":{{"authorization.k8s.io/decision":"allow"}}}}"#,
        "p".repeat(padding),
    )
}

/// What Mallory sends: a request whose body holds `nested`, with so much in front of it that a piece begins there; cut.
fn pieces(nested: &str) -> Vec<String> {
    let front = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Request","auditID":"mallorys","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/configmaps","verb":"create","user":{"username":"mallory"},"sourceIPs":["192.0.2.66"],"objectRef":{"resource":"configmaps","namespace":"shop","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},"requestObject":{"data":{"padding":""#;
    let back = r#"}},"requestReceivedTimestamp":"2026-11-23T04:40:05.000000Z","stageTimestamp":"2026-11-23T04:40:05.700000Z","annotations":{"authorization.k8s.io/decision":"allow"}}"#;
    let space = LIMIT - SUFFIX.len();
    let padding = "p".repeat(space - front.len() - r#"","x":"#.len());
    let whole = format!(r#"{front}{padding}","x":{nested}{back}"#);
    let mut rest = whole.as_str();
    let mut pieces = Vec::new();
    while rest.len() > LIMIT {
        let (piece, behind) = rest.split_at(space);
        pieces.push(format!("{piece}{SUFFIX}"));
        rest = behind;
    }
    pieces.push(rest.to_owned());
    pieces
}

/// What comes of records, with the number of those evaluated and quarantined.
#[track_caller]
fn raised(records: &[String], evaluated: f64, quarantined: f64) -> Vec<(String, String)> {
    let aws = Aws::start();
    aws.set_quota(None);
    let stream = aws.group(GROUP).stream(STREAM);
    let time = now_ms() - 60_000;
    records.iter().for_each(|record| drop(stream.put(time, record)));
    let receiver = Receiver::start();
    let bridge = Bridge::new(&Cloud { endpoint: aws.endpoint(), receiver: receiver.url() });
    let ended = bridge.once();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let counts = || {
        ["evaluated", "quarantined"].map(|what| receiver.metric(&format!("audit_receiver_{what}_total"), ""))
    };
    becomes("evaluated and quarantined", &[evaluated, quarantined], counts);
    if quarantined > 0.0 {
        let reasons = receiver.quarantine();
        assert!(
            reasons.iter().all(|reason| reason.contains("of an event that CloudWatch Logs cut")),
            "{reasons:?}"
        );
    }
    receiver.raised()
}

fn alert(audit_id: &str, rule: &str) -> (String, String) {
    (audit_id.to_owned(), rule.to_owned())
}

/// Mallory's own event, without its end.
fn mallorys() -> (String, String) {
    alert("mallorys", "Audit event cut short")
}

fn piece() -> (String, String) {
    alert("", "Unreadable audit event")
}

#[test]
fn what_is_nested_would_alert_if_it_were_an_event() {
    let alerts = raised(&[secret_read("admins", "admin", 0)], 1.0, 0.0);
    assert_eq!(alerts, [alert("admins", "Secret read by a person")]);
}

#[test]
fn a_crafted_object_at_the_front_of_a_tail_speaks_for_nobody() {
    let pieces = pieces(&secret_read("admins", "admin", 0));
    assert_eq!(pieces.len(), 2);
    assert!(pieces[1].starts_with(r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1""#), "{:.80}", pieces[1]);
    assert_eq!(raised(&pieces, 1.0, 1.0), [piece(), mallorys()]);
}

#[test]
fn a_crafted_object_in_front_of_two_cuts_speaks_for_nobody() {
    let pieces = pieces(&format!("{},\"y\":\"{}\"", secret_read("admins", "admin", 0), "p".repeat(LIMIT)));
    assert_eq!(pieces.len(), 3);
    // Both the second and the third are quarantined.
    assert_eq!(raised(&pieces, 1.0, 2.0), [piece(), piece(), mallorys()]);
}

#[test]
fn a_crafted_object_that_fills_a_piece_is_marked() {
    // Where the text of a piece is all there is, nothing tells it from the head of an event: its mark does.
    let filling = |padding| pieces(&secret_read("admins", "admin", padding));
    let cut = filling(LIMIT);
    assert_eq!(cut.len(), 3);
    assert_eq!(raised(&cut, 2.0, 1.0), [piece(), alert("admins", "Audit event cut short"), mallorys()]);
    // The same, cut by a service that writes no suffix, where the object ends with the piece.
    let whole = secret_read("admins", "admin", LIMIT - secret_read("admins", "admin", 0).len());
    let marked = [alert("admins", "Audit event cut short"), alert("admins", "Secret read by a person")];
    assert_eq!(raised(&[whole], 1.0, 0.0), marked);
}

#[test]
fn an_event_that_ends_in_the_suffix_by_itself_is_whole() {
    let agent = secret_read("peters", "peter", 0).replace("192.0.2.7", SUFFIX);
    assert!(serde_json::from_str::<Value>(&agent).is_ok());
    assert_eq!(raised(&[agent], 1.0, 0.0), [alert("peters", "Secret read by a person")]);
}

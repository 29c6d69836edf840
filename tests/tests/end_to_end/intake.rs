//! What the receiver does with what is posted to it.

use audit_fakes::traffic::{Line, Traffic};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use crate::harness::{Client, Receiver, becomes, list, seed};
use crate::pipeline::expected;

const START: i64 = 1_767_225_600_000;

fn lines(seed: u64, count: usize) -> Vec<Line> {
    Traffic::new(seed).with_incidents(300).lines(START, 20).take(count).collect()
}

fn texts(lines: &[Line]) -> impl Iterator<Item = &str> {
    lines.iter().map(|line| line.text.as_str())
}

#[test]
fn what_was_acknowledged_survives_a_kill_and_raises_nothing_twice_when_it_comes_again() {
    let lines = lines(seed("kill after 200"), 400);
    let mut receiver = Receiver::start();
    for batch in lines.chunks(50) {
        let answer = receiver.post(&list(texts(batch))).unwrap();
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["evaluated"], batch.len());
    }
    receiver.kill();
    assert_eq!(receiver.raised(), expected(&lines));
    receiver.restart();
    for batch in lines.chunks(70) {
        let answer = receiver.post(&list(texts(batch))).unwrap();
        assert_eq!((answer.status, &answer.json()["evaluated"]), (200, &json!(batch.len())));
    }
    assert_eq!(receiver.raised(), expected(&lines));
}

#[test]
fn two_requests_that_carry_the_same_audit_id_raise_two_alerts() {
    let shell = lines(1, 400).into_iter().find(|line| line.rule == Some("Shell in a pod")).unwrap();
    let mut other: Value = serde_json::from_str(&shell.text).unwrap();
    other["objectRef"]["name"] = json!("another-pod");
    other["requestURI"] = json!("/api/v1/namespaces/shop/pods/another-pod/exec?command=sh");
    let receiver = Receiver::start();
    for body in [list([shell.text.as_str()]), list([other.to_string().as_str()]), list([shell.text.as_str()])]
    {
        assert_eq!(receiver.post(&body).unwrap().status, 200);
    }
    let alerts = receiver.alerts();
    assert_eq!(alerts.len(), 2, "{alerts:?}");
    assert!(alerts.iter().all(|alert| alert.audit_id == shell.audit_id));
    assert_ne!(alerts[0].uuid, alerts[1].uuid);
}

#[test]
fn a_broken_body_is_refused_with_the_offset() {
    let lines = lines(2, 3);
    let whole = list(texts(&lines));
    let receiver = Receiver::start();

    let mut broken = whole.clone();
    let offset = whole.len() - b"]}".len() - lines[2].text.len() - 1;
    broken[offset] = b';';
    let answer = receiver.post(&broken).unwrap();
    assert_eq!((answer.status, &answer.json()["offset"]), (400, &json!(offset)), "{answer:?}");

    // Cut between two items, a list might be taken for whole.
    for length in [offset, offset + 1, whole.len() - 1, whole.len() - 20] {
        let answer = receiver.post(&whole[..length]).unwrap();
        assert_eq!(answer.status, 400, "{answer:?}");
        assert!(answer.json()["offset"].as_u64().unwrap() <= length as u64, "{answer:?}");
    }
    assert!(receiver.raised().is_empty());
}

#[test]
fn one_bad_event_is_quarantined_and_the_good_ones_are_evaluated() {
    let lines = lines(3, 40);
    let mut items: Vec<&str> = texts(&lines).collect();
    // A stage and an ID that are no texts: it can't be known whose event this is.
    items.insert(
        7,
        r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":7,"stage":[]}"#,
    );
    let receiver = Receiver::start();
    let answer = receiver.post(&list(items)).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let told = answer.json();
    assert_eq!((&told["received"], &told["evaluated"]), (&json!(41), &json!(40)), "{told}");
    assert_eq!(told["quarantined"][0]["index"], 7, "{told}");
    assert!(!told["quarantined"][0]["reason"].as_str().unwrap().is_empty());
    let mut wanted = expected(&lines);
    wanted.insert(0, (String::new(), "Unreadable audit event".to_owned()));
    assert_eq!(receiver.raised(), wanted);
}

#[test]
fn a_body_of_great_depth_is_evaluated_by_its_envelope() {
    let mut shell = lines(1, 400).into_iter().find(|line| line.rule == Some("Shell in a pod")).unwrap();
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    shell.text.insert_str(shell.text.len() - 1, &format!(",\"requestObject\":{deep}"));
    let receiver = Receiver::start();
    let answer = receiver.post(&list([shell.text.as_str()])).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(receiver.raised().contains(&(shell.audit_id.clone(), "Shell in a pod".to_owned())));
}

#[test]
fn a_body_of_60_megabytes_is_evaluated_in_bounded_memory() {
    let shell = lines(1, 400).into_iter().find(|line| line.rule == Some("Shell in a pod")).unwrap();
    let mut items = vec![shell.text.clone()];
    for (number, mut line) in lines(4, 20).into_iter().enumerate() {
        line.text
            .insert_str(line.text.len() - 1, &format!(",\"padding{number}\":\"{}\"", "x".repeat(3_000_000)));
        items.push(line.text);
    }
    let body = list(items.iter().map(String::as_str));
    assert!(body.len() > 60_000_000);
    let mut receiver = Receiver::start();
    let answer = receiver.post(&body).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json()["received"], 21);
    assert!(receiver.raised().contains(&(shell.audit_id.clone(), "Shell in a pod".to_owned())));
    let peak = receiver.program().peak_memory();
    assert!(peak < 6 * body.len() as u64, "{peak} bytes");
}

#[test]
fn a_body_over_the_limit_is_refused() {
    let receiver = Receiver::start();
    let body = vec![b' '; 65 << 20];
    assert_eq!(receiver.post(&body).unwrap().status, 413);
}

#[test]
fn a_store_that_cannot_be_written_any_more_refuses_and_later_takes() {
    let lines = lines(seed("full disk"), 300);
    let receiver = Receiver::start();
    let batches: Vec<_> = lines.chunks(100).map(|batch| list(texts(batch))).collect();
    assert_eq!(receiver.post(&batches[0]).unwrap().status, 200);

    receiver.limit_files(Some(1));
    let answer = receiver.post(&batches[1]).unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(answer.head.contains("retry-after: "), "{answer:?}");
    becomes("readiness", &503, || receiver.readiness().status);

    receiver.limit_files(None);
    becomes("readiness", &200, || receiver.readiness().status);
    for batch in &batches[1..] {
        assert_eq!(receiver.post(batch).unwrap().status, 200);
    }
    assert_eq!(receiver.raised(), expected(&lines));
}

#[test]
fn events_are_taken_over_tls() {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &Issuer::new(authority, authority_key))
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificate_file, key_file) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    std::fs::write(&certificate_file, certificate.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    let config = folder.path().join("config.yaml");
    let text = format!(
        "tls:\n  certificate_file: {}\n  key_file: {}\n",
        certificate_file.display(),
        key_file.display()
    );
    std::fs::write(&config, text).unwrap();

    let receiver = Receiver::start_with(&["--config", config.to_str().unwrap()]);
    let client = Client::tls(receiver.intake(), root.der().clone());
    let lines = lines(5, 60);
    let answer = client.post("/k8s_audit", &[], &list(texts(&lines))).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    becomes("alerts", &expected(&lines), || receiver.raised());
    assert!(receiver.post(b"{}").map_or(true, |answer| answer.status != 200), "plain HTTP is not taken");
}

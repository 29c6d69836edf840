#![expect(clippy::string_slice, reason = "these texts are ours, and the tests cut them on purpose")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const CUT: Cut = Cut { suffixes: &["[Truncated...]"], lengths: &[500..=510, 1000..=1000] };
const TIME: &str = "2026-01-02T03:04:05.000000006Z";

/// An event as kube-apiserver writes it; the bodies hold a crafted one.
const EVENT: &str = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"7e1f\"é","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/shop/configmaps?fieldManager=kubectl","verb":"create","user":{"username":"mallory","groups":["system:authenticated"]},"sourceIPs":["192.0.2.7"],"userAgent":"kubectl","objectRef":{"resource":"configmaps","namespace":"shop","name":"x","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":201},"requestObject":{"data":{"a":"{\"kind\":\"Event\""},"x":{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"forged","user":{"username":"admin"},"stageTimestamp":"2020-01-01T00:00:00Z"}},"unknown":[1,2.50,true],"requestReceivedTimestamp":"2026-01-02T03:04:05.1Z","stageTimestamp":"2026-01-02T03:04:05.2Z","annotations":{"authorization.k8s.io/decision":"allow"}}"#;

fn time() -> Timestamp {
    Timestamp::parse(TIME).unwrap()
}

fn salvaged(text: &str) -> Value {
    serde_json::from_str(&salvage(text, &CUT, time()).unwrap()).unwrap()
}

fn cut_behind(mark: &str) -> String {
    format!("{}[Truncated...]", &EVENT[..EVENT.find(mark).unwrap() + mark.len()])
}

#[test]
fn complete_members_survive_and_the_cut_one_is_absent() {
    let event = salvaged(&cut_behind(r#""data":{"a":"{\"#));
    let mut expected: Value = serde_json::from_str(EVENT).unwrap();
    for lost in ["requestObject", "unknown", "requestReceivedTimestamp"] {
        expected.as_object_mut().unwrap().remove(lost);
    }
    expected["stageTimestamp"] = json!(TIME);
    expected["annotations"] = json!({"audit.k8s.io/truncated": "true"});
    assert_eq!(event, expected);
}

#[test]
fn its_own_time_and_annotations_are_kept_when_complete() {
    let event = salvaged(&cut_behind(r#""decision":"allow"}"#.trim_start_matches("\"decision\":")));
    assert_eq!(event["stageTimestamp"], "2026-01-02T03:04:05.2Z");
    assert_eq!(
        event["annotations"],
        json!({"authorization.k8s.io/decision": "allow", "audit.k8s.io/truncated": "true"})
    );
    assert_eq!(event["unknown"], json!([1, 2.50, true]));
}

#[test]
fn a_length_at_the_limit_is_evidence_in_bytes_and_in_utf16_units() {
    assert_eq!(salvaged(&EVENT[..505])["verb"], "create");
    assert_eq!(salvage(&EVENT[..498], &CUT, time()), Err(Unsalvageable::NoEvidence));
    assert_eq!(salvage(&EVENT[..512], &CUT, time()), Err(Unsalvageable::NoEvidence));

    let wide = EVENT.replace("kubectl\",\"obj", &format!("{}\",\"obj", "é".repeat(400)));
    let units: String = wide.chars().take(505).collect();
    assert!(units.len() > 510);
    assert_eq!(salvaged(&units)["user"]["username"], "mallory");
}

#[test]
fn without_evidence_nothing_is_salvaged() {
    let broken = &EVENT[..600];
    assert_eq!(salvage(broken, &CUT, time()), Err(Unsalvageable::NoEvidence));
    let quoted = format!("{}\"[Truncated...]\"", &EVENT[..600]);
    assert_eq!(salvage(&quoted, &CUT, time()), Err(Unsalvageable::NoEvidence));
}

#[test]
fn only_a_head_is_read() {
    let nested = EVENT.find(r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"forged"#).unwrap();
    let tail = |text: &str| salvage(&format!("{text}[Truncated...]"), &CUT, time()).unwrap_err();
    assert_eq!(tail(&EVENT[100..400]), Unsalvageable::NoHead);
    assert_eq!(tail(""), Unsalvageable::NoHead);
    assert_eq!(tail("I0102 03:04:05 httplog.go] \"HTTP\""), Unsalvageable::NoHead);
    assert_eq!(tail(r#"{"kind":"Event","apiVersion":"v1","metadata":{"#), Unsalvageable::NoHead);
    assert_eq!(tail(r#"{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\""#), Unsalvageable::NoHead);
    // A crafted object at the front of a tail: whole, so something else than its end is wrong with the text.
    let Unsalvageable::Broken(at) = tail(&EVENT[nested..]) else { panic!("salvaged a nested object") };
    assert_eq!(at.expected, "the cut, found the event's end");
    assert!(matches!(tail(&format!("{EVENT}\n")), Unsalvageable::Broken(_)));
    assert!(matches!(tail(&EVENT[..500].replace(",\"verb\"", "\"verb\"")), Unsalvageable::Broken(_)));
}

#[test]
fn a_crafted_mark_or_time_does_not_pass() {
    let forged = r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","annotations":{"audit.k8s.io/truncated":"false"},"user":{"us[Truncated...]"#;
    assert_eq!(salvaged(forged)["annotations"], json!({"audit.k8s.io/truncated": "true"}));
    let timeless = forged.replace("\"auditID\"", "\"stageTimestamp\":7,\"auditID\"");
    assert!(matches!(
        salvage(&timeless, &CUT, time()),
        Err(Unsalvageable::Unusable(Unusable::StageTimestamp(_)))
    ));
    let nameless =
        r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"7e[Truncated...]"#;
    assert_eq!(salvage(nameless, &CUT, time()), Err(Unsalvageable::NoAuditId));
}

#[test]
fn a_scalar_at_the_cut_is_not_believed() {
    for cut in
        ["\"n\":12", "\"n\":tru", "\"n\":true", "\"n\":nul", "\"n\":-", "\"n\":", "\"n\"", "\"n", "\"", ""]
    {
        let text =
            format!(r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a",{cut}[Truncated...]"#);
        assert_eq!(salvaged(&text).get("n"), None, "{cut}");
    }
}

#[test]
fn elements_in_front_of_a_break_are_whole() {
    let texts = |text| elements_before_break(text, "records").into_iter().map(Raw::text).collect::<Vec<_>>();
    assert_eq!(texts(r#" {"a":[0],"records":[{"b":1}, {"c":[2]},{"d"#), [r#"{"b":1}"#, r#"{"c":[2]}"#]);
    assert_eq!(texts(r#"{"records":[{"b":1} {"c":2}]}"#), [r#"{"b":1}"#]);
    assert_eq!(texts(r#"{"records":[1,23"#), ["1"]);
    assert_eq!(texts(r#"{"records":["whole"]}"#), ["\"whole\""]);
    assert!(texts(r#"{"a":{"records":[1,"#).is_empty());
    assert!(texts(r#"["records",[1]"#).is_empty());
    assert!(texts("").is_empty());
}

proptest! {
    #[test]
    fn elements_in_front_of_a_break_never_panic(text in r#"\{?("records":)?\[?[{}\[\]",:0-9a-z ]{0,40}"#) {
        elements_before_break(&text, "records");
    }

    #[test]
    fn any_cut_gives_a_marked_event_of_original_members_or_a_reason(at in 0..EVENT.len()) {
        prop_assume!(EVENT.is_char_boundary(at));
        let original: Value = serde_json::from_str(EVENT).unwrap();
        match salvage(&format!("{}[Truncated...]", &EVENT[..at]), &CUT, time()) {
            Ok(text) => {
                let event = Event::parse(&text).unwrap();
                prop_assert!(event.annotation(TRUNCATED).is_some_and(|mark| mark == "true"));
                for (key, value) in serde_json::from_str::<Value>(&text).unwrap().as_object().unwrap() {
                    let kept = *value == original[key];
                    let ours = key == "annotations" || (key == "stageTimestamp" && value == TIME);
                    prop_assert!(kept || ours, "{key}: {value}");
                }
            }
            Err(reason) => prop_assert!(
                at < FRONT.len() && reason == Unsalvageable::NoHead || reason == Unsalvageable::NoAuditId,
                "{reason}"
            ),
        }
    }

    #[test]
    fn never_panics(front in any::<bool>(), text in ".{0,600}", suffix in any::<bool>()) {
        let text = format!("{}{text}{}", if front { FRONT } else { "" }, if suffix { "[Truncated...]" } else { "" });
        if let Ok(event) = salvage(&text, &CUT, time()) {
            prop_assert!(Event::parse(&event).is_ok());
        }
    }
}

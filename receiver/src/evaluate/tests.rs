use audit_rules::{Matching, Options, SourceFile, load};
use proptest::prelude::*;

use super::*;

const RULES: &str = r#"
- rule: Create
  desc: d
  condition: ka.verb = create
  output: "%ka.verb by %ka.user.name in %ka.cluster.name"
  priority: WARNING
  source: k8s_audit
- rule: Anybody
  desc: d
  condition: ka.user.name exists
  output: someone
  priority: NOTICE
  source: k8s_audit
"#;

fn evaluator(matching: Matching) -> Evaluator {
    let file = SourceFile { name: "r.yaml".to_owned(), text: RULES.to_owned() };
    Evaluator::new(Rules::of(load(&[file], &Options::default()), matching).unwrap(), "host".to_owned())
}

fn event(id: &str, verb: &str, rest: &str) -> String {
    format!(
        r#"{{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"{id}","stage":"ResponseComplete","verb":"{verb}","user":{{"username":"eve"}},"stageTimestamp":"2026-01-02T03:04:05Z"{rest}}}"#
    )
}

fn outcome(matching: Matching, payload: &str, bound: Option<&str>) -> Outcome {
    evaluator(matching).evaluate(payload, bound, 1000).unwrap()
}

fn document(alert: &Alert) -> serde_json::Value {
    serde_json::from_str(&alert.document).unwrap()
}

#[test]
fn local_times_are_of_the_zone_that_is_given() {
    let zone = TimeZone::posix("CET-1").unwrap();
    let outcome =
        evaluator(Matching::First).with_zone(zone).evaluate(&event("1", "get", ""), None, 1).unwrap();
    let output = document(&outcome.alerts[0])["output"].clone();
    assert!(output.as_str().unwrap().starts_with("04:04:05.000000000: "), "{output}");
}

#[test]
fn a_bad_event_does_not_stop_the_good_ones() {
    let list = format!(
        r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{},{{"kind":"Event"}},{{"kind":"Pod"}},{}]}}"#,
        event("1", "create", ""),
        event("2", "get", ""),
    );
    let outcome = outcome(Matching::First, &list, None);
    assert_eq!((outcome.received, outcome.evaluated, outcome.ignored), (4, 2, 1));
    let (index, record) = &outcome.quarantined[0];
    assert_eq!((*index, record.record.as_slice()), (1, &br#"{"kind":"Event"}"#[..]));
    assert!(record.reason.contains("stageTimestamp"), "{}", record.reason);
    let rules: Vec<_> = outcome.alerts.iter().map(|alert| alert.rule.as_str()).collect();
    assert_eq!(rules, ["Create", "Anybody"]);
}

#[test]
fn an_alert_is_falcos_document_and_says_which_event_raised_it() {
    let payload = event("1", "create", r#","annotations":{"cluster_name":"prod","cluster_id":"arn"}"#);
    let alerts = outcome(Matching::First, &payload, None).alerts;
    let document = document(&alerts[0]);
    for (key, value) in [
        ("rule", "Create"),
        ("priority", "Warning"),
        ("source", "k8s_audit"),
        ("hostname", "host"),
        ("time", "2026-01-02T03:04:05.000000000Z"),
        ("output", "03:04:05.000000000: Warning create by eve in prod"),
        ("audit_id", "1"),
        ("stage", "ResponseComplete"),
        ("cluster", "prod"),
        ("uuid", &alerts[0].id.to_string()),
    ] {
        assert_eq!(document[key], value, "{key}");
    }
    assert!(!alerts[0].document.contains('\n'));
}

#[test]
fn an_alert_of_a_long_past_event_says_so_where_the_clock_counts() {
    let old = event("1", "create", "");
    let fresh = old.replace("2026-01-02T03:04:05Z", &jiff::Timestamp::now().to_string());
    let live = evaluator(Matching::First).with_lag();
    let told = |evaluator: &Evaluator, event: &str| {
        let alerts = evaluator.evaluate(event, None, 1).unwrap().alerts;
        document(&alerts[0]).get(lag::KEY).and_then(serde_json::Value::as_u64)
    };
    assert!(told(&live, &old) > Some(60));
    assert_eq!(told(&live, &fresh), None);
    assert_eq!(told(&evaluator(Matching::First), &old), None, "a replay is always the same");
}

#[test]
fn the_event_decides_alone_when_the_first_match_counts_else_the_rule_too() {
    let payload = event("1", "create", "");
    let all = outcome(Matching::All, &payload, None).alerts;
    assert_eq!(all.len(), 2);
    assert_ne!(all[0].id, all[1].id);
    let first = outcome(Matching::First, &payload, None).alerts;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].id, outcome(Matching::First, &payload, None).alerts[0].id);
    assert_ne!(first[0].id, all[0].id);
}

#[test]
fn requests_that_share_a_caller_chosen_id_are_two() {
    let two =
        [event("same", "create", r#","requestURI":"/a""#), event("same", "create", r#","requestURI":"/b""#)];
    let alerts = outcome(Matching::First, &two.join("\n"), None).alerts;
    assert_ne!(alerts[0].id, alerts[1].id);
}

#[test]
fn a_bound_cluster_is_not_the_events_to_choose() {
    // Items of a list carry no kind of their own.
    let claims = event("1", "create", r#","annotations":{"cluster_name":"other","k":"v"}"#)
        .replace(r#""kind":"Event","apiVersion":"audit.k8s.io/v1","#, "");
    let list = format!(r#"{{"kind":"EventList","apiVersion":"audit.k8s.io/v1","items":[{claims}]}}"#);
    let free = outcome(Matching::First, &list, None);
    assert_eq!((free.alerts[0].cluster.as_str(), free.newest.len()), ("other", 1));
    let bound = outcome(Matching::First, &list, Some("prod"));
    assert_eq!(bound.alerts[0].cluster, "prod");
    assert!(document(&bound.alerts[0])["output"].as_str().unwrap().ends_with("in prod"));
    assert!(bound.newest.contains_key("prod"));
    // What the event claims changes nothing, so it can't be used to have two alerts of one event, or one of two.
    let honest = list.replace("other", "prod");
    assert_eq!(bound.alerts[0].id, outcome(Matching::First, &honest, Some("prod")).alerts[0].id);
    assert_ne!(bound.alerts[0].id, outcome(Matching::First, &list, Some("dev")).alerts[0].id);
}

#[test]
fn depth_and_number_are_bounded() {
    let deep = format!("{}{}", r#"{"a":["#.repeat(5000), "]}".repeat(5000));
    let payload = event("1", "create", &format!(r#","requestObject":{deep}"#));
    let outcome = outcome(Matching::All, &payload, Some("prod"));
    assert_eq!((outcome.evaluated, outcome.alerts.len()), (1, 2));
    assert!(evaluator(Matching::First).evaluate(&format!("[{}0]", "0,".repeat(1000)), None, 1000).is_err());
}

fn anything() -> impl Strategy<Value = String> {
    let entry = prop_oneof![
        Just(event("1", "create", "")),
        Just(event("2", "get", r#","annotations":{"cluster_name":"a"}"#)),
        Just(r#"{"kind":"Pod"}"#.to_owned()),
        Just(r#"{"kind":"Event"}"#.to_owned()),
        "[0-9]{1,3}",
        "\\PC{0,8}".prop_map(|text| serde_json::Value::from(text).to_string()),
    ];
    proptest::collection::vec(entry, 0..8).prop_map(|entries| format!("[{}]", entries.join(",")))
}

proptest! {
    #[test]
    fn nothing_is_lost_between_received_and_what_came_of_it(payload in anything(), bound: bool) {
        let bound = bound.then_some("prod");
        let outcome = evaluator(Matching::All).evaluate(&payload, bound, 1000).unwrap();
        prop_assert_eq!(outcome.received, outcome.evaluated + outcome.ignored + outcome.quarantined.len());
    }

    #[test]
    fn cut_or_random_bytes_never_panic(payload in anything(), cut: prop::sample::Index, noise: Vec<u8>) {
        let bytes = payload.as_bytes();
        let cut = audit_event::payload::text(&bytes[..cut.index(bytes.len() + 1)]).into_owned();
        let evaluator = evaluator(Matching::All);
        for text in [cut.as_str(), &audit_event::payload::text(&noise)] {
            if let Ok(outcome) = evaluator.evaluate(text, None, 1000) {
                prop_assert_eq!(outcome.received, outcome.evaluated + outcome.ignored + outcome.quarantined.len());
            }
        }
    }
}

#[test]
fn what_was_cut_or_can_not_be_read_raises_our_own_alert_whatever_the_rules() {
    let cut = |mark: &str| {
        let rest = format!(r#","requestURI":"/x","annotations":{{"audit.k8s.io/truncated":"{mark}"}}"#);
        event("1", "create", &rest)
    };
    let list = format!("[{},{},{{\"kind\":\"Event\"}}]", cut("true"), cut("false"));
    let run =
        |matching| evaluator(matching).with_native(true).evaluate(&list, Some("prod"), 9).unwrap().alerts;
    let first = run(Matching::First);
    let rules: Vec<_> = first.iter().map(|alert| alert.rule.as_str()).collect();
    assert_eq!(rules, ["Create", native::CUT_SHORT, "Create", native::UNREADABLE]);
    let (cut, unread) = (document(&first[1]), document(&first[3]));
    assert_eq!(
        cut["output"],
        "03:04:05.000000000: Warning Audit event cut short (user=eve verb=create uri=/x cluster=prod)"
    );
    assert_eq!((&cut["source"], &cut["output_fields"]["ka.user.name"]), (&"k8s_audit".into(), &"eve".into()));
    assert_eq!((&cut["audit_id"], &cut["uuid"]), (&"1".into(), &first[1].id.to_string().into()));
    assert!(
        unread["output_fields"]["quarantine.reason"].as_str().unwrap().contains("stageTimestamp"),
        "{unread}"
    );
    assert_eq!(
        (&unread["output_fields"]["quarantine.source"], &unread["cluster"]),
        (&"intake".into(), &"prod".into())
    );
    // One identity in either mode, and none that a rule of the same name could have.
    let all = run(Matching::All);
    for alert in [&first[1], &first[3]] {
        assert_eq!(all.iter().filter(|other| other.id == alert.id).count(), 1);
    }
    assert!(
        evaluator(Matching::First)
            .evaluate(&list, None, 9)
            .unwrap()
            .alerts
            .iter()
            .all(|alert| alert.rule == "Create")
    );
}

#[test]
fn places_that_are_left_out_are_left_out_of_our_own_alerts_too() {
    let payload = event("1", "create", r#","annotations":{"audit.k8s.io/truncated":"true"}"#);
    let redact = Redact { secrets: false, paths: vec!["/user/username".parse().unwrap()] };
    let run = |evaluator: Evaluator| {
        evaluator.with_native(true).evaluate(&payload, None, 9).unwrap().alerts.remove(1)
    };
    let (whole, kept) =
        (run(evaluator(Matching::First)), run(evaluator(Matching::First).with_redaction(redact)));
    assert_eq!((whole.id, kept.rule.as_str()), (kept.id, native::CUT_SHORT));
    assert_eq!(document(&kept)["output_fields"]["ka.user.name"], "[redacted]");
    assert!(whole.document.contains("user=eve") && kept.document.contains("user=[redacted]"));
}

#[test]
fn an_event_of_a_cluster_that_its_sender_does_not_speak_for_is_kept_and_told() {
    let ids: Ids = serde_json::from_str(r#"{"prod": "arn:1"}"#).unwrap();
    let evaluator = evaluator(Matching::First).with_native(true).with_ids(ids.clone());
    let of = |name: &str, id: &str| {
        event("1", "create", &format!(r#","annotations":{{"cluster_name":"{name}","cluster_id":"{id}"}}"#))
    };
    let payload = [of("p", "arn:1"), of("edge", "edge"), of("dev", "arn:2")].join("\n");
    let several = Scope::Several(["prod", "edge"].map(|name| ids.cluster(name)).into());
    let outcome = evaluator.evaluate_within(&payload, &several, 9).unwrap();
    assert_eq!((outcome.evaluated, outcome.quarantined.len()), (2, 1));
    let clusters: Vec<_> = outcome.alerts.iter().map(|alert| alert.cluster.as_str()).collect();
    assert_eq!(clusters, ["prod", "edge", ""]);
    assert!(outcome.quarantined[0].1.reason.contains("`arn:2`"), "{:?}", outcome.quarantined);
    // The same event by a path that only names the cluster, and from a sender who isn't bound, is the same.
    for named in [Some("prod"), None] {
        let other = evaluator.evaluate(&of("prod", "arn:1"), named, 9).unwrap();
        assert_eq!(other.alerts[0].id, outcome.alerts[0].id);
    }
}

#[test]
fn what_is_evaluated_is_the_event_as_it_came_and_what_is_kept_has_no_secret() {
    const RULES: &str = r#"
- rule: Leak
  desc: d
  condition: jevt.value[/requestObject/data/password] = "aHVudGVyMg==" and ka.uri contains hunter2
  output: "%ka.uri %ka.uri.param[command] %jevt.value[/requestObject/data/password] %jevt.obj"
  priority: WARNING
  source: k8s_audit
"#;
    let file = SourceFile { name: "r.yaml".to_owned(), text: RULES.to_owned() };
    let rules =
        || Rules::of(load(std::slice::from_ref(&file), &Options::default()), Matching::First).unwrap();
    let body = r#","requestURI":"/x?command=--password%3Dhunter2","requestObject":{"data":{"password":"aHVudGVyMg=="}},
        "objectRef":{"resource":"secrets","namespace":"web","name":"db"},"annotations":{"audit.k8s.io/truncated":"true"}"#;
    let payload = event("1", "create", body);
    for bound in [None, Some("prod")] {
        let whole = Evaluator::new(rules(), String::new()).with_native(true);
        let kept = Evaluator::new(rules(), String::new()).with_native(true).with_redaction(Redact::default());
        let whole = whole.evaluate(&payload, bound, 9).unwrap().alerts;
        let kept = kept.evaluate(&payload, bound, 9).unwrap().alerts;
        assert!(whole[0].document.contains("hunter2") && whole[1].document.contains("hunter2"));
        assert_eq!(kept.len(), 2);
        for (whole, kept) in whole.iter().zip(&kept) {
            assert_eq!((whole.id, &whole.subject, whole.time), (kept.id, &kept.subject, kept.time));
            assert!(
                !kept.document.contains("hunter2") && !kept.document.contains("aHVudGVyMg"),
                "{}",
                kept.document
            );
        }
        let fields = &document(&kept[0])["output_fields"];
        assert_eq!(fields["ka.uri.param[command]"], "--password=[redacted]");
        assert_eq!(fields["jevt.value[/requestObject/data/password]"], "[redacted]");
    }
}

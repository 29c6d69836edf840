use audit_rules::{Matching, Options, load};
use serde_json::{Value as Json, json};

use super::*;
use crate::evaluate::{Evaluator, Outcome};
use crate::redact::REDACTED;
use crate::rules::Rules;

fn event(kind: &str, stage: &str, second: u32, query: &str) -> Json {
    json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "a", "stage": stage, "verb": "create",
        "requestURI": format!("/api/v1/namespaces/web/pods/p/{kind}{query}"),
        "user": {"username": "eve"}, "sourceIPs": ["10.0.0.1"], "userAgent": "kubectl",
        "objectRef": {"resource": "pods", "subresource": kind, "namespace": "web", "name": "p"},
        "requestReceivedTimestamp": "2026-01-02T03:04:05.000001Z",
        "stageTimestamp": format!("2026-01-02T03:04:{second:02}Z"), "responseStatus": {"code": 101},
    })
}

fn activities(events: &[Json]) -> Vec<Activity> {
    outcome(events, Redact::default()).activity
}

fn outcome(events: &[Json], redact: Redact) -> Outcome {
    let rules = Rules::of(load(&[], &Options::default()), Matching::First).unwrap();
    let payload = Json::from(events.to_vec()).to_string();
    Evaluator::new(rules, String::new())
        .with_redaction(redact)
        .with_native(true)
        .evaluate(&payload, Some("prod"), 99)
        .unwrap()
}

#[test]
fn the_stages_of_an_exec_are_one_with_its_command() {
    let query = "?command=sh&command=-c&command=echo+%22a%22&container=app&stdin=true";
    let both = activities(&[
        event("exec", "ResponseStarted", 6, query),
        event("exec", "ResponseComplete", 59, query),
    ]);
    assert_eq!(both[0].id, both[1].id);
    assert_eq!(both[0].started, both[1].started);
    let seconds = |time: Option<i64>| time.map(|time| time / 1_000_000_000 % 60);
    assert_eq!((seconds(both[0].ended), seconds(both[1].ended)), (None, Some(59)));
    let entry = &both[0].entry;
    assert_eq!(
        (entry.command.as_deref(), entry.container.as_deref()),
        (Some("sh -c echo \"a\""), Some("app"))
    );
    assert_eq!(
        (entry.user.as_str(), entry.name.as_str(), &entry.source[0]),
        ("eve", "p", &"10.0.0.1".to_owned())
    );
    assert_eq!((both[0].code, both[0].cluster.as_str(), &entry.unknown), (Some(101), "prod", &None));
    // Another request under the same audit ID is another entry.
    let other = activities(&[event("exec", "ResponseStarted", 6, "?command=id")]);
    assert_ne!(other[0].id, both[0].id);
}

#[test]
fn what_can_not_be_known_is_said() {
    for (kind, query, command) in [
        ("exec", "", None),
        ("attach", "?container=app", None),
        ("portforward", "", None),
        ("portforward", "?ports=80&ports=81", Some("80 81")),
        ("ephemeralcontainers", "", None),
        ("proxy", "/metrics?x=1", Some("create /metrics")),
        ("exec", "?command=login&command=--token=abc", Some("login --token=[redacted]")),
    ] {
        let all = activities(&[event(kind, "ResponseComplete", 6, query)]);
        assert_eq!(all[0].entry.command.as_deref(), command, "{kind}{query}");
        assert_eq!(all[0].entry.unknown.is_some(), command.is_none(), "{kind}{query}");
    }
    let mut debug = event("ephemeralcontainers", "ResponseComplete", 6, "");
    debug["requestObject"] = json!({"spec": {"ephemeralContainers": [{"name": "old"}, {"name": "debug", "image": "busybox", "command": ["sh"]}]}});
    let entry = activities(&[debug]).remove(0).entry;
    assert_eq!((entry.command.as_deref(), entry.container.as_deref()), (Some("busybox sh"), Some("debug")));
    let mut read = event("log", "ResponseComplete", 6, "");
    read["objectRef"]["subresource"] = "log".into();
    assert!(activities(&[read]).is_empty());
}

#[test]
fn what_a_sender_wrote_is_cut_and_counted() {
    const LONG: usize = 1 << 20;
    let long = "x".repeat(LONG);
    let mut event = event("exec", "ResponseComplete", 6, &format!("?command={long}&container={long}"));
    for place in ["/auditID", "/userAgent", "/user/username", "/objectRef/name", "/objectRef/namespace"] {
        *event.pointer_mut(place).unwrap() = long.as_str().into();
    }
    event["impersonatedUser"] = json!({"username": long});
    event["sourceIPs"] = std::iter::once(long.as_str()).chain(std::iter::repeat_n("a", 1000)).collect();
    let all = outcome(&[event], Redact::default());
    let kept = serde_json::to_string(&all.activity[0].entry).unwrap();
    assert!(kept.len() < 300 << 10, "{}", kept.len());
    assert_eq!(kept.matches("bytes left out").count(), 9);
    assert!(all.size() > 256 << 10, "{}", all.size());
}

#[test]
fn places_that_are_left_out_are_left_out_here_too() {
    let mut event = event("exec", "ResponseComplete", 6, "");
    event["requestObject"] = json!({"command": ["sh"], "container": "app"});
    event["impersonatedUser"] = json!({"username": "boss"});
    let paths = ["/user/username", "/impersonatedUser", "/sourceIPs/*", "/requestObject/command"];
    let redact = Redact { secrets: true, paths: paths.map(|path| path.parse().unwrap()).into() };
    let (whole, kept) = (outcome(&[event.clone()], Redact::default()), outcome(&[event], redact));
    assert_eq!(whole.activity[0].id, kept.activity[0].id);
    let Entry { user, impersonated, source, command, container, .. } = &kept.activity[0].entry;
    assert_eq!((user.as_str(), impersonated), (REDACTED, &Some(REDACTED.to_owned())));
    assert_eq!((source.as_slice(), command.as_deref()), (&[REDACTED.to_owned()][..], Some(REDACTED)));
    assert_eq!(container.as_deref(), Some("app"));
}

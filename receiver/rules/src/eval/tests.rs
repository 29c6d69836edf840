//! The language's meaning, sentence by sentence.

use audit_event::Event;

use super::{Context, Subject, plain};
use crate::{check, parse};

/// A request for a privileged pod.
pub(crate) const POD: &str = r#"{
  "kind": "Event", "apiVersion": "audit.k8s.io/v1", "auditID": "a-1", "stage": "ResponseComplete", "level": "Request",
  "requestURI": "/api/v1/namespaces/shop/pods?dryRun=All&pretty=&q=a%20b+c&dryRun=None", "verb": "create",
  "user": {"username": "dora", "uid": "u9", "groups": ["ops", "system:authenticated"], "extra": {"scopes": ["x", "y"]}},
  "impersonatedUser": {"username": "root", "groups": ["system:masters"], "uid": "0"},
  "sourceIPs": ["203.0.113.9", "10.8.0.1"], "userAgent": "curl/8",
  "objectRef": {"resource": "pods", "namespace": "shop", "name": "till", "subresource": ""},
  "responseStatus": {"code": 403, "reason": "Forbidden", "message": "no way"},
  "stageTimestamp": "2025-02-03T04:05:06.000000789Z",
  "annotations": {"cluster_name": "prod", "cluster_id": "arn:aws:eks:eu-west-1:42:cluster/prod", "": "empty",
    "a/b": "slash", "c~d": "tilde", "code": "aGVsbG8=", "odd": "a\u0000b", "n": null, "list": [1, [], {"k" : "\u0041"}]},
  "requestObject": {"data": {"k" : "v\u0041\n"}, "roleRef": {"name": "admin"},
    "subjects": [{"kind": "User", "name": "eve"}, {"kind": "ServiceAccount", "name": "bot", "namespace": "ci"},
      {"kind": "ServiceAccount", "name": "lone"}, {"kind": "Group", "name": "devs"}, {"name": "kindless"}, {"kind": "User"}],
    "rules": [{"verbs": ["get", "list"], "resources": ["pods"]}, {"verbs": ["*"], "nonResourceURLs": ["/metrics"]}, {"verbs": "no"}],
    "spec": {"type": "NodePort", "ports": [{"port": 1}, {"port" : 2}], "hostNetwork": true, "hostPID": false, "runAsUser": 7,
      "securityContext": {"runAsUser": 1000, "fsGroup": 5, "supplementalGroups": [3, 4]},
      "volumes": [{"name": "v", "hostPath": {"path": "/proc/sys"}}, {"name": "w", "emptyDir": {}},
        {"name": "x", "flexVolume": {"driver": "d/lvm"}}],
      "initContainers": {"name": "only", "image": "reg:5000/a/b:1", "command": []},
      "containers": [
        {"name": "one", "image": "nginx:1.25@sha256:ff", "command": ["sh", "-c", "id"], "args": ["a", "b c"],
          "ports": [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 443}, {"name": "none"}],
          "securityContext": {"privileged": true, "runAsUser": 0, "capabilities": {"add": ["NET_ADMIN", "SYS_TIME"]}}},
        {"name": "two", "image": "reg:5000/team/app", "runAsUser": 9, "args": []}]}},
  "responseObject": {"metadata": {"name": "till-x"}}
}"#;

/// Whether a condition holds for an event; panics where it does not load.
#[track_caller]
pub(crate) fn holds(condition: &str, event: &str) -> bool {
    let expr = parse::condition(condition).unwrap_or_else(|error| panic!("{condition}: {error}"));
    let condition = check::condition(&expr).unwrap_or_else(|faults| panic!("{condition}: {faults:?}"));
    let event = Event::parse(event).unwrap();
    let mut context = Context::new("here");
    context.next(&event);
    plain::holds(&condition, &Subject::new(&event, &context))
}

#[track_caller]
fn all_hold(conditions: &[&str]) {
    for condition in conditions {
        assert!(holds(condition, POD), "{condition}");
    }
}

#[track_caller]
fn none_holds(conditions: &[&str]) {
    for condition in conditions {
        assert!(!holds(condition, POD), "{condition}");
    }
}

#[test]
fn operators_of_single_texts() {
    all_hold(&[
        "ka.verb = create",
        "ka.verb == create",
        "ka.verb != delete",
        "ka.verb contains rea",
        "ka.verb contains ''",
        "ka.verb icontains REA",
        "ka.verb startswith cre",
        "ka.verb startswith ''",
        "ka.verb endswith ate",
        "ka.verb endswith ''",
        "ka.verb glob c*e",
        "ka.verb iglob C*E",
        "ka.uri glob /api/*",
        "ka.verb regex 'c.*e'",
        "ka.verb in (get, create)",
        "ka.verb intersects (get, create)",
        "ka.uri pmatch (/x, /api/v1)",
        "ka.verb exists",
        "ka.target.subresource = ''",
        "ka.target.subresource in ('')",
        "ka.target.subresource exists",
    ]);
    none_holds(&[
        "ka.verb = Create",
        "ka.verb = creat",
        "ka.verb != create",
        "ka.verb contains REA",
        "ka.verb startswith reate",
        "ka.verb endswith creat",
        "ka.verb glob C*",
        "ka.verb glob rea",
        "ka.verb regex rea",
        "ka.verb in ()",
        "ka.verb intersects ()",
        "ka.verb in (creat)",
        "ka.uri pmatch (/ap)",
        "ka.uri pmatch ()",
    ]);
}

#[test]
fn texts_compare_byte_by_byte_also_when_they_are_numbers() {
    all_hold(&[
        "ka.response.code < 50",
        "ka.response.code >= 403",
        "ka.response.code <= 403",
        "ka.response.code > 0x9",
    ]);
    none_holds(&["ka.response.code > 50", "ka.response.code > 403", "ka.response.code = 403.0"]);
}

#[test]
fn a_missing_value_fails_every_check_and_not_turns_that_around() {
    for field in
        ["ka.auth.decision", "jevt.value[/nowhere]", "ka.req.pod.ephemeralContainers.name", "evt.asynctype"]
    {
        none_holds(&[&format!("{field} exists")]);
        all_hold(&[&format!("not {field} exists"), &format!("not {field} in (a)")]);
    }
    none_holds(&[
        "ka.auth.decision != x",
        "ka.auth.decision = ''",
        "len(ka.auth.decision) = 0",
        "ka.auth.decision = <NA>",
    ]);
    all_hold(&["not ka.auth.decision = x"]);
}

#[test]
fn a_missing_value_on_the_right_fails_too() {
    none_holds(&["ka.verb != val(ka.auth.decision)", "ka.verb = val(ka.auth.decision)"]);
}

#[test]
fn every_element_for_in_and_any_for_intersects() {
    all_hold(&[
        "ka.user.groups in (ops, system:authenticated, more)",
        "ka.user.groups intersects (ops)",
        "ka.req.pod.supplemental_groups in (3, 4)",
        "ka.req.role.rules.verbs[0] in (get, list)",
    ]);
    none_holds(&[
        "ka.user.groups in (ops)",
        "ka.user.groups intersects (op)",
        "ka.user.groups intersects (OPS)",
        "ka.user.groups in ()",
        "ka.user.groups intersects ()",
    ]);
}

#[test]
fn modifiers_count_what_holds() {
    all_hold(&[
        "ka.verb startswith anyof (x, cre)",
        "ka.verb contains allof (re, at)",
        "ka.verb = oneof (create, get)",
        "ka.verb != allof (get, list)",
        "ka.verb != anyof (create, list)",
        "evt.num = anyof (1, 2)",
        "evt.is_async = anyof (false, true)",
    ]);
    none_holds(&[
        "ka.verb contains oneof (re, at)",
        "ka.verb = allof (create, get)",
        "ka.verb startswith allof ()",
        "ka.verb startswith anyof ()",
        "ka.verb startswith oneof ()",
        "ka.auth.decision != allof (a, b)",
    ]);
}

#[test]
fn values_from_the_event_on_the_right() {
    all_hold(&[
        "ka.verb = val(ka.verb)",
        "ka.uri contains val(ka.target.namespace)",
        "ka.resp.name startswith val(ka.target.name)",
        "ka.verb in val(ka.verb)",
        "ka.verb = tolower(ka.verb)",
        "ka.user.groups in val(ka.user.groups)",
        "ka.req.role.rules.verbs[0] in val(ka.req.role.rules.verbs)",
        "tolower(ka.user.groups) in tolower(ka.user.groups)",
    ]);
    none_holds(&[
        "ka.verb = val(ka.uri)",
        "ka.verb != val(ka.verb)",
        "ka.user.groups intersects val(ka.impuser.groups)",
        "ka.verb glob val(ka.user.name)",
    ]);
}

#[test]
fn numbers_and_truths() {
    all_hold(&[
        "evt.num = 1",
        "evt.num in (1, 2)",
        "evt.num intersects (1)",
        "evt.num < 2",
        "evt.num != -1",
        "evt.num < -1",
        "len(ka.verb) = 6",
        "len(ka.user.groups) = 2",
        "len(ka.verb) = len(ka.verb)",
        "evt.is_async = false",
        "evt.is_async != true",
        "evt.is_async in (true, false)",
        "evt.reltime = 0",
    ]);
    none_holds(&["evt.num > 1", "evt.num in ()", "evt.is_async = true"]);
}

#[test]
fn not_binds_to_the_next_check_and_and_before_or() {
    all_hold(&[
        "not ka.verb = x and ka.verb = create",
        "ka.verb = create or ka.verb = x and ka.verb = y",
        "not not ka.verb = create",
        "not (ka.verb = create and ka.verb = x)",
    ]);
    none_holds(&["(ka.verb = create or ka.verb = x) and ka.verb = y", "not ka.verb = create or ka.verb = y"]);
}

#[test]
fn transformers() {
    all_hold(&[
        "toupper(ka.verb) = CREATE",
        "tolower(toupper(ka.verb)) = create",
        "b64(jevt.value[/annotations/code]) = hello",
        "basename(jevt.value[/requestObject/spec/volumes/0/hostPath/path]) = sys",
        "join(',', ka.user.groups) = 'ops,system:authenticated'",
        "join('-', (ka.verb, 'x', ka.user.name)) = create-x-dora",
        "concat(ka.verb, '/', ka.user.name) = create/dora",
        "len(concat(ka.verb, 'ab')) = 8",
        "len(tolower(ka.user.groups)) = 2",
        "join(',', toupper(ka.user.groups)) = 'OPS,SYSTEM:AUTHENTICATED'",
        "tolower(ka.verb) in (create)",
        "getopt(('-n', 'x'), 'n:')[n] = x",
    ]);
    none_holds(&[
        "b64(ka.user.groups) exists",
        "b64(ka.verb) = x",
        "concat(ka.verb, ka.auth.decision) exists",
        "join(',', ka.req.pod.ephemeralContainers.name) exists",
        "join(ka.auth.decision, ka.user.groups) exists",
        // Falco's bug is kept.
        "tolower(ka.user.groups) in (ops, system:authenticated)",
        "tolower(ka.user.groups) intersects (ops)",
    ]);
}

#[test]
fn strings_end_at_a_nul() {
    all_hold(&["jevt.value[/annotations/odd] = a", "len(jevt.value[/annotations/odd]) = 1"]);
}

#[test]
fn addresses_in_networks() {
    all_hold(&[
        "ka.src.ips intersects (10.0.0.0/8)",
        "ka.src.ips in (203.0.113.9, 10.0.0.0/8)",
        "ka.src.ips exists",
        "ka.src.ips in val(ka.src.ips)",
    ]);
    none_holds(&[
        "ka.src.ips in (10.0.0.0/8)",
        "ka.src.ips intersects (192.168.0.0/16, ::/0)",
        "ka.sourceips exists",
    ]);
}

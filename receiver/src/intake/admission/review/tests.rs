use audit_event::Event;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const TIME: &str = "2026-01-02T03:04:05.000006Z";

fn review(operation: &str, resource: [&str; 3], more: Value) -> Value {
    let [group, version, resource] = resource;
    let resource = json!({"group": group, "version": version, "resource": resource});
    let mut request = json!({
        "uid": "5f1d", "operation": operation, "resource": resource, "requestResource": resource, "dryRun": false,
        "userInfo": {"username": "eve", "groups": ["system:authenticated"], "extra": {"k": ["v"]}}, "options": null,
    });
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request})
}

fn event(review: &Value) -> Value {
    let text = review.to_string();
    let event = Review::parse(&text).unwrap().event("prod", TIME);
    assert!(Event::parse(&event).is_ok(), "{event}");
    serde_json::from_str(&event).unwrap()
}

#[test]
fn a_created_pod() {
    let pod = json!({"kind": "Pod", "metadata": {"name": "a", "uid": "x"}});
    let seen = event(&review(
        "CREATE",
        ["", "v1", "pods"],
        json!({"name": "a", "namespace": "shop", "object": pod, "oldObject": null}),
    ));
    let expected = json!({
        "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Request", "auditID": "5f1d", "stage": "ResponseComplete",
        "requestURI": "/api/v1/namespaces/shop/pods", "verb": "create",
        "user": {"username": "eve", "groups": ["system:authenticated"], "extra": {"k": ["v"]}},
        "objectRef": {"resource": "pods", "namespace": "shop", "name": "a", "apiVersion": "v1"},
        "responseStatus": {"metadata": {}, "code": 201}, "requestObject": pod,
        "requestReceivedTimestamp": TIME, "stageTimestamp": TIME,
        "annotations": {"cluster_name": "prod", "kube-audit-bridge/inferred": ALWAYS},
    });
    assert_eq!(seen, expected);
}

#[test]
fn verbs_codes_and_uris() {
    let role = ["rbac.authorization.k8s.io", "v1", "clusterroles"];
    for (review, verb, code, uri) in [
        (
            review("UPDATE", role, json!({"name": "a:b", "object": {}})),
            "update",
            200,
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/a:b",
        ),
        (
            review("UPDATE", role, json!({"name": "a", "dryRun": true})),
            "update",
            200,
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/a?dryRun=All",
        ),
        (
            review("DELETE", ["", "v1", "pods"], json!({"namespace": "n"})),
            "deletecollection",
            200,
            "/api/v1/namespaces/n/pods",
        ),
        (
            review("DELETE", ["", "v1", "namespaces"], json!({"namespace": "n", "name": "n"})),
            "delete",
            200,
            "/api/v1/namespaces/n",
        ),
        (
            review(
                "CREATE",
                ["", "v1", "serviceaccounts"],
                json!({"namespace": "n", "name": "w", "requestSubResource": "token", "object": {}}),
            ),
            "create",
            201,
            "/api/v1/namespaces/n/serviceaccounts/w/token",
        ),
        (
            review(
                "CONNECT",
                ["", "v1", "nodes"],
                json!({"name": "n1", "requestSubResource": "proxy", "object": {"path": "/run/a b?x=1"}}),
            ),
            "get",
            200,
            "/api/v1/nodes/n1/proxy/run/a%20b?x=1",
        ),
        (
            review(
                "CONNECT",
                ["", "v1", "pods"],
                json!({"namespace": "n", "name": "p", "requestSubResource": "exec", "object": {
                    "stdin": true, "stdout": true, "tty": false, "container": "c",
                    "command": ["sh", "-c", "echo \"ü\" > /x&"]}}),
            ),
            "create",
            101,
            "/api/v1/namespaces/n/pods/p/exec?command=sh&command=-c&command=echo+%22%C3%BC%22+%3E+%2Fx%26&container=c&stdin=true&stdout=true",
        ),
    ] {
        let seen = event(&review);
        assert_eq!((&seen["verb"], &seen["requestURI"]), (&json!(verb), &json!(uri)));
        assert_eq!(seen["responseStatus"]["code"], code, "{uri}");
    }
}

#[test]
fn a_connection_has_started_and_no_body() {
    let seen = event(&review(
        "CONNECT",
        ["", "v1", "pods"],
        json!({"name": "p", "requestSubResource": "attach", "object": {}}),
    ));
    assert_eq!(
        (&seen["stage"], &seen["objectRef"]["subresource"]),
        (&json!("ResponseStarted"), &json!("attach"))
    );
    assert!(seen.get("requestObject").is_none());
}

#[test]
fn what_is_in_a_secret_is_left_out() {
    let seen = event(&review(
        "UPDATE",
        ["", "v1", "secrets"],
        json!({"name": "s", "object": {"data": {"k": "SECRET"}}}),
    ));
    assert_eq!(seen["level"], "Metadata");
    assert!(!seen.to_string().contains("SECRET"));
}

#[test]
fn the_creation_of_a_namespace_is_in_none() {
    let of = |operation| {
        event(&review(operation, ["", "v1", "namespaces"], json!({"name": "n", "namespace": "n"})))
    };
    assert_eq!(of("CREATE")["objectRef"].get("namespace"), None);
    assert_eq!(of("UPDATE")["objectRef"]["namespace"], "n");
}

#[test]
fn patterns_name_resources_and_subresources() {
    let text =
        review("UPDATE", ["apps", "v1", "deployments"], json!({"requestSubResource": "status"})).to_string();
    let review = Review::parse(&text).unwrap();
    let fits = |pattern: &str| review.is_one_of(&[pattern.to_owned()]);
    assert!(fits("deployments") && fits("*/status") && fits("deployments/status"));
    assert!(!fits("pods") && !fits("*/scale") && !fits("pods/status"));
}

#[test]
fn other_bodies_are_told_apart() {
    for (body, problem) in [
        ("{", "byte"),
        ("{}", "another kind"),
        (r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1beta1"}"#, "another kind or version"),
        (r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1"}"#, "no request"),
        (
            r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"operation":"X"}}"#,
            "operation",
        ),
        (
            r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"operation":"CREATE"}}"#,
            "uid",
        ),
    ] {
        let told = Review::parse(body).unwrap_err().to_string();
        assert!(told.contains(problem), "{body}: {told}");
    }
}

proptest! {
    /// Names, paths and commands are a stranger's.
    #[test]
    fn whatever_a_review_says_its_event_is_one(
        uid in ".+", name in ".*", namespace in ".*", group in ".*", sub in ".*", command in proptest::collection::vec(".*", 0..4),
    ) {
        let review = review("CONNECT", [&group, "v1", "pods"], json!({
            "uid": uid, "name": name, "namespace": namespace, "requestSubResource": sub, "object": {"command": command, "path": name},
        }));
        let seen = event(&review);
        prop_assert_eq!(&seen["auditID"], &json!(uid));
        prop_assert_eq!(&seen["annotations"]["cluster_name"], &json!("prod"));
        prop_assert!(seen["requestURI"].as_str().unwrap().is_ascii());
        let text = review.to_string();
        let answer: Value = serde_json::from_str(&Review::parse(&text).unwrap().allowed()).unwrap();
        prop_assert_eq!(&answer["response"], &json!({"uid": uid, "allowed": true}));
    }
}

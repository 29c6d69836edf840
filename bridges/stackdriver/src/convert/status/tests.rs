use audit_event::json::Raw;

use super::*;

/// The status of an entry with these bodies, and what of it is inferred.
fn status(method: &str, resource: &str, payload: &str, forbidden: bool) -> (String, String) {
    let payload = Payload::read(Raw::parse(payload).unwrap());
    let (mut out, mut inferred) = (String::new(), Vec::new());
    let status = Status::read(&payload, &Target::read(method, resource), forbidden);
    status.write(&mut Object::open(&mut out), &mut inferred);
    (out, inferred.join(","))
}

const POD: &str = "core/v1/namespaces/shop/pods/web";

#[test]
fn codes_become_http() {
    let (get, create) = ("io.k8s.core.v1.pods.get", "io.k8s.core.v1.pods.create");
    let guessed = "responseStatus.code";
    for (method, code, http, inferred) in [
        (get, "0", 200, guessed),
        (create, "0", 201, guessed),
        (get, "1", 499, guessed),
        (get, "2", 500, guessed),
        (get, "3", 400, guessed),
        (get, "4", 504, guessed),
        (get, "5", 404, "responseStatus.reason"),
        (get, "6", 409, ""),
        (get, "7", 403, "responseStatus.reason"),
        (get, "8", 429, guessed),
        (get, "9", 400, guessed),
        (get, "10", 409, ""),
        (get, "11", 400, guessed),
        (get, "12", 501, guessed),
        (get, "13", 500, guessed),
        (get, "14", 503, guessed),
        (get, "15", 500, guessed),
        (get, "16", 401, "responseStatus.reason"),
    ] {
        let (status, seen) = status(method, POD, &format!(r#"{{"status":{{"code":{code}}}}}"#), false);
        let code_of =
            |status: &str| serde_json::from_str::<serde_json::Value>(status).unwrap()["code"].clone();
        assert_eq!(code_of(&status), http, "{method} {code}");
        assert_eq!(seen, inferred, "{method} {code}");
    }
    for unknown in ["17", "-1", "404", "\"x\"", "1e99", "{}"] {
        let payload = format!(r#"{{"status":{{"code":{unknown}}}}}"#);
        assert_eq!(status(get, POD, &payload, false), (r#"{"metadata":{}}"#.into(), String::new()));
    }
}

#[test]
fn success_has_no_code_of_its_own() {
    for ok in [r#"{}"#, r#"{"status":{}}"#, r#"{"status":{"code":0}}"#, r#"{"status":null}"#] {
        for (method, resource, http) in [
            ("io.k8s.core.v1.pods.get", POD, 200),
            ("io.k8s.core.v1.pods.create", POD, 201),
            ("io.k8s.core.v1.pods.eviction.create", "core/v1/namespaces/shop/pods/web/eviction", 201),
            ("io.k8s.core.v1.pods.exec.get", "core/v1/namespaces/shop/pods/web/exec", 101),
            ("io.k8s.core.v1.pods.attach.create", "core/v1/namespaces/shop/pods/web/attach/web", 101),
            ("io.k8s.core.v1.pods.portforward.create", "core/v1/namespaces/shop/pods/web/portforward", 101),
            ("io.k8s.core.v1.nodes.proxy.get", "core/v1/nodes/n1/proxy/pods", 200),
            ("io.k8s.core.v1.nodes.proxy.create", "core/v1/nodes/n1/proxy/run", 200),
        ] {
            let expected =
                (format!(r#"{{"metadata":{{}},"code":{http}}}"#), "responseStatus.code".to_owned());
            assert_eq!(status(method, resource, ok, false), expected, "{method} {ok}");
        }
        let (status, _) = status("io.k8s.core.v1.pods.get", POD, ok, true);
        assert!(status.ends_with(r#""status":"Failure","reason":"Forbidden","code":403}"#), "{status}");
    }
}

#[test]
fn unknown_is_a_switch_of_protocols_where_there_is_one() {
    let unknown = r#"{"status":{"code":2,"message":"UNKNOWN"}}"#;
    for subresource in ["exec", "attach", "portforward", "proxy"] {
        let (method, resource) =
            (format!("io.k8s.core.v1.pods.{subresource}.get"), format!("{POD}/{subresource}"));
        let expected = (r#"{"metadata":{},"code":101}"#.to_owned(), "responseStatus.code".to_owned());
        assert_eq!(status(&method, &resource, unknown, false), expected);
    }
    let (log, _) = status("io.k8s.core.v1.pods.log.get", &format!("{POD}/log"), unknown, false);
    assert_eq!(log, r#"{"metadata":{},"status":"Failure","code":500}"#);
}

#[test]
fn what_the_api_server_said_counts() {
    let payload = r#"{"status":{"code":10,"message":"ignored"},"response":{"@type":"core.k8s.io/v1.Status",
        "apiVersion":"v1","kind":"Status","metadata":{},"status":"Failure","message":"pods \"web\" already exists",
        "reason":"AlreadyExists","details":{"name":"web"},"code":409}}"#;
    assert_eq!(
        status("io.k8s.core.v1.pods.create", POD, payload, false),
        (
            concat!(
                r#"{"metadata":{},"status":"Failure","message":"pods \"web\" already exists","#,
                r#""reason":"AlreadyExists","details":{"name":"web"},"code":409}"#
            )
            .to_owned(),
            String::new()
        )
    );
}

#[test]
fn a_deleted_object_answers_without_a_code() {
    let payload = r#"{"status":{},"response":{"@type":"core.k8s.io/v1.Status","apiVersion":"v1","kind":"Status",
        "metadata":{},"status":"Success","details":{"name":"web","kind":"pods","uid":"u"}}}"#;
    let (status, _) = status("io.k8s.core.v1.pods.delete", POD, payload, false);
    assert_eq!(
        status,
        r#"{"metadata":{},"status":"Success","details":{"name":"web","kind":"pods","uid":"u"},"code":200}"#
    );
}

#[test]
fn an_object_can_not_pose_as_a_status() {
    for body in [
        r#"{"@type":"evil.example.com/v1.Status","apiVersion":"evil.example.com/v1","kind":"Status","code":200}"#,
        r#"{"@type":"evil.example.com/v1.Status","apiVersion":"v1","kind":"Status","code":200}"#,
        r#"{"@type":"core.k8s.io/v1.Pod","apiVersion":"v1","kind":"Pod","code":200}"#,
        r#"{"@type":"core.k8s.io/v1.Status","apiVersion":"v1","kind":"Status","code":"200"}"#,
        r#"{"@type":"core.k8s.io/v1.Status","apiVersion":"v1","kind":"Status","code":20}"#,
        r#"[]"#,
    ] {
        let payload = format!(r#"{{"status":{{"code":7}},"response":{body}}}"#);
        let (status, _) = status("io.k8s.core.v1.pods.get", POD, &payload, false);
        assert!(status.ends_with(r#""code":403}"#), "{body}: {status}");
    }
}

#[test]
fn messages_are_kept_unless_they_name_the_code() {
    let denied = |message: &str| {
        let payload = format!(r#"{{"status":{{"code":7,"message":"{message}"}}}}"#);
        status("io.k8s.core.v1.pods.get", POD, &payload, true).0
    };
    assert_eq!(
        denied("PERMISSION_DENIED"),
        r#"{"metadata":{},"status":"Failure","reason":"Forbidden","code":403}"#
    );
    assert!(denied("exceeded quota: pods").contains(r#""message":"exceeded quota: pods""#));
}

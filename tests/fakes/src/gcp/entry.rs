//! From an audit event to the log entry that GKE makes of it, with all that it leaves out on the way.

use serde_json::{Map, Value, json};

use super::{CLUSTER, LOCATION, PROJECT};

/// The entry for an event (an object of `audit.k8s.io/v1`) of the default cluster. What GKE drops is gone: groups and
/// other facts of the user, the URI with its query, the level, and HTTP codes that `google.rpc.Code` has no word for.
pub fn entry(event: &Value) -> Value {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let verb = text(&event["verb"]);
    let object = &event["objectRef"];
    let (method, resource) = if object.is_object() {
        names(object, &verb)
    } else {
        let uri = text(&event["requestURI"]);
        let path = uri.split('?').next().unwrap_or_default();
        (format!("io.k8s.{verb}"), path.trim_start_matches('/').to_owned())
    };
    let long_running =
        verb == "watch" || matches!(object["subresource"].as_str(), Some("exec" | "attach" | "portforward"));
    let started = event["stage"] == "ResponseStarted";
    let mut operation = json!({"id": event["auditID"], "producer": "k8s.io"});
    if started || !long_running {
        operation["first"] = json!(true);
    }
    if !started {
        operation["last"] = json!(true);
    }
    let code = event["responseStatus"]["code"].as_u64().unwrap_or(200);
    let log = if matches!(verb.as_str(), "get" | "list" | "watch") { "data_access" } else { "activity" };

    let mut payload = json!({
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "serviceName": "k8s.io",
        "methodName": method,
        "resourceName": resource,
        "authorizationInfo": [{"resource": resource, "permission": method}],
        "requestMetadata": {"callerIp": event["sourceIPs"][0], "callerSuppliedUserAgent": event["userAgent"]},
    });
    let mut put = |key: &str, value: Value| {
        payload[key] = value;
    };
    match code {
        200..300 => {
            put("authorizationInfo", json!([{"resource": resource, "permission": method, "granted": true}]))
        }
        _ => put("status", json!({"code": google_code(code), "message": event["responseStatus"]["message"]})),
    }
    let mut who = Map::new();
    if let Some(name) = event["user"]["username"].as_str() {
        who.insert("principalEmail".to_owned(), json!(name));
    }
    if let Some(name) = event["impersonatedUser"]["username"].as_str() {
        who.insert("authoritySelector".to_owned(), json!(name));
    }
    put("authenticationInfo", Value::Object(who));
    for (from, to) in [("requestObject", "request"), ("responseObject", "response")] {
        if let Some(body) = event.get(from) {
            put(to, typed(body, &verb, from == "requestObject"));
        }
    }

    let mut entry = json!({
        "insertId": event["auditID"],
        "logName": format!("projects/{PROJECT}/logs/cloudaudit.googleapis.com%2F{log}"),
        "resource": {"type": "k8s_cluster",
            "labels": {"project_id": PROJECT, "location": LOCATION, "cluster_name": CLUSTER}},
        "timestamp": event["stageTimestamp"],
        "operation": operation,
        "protoPayload": payload,
    });
    if code != 401 {
        entry["labels"] = event.get("annotations").cloned().unwrap_or_else(|| json!({}));
        if let Some(command) = command(&text(&event["requestURI"])).filter(|_| started) {
            entry["labels"]["command.gke.io/command"] = json!(command);
        }
    }
    entry
}

/// `methodName` and `resourceName`.
fn names(object: &Value, verb: &str) -> (String, String) {
    let part = |key: &str| object[key].as_str().filter(|text| !text.is_empty());
    let group = part("apiGroup").unwrap_or("core");
    let (version, resource) = (part("apiVersion").unwrap_or_default(), part("resource").unwrap_or_default());
    let backwards = match group.contains('.') {
        true => group.rsplit('.').collect::<Vec<_>>().join("."),
        false => format!("io.k8s.{group}"),
    };
    let method = [Some(backwards.as_str()), Some(version), Some(resource), part("subresource"), Some(verb)];
    let namespace = part("namespace").filter(|_| resource != "namespaces");
    let path = [
        Some(group),
        Some(version),
        namespace.map(|_| "namespaces"),
        namespace,
        Some(resource),
        part("name"),
        part("subresource"),
    ];
    let join =
        |parts: &[Option<&str>], by: &str| parts.iter().flatten().copied().collect::<Vec<_>>().join(by);
    (join(&method, "."), join(&path, "/"))
}

/// A body with the type that protobuf puts into it.
fn typed(body: &Value, verb: &str, request: bool) -> Value {
    let Value::Object(members) = body else { return body.clone() };
    let version = body["apiVersion"].as_str().unwrap_or_default();
    let kind = match version.split_once('/') {
        Some((group, version)) => format!("{group}/{version}.{}", body["kind"].as_str().unwrap_or_default()),
        None => format!("core.k8s.io/{version}.{}", body["kind"].as_str().unwrap_or_default()),
    };
    let kind = if request && verb == "patch" { "k8s.io/Patch".to_owned() } else { kind };
    let mut typed = Map::from_iter([("@type".to_owned(), json!(kind))]);
    typed.extend(members.clone());
    Value::Object(typed)
}

fn google_code(http: u64) -> u64 {
    match http {
        400 => 3,
        401 => 16,
        403 => 7,
        404 => 5,
        409 => 10,
        429 => 8,
        503 => 14,
        504 => 4,
        _ => 2,
    }
}

/// The command line of a URI's query.
fn command(uri: &str) -> Option<String> {
    let (_, query) = uri.split_once('?')?;
    let words: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == "command")
        .map(|(_, word)| word.into_owned())
        .collect();
    (!words.is_empty()).then(|| words.join(" "))
}

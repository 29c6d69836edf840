use std::io::{Read, Write};
use std::net::TcpStream;

use super::*;
use crate::traffic::Traffic;

/// One request over a bare socket: status and body.
fn ask(gcp: &Gcp, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(gcp.metadata_host()).unwrap();
    let length = body.len();
    write!(
        socket,
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn list(gcp: &Gcp, extra: Value) -> Value {
    let mut query = json!({"resourceNames": [format!("projects/{PROJECT}")], "orderBy": "timestamp asc"});
    query.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let (status, body) = ask(gcp, "POST", "/v2/entries:list", "", &query.to_string());
    let mut answer: Value = serde_json::from_str(&body).unwrap();
    answer["http"] = json!(status);
    answer
}

fn put(gcp: &Gcp, id: &str, second: u32) {
    gcp.put(json!({"insertId": id, "timestamp": format!("2026-01-02T03:04:{second:02}Z"),
        "logName": format!("projects/{PROJECT}/logs/cloudaudit.googleapis.com%2Factivity")}));
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["entries"].as_array().map_or(Vec::new(), |entries| {
        entries.iter().map(|entry| entry["insertId"].as_str().unwrap()).collect()
    })
}

#[test]
fn pages_come_in_order_and_end_without_a_token() {
    let gcp = Gcp::start();
    for (id, second) in [("c", 3), ("a", 1), ("b", 1), ("b", 1), ("d", 4)] {
        put(&gcp, id, second);
    }
    gcp.set_paging(|paging| paging.empty_every = 2);
    let first = list(&gcp, json!({"pageSize": 2}));
    assert_eq!(ids(&first), ["a", "b"]);
    let token = first["nextPageToken"].clone();
    let empty = list(&gcp, json!({"pageSize": 2, "pageToken": token}));
    assert_eq!((ids(&empty), empty["nextPageToken"].is_string()), (vec![], true));
    let last = list(&gcp, json!({"pageSize": 2, "pageToken": empty["nextPageToken"]}));
    assert_eq!((ids(&last), last.get("nextPageToken")), (vec!["c", "d"], None));
    // A token belongs to its query and to its generation.
    assert_eq!(list(&gcp, json!({"pageSize": 3, "pageToken": token}))["http"], 400);
    gcp.expire_page_tokens();
    assert_eq!(list(&gcp, json!({"pageSize": 2, "pageToken": token}))["http"], 400);
}

#[test]
fn entries_of_others_and_late_ones_are_not_there() {
    let gcp = Gcp::start();
    put(&gcp, "now", 1);
    gcp.set_delay(Duration::from_secs(3600));
    put(&gcp, "late", 2);
    gcp.put_late(
        Duration::ZERO,
        json!({"insertId": "other", "timestamp": "2026-01-02T03:04:05Z", "logName": "projects/x/logs/y"}),
    );
    assert_eq!(ids(&list(&gcp, json!({}))), ["now"]);
    assert_eq!(gcp.len(), 3);
}

#[test]
fn requests_are_counted_by_project() {
    let gcp = Gcp::start();
    gcp.set_quota(Some(2));
    let answers: Vec<Value> = (0..3).map(|_| list(&gcp, json!({}))["http"].clone()).collect();
    assert_eq!(answers, [200, 200, 429]);
    let other = json!({"resourceNames": ["projects/other"]});
    assert_eq!(list(&gcp, other)["http"], 200);
    assert_eq!(gcp.count(Operation::EntriesList), 4);
}

#[test]
fn tokens_come_from_the_metadata_server() {
    let gcp = Gcp::start();
    gcp.require_issued_tokens();
    assert_eq!(list(&gcp, json!({}))["http"], 401);
    let path = "/computeMetadata/v1/instance/service-accounts/default/token?scopes=x";
    assert_eq!(ask(&gcp, "GET", path, "", "").0, 403);
    let (_, body) = ask(&gcp, "GET", path, "Metadata-Flavor: Google\r\n", "");
    let token = serde_json::from_str::<Value>(&body).unwrap()["access_token"].as_str().unwrap().to_owned();
    let body = json!({"resourceNames": ["projects/p"]}).to_string();
    let header = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(ask(&gcp, "POST", "/v2/entries:list", &header, &body).0, 200);
    gcp.expire_tokens();
    assert_eq!(ask(&gcp, "POST", "/v2/entries:list", &header, &body).0, 401);
}

#[test]
fn events_become_entries() {
    let line =
        Traffic::new(1).lines(1_700_000_000_000, 1).find(|line| line.text.contains("\"exec\"")).unwrap();
    let event: Value = serde_json::from_str(&line.text).unwrap();
    let entry = entry(&event);
    assert_eq!(entry["operation"]["id"], json!(line.audit_id));
    let method = entry["protoPayload"]["methodName"].as_str().unwrap();
    assert!(method.starts_with("io.k8s.core.v1.pods.exec."), "{method}");
}

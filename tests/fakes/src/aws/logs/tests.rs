//! The service's behaviour, asked over the wire.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::event_id::event_id;
use crate::aws::{Aws, AwsError, Fault, Operation, Series};

const GROUP: &str = "/aws/eks/demo/cluster";
const AUDIT: &str = "kube-apiserver-audit-";

/// One request over a connection of its own: status and body, or `None` when the answer is not whole.
fn ask(aws: &Aws, target: &str, body: &Value) -> Option<(u16, Value)> {
    let address = aws.endpoint().replace("http://", "");
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let body = body.to_string();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: logs\r\nconnection: close\r\nx-amz-target: Logs_20140328.{target}\r\n\
         authorization: AWS4-HMAC-SHA256 Credential=AKIA/20260101/eu-central-1/logs/aws4_request\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    connection.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    connection.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, serde_json::from_str(body).ok()?))
}

fn filter(aws: &Aws, query: Value) -> (u16, Value) {
    let mut body = json!({"logGroupName": GROUP, "logStreamNamePrefix": AUDIT});
    body.as_object_mut().unwrap().extend(query.as_object().unwrap().clone());
    ask(aws, "FilterLogEvents", &body).unwrap()
}

fn messages(page: &Value) -> Vec<&str> {
    page["events"].as_array().unwrap().iter().map(|event| event["message"].as_str().unwrap()).collect()
}

/// Reads to the end of a query: all messages, and how many events each page had.
fn read_all(aws: &Aws, query: &Value) -> (Vec<String>, Vec<usize>) {
    let (mut all, mut sizes, mut query) = (Vec::new(), Vec::new(), query.clone());
    loop {
        let (status, page) = filter(aws, query.clone());
        assert_eq!(status, 200, "{page}");
        all.extend(messages(&page).iter().map(|&message| message.to_owned()));
        sizes.push(messages(&page).len());
        match page.get("nextToken") {
            Some(token) => query["nextToken"] = token.clone(),
            None => return (all, sizes),
        }
    }
}

fn without_quota() -> Aws {
    let aws = Aws::start();
    aws.set_quota(None);
    aws
}

#[test]
fn orders_by_time_then_ingestion_then_putting_and_keeps_to_the_prefix_and_both_inclusive_bounds() {
    let aws = without_quota();
    let group = aws.group(GROUP);
    let (one, two) = (group.stream(&format!("{AUDIT}1")), group.stream(&format!("{AUDIT}2")));
    one.put_ingested(20, 500, "late");
    two.put_ingested(20, 400, "early");
    one.put_ingested(20, 500, "late again");
    one.put(10, "first");
    two.put(30, "last");
    one.put(9, "before");
    two.put(31, "after");
    group.stream("kube-apiserver-1").put(20, "no audit");
    let (all, _) = read_all(&aws, &json!({"startTime": 10, "endTime": 30}));
    assert_eq!(all, ["first", "early", "late", "late again", "last"]);
}

#[test]
fn cuts_pages_by_count_and_by_bytes_and_gives_a_large_event_alone() {
    let aws = without_quota();
    let stream = aws.group(GROUP).stream(&format!("{AUDIT}1"));
    for at in 0..10 {
        stream.put(5, &format!("{at}-{}", "x".repeat(98)));
    }
    assert_eq!(read_all(&aws, &json!({"limit": 4})).1, [4, 4, 2]);
    aws.set_paging(|paging| paging.bytes = 3 * 126);
    assert_eq!(read_all(&aws, &json!({})).1, [3, 3, 3, 1]);
    stream.put(6, &"y".repeat(5000));
    assert_eq!(read_all(&aws, &json!({})).1, [3, 3, 3, 1, 1]);
}

#[test]
fn gives_empty_pages_with_a_token_and_loses_nothing_by_them() {
    let aws = without_quota();
    let stream = aws.group(GROUP).stream(&format!("{AUDIT}1"));
    for at in 0..5 {
        stream.put(at, "x");
    }
    aws.set_paging(|paging| {
        paging.events = 2;
        paging.empty_every = 2;
        paging.trailing_token = true;
    });
    assert_eq!(read_all(&aws, &json!({})).1, [2, 0, 2, 0, 1, 0]);
}

#[test]
fn refuses_a_token_that_is_foreign_expired_or_of_another_query() {
    let aws = without_quota();
    let stream = aws.group(GROUP).stream(&format!("{AUDIT}1"));
    (0..5).for_each(|at| drop(stream.put(at, "x")));
    let token = filter(&aws, json!({"limit": 2})).1["nextToken"].clone();
    let refused = |query| {
        let (status, error) = filter(&aws, query);
        assert_eq!((status, &error["__type"]), (400, &json!("InvalidParameterException")));
    };
    assert_eq!(filter(&aws, json!({"limit": 2, "nextToken": token})).0, 200);
    refused(json!({"limit": 3, "nextToken": token}));
    refused(json!({"limit": 2, "nextToken": "Bxkq6kVGFtq2y"}));
    aws.shift_clock_ms(24 * 3600 * 1000 + 1000);
    refused(json!({"limit": 2, "nextToken": token}));
    let token = filter(&aws, json!({"limit": 2})).1["nextToken"].clone();
    aws.expire_page_tokens();
    refused(json!({"limit": 2, "nextToken": token}));
}

#[test]
fn a_series_stands_among_what_was_put() {
    let aws = without_quota();
    aws.set_paging(|paging| paging.events = 3);
    let stream = aws.group(GROUP).stream(&format!("{AUDIT}1"));
    let message = Arc::new(|number, time| format!("{time} {number}"));
    // Three of them at each millisecond.
    stream.put_series(Series { start_ms: 100, step_us: 400, count: 10, message });
    stream.put_ingested(101, 1, "put");
    let (all, _) = read_all(&aws, &json!({"startTime": 101}));
    assert_eq!(all, ["put", "101 3", "101 4", "102 5", "102 6", "102 7", "103 8", "103 9"]);
    assert_eq!(read_all(&aws, &json!({"endTime": 100})).0, ["100 0", "100 1", "100 2"]);
    assert_eq!(read_all(&aws, &json!({})).0.len(), 11);
    assert_eq!(read_all(&aws, &json!({"startTime": 104})).0.len(), 0);
}

#[test]
fn keeps_an_event_back_for_the_delay_of_its_stream() {
    let aws = without_quota();
    let stream = aws.group(GROUP).stream(&format!("{AUDIT}1"));
    stream.set_delay(Duration::from_secs(600));
    stream.put(5, "late");
    assert!(read_all(&aws, &json!({})).0.is_empty());
    aws.shift_clock_ms(600_000);
    assert_eq!(read_all(&aws, &json!({})).0, ["late"]);
}

#[test]
fn throttles_the_sixth_request_of_a_second_with_status_400() {
    let aws = Aws::start();
    aws.group(GROUP);
    let statuses: Vec<u16> = (0..6).map(|_| filter(&aws, json!({})).0).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 400]);
    assert_eq!(aws.calls().last().unwrap().error.as_deref(), Some("ThrottlingException"));
}

#[test]
fn fails_as_told_and_then_works() {
    let aws = without_quota();
    let query = json!({"logGroupName": GROUP});
    let ask = || ask(&aws, "FilterLogEvents", &query);
    assert_eq!(ask().unwrap().1["__type"], "ResourceNotFoundException");
    aws.group(GROUP).stream(&format!("{AUDIT}1")).put(1, "x");
    for fault in [Fault::Close, Fault::Cut, Fault::Hang, Fault::Error(AwsError::unavailable())] {
        aws.fail_next(Operation::FilterLogEvents, fault);
    }
    assert_eq!(ask(), None);
    assert_eq!(ask(), None);
    assert_eq!(ask(), None);
    assert_eq!(ask().unwrap().0, 503);
    assert_eq!(ask().unwrap().0, 200);
    assert_eq!(aws.count(Operation::FilterLogEvents), 6);
}

#[test]
fn lists_groups_and_streams() {
    let aws = without_quota();
    let group = aws.group(GROUP);
    group.stream(&format!("{AUDIT}1")).put(77, "x");
    group.stream("authenticator-1");
    let (_, page) = ask(&aws, "DescribeLogGroups", &json!({"logGroupNamePrefix": GROUP})).unwrap();
    assert_eq!(page["logGroups"][0]["logGroupName"], GROUP);
    let query = json!({"logGroupName": GROUP, "logStreamNamePrefix": AUDIT});
    let (_, page) = ask(&aws, "DescribeLogStreams", &query).unwrap();
    assert_eq!(page["logStreams"].as_array().unwrap().len(), 1);
    assert_eq!(page["logStreams"][0]["lastEventTimestamp"], 77);
}

#[test]
fn writes_event_ids_of_56_digits_that_differ() {
    let id = event_id(1_432_826_855_000, 1, 0);
    assert_eq!(id.len(), 56);
    // The prefix of a published example of that time.
    assert!(id.starts_with("3195310660"), "{id}");
    assert_ne!(id, event_id(1_432_826_855_000, 1, 1));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn reads_every_event_once_however_pages_are_cut(
        times in proptest::collection::vec(0_i64..20, 0..60),
        events in 1_usize..8, bytes in 1_usize..400, empty_every in 2_usize..5, trailing_token: bool,
    ) {
        let aws = without_quota();
        let stream = aws.group(GROUP).stream(&format!("{AUDIT}1"));
        let mut wanted: Vec<String> = Vec::new();
        for (number, at) in times.iter().enumerate() {
            wanted.push(format!("{at:03}-{number:03}"));
            stream.put_ingested(*at, 1, wanted.last().unwrap());
        }
        wanted.sort();
        aws.set_paging(|paging| {
            (paging.events, paging.bytes) = (events, bytes);
            (paging.empty_every, paging.trailing_token) = (empty_every, trailing_token);
        });
        prop_assert_eq!(read_all(&aws, &json!({})).0, wanted);
    }
}

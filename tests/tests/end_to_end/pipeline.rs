//! CloudWatch Logs to alert.

use std::time::Duration;

use audit_fakes::aws::{Aws, AwsError, Fault, Operation};
use audit_fakes::traffic::{Line, Traffic};
use serde_json::Value;

use crate::harness::{Bridge, Cloud, Receiver, becomes, eventually, now_ms, seed};

pub(crate) const GROUP: &str = "/aws/eks/demo/cluster";
pub(crate) const STREAM: &str = "kube-apiserver-audit-0123456789abcdef0123456789abcdef";

/// What must stand in the store when these lines were evaluated: audit ID and rule, sorted.
pub(crate) fn expected<'a>(lines: impl IntoIterator<Item = &'a Line>) -> Vec<(String, String)> {
    let mut expected: Vec<_> =
        lines.into_iter().filter_map(|line| Some((line.audit_id.clone(), line.rule?.to_owned()))).collect();
    expected.sort();
    expected
}

/// A cloud without a quota, whose audit stream holds `lines`.
pub(crate) fn cloud(lines: &[Line]) -> Aws {
    let aws = Aws::start();
    aws.set_quota(None);
    let stream = aws.group(GROUP).stream(STREAM);
    lines.iter().for_each(|line| drop(stream.put(line.at_ms, &line.text)));
    aws
}

/// Lines of the last minutes.
pub(crate) fn recent(seed: u64, count: usize) -> Vec<Line> {
    let step = (600_000 / count as i64).clamp(1, 20);
    Traffic::new(seed).lines(now_ms() - step * count as i64 - 1000, step).take(count).collect()
}

fn between(aws: &Aws, receiver: &Receiver) -> Cloud {
    Cloud { endpoint: aws.endpoint(), receiver: receiver.url() }
}

#[test]
fn every_event_is_evaluated_and_every_alert_stands_once_and_is_told() {
    let lines = recent(seed("pipeline"), 3000);
    let (before, after) = lines.split_at(2000);
    let aws = cloud(before);
    let group = aws.group(GROUP);
    group.stream("kube-apiserver-0123").put(now_ms() - 5000, "I1123 not an audit event");
    group.stream("authenticator-0123").put(now_ms() - 5000, "time=now level=info");
    let mut receiver = Receiver::start();
    let _bridge = Bridge::new(&between(&aws, &receiver)).started();

    becomes("alerts of what was there", &expected(before), || receiver.raised());
    let other = group.stream("kube-apiserver-audit-fedcba");
    for (number, line) in after.iter().enumerate() {
        // Some of them become readable only when later ones have been read.
        other.set_delay(Duration::from_millis(number as u64 % 3 * 700));
        other.put(line.at_ms.max(now_ms() - 1000), &line.text);
    }
    becomes("alerts of what came later", &expected(&lines), || receiver.raised());
    becomes("events evaluated", &3000.0, || receiver.metric("audit_receiver_evaluated_total", ""));

    let told = receiver.stop();
    let mut told: Vec<_> = told
        .iter()
        .map(|line| {
            let alert: Value = serde_json::from_str(line).unwrap();
            (alert["audit_id"].as_str().unwrap().to_owned(), alert["rule"].as_str().unwrap().to_owned())
        })
        .collect();
    told.sort();
    assert_eq!(told, expected(&lines));
}

#[test]
fn once_reads_up_to_now_and_ends_and_a_second_time_raises_nothing_twice() {
    let lines = recent(seed("once"), 1000);
    let aws = cloud(&lines);
    let receiver = Receiver::start();
    let bridge = Bridge::new(&between(&aws, &receiver));
    for _ in 0..2 {
        let ended = bridge.once();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert_eq!(receiver.raised(), expected(&lines));
    }
}

#[test]
fn faults_of_the_log_service_lose_nothing() {
    let seed = seed("faults");
    let lines = recent(seed, 1000);
    let aws = cloud(&lines);
    aws.set_paging(|paging| {
        (paging.events, paging.bytes) = (100, 150_000);
        (paging.empty_every, paging.trailing_token) = (3, true);
    });
    let faults = [
        Fault::Error(AwsError::throttling()),
        Fault::Error(AwsError::unavailable()),
        Fault::Error(AwsError::internal()),
        Fault::Close,
        Fault::Cut,
        Fault::Late(Duration::from_millis(300)),
    ];
    aws.fail_randomly(seed, 100, faults.to_vec());
    let receiver = Receiver::start();
    let _bridge = Bridge::new(&between(&aws, &receiver)).started();
    eventually("some pages", || (aws.count(Operation::FilterLogEvents) > 5).then_some(()));
    aws.expire_page_tokens();
    becomes("alerts", &expected(&lines), || receiver.raised());
}

#[test]
fn a_request_that_is_never_answered_holds_nothing_up() {
    let lines = recent(seed("no answer"), 300);
    let aws = cloud(&lines);
    aws.fail_next(Operation::FilterLogEvents, Fault::Hang);
    let receiver = Receiver::start();
    let _bridge = Bridge::new(&between(&aws, &receiver)).started();
    becomes("alerts", &expected(&lines), || receiver.raised());
}

#[test]
fn throttling_slows_and_loses_nothing() {
    let lines = recent(seed("throttling"), 500);
    let aws = cloud(&lines);
    aws.set_quota(Some(1));
    aws.set_paging(|paging| paging.events = 200);
    let receiver = Receiver::start();
    let _bridge = Bridge::new(&between(&aws, &receiver)).at_ease().started();
    becomes("alerts", &expected(&lines), || receiver.raised());
}

#[test]
fn a_log_group_that_appears_later_is_read() {
    let aws = Aws::start();
    aws.set_quota(None);
    let receiver = Receiver::start();
    let _bridge = Bridge::new(&between(&aws, &receiver)).started();
    eventually("a refusal", || aws.calls().iter().any(|call| call.error.is_some()).then_some(()));
    let lines = recent(seed("later"), 300);
    let stream = aws.group(GROUP).stream(STREAM);
    lines.iter().for_each(|line| drop(stream.put(line.at_ms, &line.text)));
    becomes("alerts", &expected(&lines), || receiver.raised());
}

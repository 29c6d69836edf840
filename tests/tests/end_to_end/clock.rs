//! A machine whose clock is off by hours, which is to say a cloud whose clock is.

use audit_fakes::aws::{Aws, Operation};
use audit_fakes::traffic::{Line, Traffic};
use serde_json::Value;

use crate::harness::{Bridge, Cloud, Receiver, becomes, eventually, seed};
use crate::pipeline::{GROUP, STREAM, expected};

const TWO_HOURS_MS: i64 = 2 * 3600 * 1000;

fn cloud_ahead_by(ms: i64) -> Aws {
    let aws = Aws::start();
    aws.set_quota(None);
    aws.shift_clock_ms(ms);
    aws.group(GROUP).stream(STREAM);
    aws
}

/// How many signatures were refused for their time.
fn refused_signatures(aws: &Aws) -> usize {
    let codes = ["InvalidSignatureException", "SignatureDoesNotMatch"];
    let calls = aws.calls();
    calls.iter().filter(|call| call.error.as_deref().is_some_and(|error| codes.contains(&error))).count()
}

fn reads_as_ever(ahead_ms: i64) {
    let aws = cloud_ahead_by(ahead_ms);
    let receiver = Receiver::start();
    let cloud = Cloud { endpoint: aws.endpoint(), receiver: receiver.url() };
    let _bridge = Bridge::new(&cloud).started();
    let read = || {
        aws.calls()
            .into_iter()
            .any(|call| call.operation == Operation::FilterLogEvents && call.error.is_none())
    };
    eventually("a page", || read().then_some(()));
    let stream = aws.group(GROUP).stream(STREAM);
    let lines: Vec<Line> = Traffic::new(seed("clock")).lines(aws.now_ms(), 1).take(500).collect();
    lines.iter().for_each(|line| drop(stream.put(line.at_ms, &line.text)));
    becomes("alerts", &expected(&lines), || receiver.raised());
    // The first request of each client learns it.
    let refused = refused_signatures(&aws);
    assert!((1..=4).contains(&refused), "{refused} of {} calls", aws.calls().len());
}

#[test]
fn a_clock_two_hours_behind_is_corrected() {
    reads_as_ever(TWO_HOURS_MS);
}

#[test]
fn a_clock_two_hours_ahead_is_corrected() {
    reads_as_ever(-TWO_HOURS_MS);
}

#[test]
fn check_tells_that_the_clock_is_off() {
    let aws = cloud_ahead_by(TWO_HOURS_MS);
    let line = Traffic::new(1).line(aws.now_ms() - 1000);
    aws.group(GROUP).stream(STREAM).put(line.at_ms, &line.text);
    let receiver = Receiver::start();
    let cloud = Cloud { endpoint: aws.endpoint(), receiver: receiver.url() };
    let ended = Bridge::new(&cloud).at_ease().check();
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let findings: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let troubles: Vec<_> = findings.iter().filter(|finding| finding["outcome"] != "ok").collect();
    assert_eq!(troubles.len(), 1, "{troubles:?}");
    assert!(troubles[0]["found"].as_str().unwrap().contains("2h behind"), "{troubles:?}");
}

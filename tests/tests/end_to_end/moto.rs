//! The bridge against an imitation of AWS that others wrote.

use audit_fakes::traffic::Traffic;
use serde_json::{Value, json};

use crate::harness::{Bridge, Cloud, Moto, Receiver, becomes, now_ms, seed};
use crate::pipeline::{GROUP, STREAM, expected};

const EVENTS: usize = 20_000;

/// moto takes no stream name prefix, so its group holds audit streams alone.
#[test]
fn twenty_thousand_events_with_equal_times_are_all_evaluated() {
    let Some(moto) = Moto::start() else { return };
    // Forty events a millisecond, in batches that share their times with the next.
    let start = now_ms() - 60_000;
    let mut traffic = Traffic::new(seed("moto"));
    let lines: Vec<_> = (0..EVENTS).map(|number| traffic.line(start + number as i64 / 40)).collect();
    moto.logs("CreateLogGroup", &json!({"logGroupName": GROUP}));
    moto.logs("CreateLogStream", &json!({"logGroupName": GROUP, "logStreamName": STREAM}));
    for batch in lines.chunks(400) {
        let events: Vec<Value> =
            batch.iter().map(|line| json!({"timestamp": line.at_ms, "message": line.text})).collect();
        moto.logs(
            "PutLogEvents",
            &json!({"logGroupName": GROUP, "logStreamName": STREAM, "logEvents": events}),
        );
    }

    let receiver = Receiver::start();
    let _bridge = Bridge::new(&Cloud { endpoint: moto.endpoint(), receiver: receiver.url() }).started();
    becomes("alerts", &expected(&lines), || receiver.raised());
    becomes("events evaluated", &(EVENTS as f64), || receiver.metric("audit_receiver_evaluated_total", ""));
}

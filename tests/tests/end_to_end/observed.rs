//! What an operator sees of a bridge: metrics, log lines, readiness.

use audit_fakes::aws::{AwsError, Fault, Operation};
use audit_fakes::receiver::{Receiver as Scripted, status};

use crate::harness::{Bridge, Cloud, Receiver, becomes, eventually, now_ms, seed, sum};
use crate::pipeline::{GROUP, STREAM, cloud, expected, recent};

const UNIT: &str = r#"unit="cloudwatch:eu-central-1:/aws/eks/demo/cluster""#;

#[test]
fn what_happens_is_counted_and_logged() {
    let seed = seed("observed");
    let lines = recent(seed, 300);
    let aws = cloud(&lines);
    let stream = aws.group(GROUP).stream(STREAM);
    stream.put(now_ms() - 60_000, "rest of an event\"}}");
    aws.fail_next(Operation::FilterLogEvents, Fault::Error(AwsError::throttling()));
    let receiver = Scripted::start();
    receiver.refuse_next(status(503, None));
    let quarantine = tempfile::NamedTempFile::new().unwrap();
    let mut bridge = Bridge::new(&Cloud { endpoint: aws.endpoint(), receiver: receiver.url() })
        .set("KAB_QUARANTINE", &format!("file:{}", quarantine.path().display()))
        .started();
    let page = |bridge: &Bridge| bridge.get("/metrics").body;
    let metric = |bridge: &Bridge, name: &str, labels: &str| {
        sum(&page(bridge), &format!("cloudwatch_bridge_{name}"), &format!("{UNIT}{labels}"))
    };
    becomes("events delivered", &300.0, || metric(&bridge, "delivered_total", ""));
    // Late enough for the youngest sweep to miss it.
    let late = &recent(seed + 1, 1)[0];
    stream.put(now_ms() - 3000, &late.text);
    becomes("late records, found by an older sweep", &1.0, || metric(&bridge, "late_total", ""));
    eventually("a stored position", || (metric(&bridge, "committed", "") > 0.0).then_some(()));

    let near = |name: &str, seconds: f64| {
        let now = now_ms() as f64 / 1000.0;
        let value = metric(&bridge, name, "");
        assert!((now - seconds..=now + 1.0).contains(&value), "{name} {value} at {now}");
    };
    // Ages are told as times, which a scrape takes from its own: that of the newest event, of what was read, of what is final,
    // of the checkpoint.
    ["newest_event", "swept_until", "final_until", "committed"].iter().for_each(|name| near(name, 60.0));
    assert!(metric(&bridge, "found_total", ",age=\"5s\"") >= 1.0, "{}", page(&bridge));
    assert_eq!(metric(&bridge, "records_total", ",kind=\"quarantined\""), 1.0);
    assert_eq!(metric(&bridge, "records_total", ",kind=\"event\""), 301.0);
    assert_eq!(metric(&bridge, "retries_total", ""), 1.0);
    assert_eq!(metric(&bridge, "requests_total", ",kind=\"throttled\""), 1.0);
    assert!(metric(&bridge, "requests_total", ",kind=\"ok\"") >= 3.0);
    assert!((1.0..=50.0).contains(&metric(&bridge, "request_rate", "")));
    assert_eq!(metric(&bridge, "violations_total", ""), 0.0);

    let log = bridge.program().stderr().join("\n");
    for message in ["source does not answer", "delivery must be repeated", "quarantined"] {
        assert_eq!(log.matches(&format!("\"message\":\"{message}\"")).count(), 1, "{message}: {log}");
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_any_more_shows_and_loses_nothing() {
    let seed = seed("checkpoint disk full");
    let lines = recent(seed, 600);
    let (before, after) = lines.split_at(300);
    let aws = cloud(before);
    let receiver = Receiver::start();
    let mut bridge = Bridge::new(&Cloud { endpoint: aws.endpoint(), receiver: receiver.url() }).started();
    becomes("alerts", &expected(before), || receiver.raised());
    becomes("readiness", &200, || bridge.get("/readyz").status);

    bridge.limit_files(Some(1));
    let stream = aws.group(GROUP).stream(STREAM);
    after.iter().for_each(|line| drop(stream.put(line.at_ms.max(now_ms()), &line.text)));
    eventually("the checkpoint, in readiness", || {
        bridge.get("/readyz").body.contains("checkpoint of cloudwatch:").then_some(())
    });
    becomes("alerts nevertheless", &expected(&lines), || receiver.raised());

    bridge.limit_files(None);
    becomes("readiness", &200, || bridge.get("/readyz").status);
    bridge.restart();
    becomes("readiness", &200, || bridge.get("/readyz").status);
    assert_eq!(receiver.raised(), expected(&lines));
}

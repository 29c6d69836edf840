//! What the bridge does with what a receiver answers.

use std::time::Duration;

use audit_fakes::receiver::{Receiver as Scripted, status};
use audit_fakes::{Answer, Random};
use serde_json::Value;

use crate::harness::{Bridge, Cloud, Receiver, becomes, eventually, seed};
use crate::pipeline::{cloud, expected, recent};

/// The audit IDs and stages of events, sorted, without copies.
fn distinct(events: &[Value]) -> Vec<String> {
    let mut names: Vec<_> =
        events.iter().map(|event| format!("{} {}", event["auditID"], event["stage"])).collect();
    names.sort();
    names.dedup();
    names
}

#[test]
fn refusals_and_lost_answers_lose_nothing() {
    let seed = seed("refusals");
    let lines = recent(seed, 2000);
    let aws = cloud(&lines);
    aws.set_paging(|paging| paging.events = 150);
    let receiver = Scripted::start();
    let mut random = Random::new(seed);
    for _ in 0..3 {
        receiver.refuse_next(status(*random.pick(&[302, 408, 429, 500, 502, 503]), None));
        receiver.refuse_next(random.pick(&[Answer::Close, status(503, Some(1))]).clone());
        receiver.keep_next(random.pick(&[Answer::Close, status(500, None)]).clone());
    }
    let _bridge = Bridge::new(&Cloud { endpoint: aws.endpoint(), receiver: receiver.url() }).started();
    let wanted: Vec<Value> = lines.iter().map(|line| serde_json::from_str(&line.text).unwrap()).collect();
    becomes("events taken", &distinct(&wanted).len(), || distinct(&receiver.events()).len());
    assert_eq!(distinct(&receiver.events()), distinct(&wanted));
}

#[test]
fn a_receiver_that_never_answers_is_asked_again() {
    let lines = recent(seed("no answer"), 50);
    let aws = cloud(&lines);
    let receiver = Scripted::start();
    receiver.refuse_next(Answer::Hang);
    receiver.keep_next(Answer::Hang);
    let cloud = Cloud { endpoint: aws.endpoint(), receiver: receiver.url() };
    let _bridge = Bridge::new(&cloud).set("KAB_RECEIVER__TIMEOUT", "1s").started();
    becomes("events taken", &50, || distinct(&receiver.events()).len());
    eventually("an acknowledged post", || (receiver.posts() > 2).then_some(()));
}

#[test]
fn an_overloaded_receiver_is_left_alone_for_as_long_as_it_asks() {
    let aws = cloud(&recent(seed("retry-after"), 1));
    let receiver = Scripted::start();
    receiver.refuse_next(status(503, Some(3)));
    let _bridge = Bridge::new(&Cloud { endpoint: aws.endpoint(), receiver: receiver.url() }).started();
    eventually("the event", || (!receiver.is_empty()).then_some(()));
    let posts = receiver.post_times();
    assert!(posts[1] - posts[0] >= Duration::from_secs(3), "{posts:?}");
}

#[test]
fn a_receiver_that_is_away_for_a_while_gets_everything() {
    let lines = recent(seed("away"), 1000);
    let aws = cloud(&lines);
    let mut receiver = Receiver::start();
    receiver.kill();
    let mut bridge = Bridge::new(&Cloud { endpoint: aws.endpoint(), receiver: receiver.url() }).started();
    let url = receiver.url();
    eventually("a word about the receiver", || {
        bridge.program().stderr().iter().any(|line| line.contains(&url)).then_some(())
    });
    receiver.restart();
    becomes("alerts", &expected(&lines), || receiver.raised());
}

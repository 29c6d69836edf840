//! kill -9 of both binaries, again and again, while events keep arriving late and out of order.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use audit_fakes::Random;
use audit_fakes::aws::Aws;
use audit_fakes::traffic::{Line, Traffic};

use crate::harness::{Bridge, Cloud, Receiver, becomes, now_ms, seed};
use crate::pipeline::{GROUP, expected};

#[test]
fn every_alert_stands_once_after_a_few_kills() {
    kills(seed("kills"), 12);
}

#[test]
#[ignore = "takes ten minutes; .ci/long runs it"]
fn every_alert_stands_once_after_500_kills() {
    let first = seed("kills");
    for seed in first..first + 10 {
        kills(seed, 50);
    }
}

/// Kills one of the two at a time, at random moments. Every request is an incident, so an event that is not evaluated
/// is an alert that is not there.
fn kills(seed: u64, count: u32) {
    let aws = Aws::start();
    aws.set_quota(None);
    aws.set_paging(|paging| paging.empty_every = 4);
    let mut receiver = Receiver::start();
    let cloud = Cloud { endpoint: aws.endpoint(), receiver: receiver.url() };
    let mut bridge = Bridge::new(&cloud).sweeps("200ms,2s,10s").started();
    let done = AtomicBool::new(false);

    let lines = thread::scope(|scope| {
        let feeding = scope.spawn(|| feed(&aws, seed, &done));
        let mut random = Random::new(seed ^ 0x6b69_6c6c);
        for _ in 0..count {
            // The moment is what is random here; there is nothing to wait for.
            thread::sleep(Duration::from_millis(random.below(900)));
            if random.chance(500) {
                receiver.restart();
            } else {
                bridge.restart();
            }
        }
        done.store(true, Ordering::Relaxed);
        feeding.join().expect("the feeder")
    });
    println!("kills: {count} kills, {} events, seed {seed}", lines.len());
    becomes("alerts", &expected(&lines), || receiver.raised());

    // A bridge that knows of nothing sends everything again; nothing is raised twice.
    bridge.kill();
    let again = Bridge::new(&cloud).once();
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(receiver.raised(), expected(&lines));
}

/// Puts events at the pace of a busy cluster into streams of different delay, with times that jump about.
fn feed(aws: &Aws, seed: u64, done: &AtomicBool) -> Vec<Line> {
    let group = aws.group(GROUP);
    let streams: Vec<_> = [0, 400, 3000]
        .into_iter()
        .map(|delay| {
            let stream = group.stream(&format!("kube-apiserver-audit-{delay:032x}"));
            stream.set_delay(Duration::from_millis(delay));
            stream
        })
        .collect();
    let mut random = Random::new(seed);
    let mut traffic = Traffic::new(seed).with_incidents(1000);
    let mut lines = Vec::new();
    while !done.load(Ordering::Relaxed) {
        for _ in 0..random.below(20) {
            let line = traffic.line(now_ms() - random.below(1500) as i64);
            random.pick(&streams).put(line.at_ms, &line.text);
            lines.push(line);
        }
        thread::sleep(Duration::from_millis(20));
    }
    lines
}

//! Cloud Logging and Pub/Sub to alert, through kills of both binaries.

mod faults;
mod idle;

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use audit_fakes::Random;
use audit_fakes::gcp::pubsub::PubSub;
use audit_fakes::gcp::{self, Fault, Gcp, GcpError};
use audit_fakes::traffic::{Line, Traffic};
use serde_json::Value;
use tempfile::TempDir;
use tonic::Code;

use crate::harness::{Program, Receiver, becomes, now_ms, seed, tested};
use crate::pipeline::expected;

const BRIDGE: &str = env!("CARGO_BIN_EXE_tested-stackdriver-bridge");
const SUBSCRIPTION: &str = "projects/demo-project/subscriptions/audit";

/// A bridge with a folder of its own, whose checkpoint outlives its deaths.
struct Bridge {
    folder: TempDir,
    arguments: Vec<String>,
    program: Option<Program>,
}

impl Bridge {
    /// One that reads the cluster it runs in.
    fn logging(gcp: &Gcp, receiver: &str, more: &[&str]) -> Self {
        let endpoint = gcp.endpoint();
        let cloud = ["--endpoint-url", &endpoint, "--metadata-url", &endpoint, "--poll-interval", "100ms"];
        Self::new(receiver, &[&cloud[..], more].concat())
    }

    /// One that reads the subscription.
    fn pubsub(pubsub: &PubSub, receiver: &str) -> Self {
        let endpoint = pubsub.endpoint();
        let cloud = ["--pubsub-endpoint-url", &endpoint, "--subscription", SUBSCRIPTION];
        Self::new(receiver, &[&cloud[..], &["--credentials", "anonymous"]].concat())
    }

    fn new(receiver: &str, arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let checkpoint = format!("file:{}", folder.path().join("checkpoint").display());
        arguments.extend([
            "--checkpoint".to_owned(),
            checkpoint,
            "--receiver-url".to_owned(),
            receiver.to_owned(),
        ]);
        let mut bridge = Self { folder, arguments, program: None };
        bridge.restart();
        bridge
    }

    fn program(&self) -> &Program {
        self.program.as_ref().expect("a running bridge")
    }

    /// Ends it as a power cut would, and starts it again.
    fn restart(&mut self) {
        drop(self.program.take());
        let mut command = Command::new(tested(BRIDGE));
        command.args(&self.arguments).args(["--admin-listen", "127.0.0.1:0"]);
        command.env_clear().env("HOME", self.folder.path()).env("KAB_REQUESTS_PER_MINUTE", "3000");
        let mut program = Program::start(&mut command);
        program.listening("admin");
        self.program = Some(program);
    }
}

pub(crate) fn entry(line: &Line) -> Value {
    gcp::entry(&serde_json::from_str(&line.text).expect("an event"))
}

/// Kills one of the two at a time, at random moments, while `put` takes what a busy cluster writes. Every request is an
/// incident, so an event that is not evaluated is an alert that is not there.
fn kills(
    seed: u64,
    receiver: &mut Receiver,
    bridge: &mut Bridge,
    put: impl Fn(&mut Random, &Line) + Sync,
) -> Vec<Line> {
    const KILLS: u32 = 8;
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let feeding = scope.spawn(|| {
            let (mut random, mut lines) = (Random::new(seed), Vec::new());
            let mut traffic = Traffic::new(seed).with_incidents(1000);
            while !done.load(Ordering::Relaxed) {
                for _ in 0..random.below(20) {
                    let line = traffic.line(now_ms() - random.below(1500) as i64);
                    put(&mut random, &line);
                    lines.push(line);
                }
                thread::sleep(Duration::from_millis(20));
            }
            lines
        });
        let mut random = Random::new(seed ^ 0x6b69_6c6c);
        for _ in 0..KILLS {
            // The moment is what is random here; there is nothing to wait for.
            thread::sleep(Duration::from_millis(random.below(900)));
            if random.chance(500) { receiver.restart() } else { bridge.restart() }
        }
        done.store(true, Ordering::Relaxed);
        feeding.join().expect("the feeder")
    })
}

#[test]
fn every_alert_of_cloud_logging_stands_once_after_kills_and_faults() {
    let seed = seed("gke logging");
    let gcp = Gcp::start();
    gcp.set_quota(None);
    gcp.set_paging(|paging| (paging.entries, paging.empty_every) = (200, 4));
    let faults = [
        Fault::Error(GcpError::quota_exceeded(gcp::PROJECT)),
        Fault::Error(GcpError::unavailable()),
        Fault::Error(GcpError::invalid("page_token is invalid or has expired")),
        Fault::Close,
        Fault::Cut,
    ];
    gcp.fail_randomly(seed, 50, faults.to_vec());
    let mut receiver = Receiver::start();
    let mut bridge = Bridge::logging(&gcp, &receiver.url(), &["--sweeps", "200ms,2s,10s"]);
    let lines = kills(seed, &mut receiver, &mut bridge, |random, line| {
        gcp.put_late(Duration::from_millis(*random.pick(&[0, 400, 3000])), entry(line));
    });
    becomes("alerts", &expected(&lines), || receiver.raised());
}

#[test]
fn a_day_of_backlog_keeps_nothing_fresh_waiting() {
    let seed = seed("gke backlog");
    let gcp = Gcp::start();
    gcp.set_quota(Some(1200));
    gcp.set_paging(|paging| paging.entries = 20);
    let day = 24 * 3_600_000;
    let old: Vec<Line> = Traffic::new(seed).lines(now_ms() - day, day / 2000).take(2000).collect();
    old.iter().for_each(|line| gcp.put(entry(line)));
    let receiver = Receiver::start();
    let _bridge = Bridge::logging(&gcp, &receiver.url(), &["--sweeps", "200ms,2s,10s", "--from", "-25h"]);
    let fresh: Vec<Line> = Traffic::new(seed + 1).lines(now_ms(), 1).take(50).collect();
    fresh.iter().for_each(|line| gcp.put(entry(line)));
    let all: Vec<Line> = old.iter().chain(&fresh).cloned().collect();
    let (fresh, mut seen_first) = (expected(&fresh), None);
    becomes("alerts", &expected(&all), || {
        let raised = receiver.raised();
        if fresh.iter().all(|alert| raised.contains(alert)) {
            seen_first.get_or_insert(raised.len());
        }
        raised
    });
    assert!(seen_first.is_some_and(|at| at < expected(&all).len()), "the fresh ones came last");
}

#[test]
fn every_alert_of_pub_sub_stands_once_after_kills_and_breaks() {
    let seed = seed("gke pub/sub");
    let pubsub = PubSub::start();
    // The fake waits for the dead no longer than this.
    pubsub.subscribe(SUBSCRIPTION, Duration::from_secs(8));
    let mut receiver = Receiver::start();
    let mut bridge = Bridge::pubsub(&pubsub, &receiver.url());
    let lines = kills(seed, &mut receiver, &mut bridge, |random, line| {
        let data = entry(line).to_string();
        if random.chance(100) {
            // A sink may export an entry twice, as two messages.
            pubsub.publish(SUBSCRIPTION, data.clone());
        }
        if random.chance(5) {
            pubsub.break_streams(*random.pick(&[Code::Unavailable, Code::NotFound, Code::Internal]));
        }
        pubsub.publish(SUBSCRIPTION, data);
    });
    becomes("messages left", &0, || pubsub.backlog(SUBSCRIPTION));
    becomes("alerts", &expected(&lines), || receiver.raised());
}

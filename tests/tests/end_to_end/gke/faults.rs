//! Every fault at once in both modes, measured.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use audit_fakes::Random;
use audit_fakes::gateway::Gateway;
use audit_fakes::gcp::pubsub::PubSub;
use audit_fakes::gcp::{self, Call, Fault, Gcp, GcpError, Operation};
use audit_fakes::traffic::{Line, Traffic};
use tempfile::NamedTempFile;
use tonic::Code;

use super::{Bridge, SUBSCRIPTION, entry};
use crate::faults::{EVERY_EVENT, assert_same, await_alerts, print_deliveries, wanted};
use crate::harness::{Measure, Receiver, becomes, now_ms, number, seed, table};

/// How long a Pub/Sub message stays with a reader that says nothing any more.
const DEADLINE: Duration = Duration::from_secs(8);

/// What the measured two are, what is between them, and what they take.
struct Scene {
    seed: u64,
    count: u64,
    receiver: Receiver,
    gateway: Gateway,
    measure: Measure,
    /// The rules that are more than those of the traffic.
    _rules: NamedTempFile,
}

impl Scene {
    fn new(name: &str) -> Self {
        let (seed, count) = (seed(name), number("ENTRIES", 3000));
        let rules = NamedTempFile::with_suffix(".yaml").unwrap();
        std::fs::write(&rules, EVERY_EVENT).unwrap();
        let mut receiver =
            Receiver::start_with(&["--rules", rules.path().to_str().unwrap(), "--match", "all"]);
        let gateway = Gateway::start(receiver.intake(), seed, 100);
        let measure = Measure::start();
        measure.follow("receiver", receiver.program().id());
        Self { seed, count, receiver, gateway, measure, _rules: rules }
    }

    /// Feeds entries by `put` at a steady pace, out of order and many at one millisecond, and all the while kills one of
    /// the two or does what `disturb` does; then holds the alerts against what was fed.
    fn play(
        &mut self,
        bridge: &mut Bridge,
        put: impl Fn(&mut Random, &Line) + Sync,
        mut disturb: impl FnMut(u64, &Bridge),
    ) {
        self.measure.follow("bridge", bridge.program().id());
        // What a bridge takes that has looked around and found nothing.
        thread::sleep(Duration::from_secs(3));
        let idle = self.measure.taken("bridge").memory;
        let (mut kills, mut outages) = (0u32, 0u32);
        let (seed, count) = (self.seed, self.count);
        let (start, fed) = (Instant::now(), AtomicBool::new(false));
        let lines = thread::scope(|scope| {
            let feeding = scope.spawn(|| {
                let lines = feed(seed, count, &put);
                fed.store(true, Ordering::Relaxed);
                lines
            });
            let mut random = Random::new(seed ^ 0x6576_696c);
            for turn in 0.. {
                // The moment is what is random here; there is nothing to wait for.
                thread::sleep(Duration::from_millis(300 + random.below(2000)));
                if fed.load(Ordering::Relaxed) {
                    break;
                }
                match turn % 4 {
                    0 => {
                        bridge.restart();
                        self.measure.follow("bridge", bridge.program().id());
                        kills += 1;
                    }
                    2 => {
                        // Every other time for longer than a message's deadline.
                        let away = if outages % 2 == 0 { DEADLINE + DEADLINE / 2 } else { Duration::ZERO };
                        self.receiver.kill();
                        thread::sleep(away);
                        self.receiver.restart();
                        self.measure.follow("receiver", self.receiver.program().id());
                        outages += 1;
                    }
                    _ => disturb(turn / 2, bridge),
                }
            }
            feeding.join().expect("the feeder")
        });
        let feeding = start.elapsed();
        let wanted = wanted(&lines);
        let raised = await_alerts(&self.receiver, wanted.len(), self.count);
        let whole = start.elapsed();
        assert_same(&raised, &wanted);
        let seconds = |time: Duration| format!("{:.1}", time.as_secs_f64());
        let mib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
        table(
            &[
                "entries",
                "alerts",
                "fed in s",
                "evaluated in s",
                "entries/s",
                "kills bridge",
                "kills receiver",
                "bridge idle MiB",
                "bridge peak MiB",
            ],
            &[vec![
                self.count.to_string(),
                raised.len().to_string(),
                seconds(feeding),
                seconds(whole),
                format!("{:.0}", self.count as f64 / whole.as_secs_f64()),
                kills.to_string(),
                outages.to_string(),
                mib(idle),
                mib(self.measure.taken("bridge").peak),
            ]],
        );
        print_deliveries(self.gateway.passed(), self.count);
        self.measure.print();
    }
}

fn feed(seed: u64, count: u64, put: &impl Fn(&mut Random, &Line)) -> Vec<Line> {
    let (mut random, mut traffic) = (Random::new(seed), Traffic::new(seed));
    let per_second = number("RATE", (count / 30).clamp(50, 2000));
    let start = Instant::now();
    (0..count)
        .map(|number| {
            let line = traffic.line((now_ms() - random.below(1500) as i64) / 20 * 20);
            put(&mut random, &line);
            let due = Duration::from_secs_f64(number as f64 / per_second as f64);
            thread::sleep(due.saturating_sub(start.elapsed()));
            line
        })
        .collect()
}

#[test]
#[ignore = "a measurement of ENTRIES entries (3000 unless told), RATE a second (50 to 2000)"]
fn every_entry_of_cloud_logging_is_evaluated_whatever_goes_wrong() {
    let mut scene = Scene::new("gke faults");
    let gcp = Gcp::start();
    gcp.require_issued_tokens();
    gcp.set_token_life(Duration::from_secs(60));
    gcp.set_quota(Some(600));
    gcp.set_paging(|paging| {
        // So few in a small run that slices have pages all the same.
        paging.entries = usize::try_from(scene.count / 20).unwrap().clamp(50, 1000);
        (paging.empty_every, paging.trailing_token) = (4, true);
    });
    let faults = [
        Fault::Error(GcpError::quota_exceeded(gcp::PROJECT)),
        Fault::Error(GcpError::unavailable()),
        Fault::Error(GcpError::unauthenticated()),
        Fault::Error(GcpError::invalid("page_token is invalid or has expired")),
        Fault::Close,
        Fault::Cut,
        Fault::Late(Duration::from_millis(700)),
    ];
    gcp.fail_randomly(scene.seed, 80, faults.to_vec());
    gcp.fail_next(Operation::EntriesList, Fault::Hang);
    let mut bridge = Bridge::logging(&gcp, &scene.gateway.url(), &["--sweeps", "500ms,5s,30s"]);
    println!("\nCloud Logging, seed {}", scene.seed);
    scene.play(
        &mut bridge,
        |random, line| {
            // Some are read by the oldest sweep only.
            let late = if random.chance(20) { random.below(20_000) } else { *random.pick(&[0, 300, 2500]) };
            gcp.put_late(Duration::from_millis(late), entry(line));
        },
        |time, _| match time % 3 {
            0 => gcp.expire_page_tokens(),
            1 => gcp.expire_tokens(),
            // Other readers of the project take the rest.
            _ => gcp.set_quota(Some(200 + (time * 70 % 600) as u32)),
        },
    );
    print_calls(&gcp.calls());
}

#[test]
#[ignore = "a measurement of ENTRIES entries (3000 unless told), RATE a second (50 to 2000)"]
fn every_entry_of_pub_sub_is_evaluated_whatever_goes_wrong() {
    let mut scene = Scene::new("gke pub/sub faults");
    let pubsub = PubSub::start();
    pubsub.subscribe(SUBSCRIPTION, DEADLINE);
    let mut bridge = Bridge::pubsub(&pubsub, &scene.gateway.url());
    println!("\nPub/Sub, deadline {} s, seed {}", DEADLINE.as_secs(), scene.seed);
    let (mut breaks, mut lapses) = (0, 0);
    scene.play(
        &mut bridge,
        |random, line| {
            let data = entry(line).to_string();
            if random.chance(50) {
                // A sink may export an entry twice, as two messages.
                pubsub.publish(SUBSCRIPTION, data.clone());
            }
            pubsub.publish(SUBSCRIPTION, data);
        },
        |time, bridge| {
            if time % 4 == 1 {
                // A reader that is held up for longer than the deadline loses its messages, and gets them again.
                bridge.program().signal("STOP");
                thread::sleep(DEADLINE + Duration::from_secs(2));
                bridge.program().signal("CONT");
                lapses += 1;
            } else {
                pubsub.break_streams([Code::Unavailable, Code::NotFound, Code::Internal][breaks % 3]);
                breaks += 1;
            }
        },
    );
    becomes("messages left", &0, || pubsub.backlog(SUBSCRIPTION));
    let numbers =
        [pubsub.streams(), breaks, lapses, pubsub.acknowledged(), pubsub.extended(), pubsub.nacked()];
    table(
        &["streams", "broken", "held up beyond the deadline", "acknowledged", "extended", "handed back"],
        &[numbers.map(|number| number.to_string()).to_vec()],
    );
}

/// What was asked of Google Cloud, by kind.
pub(super) fn print_calls(calls: &[Call]) {
    let mut kinds: BTreeMap<String, Vec<&Call>> = BTreeMap::new();
    calls.iter().for_each(|call| kinds.entry(format!("{:?}", call.operation)).or_default().push(call));
    let minutes = match (calls.first(), calls.last()) {
        (Some(first), Some(last)) => (last.at_ms - first.at_ms).max(1000) as f64 / 60_000.0,
        _ => 1.0,
    };
    let rows = kinds.into_iter().map(|(kind, calls)| {
        let failed = |error| calls.iter().filter(|call| call.error == Some(error)).count().to_string();
        vec![
            kind,
            calls.len().to_string(),
            format!("{:.1}", calls.len() as f64 / minutes),
            failed("RESOURCE_EXHAUSTED"),
            failed("UNAUTHENTICATED"),
            failed("INVALID_ARGUMENT"),
            failed("UNAVAILABLE"),
            calls.iter().map(|call| call.entries).sum::<usize>().to_string(),
        ]
    });
    let head = ["call", "calls", "a minute", "429", "401", "page token", "503", "entries"];
    table(&head, &rows.collect::<Vec<_>>());
}

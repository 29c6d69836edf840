//! How fast, how large and how far behind, while everything goes wrong that can.

use std::time::{Duration, Instant};

use audit_fakes::Random;
use audit_fakes::azure::EventHubs;
use audit_fakes::objects::Objects;
use audit_fakes::traffic::{Line, Traffic};

use super::bridge::Bridge;
use super::{PARTITIONS, put};
use crate::harness::{Measure, Receiver, now_ms, seed, sum, table, within};
use crate::pipeline::expected;

/// How long a measurement may take until the next event is evaluated.
const PATIENCE: Duration = Duration::from_secs(120);
/// Rows of the table of lags.
const ROWS: usize = 16;

/// What goes wrong.
type Fault<'a> = &'a dyn Fn(&mut World, &mut Random);

/// What is looked at while it runs.
struct World {
    fake: EventHubs,
    receiver: Receiver,
    bridges: [Bridge; 2],
    start: Instant,
    looked: Instant,
    looks: Vec<(Duration, f64, Vec<u64>)>,
}

impl World {
    /// How many alerts stand, which is how many events were evaluated: each is an incident.
    fn alerts(&self) -> usize {
        self.receiver.metric("audit_receiver_alerts_total", "") as usize
    }

    /// Waits for so many alerts, looking at lags meanwhile.
    fn wait(&mut self, alerts: usize) {
        let (mut seen, mut since) = (0, Instant::now());
        loop {
            if self.looked.elapsed() > Duration::from_millis(500) {
                self.look();
            }
            let now = self.alerts();
            if now >= alerts {
                return;
            }
            if now > seen {
                (seen, since) = (now, Instant::now());
            } else if since.elapsed() > Duration::from_secs(2) {
                // What was stored although the disk said otherwise stands, and is not counted.
                let stand = self.receiver.raised().len();
                if stand >= alerts {
                    return;
                }
                assert!(since.elapsed() < PATIENCE, "still {stand} of {alerts} alerts");
                std::thread::sleep(Duration::from_secs(1));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn look(&mut self) {
        let pages: Vec<String> = self.bridges.iter().filter_map(Bridge::metrics).collect();
        let lag = |partition| {
            let labels = format!("/{partition}\"");
            pages.iter().map(|page| sum(page, "eventhub_bridge_lag", &labels)).sum::<f64>() as u64
        };
        let lags = (0..PARTITIONS).map(lag).collect();
        self.looks.push((self.start.elapsed(), self.alerts() as f64, lags));
        self.looked = Instant::now();
    }

    fn print(&self) {
        let last = self.looks.len().saturating_sub(1);
        let step = last.div_ceil(ROWS).max(1);
        let rows: Vec<Vec<String>> = self
            .looks
            .iter()
            .enumerate()
            .filter(|(number, _)| number % step == 0 || *number == last)
            .map(|(_, (at, alerts, lags))| {
                let each: Vec<String> = lags.iter().map(u64::to_string).collect();
                vec![
                    format!("{:.1} s", at.as_secs_f64()),
                    format!("{alerts}"),
                    lags.iter().sum::<u64>().to_string(),
                    each.join(" "),
                ]
            })
            .collect();
        table(&["time", "alerts", "messages behind", "by partition"], &rows);
    }
}

#[test]
#[ignore = "a measurement: of EVENTS, else 5000; with the BUFFER of the bridge, else its default"]
fn events_of_32_partitions_through_every_fault() {
    let events = std::env::var("EVENTS").ok().and_then(|count| count.parse().ok()).unwrap_or(5000);
    let seed = seed("aks measure");
    let fake = EventHubs::start();
    let hub = fake.hub("audit", PARTITIONS);
    let checkpoints = Objects::start();
    let address = format!(
        "az://account/checkpoints/aks?expiry=3s&credentials=none&endpoint={}",
        checkpoints.endpoint()
    );
    let receiver = Receiver::start();
    let buffer = std::env::var("BUFFER").unwrap_or("64MiB".to_owned());
    let bridge = || {
        let bridge = Bridge::new(&fake, &receiver).checkpoint(&address);
        bridge.set("KAB_ANSWER_TIMEOUT", "5s").set("KAB_BUFFER", &buffer)
    };
    let bridges = [bridge().started(), bridge()];
    let measure = Measure::start();
    measure.follow("bridge", bridges[0].program().id());
    within(PATIENCE, "all partitions are read", || {
        (0..PARTITIONS).all(|partition| hub.readers(partition) == 1).then_some(())
    });
    let idle = measure.taken("bridge").memory;
    let now = Instant::now();
    let mut world =
        World { fake: fake.clone(), receiver, bridges, start: now, looked: now, looks: Vec::new() };
    measure.follow("receiver", world.receiver.program().id());

    let mut traffic = Traffic::new(seed).with_incidents(1000);
    let mut lines: Vec<Line> = Vec::new();
    let mut put_more = |count: usize| {
        let some: Vec<Line> = (0..count).map(|_| traffic.line(now_ms())).collect();
        put(&hub, &some);
        lines.extend(some);
        expected(&lines)
    };

    // Half of them as a backlog, without faults.
    let due = put_more(events / 2).len();
    let start = Instant::now();
    world.wait(due);
    let (clean, backlog) = (start.elapsed(), events / 2);

    // The other half in portions, with each fault in its turn.
    let mut random = Random::new(seed);
    let start = Instant::now();
    let faults: [(&str, Fault<'_>); 11] = [
        ("kill -9", &|world, _| world.bridges[0].restart()),
        ("another replica joins", &|world, _| world.bridges[1].restart()),
        ("links stolen", &|world, random| {
            (0..4).for_each(|_| {
                world.fake.hub("audit", PARTITIONS).detach(random.below(32) as usize, "amqp:link:stolen");
            });
        }),
        ("receiver answers 503", &|world, _| {
            world.receiver.limit_files(Some(1));
            let retries = |world: &World| {
                let pages = world.bridges.iter().filter_map(Bridge::metrics);
                pages.map(|page| sum(&page, "eventhub_bridge_retries_total", "")).sum::<f64>()
            };
            let before = retries(world);
            within(PATIENCE, "a refusal", || (retries(world) > before).then_some(()));
            world.receiver.limit_files(None);
        }),
        ("links detached", &|world, _| {
            let hub = world.fake.hub("audit", PARTITIONS);
            (0..PARTITIONS).for_each(|partition| hub.detach(partition, "amqp:link:detach-forced"));
        }),
        ("server busy", &|world, random| {
            world.fake.refuse_next(["com.microsoft:server-busy"; 4]);
            let hub = world.fake.hub("audit", PARTITIONS);
            (0..4).for_each(|_| hub.detach(random.below(32) as usize, "com.microsoft:server-busy"));
        }),
        ("tokens end", &|world, _| world.fake.end_tokens()),
        ("a replica leaves", &|world, _| world.bridges[0].stop()),
        ("connections cut", &|world, _| world.fake.cut()),
        ("kill -9 of the one left", &|world, _| world.bridges[1].restart()),
        ("a replica joins", &|world, _| world.bridges[0].restart()),
    ];
    let portion = events / 2 / faults.len();
    for (name, fault) in faults {
        let due = put_more(portion).len();
        let before = world.alerts();
        world.wait(before + (due - before) / 4);
        println!("  {:>6.1} s  {:>7} alerts  {name}", world.start.elapsed().as_secs_f64(), world.alerts());
        fault(&mut world, &mut random);
        for (name, bridge) in ["bridge", "second bridge"].iter().zip(&world.bridges) {
            if bridge.metrics().is_some() {
                measure.follow(name, bridge.program().id());
            }
        }
    }
    let all = put_more(0);
    world.wait(all.len());
    let faulty = start.elapsed();
    world.look();
    assert!(world.receiver.raised() == all, "not every event raised its alert once");

    let counted = world.alerts();
    println!(
        "  {} events were evaluated: {} alerts, each once ({counted} counted)\n",
        lines.len(),
        all.len()
    );
    let rate = |events: usize, took: Duration| format!("{:.0}", events as f64 / took.as_secs_f64());
    let took = |took: Duration| format!("{:.1}", took.as_secs_f64());
    table(
        &["", "events", "s", "events/s"],
        &[
            vec!["backlog".to_owned(), backlog.to_string(), took(clean), rate(backlog, clean)],
            vec![
                "with faults".to_owned(),
                (lines.len() - backlog).to_string(),
                took(faulty),
                rate(lines.len() - backlog, faulty),
            ],
        ],
    );
    world.print();
    println!("  idle: {:.1} MiB", idle as f64 / f64::from(1 << 20));
    measure.print();
}

//! Event Hubs to alert.

mod bridge;
mod measure;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use audit_fakes::Random;
use audit_fakes::azure::blob::Blobs;
use audit_fakes::azure::{self, EventHubs, Hub};
use audit_fakes::traffic::{Line, Traffic};
use serde_json::json;

use crate::harness::{Receiver, becomes, now_ms, seed};
use crate::pipeline::{expected, recent};
use bridge::Bridge;

const PARTITIONS: usize = 32;

/// Puts lines into all partitions in turn, a few records a message, among records of other logs.
fn put(hub: &Hub, lines: &[Line]) {
    for (number, lines) in lines.chunks(5).enumerate() {
        let mut records: Vec<_> = lines.iter().map(|line| azure::record(&line.text)).collect();
        records.insert(
            number % records.len(),
            json!({"category": "guard", "properties": {"log": "I0102 text"}}),
        );
        hub.put(number % PARTITIONS, json!({ "records": records }).to_string());
    }
}

#[test]
fn every_event_of_32_partitions_is_evaluated_and_every_alert_stands_once() {
    let lines = recent(seed("aks"), 3000);
    let (before, after) = lines.split_at(1500);
    let fake = EventHubs::start();
    let hub = fake.hub("audit", PARTITIONS);
    put(&hub, before);
    let receiver = Receiver::start();
    let _bridge = Bridge::new(&fake, &receiver).started();
    becomes("alerts of what was there", &expected(before), || receiver.raised());
    put(&hub, after);
    becomes("alerts of what came later", &expected(&lines), || receiver.raised());
    becomes("events evaluated", &3000.0, || receiver.metric("audit_receiver_evaluated_total", ""));
}

#[test]
fn every_alert_stands_once_after_kills_of_both_and_a_bad_day_of_the_hub() {
    let seed = seed("aks kills");
    let fake = EventHubs::start();
    let hub = fake.hub("audit", PARTITIONS);
    let mut receiver = Receiver::start();
    let mut bridge = Bridge::new(&fake, &receiver).started();
    let done = AtomicBool::new(false);
    let lines = thread::scope(|scope| {
        let feeding = scope.spawn(|| feed(&hub, seed, &done));
        let mut random = Random::new(seed ^ 0x0061_6b73);
        for _ in 0..20 {
            // The moment is what is random here; there is nothing to wait for.
            thread::sleep(Duration::from_millis(random.below(900)));
            let partition = random.below(PARTITIONS as u64) as usize;
            match random.below(7) {
                0 | 1 => receiver.restart(),
                2 | 3 => bridge.restart(),
                4 => fake.cut(),
                5 => fake.end_tokens(),
                _ => hub.detach(partition, "amqp:link:detach-forced"),
            }
        }
        fake.set_down(true);
        thread::sleep(Duration::from_secs(2));
        fake.set_down(false);
        done.store(true, Ordering::Relaxed);
        feeding.join().expect("the feeder")
    });
    becomes("alerts", &expected(&lines), || receiver.raised());

    // A bridge that knows of nothing sends everything again; nothing is raised twice.
    bridge.kill();
    let again = Bridge::new(&fake, &receiver).once();
    assert_eq!(again.code, Some(0), "{again:?}");
    assert_eq!(receiver.raised(), expected(&lines));
}

/// Puts incidents at the pace of a busy cluster.
fn feed(hub: &Hub, seed: u64, done: &AtomicBool) -> Vec<Line> {
    let mut random = Random::new(seed);
    let mut traffic = Traffic::new(seed).with_incidents(1000);
    let mut lines = Vec::new();
    while !done.load(Ordering::Relaxed) {
        let some: Vec<Line> = (0..random.below(20)).map(|_| traffic.line(now_ms())).collect();
        put(hub, &some);
        lines.extend(some);
        thread::sleep(Duration::from_millis(20));
    }
    lines
}

#[test]
fn the_forwarders_environment_drives_it_and_its_positions_are_gone_on_from() {
    let lines = recent(seed("aks forwarder"), 640);
    let fake = EventHubs::start();
    let hub = fake.hub("audit", PARTITIONS);
    put(&hub, &lines);
    // The forwarder has read the first two of the four messages of each partition, that is the first half of the lines.
    let blobs = Blobs::start();
    for partition in 0..PARTITIONS {
        let path = format!("kubeauditlogs/127.0.0.1/audit/$default/checkpoint/{partition}");
        blobs.checkpoint(&path, "1:4096:1", Some(1));
    }
    let receiver = Receiver::start();
    let environment = vec![
        ("EhubNamespaceConnectionString", fake.connection_string("audit").replace("EntityPath=audit;", "")),
        ("BlobStorageConnectionString", blobs.connection_string()),
        ("BlobContainerName", "kubeauditlogs".to_owned()),
        ("EventHubName", "audit".to_owned()),
        ("WebSinkURL", receiver.url()),
        ("VerboseLevel", "2".to_owned()),
        ("PostMaxRetries", "5".to_owned()),
        ("PostRetryIncrementalDelay", "1000".to_owned()),
    ];
    let bridge = Bridge::new(&fake, &receiver).environment(environment);
    let ended = bridge.once();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    println!("{}", ended.stderr);
    for name in ["EhubNamespaceConnectionString", "WebSinkURL", "PostMaxRetries"] {
        let notes = ended.stderr.lines().filter(|line| line.contains(&format!("`{name}` is"))).count();
        assert_eq!(notes, 1, "{name} in {}", ended.stderr);
    }
    assert_eq!(receiver.raised(), expected(&lines[320..]));
}

#[test]
fn what_waits_in_an_outage_of_the_receiver_stays_within_the_budget() {
    let lines: Vec<Line> = Traffic::new(seed("aks budget")).lines(now_ms(), 1).take(96).collect();
    let fake = EventHubs::start();
    let hub = fake.hub("audit", 8);
    let padding = "x".repeat(900_000);
    for (number, line) in lines.iter().enumerate() {
        let mut event: serde_json::Value = serde_json::from_str(&line.text).expect("an event");
        event["annotations"]["padding"] = padding.as_str().into();
        hub.put(number % 8, azure::message([event.to_string().as_str()]));
    }
    let mut receiver = Receiver::start();
    receiver.kill();
    let bridge = Bridge::new(&fake, &receiver).set("KAB_BUFFER", "16MiB").started();
    let read = || bridge.metric("eventhub_bridge_records_total", "");
    becomes("nothing more is read", &true, || {
        let before = read();
        // That nothing happens is what is waited for.
        thread::sleep(Duration::from_secs(2));
        before > 0.0 && read() == before
    });
    assert!(read() < 24.0, "{} of 96 messages were read", read());
    receiver.restart();
    becomes("alerts", &expected(&lines), || receiver.raised());
    let peak = bridge.program().peak_memory() >> 20;
    println!("peak: {peak} MiB");
    assert!(peak < 120, "{peak} MiB");
}

#[test]
fn half_an_hour_without_the_hub_loses_nothing_and_raises_nothing_twice() {
    let lines = recent(seed("aks outage"), 960);
    let fake = EventHubs::start();
    let hub = fake.hub("audit", PARTITIONS);
    // Its tokens end several times within the outage, as those of an hour hardly do once in half of one.
    let entra = fake.entra();
    entra.set_life(Duration::from_secs(2));
    let receiver = Receiver::start();
    let bridge = Bridge::new(&fake, &receiver);
    let token = bridge.folder().join("token");
    std::fs::write(&token, azure::entra::FEDERATED).expect("a file");
    let bridge = bridge
        .environment(vec![
            ("KAB_NAMESPACE", "shop".to_owned()),
            ("KAB_EVENT_HUB", "audit".to_owned()),
            ("KAB_ENDPOINT_URL", format!("amqp://{}", fake.address())),
            ("KAB_ANSWER_TIMEOUT", "5s".to_owned()),
            ("AZURE_TENANT_ID", azure::entra::TENANT.to_owned()),
            ("AZURE_CLIENT_ID", azure::entra::CLIENT.to_owned()),
            ("AZURE_FEDERATED_TOKEN_FILE", token.display().to_string()),
            ("AZURE_AUTHORITY_HOST", entra.url()),
        ])
        .started();
    put(&hub, &lines[..320]);
    becomes("alerts of before", &expected(&lines[..320]), || receiver.raised());

    fake.set_down(true);
    put(&hub, &lines[320..640]);
    let (issued, tried) = (entra.issued(), bridge.metric("eventhub_bridge_requests_total", "lost"));
    becomes("several lives of a token", &true, || {
        bridge.metric("eventhub_bridge_requests_total", "lost") > tried + 3.0 && entra.issued() > issued + 2
    });
    fake.set_down(false);
    put(&hub, &lines[640..]);
    becomes("alerts", &expected(&lines), || receiver.raised());
    becomes("events evaluated", &960.0, || receiver.metric("audit_receiver_evaluated_total", ""));
    assert_eq!(bridge.metric("eventhub_bridge_missed_total", ""), 0.0);
}

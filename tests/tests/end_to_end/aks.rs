//! Event Hubs to alert.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use audit_fakes::Random;
use audit_fakes::azure::blob::Blobs;
use audit_fakes::azure::{self, EventHubs, Hub};
use audit_fakes::traffic::{Line, Traffic};
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Client, Ended, Program, Receiver, becomes, now_ms, run, seed, sum, tested};
use crate::pipeline::{expected, recent};

/// The bridge's binary.
const BRIDGE: &str = env!("CARGO_BIN_EXE_tested-eventhub-bridge");

const PARTITIONS: usize = 32;

/// A bridge with a folder of its own, whose checkpoints outlive its deaths.
struct Bridge {
    folder: TempDir,
    receiver: String,
    environment: Vec<(&'static str, String)>,
    program: Option<Program>,
    admin: Option<Client>,
}

impl Bridge {
    fn new(fake: &EventHubs, receiver: &Receiver) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::write(folder.path().join("string"), fake.connection_string("audit")).expect("a file");
        let variable = ("KAB_CONNECTION_STRING_FILE", folder.path().join("string").display().to_string());
        Self { folder, receiver: receiver.url(), environment: vec![variable], program: None, admin: None }
    }

    /// The same with these environment variables alone, instead of a file with a connection string.
    fn environment(self, environment: Vec<(&'static str, String)>) -> Self {
        Self { environment, ..self }
    }

    fn restart(&mut self) {
        self.kill();
        let mut program = Program::start(&mut self.command());
        self.admin = Some(Client::plain(program.listening("admin")));
        self.program = Some(program);
    }

    fn started(mut self) -> Self {
        self.restart();
        self
    }

    fn kill(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.kill();
        }
    }

    fn program(&self) -> &Program {
        self.program.as_ref().expect("a running bridge")
    }

    /// The sum of a metric's samples.
    fn metric(&self, name: &str) -> f64 {
        let admin = self.admin.as_ref().expect("a running bridge");
        sum(&admin.get("/metrics").expect("an answer of the admin port").body, name, "")
    }

    fn once(&self) -> Ended {
        run(self.command().arg("--once"))
    }

    fn command(&self) -> Command {
        let folder: &Path = self.folder.path();
        let mut command = Command::new(tested(BRIDGE));
        command
            .args(["--admin-listen", "127.0.0.1:0", "--from", "earliest"])
            .arg("--checkpoint")
            .arg(format!("file:{}", folder.join("checkpoints").display()))
            .env_clear()
            .env("HOME", folder)
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        if !self.environment.iter().any(|(name, _)| *name == "WebSinkURL") {
            command.args(["--receiver-url", &self.receiver]);
        }
        command
    }
}

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
    let mut bridge = Bridge::new(&fake, &receiver);
    bridge.environment.push(("KAB_BUFFER", "16MiB".to_owned()));
    bridge.restart();
    becomes("nothing more is read", &true, || {
        let before = bridge.metric("eventhub_bridge_records_total");
        // That nothing happens is what is waited for.
        thread::sleep(Duration::from_secs(2));
        before > 0.0 && bridge.metric("eventhub_bridge_records_total") == before
    });
    let read = bridge.metric("eventhub_bridge_records_total");
    assert!(read < 24.0, "{read} of 96 messages were read");
    receiver.restart();
    becomes("alerts", &expected(&lines), || receiver.raised());
    let peak = bridge.program().peak_memory() >> 20;
    println!("peak: {peak} MiB");
    assert!(peak < 120, "{peak} MiB");
}

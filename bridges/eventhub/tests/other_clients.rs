//! Microsoft's own client against the fake, beside ours: both must be given the same, or the fake is no Event Hubs.

#![expect(clippy::unwrap_used, reason = "a test that fails here fails")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use audit_bridge::Source;
use audit_bridge::metrics::Metrics;
use audit_bridge::time::From;
use audit_fakes::azure::EventHubs;
use audit_service::health::Health;
use eventhub_bridge::amqp::Endpoint;
use eventhub_bridge::credentials::Credentials;
use eventhub_bridge::hub::{Hub, Settings};
use eventhub_bridge::source::{HubMetrics, Partition, Reading};

const REQUIREMENT: &str = "azure-eventhub==5.15.1";

/// Reads every partition from its beginning until so many events came; a line each, then the hub's properties.
const READER: &str = r#"
import json, socket, sys, threading
# It sets the segment size that it finds, and on loopback that is larger than Linux lets anyone set.
del socket.TCP_MAXSEG
from azure.eventhub import EventHubConsumerClient

client = EventHubConsumerClient.from_connection_string(sys.argv[1], consumer_group=sys.argv[2])
wanted, lines, lock, done = int(sys.argv[3]), [], threading.Lock(), threading.Event()

def on_event(partition, event):
    with lock:
        lines.append([partition.partition_id, event.sequence_number, event.offset, event.body_as_str()])
        if len(lines) >= wanted:
            done.set()

reading = threading.Thread(target=client.receive, args=(on_event,), kwargs={"starting_position": "-1"}, daemon=True)
reading.start()
arrived = done.wait(120)
properties = client.get_eventhub_properties()
last = [client.get_partition_properties(id)["last_enqueued_sequence_number"] for id in properties["partition_ids"]]
for line in sorted(lines):
    print(json.dumps(line))
print(json.dumps({"arrived": arrived, "name": properties["eventhub_name"], "last": last}))
client.close()
"#;

#[tokio::test]
async fn microsofts_client_and_ours_are_given_the_same_events() {
    let modules = match install() {
        Ok(modules) => modules,
        Err(reason) => {
            println!("SKIPPED: {REQUIREMENT} cannot be had: {reason}");
            eprintln!("SKIPPED: {REQUIREMENT} cannot be had: {reason}");
            return;
        }
    };
    let fake = EventHubs::start();
    let held = fake.hub("audit", 4);
    let large = "x".repeat(300_000);
    for number in 0..400_usize {
        let body =
            if number.is_multiple_of(100) { format!("{number} {large}") } else { format!("{number} é") };
        held.put(number % 4, body);
    }
    let string = fake.connection_string("audit");
    let theirs = Command::new("python3")
        .env("PYTHONPATH", modules)
        .args(["-c", READER, &string, "theirs", "400"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ours = read(&fake).await;
    let theirs = tokio::task::spawn_blocking(|| theirs.wait_with_output()).await.unwrap().unwrap();
    let text = String::from_utf8(theirs.stdout).unwrap();
    let mut lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said = lines.pop().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&theirs.stderr)));
    assert_eq!(said, serde_json::json!({"arrived": true, "name": "audit", "last": [99, 99, 99, 99]}));
    assert_eq!(lines.len(), 400);
    assert!(lines == ours, "they differ");
    assert!(fake.attached().iter().any(|attached| attached.group == "theirs"));
}

/// The same lines by our client.
async fn read(fake: &EventHubs) -> Vec<serde_json::Value> {
    let endpoint = Endpoint {
        namespace: "127.0.0.1".to_owned(),
        host: "127.0.0.1".to_owned(),
        port: fake.address().port(),
        websocket: false,
        tls: None,
        answer_within: Duration::from_secs(30),
    };
    let settings = Settings {
        endpoint,
        hub: "audit".to_owned(),
        group: "ours".to_owned(),
        epoch: Some(0),
        reader: "test".to_owned(),
    };
    let policy = fake.connection_string("audit").parse().unwrap();
    let hub = Arc::new(Hub::new(settings, Credentials::Policy(policy)));
    let reading = Reading {
        hub: Arc::clone(&hub),
        from: From::Beginning,
        once: true,
        budget: 64 << 20,
        sharing: Arc::new(AtomicUsize::new(0)),
        metrics: Metrics::default(),
        hub_metrics: HubMetrics::default(),
    };
    let mut lines = Vec::new();
    for id in hub.partitions().await.unwrap() {
        let mut partition = Partition::new(&reading, &id, &id, None, Health::new().condition("partition"));
        let mut sequence = 0;
        while let Some(batch) = partition.next().await.unwrap() {
            for record in batch.records {
                let offset = format!("1:{}:{sequence}", sequence * 4096);
                lines.push(serde_json::json!([id, sequence, offset, record.text]));
                sequence += 1;
            }
            let position = batch.position.unwrap();
            assert_eq!(position.sequence, Some(sequence - 1));
            assert_eq!(position.offset, Some(format!("1:{}:{}", (sequence - 1) * 4096, sequence - 1)));
        }
    }
    lines
}

/// Makes sure that it is there and gives the folder of its modules.
fn install() -> Result<PathBuf, String> {
    let modules = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let there =
        Command::new("python3").env("PYTHONPATH", &modules).args(["-c", "import azure.eventhub"]).output();
    if there.is_ok_and(|output| output.status.success()) {
        return Ok(modules);
    }
    let pip = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--upgrade", "--target"])
        .arg(&modules)
        .arg(REQUIREMENT)
        .output();
    match pip {
        Ok(output) if output.status.success() => Ok(modules),
        Ok(output) => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

//! The loop with a source that counts and a receiver in memory.

use std::sync::Mutex;

use audit_service::health::Health;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::*;
use crate::checkpoint::{CheckpointStore, Document, Expected, FileStore, Patience, Pending, Version};
use crate::deliver::{Answer, Keep, NoAnswer, Target};
use crate::record::Record;

#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
struct Offset(usize);

impl Position for Offset {
    fn follows(&self, earlier: &Self) -> bool {
        self.0 >= earlier.0
    }
}

/// Gives the numbers from `next` to `end` in batches of `size`, then ends or waits for ever.
struct Numbers {
    next: usize,
    end: usize,
    size: usize,
    wait_at_end: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("never")]
struct Never;

impl Source for Numbers {
    type Position = Offset;
    type Failed = Never;

    async fn next(&mut self) -> Result<Option<Batch<Offset>>, Never> {
        let to = (self.next + self.size).min(self.end);
        if to == self.next {
            if self.wait_at_end {
                std::future::pending::<()>().await;
            }
            return Ok(None);
        }
        let records = (self.next..to).map(|number| Record::bare(number.to_string())).collect();
        self.next = to;
        Ok(Some(Batch { records, position: Some(Offset(to)), load: None }))
    }
}

/// Multiples of 10 are ignored, of 7 unreadable, of 3 give two events.
struct Numbered;

impl Convert for Numbered {
    const LIST: &str = "numbers";

    fn convert(&self, record: &Record) -> Vec<Converted> {
        let number: usize = record.text.parse().unwrap();
        let event = |part: usize| Converted::Event(format!("[{number},{part}]"));
        match number {
            number if number % 10 == 0 => vec![Converted::Ignored("ten".into())],
            number if number % 7 == 0 => {
                vec![Converted::Quarantined { reason: "seven".into(), record: record.text.clone() }]
            }
            number if number % 3 == 0 => vec![event(0), event(1)],
            _ => vec![event(0)],
        }
    }
}

#[derive(Clone, Default)]
struct Memory {
    events: Arc<Mutex<Vec<String>>>,
    kept: Arc<Mutex<Vec<String>>>,
    largest: Arc<Mutex<usize>>,
    stuck: bool,
}

impl Transport for Memory {
    async fn post(&self, target: Target, body: Bytes) -> Result<Answer, NoAnswer> {
        if self.stuck {
            std::future::pending::<()>().await;
        }
        let body: Value = serde_json::from_slice(&body).unwrap();
        match target {
            Target::Events => {
                let items = body["items"].as_array().unwrap();
                self.events.lock().unwrap().extend(items.iter().map(Value::to_string));
                let mut largest = self.largest.lock().unwrap();
                *largest = items.len().max(*largest);
            }
            Target::Quarantine => {
                let records = body["records"].as_array().unwrap();
                self.kept
                    .lock()
                    .unwrap()
                    .extend(records.iter().map(|kept| kept["record"].as_str().unwrap().to_owned()));
            }
        }
        Ok(Answer { status: 200, ..Answer::default() })
    }
}

async fn unit(
    folder: &std::path::Path,
    receiver: &Memory,
    source: Numbers,
) -> Unit<Numbers, Numbered, Memory> {
    let store: Arc<dyn CheckpointStore> = Arc::new(FileStore::new(folder));
    let health = Health::new();
    let lease = Lease::acquire(store, "numbers", "test", Patience::Once).await.unwrap();
    let start = lease.position().map_or(0, |position| usize::try_from(position.as_u64().unwrap()).unwrap());
    let deliverer = Deliverer::new(
        receiver.clone(),
        Keep::Receiver,
        "numbers",
        health.condition("receiver"),
        Metrics::default(),
    );
    Unit {
        name: "numbers".into(),
        source: Numbers { next: start, ..source },
        convert: Arc::new(Numbered),
        deliverer: Arc::new(deliverer),
        lease,
        condition: health.condition("checkpoint"),
        metrics: Metrics::default(),
    }
}

fn numbers(end: usize, size: usize, wait_at_end: bool) -> Numbers {
    Numbers { next: 0, end, size, wait_at_end }
}

fn expected(range: std::ops::Range<usize>) -> (Vec<String>, Vec<String>) {
    let (mut events, mut kept) = (Vec::new(), Vec::new());
    for number in range {
        for part in Numbered.convert(&Record::bare(number.to_string())) {
            match part {
                Converted::Event(text) => events.push(text),
                Converted::Quarantined { record, .. } => kept.push(record),
                Converted::Ignored(_) => {}
            }
        }
    }
    events.sort();
    kept.sort();
    (events, kept)
}

fn received(receiver: &Memory) -> (Vec<String>, Vec<String>) {
    let (mut events, mut kept) =
        (receiver.events.lock().unwrap().clone(), receiver.kept.lock().unwrap().clone());
    events.sort();
    kept.sort();
    (events, kept)
}

async fn committed(folder: &std::path::Path) -> Value {
    FileStore::new(folder).load("numbers").await.unwrap().unwrap().0.position
}

#[tokio::test]
async fn everything_is_delivered_and_committed_and_the_next_run_goes_on_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Memory::default();
    unit(folder.path(), &receiver, numbers(5000, 1300, false)).await.run(&Shutdown::new()).await.unwrap();
    assert_eq!(committed(folder.path()).await, 5000);
    unit(folder.path(), &receiver, numbers(5555, 1, false)).await.run(&Shutdown::new()).await.unwrap();
    assert_eq!(committed(folder.path()).await, 5555);
    assert_eq!(received(&receiver), expected(0..5555));
    assert!(*receiver.largest.lock().unwrap() <= 500);
}

#[tokio::test]
async fn what_is_under_way_at_shutdown_is_delivered_and_committed() {
    let folder = tempfile::tempdir().unwrap();
    let (receiver, shutdown) = (Memory::default(), Shutdown::new());
    let running = tokio::spawn({
        let unit = unit(folder.path(), &receiver, numbers(1000, 100, true)).await;
        let shutdown = shutdown.clone();
        async move { unit.run(&shutdown).await }
    });
    while receiver.events.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    shutdown.request();
    running.await.unwrap().unwrap();
    let position = usize::try_from(committed(folder.path()).await.as_u64().unwrap()).unwrap();
    assert!(position > 0);
    assert_eq!(received(&receiver), expected(0..position));
}

#[tokio::test]
async fn what_a_source_cannot_read_is_quarantined_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Memory::default();
    let unit = unit(folder.path(), &receiver, numbers(0, 1, false)).await;
    let record = Record { unreadable: Some("garbled".into()), ..Record::bare("1") };
    let source = Given(Some(Batch { records: vec![record], position: Some(Offset(1)), load: None }));
    let Unit { name, convert, deliverer, lease, condition, metrics, .. } = unit;
    let unit = Unit { name, source, convert, deliverer, lease, condition, metrics };
    unit.run(&Shutdown::new()).await.unwrap();
    assert_eq!(received(&receiver), (vec![], vec!["1".to_owned()]));
    assert_eq!(committed(folder.path()).await, 1);
}

/// Gives one batch.
struct Given(Option<Batch<Offset>>);

impl Source for Given {
    type Position = Offset;
    type Failed = Never;

    async fn next(&mut self) -> Result<Option<Batch<Offset>>, Never> {
        Ok(self.0.take())
    }
}

/// Keeps the last position and takes one at any time.
#[derive(Debug, Default)]
struct Last(Arc<Mutex<Value>>);

impl CheckpointStore for Last {
    fn commit_every(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn hold<'a>(&'a self, _: &'a str) -> Pending<'a, bool> {
        Box::pin(async { Ok(true) })
    }

    fn load<'a>(&'a self, _: &'a str) -> Pending<'a, Option<(Document, Version)>> {
        Box::pin(async { Ok(None) })
    }

    fn store<'a>(&'a self, document: &'a Document, _: Expected) -> Pending<'a, Version> {
        *self.0.lock().unwrap() = document.position.clone();
        Box::pin(async { Ok(Version(String::new())) })
    }
}

#[tokio::test]
async fn a_source_that_never_pauses_is_committed_although_no_batch_ends_with_a_body() {
    let folder = tempfile::tempdir().unwrap();
    let last = Arc::new(Mutex::new(Value::Null));
    let store = Arc::new(Last(Arc::clone(&last)));
    let mut unit = unit(folder.path(), &Memory::default(), numbers(usize::MAX, 1, false)).await;
    // A prime, and a body of 500 events never ends where so many records do.
    unit.source.size = 10_007;
    unit.lease = Lease::acquire(store, "numbers", "test", Patience::Once).await.unwrap();
    let shutdown = Shutdown::new();
    let running = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { unit.run(&shutdown).await }
    });
    let committed = async {
        while last.lock().unwrap().as_u64().is_none_or(|position| position < 30_000) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), committed).await.expect("a position");
    running.abort();
}

#[tokio::test]
async fn nothing_is_committed_that_was_not_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Memory { stuck: true, ..Memory::default() };
    let unit = unit(folder.path(), &receiver, numbers(100, 10, true)).await;
    let stopped = tokio::time::timeout(Duration::from_millis(300), unit.run(&Shutdown::new())).await;
    assert!(stopped.is_err(), "it goes on trying");
    assert_eq!(committed(folder.path()).await, Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_unit_whose_quarantine_cannot_be_written_waits_before_the_record_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let receiver = Memory::default();
    let mut unit = unit(folder.path(), &receiver, numbers(100, 5, false)).await;
    let health = Health::new();
    let keep = Keep::File(folder.path().join("absent/quarantine"));
    let condition = health.condition("receiver");
    unit.deliverer =
        Arc::new(Deliverer::new(receiver.clone(), keep, "numbers", condition, Metrics::default()));
    let running = tokio::spawn(async move { unit.run(&Shutdown::new()).await });
    while health.is_ready() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let told = format!("{:?}", health.failing());
    assert!(told.contains("absent/quarantine") && told.contains("No such file"), "{told}");
    tokio::time::sleep(Duration::from_secs(100)).await;
    let position = committed(folder.path()).await;
    assert!(position.is_null() || position.as_u64().unwrap() <= 7, "{position}");
    std::fs::create_dir(folder.path().join("absent")).unwrap();
    running.await.unwrap().unwrap();
    assert!(health.is_ready());
    assert_eq!(committed(folder.path()).await, 100);
}

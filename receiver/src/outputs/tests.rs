use std::sync::Mutex;

use audit_rules::Priority;
use audit_service::metrics::Metrics;
use uuid::Uuid;

use super::*;
use crate::store::{Alert, Batch, Location};

/// Fails every other time, after writing.
#[derive(Clone, Default)]
struct Flaky {
    written: Arc<Mutex<Vec<String>>>,
    attempts: u32,
}

impl Output for Flaky {
    fn name(&self) -> &'static str {
        "flaky"
    }

    async fn write(&mut self, alerts: &[Waiting]) -> io::Result<()> {
        self.attempts += 1;
        self.written.lock().unwrap().extend(alerts.iter().map(|alert| alert.document.clone()));
        if self.attempts % 2 == 1 { Err(io::Error::other("no reader")) } else { Ok(()) }
    }
}

fn batch(ids: std::ops::Range<u128>) -> Batch {
    let alerts = ids.map(|id| Alert {
        id: Uuid::from_u128(id),
        time: 0,
        rule: String::new(),
        priority: Priority::Debug,
        cluster: String::new(),
        document: format!("{id:03}"),
    });
    Batch { alerts: alerts.collect(), quarantined: Vec::new() }
}

#[tokio::test]
async fn every_alert_is_written_at_least_once_whatever_fails() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite(folder.path().join("alerts.db"));
    let store = Store::open(&location, &["flaky"]).await.unwrap();
    let output = Flaky::default();
    let written = output.written.clone();
    let counters = Arc::new(Counters::new(&Metrics::new("test", "0")));
    let shutdown = Shutdown::new();
    // Some before it starts, some while it runs.
    store.record(batch(0..100)).await.unwrap();
    let feeding = tokio::spawn(feed(output, store.clone(), counters, shutdown.clone()));
    store.record(batch(100..150)).await.unwrap();
    while !store.waiting("flaky", 1).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    shutdown.request();
    feeding.await.unwrap();
    let mut written = written.lock().unwrap().clone();
    assert!(written.len() > 150, "an attempt that failed is repeated");
    written.sort_unstable();
    written.dedup();
    assert_eq!(written, (0..150).map(|id| format!("{id:03}")).collect::<Vec<_>>());
}

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use audit_service::health::Condition;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::*;
use crate::checkpoint::Watch;
use crate::checkpoint::tests::Remote;
use crate::record::{Batch, Converted, Position, Record};

const UNIT: &str = "a";

struct Nothing;

impl Convert for Nothing {
    const LIST: &str = "records";

    fn convert(&self, _: &Record) -> Vec<Converted> {
        Vec::new()
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct At(u64);

impl Position for At {
    fn follows(&self, earlier: &Self) -> bool {
        self.0 >= earlier.0
    }
}

/// Finds out that it is no longer the one who reads.
struct Stolen(Condition);

impl Source for Stolen {
    type Position = At;
    type Failed = Infallible;

    async fn next(&mut self) -> Result<Option<Batch<At>>, Infallible> {
        self.0.not_ready("another reads");
        std::future::pending().await
    }
}

/// A mistake of ours, the first time.
struct Faulty(u32);

impl Source for Faulty {
    type Position = At;
    type Failed = Infallible;

    async fn next(&mut self) -> Result<Option<Batch<At>>, Infallible> {
        assert!(self.0 > 0, "a mistake of ours");
        std::future::pending().await
    }
}

fn daemon(store: &Arc<dyn CheckpointStore>) -> Daemon {
    let url = "http://127.0.0.1:9/k8s_audit".parse().unwrap();
    let receiver = HttpReceiver::new("b/1", url, &Default::default()).unwrap();
    Daemon::new("b", "1", Shutdown::new(), Arc::clone(store), receiver, Keep::default())
}

async fn becomes(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        sleep(Duration::from_millis(500)).await;
    }
    panic!("{what}: never");
}

#[tokio::test(start_paused = true)]
async fn a_unit_that_another_reads_leaves_nobody_unready() {
    let store: Arc<dyn CheckpointStore> = Arc::new(Remote::default());
    let daemon = daemon(&store);
    let health = daemon.health.clone();
    let condition = health.condition(source_condition(UNIT));
    let source = move |_: Option<&Value>| Ok(Stolen(condition.clone()));
    tokio::spawn(daemon.keep(UNIT.to_owned(), false, Arc::new(Nothing), source));
    becomes("told of the theft", || health.failing().iter().any(|(_, reason)| reason == "another reads"))
        .await;

    let mut watch = Watch::default();
    watch.look(&store, UNIT, "other").await.unwrap();
    let mut lease = Lease::take(&store, UNIT, "other", &watch).await.unwrap();
    tokio::spawn(async move {
        while lease.commit(None).await.is_ok() {
            sleep(Duration::from_secs(1)).await;
        }
    });
    becomes("ready", || health.is_ready()).await;
    sleep(Duration::from_secs(60)).await;
    assert!(health.is_ready(), "{:?}", health.failing());
}

#[tokio::test(start_paused = true)]
async fn a_unit_whose_task_panicked_shows_and_is_read_again() {
    let store: Arc<dyn CheckpointStore> = Arc::new(Remote::default());
    let daemon = daemon(&store);
    let health = daemon.health.clone();
    let built = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&built);
    let source = move |_: &str, _: Option<&Value>| Ok(Faulty(count.fetch_add(1, Ordering::SeqCst)));
    let units = vec![UNIT.to_owned()];
    tokio::spawn(crate::share::spread(daemon, units, Arc::new(Nothing), source, None));
    becomes("told of the panic", || health.failing().iter().any(|(_, reason)| reason.contains("panic")))
        .await;
    becomes("read again", || built.load(Ordering::SeqCst) == 2 && health.is_ready()).await;
}

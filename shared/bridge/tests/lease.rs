//! A lease under any schedule: processes that pause, crash, let go, and whose clocks run at their own speeds.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails here fails")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit_bridge::checkpoint::{
    CheckpointStore, CommitFailed, Document, Expected, Lease, Patience, Pending, StoreFailed, Version,
};
use audit_service::health::Health;
use proptest::prelude::*;
use serde_json::json;
use tokio::time::sleep;

/// What stands in the store, and every position that was ever stored.
#[derive(Debug, Default)]
struct Store {
    held: Option<(Document, u64)>,
    positions: Vec<u64>,
}

/// The store in the hands of one process.
#[derive(Debug)]
struct Handle {
    store: Arc<Mutex<Store>>,
    /// The expiry by this process's clock.
    expiry: Duration,
    /// Whether the next writes are lost: before, after, or not.
    losses: Mutex<VecDeque<u8>>,
}

impl CheckpointStore for Handle {
    fn expiry(&self) -> Duration {
        self.expiry
    }

    fn hold<'a>(&'a self, _: &'a str) -> Pending<'a, bool> {
        Box::pin(async { Ok(false) })
    }

    fn load<'a>(&'a self, _: &'a str) -> Pending<'a, Option<(Document, Version)>> {
        Box::pin(async {
            sleep(Duration::from_millis(3)).await;
            let held = self.store.lock().unwrap().held.clone();
            Ok(held.map(|(document, version)| (document, Version(version.to_string()))))
        })
    }

    fn store<'a>(&'a self, document: &'a Document, expected: Expected) -> Pending<'a, Version> {
        Box::pin(async move {
            sleep(Duration::from_millis(3)).await;
            let lost =
                || StoreFailed::Unavailable { place: "here".into(), what: "written", reason: "lost".into() };
            let loss = self.losses.lock().unwrap().pop_front().unwrap_or(0);
            if loss == 1 {
                return Err(lost());
            }
            let mut store = self.store.lock().unwrap();
            let version = store.held.as_ref().map(|(_, version)| *version);
            let fits = match expected {
                Expected::Anything => true,
                Expected::Absent => version.is_none(),
                Expected::Version(expected) => {
                    version.is_some_and(|version| version.to_string() == expected.0)
                }
            };
            if !fits {
                return Err(StoreFailed::Conflict("here".into()));
            }
            let next = version.unwrap_or(0) + 1;
            if let Some(position) = document.position.as_u64() {
                store.positions.push(position);
            }
            store.held = Some((document.clone(), next));
            if loss == 2 { Err(lost()) } else { Ok(Version(next.to_string())) }
        })
    }
}

/// One life of a process: what it waits before each commit, and whether it lets go or just ends.
#[derive(Clone, Debug)]
struct Life {
    pauses: Vec<u64>,
    lets_go: bool,
}

#[derive(Clone, Debug)]
struct Process {
    expiry: u64,
    losses: Vec<u8>,
    lives: Vec<Life>,
}

fn process() -> impl Strategy<Value = Process> {
    // Most commits come in time; some pauses are longer than any expiry.
    let pause = prop_oneof![8 => 1u64..200, 1 => 500u64..8000];
    let life = (proptest::collection::vec(pause, 0..12), any::<bool>())
        .prop_map(|(pauses, lets_go)| Life { pauses, lets_go });
    // Clocks of half and of double speed.
    let losses =
        proptest::collection::vec(prop_oneof![6 => Just(0u8), 1 => Just(1u8), 1 => Just(2u8)], 0..40);
    (500u64..2000, losses, proptest::collection::vec(life, 1..5))
        .prop_map(|(expiry, losses, lives)| Process { expiry, losses, lives })
}

async fn live(store: Arc<Mutex<Store>>, name: usize, process: Process) {
    let losses = Mutex::new(process.losses.into());
    let expiry = Duration::from_millis(process.expiry);
    let condition = Health::new().condition("checkpoint");
    let handle: Arc<dyn CheckpointStore> = Arc::new(Handle { store, expiry, losses });
    for (number, life) in process.lives.into_iter().enumerate() {
        let owner = format!("{name}/{number}");
        let patience = Patience::Endless(&condition);
        let mut lease = Lease::acquire(handle.clone(), "unit", &owner, patience).await.unwrap();
        let mut deposed = false;
        'life: for pause in life.pauses {
            sleep(Duration::from_millis(pause)).await;
            // The work goes on from where the last owner stood.
            let next = lease.position().and_then(serde_json::Value::as_u64).unwrap_or(0) + 1;
            loop {
                let standing = lease.position().and_then(serde_json::Value::as_u64);
                if standing == Some(next) {
                    break;
                }
                match lease.commit(Some(json!(next))).await {
                    Ok(()) => break,
                    Err(CommitFailed::Store(StoreFailed::Unavailable { .. })) => {}
                    Err(CommitFailed::Deposed { .. }) => {
                        deposed = true;
                        break 'life;
                    }
                    Err(failed) => panic!("{failed}"),
                }
            }
        }
        if life.lets_go && !deposed {
            let _ = lease.release().await;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Positions in the store never go back and never skip: no owner works on from what another has overtaken.
    #[test]
    fn positions_only_ever_go_on(processes in proptest::collection::vec(process(), 1..5)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let store = Arc::new(Mutex::new(Store::default()));
        let before = store.clone();
        runtime.block_on(async move {
            let lives: Vec<_> = processes
                .into_iter()
                .enumerate()
                .map(|(name, process)| tokio::spawn(live(before.clone(), name, process)))
                .collect();
            for life in lives {
                life.await.unwrap();
            }
        });
        let positions = &store.lock().unwrap().positions;
        // A renewal or a take-over writes the same position again.
        prop_assert!(positions.windows(2).all(|pair| pair[1] == pair[0] || pair[1] == pair[0] + 1), "{positions:?}");
    }
}

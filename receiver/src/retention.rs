//! Keeps the store from filling its disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use audit_service::config::{Bytes, Span};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::metrics::Counters;
use crate::native;
use crate::store::{Batch, Keep, Location, Store, StoreError};

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(10);

/// Room in the store's file that is made on a full disk, so that the intake goes on.
const ROOM: u64 = 16 << 20;

/// How long what is stored is kept. Identities stay, so that an old event sent again raises nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Alerts.
    pub alerts: Span,
    /// Quarantined records.
    pub quarantine: Span,
    /// Most bytes of both together, about: the oldest go first. Without bound when not given.
    pub size: Option<Bytes>,
    /// With less free than this on the disk of a SQLite store an alert is raised, and the oldest go as room is needed.
    pub disk_low: Bytes,
}

impl Default for Options {
    fn default() -> Self {
        let days = |days: u64| Span::secs(days * 86_400);
        Self { alerts: days(90), quarantine: days(30), size: None, disk_low: Bytes::mib(512) }
    }
}

impl Options {
    fn keep(&self, now: Timestamp) -> Keep {
        let since = |span: Span| {
            let millis = i64::try_from(span.0.as_millis()).unwrap_or(i64::MAX);
            now.as_millisecond().saturating_sub(millis)
        };
        let bytes = self.size.map(|size| i64::try_from(size.len()).unwrap_or(i64::MAX));
        Keep {
            alerts_since: since(self.alerts),
            quarantine_since: since(self.quarantine),
            bytes,
            make_room: false,
        }
    }
}

/// Removes what is too old or too much, as long as there is a store.
pub async fn run(
    options: Options,
    location: Location,
    store: Store,
    hostname: String,
    counters: Arc<Counters>,
) {
    loop {
        let mut keep = options.keep(Timestamp::now());
        if let Location::Sqlite(path) = &location {
            keep.make_room = disk_is_low(&options, path, &store, &hostname, &counters).await;
        }
        match remove(&store, keep, &counters).await {
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "what is too old could not be removed"),
            Ok(()) => {}
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A step at a time, so that the intake comes in between.
async fn remove(store: &Store, mut keep: Keep, counters: &Counters) -> Result<(), StoreError> {
    loop {
        let removed = store.retain(keep).await?;
        counters.removed(removed);
        if removed == 0 {
            return Ok(());
        }
        if keep.make_room {
            keep.make_room = store.room().await? < ROOM;
        }
    }
}

/// Tells of a disk that is low; whether room is needed as well.
async fn disk_is_low(
    options: &Options,
    path: &Path,
    store: &Store,
    hostname: &str,
    counters: &Counters,
) -> bool {
    let Some(free) = free(path) else { return false };
    counters.disk_free(free);
    if free >= options.disk_low.len() as u64 {
        return false;
    }
    let alert = native::disk_low(free, hostname, Timestamp::now());
    let rule = alert.rule.clone();
    match store.record(Batch { alerts: vec![alert], ..Batch::default() }).await {
        Ok(recorded) => counters.alerts(std::iter::once(&rule).zip(&recorded.new)),
        Err(error) => tracing::error!(%error, free, "the disk of the store is low"),
    }
    store.room().await.is_ok_and(|room| room < ROOM)
}

/// Bytes that the file's disk has left for us.
fn free(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

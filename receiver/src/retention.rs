//! Keeps the store from filling its disk.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use audit_service::config::{Bytes, Span};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::metrics::Counters;
use crate::native;
use crate::store::{Batch, Keep, Location, Retained, Store, StoreError};

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(10);

/// Room in the store's file that is made on a full disk, so that the intake goes on.
const ROOM: u64 = 16 << 20;

/// How often it is looked at when there is a size to keep, or little room left.
const OFTEN: Duration = Duration::from_secs(1);

/// Identities seen within this go for no size: bridges and API servers send again what they sent within hours.
const SURELY: Duration = Duration::from_secs(86_400);

/// How long what is stored is kept. Identities stay longer than alerts, so that an old event sent again raises nothing.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Alerts.
    pub alerts: Span,
    /// Quarantined records.
    pub quarantine: Span,
    /// Identities of alerts, since their event was seen last; in any case as long as the alert is kept.
    pub identities: Span,
    /// Most bytes of all together: of the file of SQLite, of the rows of PostgreSQL, about. The oldest go first. Without
    /// bound when not given.
    pub size: Option<Bytes>,
    /// With less free than this on the disk of a SQLite store an alert is raised, and the oldest go as room is needed.
    pub disk_low: Bytes,
}

impl Default for Options {
    fn default() -> Self {
        let days = |days: u64| Span::secs(days * 86_400);
        Self {
            alerts: days(90),
            quarantine: days(30),
            identities: days(30),
            size: None,
            disk_low: Bytes::mib(512),
        }
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
            identities_since: since(self.identities),
            identities_surely: since(self.identities.min(Span(SURELY))),
            bytes,
            make_room: 0,
        }
    }
}

/// Keeps a store within bounds.
#[derive(Debug)]
pub struct Retention {
    /// How much is kept.
    pub options: Options,
    /// Of what.
    pub store: Store,
    /// The name of this machine.
    pub hostname: String,
    /// What is counted.
    pub counters: Arc<Counters>,
}

impl Retention {
    /// Removes what is too old or too much, as long as there is a store.
    pub async fn run(self, location: Location) {
        loop {
            let free = match &location {
                Location::Sqlite(path) => free(path),
                Location::Postgres(_) => None,
            };
            let is_low = free.is_some_and(|free| free < self.options.disk_low.len() as u64);
            let often = self.options.size.is_some() || is_low;
            match self.look(free, Timestamp::now()).await {
                Err(StoreError::Closed) => return,
                Err(error) => tracing::warn!(%error, "what is too old could not be removed"),
                Ok(()) => {}
            }
            tokio::time::sleep(if often { OFTEN } else { LOOK }).await;
        }
    }

    /// Does what is to be done when the disk has so many bytes left, if that is known.
    async fn look(&self, free: Option<u64>, now: Timestamp) -> Result<(), StoreError> {
        let mut keep = self.options.keep(now);
        if let Some(free) = free {
            self.counters.disk_free(free);
            if free < self.options.disk_low.len() as u64 {
                // Room first: there may be none for the alert.
                keep.make_room = self.lacks().await?;
                self.remove(keep).await?;
                keep.make_room = 0;
                self.tell(free, now).await;
            }
        }
        self.remove(keep).await?;
        self.counters.store_usage(&self.store.usage().await?);
        Ok(())
    }

    /// A step at a time, so that the intake comes in between.
    async fn remove(&self, mut keep: Keep) -> Result<(), StoreError> {
        loop {
            let retained = self.store.retain(keep).await?;
            self.counters.removed(&retained);
            if retained == Retained::default() {
                return Ok(());
            }
            if keep.make_room > 0 {
                keep.make_room = self.lacks().await?;
            }
        }
    }

    /// What the room within the file is less than it should be, in bytes.
    async fn lacks(&self) -> Result<i64, StoreError> {
        let lacks = ROOM.saturating_sub(self.store.room().await?);
        Ok(i64::try_from(lacks).unwrap_or(i64::MAX))
    }

    /// Raises the alert that the disk is low.
    async fn tell(&self, free: u64, now: Timestamp) {
        let alert = native::disk_low(free, &self.hostname, now);
        let rule = alert.rule.clone();
        match self.store.record(Batch { alerts: vec![alert], ..Batch::default() }).await {
            Ok(recorded) => self.counters.alerts(std::iter::once(&rule).zip(&recorded.new)),
            Err(error) => tracing::error!(%error, free, "the disk of the store is low"),
        }
    }
}

/// Bytes that the file's disk has left for us.
fn free(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests;

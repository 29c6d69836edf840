//! Where alerts and quarantined records become durable.
//!
//! Writes from many requests pass one writer, which takes what waits into one transaction: while it waits for the disk the
//! next transaction gathers, so the price of `fsync` is shared by everybody who waits. [`Store::record`] answers after
//! the commit, never before.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

pub use activity::{ActivityFilter, Shown};
pub use alert::{Alert, AlertsWanted, Stored, Subject};
pub use beside::{
    activity, add_silence, backlogs, erase, erasures, quarantine_counts, quarantine_list, quarantined,
    read_alerts, remove_silence, retry, silences,
};
use database::Database;
pub use erasure::Erasure;
pub use error::{Health, OpenFailed, StoreError};
pub use location::{Location, NoLocation};
use quarantine::SetAside;
pub use quarantine::{Kept, Listed, Quarantined};
pub use query::Filter;
pub use retention::{Keep, Retained, Usage};
pub use route::{Backlog, Route, Waiting};
pub use silence::Silence;
pub use write::{Batch, Recorded};
use write::{Request, Write};

use crate::redact::Redact;

mod activity;
mod alert;
mod beside;
mod database;
mod erasure;
mod error;
mod location;
mod postgres;
mod quarantine;
mod query;
mod retention;
mod route;
mod silence;
mod sqlite;
#[cfg(test)]
mod tests;
mod write;
mod writer;

/// Requests that wait for the writer before senders have to wait themselves.
const WAITING_WRITES: usize = 1024;

/// How long an output is left to a receiver that has gone.
pub const LEASE: Duration = Duration::from_secs(15);

/// A store in use. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    writes: mpsc::Sender<Request>,
    health: watch::Receiver<Health>,
    commits: watch::Receiver<u64>,
    reader: Database,
    /// Who this is among receivers that share a database.
    owner: Arc<str>,
    redact: Arc<Redact>,
}

impl Store {
    /// Opens the store, made or migrated as needed, and starts its writer. New alerts wait for the outputs
    /// that `routes` name. Writes once, so that a store that can't be written is known here.
    ///
    /// # Errors
    /// When it can't be reached or written, or is no store.
    pub async fn open(location: &Location, routes: Vec<Route>) -> Result<Self, OpenFailed> {
        let reader = Database::open(location).await?;
        let failed = |cause: StoreError| OpenFailed::Database {
            store: location.to_string(),
            cause: cause.to_string(),
        };
        let writer = reader.writer(routes).await.map_err(failed)?;
        let (writes, requests) = mpsc::channel(WAITING_WRITES);
        let (health_set, health) = watch::channel(Ok(()));
        let (commits_set, commits) = watch::channel(0);
        tokio::spawn(writer::run(writer, requests, health_set, commits_set));
        let store = Self { writes, health, commits, reader, owner: owner().into(), redact: Arc::default() };
        store.write(Write::Heartbeat).await.map_err(failed)?;
        Ok(store)
    }

    /// The same, with other things left out of quarantined records than what is or looks like a secret.
    #[must_use]
    pub fn with_redaction(mut self, redact: Redact) -> Self {
        self.redact = redact.into();
        self
    }

    /// Makes `batch` durable. When this returns `Ok`, it is.
    ///
    /// # Errors
    /// When nothing of the batch was stored, or it isn't known whether it was: to be sent again.
    pub async fn record(&self, mut batch: Batch) -> Result<Recorded, StoreError> {
        let records = std::mem::take(&mut batch.quarantined);
        if records.is_empty() {
            return self.write(Write::Record(batch, Vec::new())).await;
        }
        // They may be large, and strangers write them.
        let redact = self.redact.clone();
        let without = move || records.into_iter().map(|record| SetAside::new(record, &redact)).collect();
        let records = tokio::task::spawn_blocking(without).await.map_err(|_| StoreError::Closed)?;
        self.write(Write::Record(batch, records)).await
    }

    /// Up to `limit` alerts that `output` has yet to write, oldest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn waiting(&self, output: &str, limit: u32) -> Result<Vec<Waiting>, StoreError> {
        self.reader.waiting(output, limit).await
    }

    /// `output` has the alerts `written` and will never take those `refused`.
    ///
    /// # Errors
    /// When this could not be noted; the output will write them again.
    pub async fn settled(
        &self,
        output: &str,
        written: Vec<i64>,
        refused: Vec<(i64, String)>,
    ) -> Result<(), StoreError> {
        self.write(Write::Settled { output: output.to_owned(), written, refused }).await.map(drop)
    }

    /// One step of removing what is not to be kept, oldest first, and of giving back the room that it took. There is more
    /// to do unless nothing was done.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn retain(&self, keep: Keep) -> Result<Retained, StoreError> {
        self.write(Write::Retain(keep)).await.map(|recorded| recorded.retained)
    }

    /// What the rows take: as they say, and for SQLite the bytes of the file.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn usage(&self) -> Result<Usage, StoreError> {
        self.reader.usage().await
    }

    /// Bytes within a file of SQLite that are free to be written to.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn room(&self) -> Result<u64, StoreError> {
        self.reader.room().await
    }

    /// The newest event of each of these clusters, nanoseconds since 1970; older than known changes nothing.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn seen(&self, newest: BTreeMap<String, i64>) -> Result<(), StoreError> {
        self.write(Write::Seen(newest)).await.map(drop)
    }

    /// Clusters with the time of their newest event, nanoseconds since 1970.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn clusters(&self) -> Result<Vec<(String, i64)>, StoreError> {
        self.reader.clusters().await
    }

    /// Up to `limit` alerts stored before the place `before`, newest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn page(
        &self,
        before: i64,
        wanted: &AlertsWanted,
        limit: u32,
    ) -> Result<Vec<Stored>, StoreError> {
        self.reader.page(before, wanted, limit).await
    }

    /// How many alerts of each rule there are of events since `day` and since `week`, nanoseconds since 1970.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn hits(&self, day: i64, week: i64) -> Result<Vec<(String, i64, i64)>, StoreError> {
        self.reader.hits(day, week).await
    }

    /// Up to `limit` entries of activity that began before `before`, or then with a lesser id, newest first; each with its
    /// id.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn activity_page(
        &self,
        before: i64,
        id: &str,
        limit: u32,
    ) -> Result<Vec<(String, Shown)>, StoreError> {
        self.reader.activity_page(before, id, limit).await
    }

    /// Up to `limit` quarantined records after the place `after`, of one cluster if given, oldest first; without themselves.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn quarantine_list(
        &self,
        after: i64,
        cluster: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Listed>, StoreError> {
        self.reader.quarantine_list(after, cluster, limit).await
    }

    /// All silences that there ever were, oldest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn silences(&self) -> Result<Vec<Silence>, StoreError> {
        self.reader.silences().await
    }

    /// Lets the groups of alerts alike whose time is over wait for their outputs, each as one.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn close_groups(&self) -> Result<(), StoreError> {
        self.write(Write::CloseGroups).await.map(drop)
    }

    /// Whether this receiver is the one to feed `output`, and stays it for [`LEASE`]: of several that share a database,
    /// one does.
    ///
    /// # Errors
    /// When the database doesn't say.
    pub async fn lead(&self, output: &str) -> Result<bool, StoreError> {
        let millis = i64::try_from(LEASE.as_millis()).unwrap_or(i64::MAX);
        self.reader.lead(output, &self.owner, millis).await
    }

    /// How each output stands for which anything waits or was refused.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn backlogs(&self) -> Result<Vec<Backlog>, StoreError> {
        self.reader.backlogs().await
    }

    /// Tries a write now and then, so that the store's health is known without traffic: every `period`, every second
    /// while it fails. Ends with the store.
    pub async fn watch_health(self, period: Duration) {
        let mut health = self.health.clone();
        loop {
            if health.borrow_and_update().is_ok() {
                // A failure in between is not left to wait for its turn.
                let _ = tokio::time::timeout(period, health.changed()).await;
            } else {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            if self.write(Write::Heartbeat).await == Err(StoreError::Closed) {
                return;
            }
        }
    }

    /// Whether the store takes writes, as of the last one.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Changes with every commit that added alerts.
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.commits.clone()
    }

    /// The stored alerts that fit `filter`, oldest first, each given to `each` as its document; ends early when that
    /// returns false.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn alerts(&self, filter: &Filter, each: impl FnMut(String) -> bool) -> Result<(), StoreError> {
        self.reader.alerts(filter, each).await
    }

    /// Writes what is under way and leaves the file whole, without a log beside it; later writes fail.
    pub async fn close(self) {
        let _ = self.write(Write::Close).await;
        let _ = self.reader.resign(&self.owner).await;
        self.reader.close().await;
        let mut commits = self.commits.clone();
        // The writer holds the other end until it has closed the file.
        while commits.changed().await.is_ok() {}
    }

    async fn write(&self, write: Write) -> Result<Recorded, StoreError> {
        let (answer, result) = oneshot::channel();
        self.writes.send(Request { write, answer }).await.map_err(|_| StoreError::Closed)?;
        result.await.map_err(|_| StoreError::Closed)?
    }
}

/// A name that no other receiver has, and not this one after a restart.
fn owner() -> String {
    let now = jiff::Timestamp::now().as_nanosecond();
    format!("{}-{}-{now}", crate::serve::hostname(), std::process::id())
}

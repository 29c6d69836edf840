//! Where alerts and quarantined records become durable.
//!
//! Writes from many requests pass one writer, which takes what waits into one transaction: while it waits for the disk the
//! next transaction gathers, so the price of `fsync` is shared by everybody who waits. [`Store::record`] answers after
//! the commit, never before.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use audit_rules::Priority;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use database::Database;
pub use location::{Location, NoLocation};
pub use query::Filter;
pub use retention::Keep;
pub use silence::Silence;

use crate::activity::Activity;
use crate::outputs::Only;

mod database;
mod location;
mod postgres;
mod query;
mod retention;
mod silence;
mod sqlite;
#[cfg(test)]
mod tests;
mod writer;

/// Requests that wait for the writer before senders have to wait themselves.
const WAITING_WRITES: usize = 1024;

/// How long an output is left to a receiver that has gone.
pub const LEASE: Duration = Duration::from_secs(15);

/// An alert ready to be kept.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Unique in the store, see [`crate::identity::alert`].
    pub id: Uuid,
    /// The event's time, nanoseconds since 1970.
    pub time: i64,
    /// Name of the rule that matched.
    pub rule: String,
    /// Of the rule.
    pub priority: Priority,
    /// Of the rule.
    pub tags: Vec<String>,
    /// Name of the cluster, empty when not known.
    pub cluster: String,
    /// Whom and what it is about.
    pub subject: Subject,
    /// The alert as outputs write it: one JSON object in one line.
    pub document: String,
}

/// Whom and what an alert is about; empty where that is not known.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Subject {
    /// The user's name.
    pub user: String,
    /// Namespace of the target.
    pub namespace: String,
    /// `RESOURCE/SUBRESOURCE/NAMESPACE/NAME`
    pub target: String,
}

impl Default for Alert {
    fn default() -> Self {
        Self {
            id: Uuid::nil(),
            time: 0,
            rule: String::new(),
            priority: Priority::Debug,
            tags: Vec::new(),
            cluster: String::new(),
            subject: Subject::default(),
            document: String::new(),
        }
    }
}

/// A record that could not be evaluated, kept whole.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quarantined {
    /// Why.
    pub reason: String,
    /// Name of the cluster, empty when not known.
    pub cluster: String,
    /// Where the record was read: `intake`, or what a bridge names.
    pub source: String,
    /// The record as it came.
    pub record: Vec<u8>,
}

/// A record in the quarantine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Its place in the store's order.
    pub seq: i64,
    /// Milliseconds since 1970.
    pub stored_at: i64,
    /// What is kept.
    pub quarantined: Quarantined,
}

/// Which activity somebody wants. What is not given fits everything.
#[derive(Clone, Default, Debug)]
pub struct ActivityFilter {
    /// Begun at or after this, nanoseconds since 1970.
    pub since: i64,
    /// By this user.
    pub user: Option<String>,
    /// In this cluster.
    pub cluster: Option<String>,
    /// In this namespace.
    pub namespace: Option<String>,
}

/// Which alerts somebody wants to see. What is not given fits everything.
#[derive(Clone, Default, Debug)]
pub struct AlertsWanted {
    /// Of this rule.
    pub rule: Option<String>,
    /// From this cluster.
    pub cluster: Option<String>,
    /// About this user.
    pub user: Option<String>,
}

/// An alert in the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Its place in the store's order.
    pub seq: i64,
    /// The silence that kept it from the outputs.
    pub silenced: Option<String>,
    /// See [`Alert::document`].
    pub document: String,
}

/// An entry of the activity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Nanoseconds since 1970.
    pub started: i64,
    /// Nanoseconds since 1970, when it is known to have ended.
    pub ended: Option<i64>,
    /// The answer's status.
    pub code: Option<i64>,
    /// Name of the cluster, empty when not known.
    pub cluster: String,
    /// An [`crate::activity::Entry`] in JSON.
    pub document: String,
}

/// What comes of one request: durable together or not at all.
#[derive(Clone, Default, Debug)]
pub struct Batch {
    /// Stored unless their identity is known.
    pub alerts: Vec<Alert>,
    /// Stored unless the same record is there.
    pub quarantined: Vec<Quarantined>,
    /// Joined with what is known of the same requests.
    pub activity: Vec<Activity>,
    /// Places of quarantined records that need not be kept any longer.
    pub released: Vec<i64>,
}

impl Batch {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty()
            && self.quarantined.is_empty()
            && self.activity.is_empty()
            && self.released.is_empty()
    }
}

/// What a commit changed.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Recorded {
    /// For each alert of the batch whether it was new.
    pub new: Vec<bool>,
    /// How many of the new ones are silenced.
    pub silenced: usize,
    /// How many rows were removed.
    pub removed: u64,
}

/// Why the store did not take something.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused, or the disk did.
    #[error("the store `{store}` can't be written: {cause}")]
    Unwritable {
        /// Its URL without secrets.
        store: String,
        /// In the database's words.
        cause: String,
    },
    /// The database could not be read.
    #[error("the store `{store}` can't be read: {cause}")]
    Unreadable {
        /// Its URL without secrets.
        store: String,
        /// In the database's words.
        cause: String,
    },
    /// The file that was opened is not the one at the path any more: what goes into it would be lost.
    #[error("the store's file `{path}` was removed or replaced while in use: restart the receiver")]
    Gone {
        /// Path of the file.
        path: String,
    },
    /// The writer has ended.
    #[error("the store is closed")]
    Closed,
}

/// Why a store can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenFailed {
    /// No such place.
    #[error("can't open the store `{path}`: {cause}; {hint}")]
    File {
        /// Path of the file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
        /// What to do.
        hint: &'static str,
    },
    /// A database that can't be used.
    #[error(
        "can't use the store `{store}`: {cause}; the receiver must be able to write the file and its folder, and the file must be its own"
    )]
    Database {
        /// Path of the file.
        store: String,
        /// What the database said.
        cause: String,
    },
    /// A server that can't be used.
    #[error(
        "can't use the store `{store}`: {cause}; check the address, and that the user may create tables in the database"
    )]
    Server {
        /// Its URL without secrets.
        store: String,
        /// What was said.
        cause: String,
    },
}

/// Whether the store takes writes: `Ok`, or why not.
pub type Health = Result<(), StoreError>;

/// A store in use. Clones share it.
#[derive(Clone, Debug)]
pub struct Store {
    writes: mpsc::Sender<Request>,
    health: watch::Receiver<Health>,
    commits: watch::Receiver<u64>,
    reader: Database,
    /// Who this is among receivers that share a database.
    owner: Arc<str>,
}

/// What the writer does for one caller.
#[derive(Debug)]
enum Write {
    Record(Batch),
    Settled {
        output: String,
        written: Vec<i64>,
        refused: Vec<(i64, String)>,
    },
    Heartbeat,
    CloseGroups,
    Retain(Keep),
    Seen(BTreeMap<String, i64>),
    /// The last one.
    Close,
}

#[derive(Debug)]
struct Request {
    write: Write,
    answer: oneshot::Sender<Result<Recorded, StoreError>>,
}

/// An alert that an output has yet to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// Its place in the store's order.
    pub seq: i64,
    /// Its identity.
    pub id: Uuid,
    /// See [`Alert::document`].
    pub document: String,
}

/// Which new alerts wait for an output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// The output's name.
    pub output: Arc<str>,
    /// Those that it takes.
    pub only: Only,
    /// Of alerts alike within this time, those after the first are one.
    pub group: Option<Duration>,
}

impl From<&str> for Route {
    fn from(output: &str) -> Self {
        Self { output: output.into(), only: Only::default(), group: None }
    }
}

/// How an output stands.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Backlog {
    /// Its name.
    pub output: String,
    /// Alerts that wait for it.
    pub waiting: i64,
    /// Alerts that it refused.
    pub refused: i64,
    /// When the oldest of those that wait was stored, milliseconds since 1970.
    pub oldest: Option<i64>,
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
        let store = Self { writes, health, commits, reader, owner: owner().into() };
        store.write(Write::Heartbeat).await.map_err(failed)?;
        Ok(store)
    }

    /// Makes `batch` durable. When this returns `Ok`, it is.
    ///
    /// # Errors
    /// When nothing of the batch was stored, or it isn't known whether it was: to be sent again.
    pub async fn record(&self, batch: Batch) -> Result<Recorded, StoreError> {
        self.write(Write::Record(batch)).await
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

    /// Removes some of what is not to be kept, oldest first; how many, 0 when nothing is left to remove.
    ///
    /// # Errors
    /// When the store can't be written.
    pub async fn retain(&self, keep: Keep) -> Result<u64, StoreError> {
        self.write(Write::Retain(keep)).await.map(|recorded| recorded.removed)
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

    /// Up to `limit` quarantined records after the place `after`, of one cluster if given, oldest first.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn quarantined(
        &self,
        after: i64,
        cluster: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Kept>, StoreError> {
        self.reader.quarantined(after, cluster, limit).await
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

/// Gives the stored alerts of a store that this process doesn't write, as [`Store::alerts`] does.
///
/// # Errors
/// When there is no such store or it can't be read.
pub async fn read_alerts(
    location: &Location,
    filter: &Filter,
    each: impl FnMut(String) -> bool,
) -> Result<(), StoreError> {
    Database::read_only(location).alerts(filter, each).await
}

/// Up to `limit` quarantined records after the place `after`, of one cluster if given, oldest first.
///
/// # Errors
/// When the store can't be read.
pub async fn quarantined(
    location: &Location,
    after: i64,
    cluster: Option<&str>,
    limit: u32,
) -> Result<Vec<Kept>, StoreError> {
    Database::read_only(location).quarantined(after, cluster, limit).await
}

/// How many quarantined records there are of each cluster, source and reason.
///
/// # Errors
/// When the store can't be read.
pub async fn quarantine_counts(
    location: &Location,
) -> Result<Vec<(String, String, String, i64)>, StoreError> {
    Database::read_only(location).quarantine_counts().await
}

/// The activity that fits, oldest first.
///
/// # Errors
/// When the store can't be read.
pub async fn activity(location: &Location, filter: &ActivityFilter) -> Result<Vec<Shown>, StoreError> {
    Database::read_only(location).activity(filter).await
}

/// Removes the alerts about a user; how many.
///
/// # Errors
/// When the store can't be written.
pub async fn erase(location: &Location, user: &str) -> Result<u64, StoreError> {
    Database::attach(location).erase(user).await
}

/// How each output stands for which anything waits or was refused.
///
/// # Errors
/// When the store can't be read.
pub async fn backlogs(location: &Location) -> Result<Vec<Backlog>, StoreError> {
    Database::read_only(location).backlogs().await
}

/// Lets what an output refused wait for it again; how many alerts.
///
/// # Errors
/// When the store can't be written.
pub async fn retry(location: &Location, output: &str) -> Result<u64, StoreError> {
    Database::attach(location).retry(output).await
}

/// Adds a silence to a store that another process may be writing. It counts for alerts that are stored from now on.
///
/// # Errors
/// When the store can't be written.
pub async fn add_silence(location: &Location, silence: &Silence) -> Result<(), StoreError> {
    Database::attach(location).add_silence(silence).await
}

/// All silences that there ever were, oldest first.
///
/// # Errors
/// When the store can't be read.
pub async fn silences(location: &Location) -> Result<Vec<Silence>, StoreError> {
    Database::read_only(location).silences().await
}

/// Ends a silence; whether it was in force.
///
/// # Errors
/// When the store can't be written.
pub async fn remove_silence(location: &Location, id: &str, by: &str, now: i64) -> Result<bool, StoreError> {
    Database::attach(location).remove_silence(id, by, now).await
}

/// A name that no other receiver has, and not this one after a restart.
fn owner() -> String {
    let now = jiff::Timestamp::now().as_nanosecond();
    format!("{}-{}-{now}", crate::serve::hostname(), std::process::id())
}

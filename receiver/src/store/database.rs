//! One of the databases.

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::postgres::{self, Postgres};
use super::query::Filter;
use super::sqlite::{self, Sqlite};
use super::{
    ActivityFilter, AlertsWanted, Backlog, Erasure, Kept, Listed, Location, OpenFailed, Recorded, Route,
    Shown, Silence, StoreError, Stored, Usage, Waiting, Write,
};

/// A database, for reading.
#[derive(Clone, Debug)]
pub(super) enum Database {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// The connection that writes.
#[derive(Debug)]
pub(super) enum Writer {
    Sqlite(sqlite::Writer),
    Postgres(postgres::Writer),
}

/// The same statement on either.
macro_rules! ask {
    ($database:expr, $statement:ident($($argument:expr),*)) => {
        match $database {
            Database::Sqlite(of) => sqlite::statements::$statement(&of.pool, $($argument),*).await,
            Database::Postgres(of) => postgres::statements::$statement(&of.pool, $($argument),*).await,
        }
        .map_err(|cause| $database.unreadable(&cause))
    };
}

impl Database {
    /// Opens it, made or migrated as needed.
    pub(super) async fn open(location: &Location) -> Result<Self, OpenFailed> {
        Ok(match location {
            Location::Sqlite(path) => Self::Sqlite(Sqlite::open(path).await?),
            Location::Postgres(url) => Self::Postgres(Postgres::open(url).await?),
        })
    }

    /// One that somebody else may be writing.
    pub(super) fn read_only(location: &Location) -> Self {
        match location {
            Location::Sqlite(path) => Self::Sqlite(Sqlite::read_only(path)),
            Location::Postgres(url) => Self::Postgres(Postgres::lazy(url)),
        }
    }

    /// One that somebody else is writing too.
    pub(super) fn attach(location: &Location) -> Self {
        match location {
            Location::Sqlite(path) => Self::Sqlite(Sqlite::attach(path)),
            Location::Postgres(url) => Self::Postgres(Postgres::lazy(url)),
        }
    }

    pub(super) async fn writer(&self, routes: Vec<Route>) -> Result<Writer, StoreError> {
        Ok(match self {
            Self::Sqlite(sqlite) => Writer::Sqlite(sqlite.writer(routes).await?),
            Self::Postgres(postgres) => Writer::Postgres(postgres.writer(routes)),
        })
    }

    /// Whether `owner` is to feed `output`. A file has one receiver.
    pub(super) async fn lead(&self, output: &str, owner: &str, millis: i64) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(true),
            Self::Postgres(postgres) => {
                postgres.lead(output, owner, millis).await.map_err(|cause| self.unreadable(&cause))
            }
        }
    }

    /// `owner` ends.
    pub(super) async fn resign(&self, owner: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(postgres) => postgres.resign(owner).await.map_err(|cause| self.unreadable(&cause)),
        }
    }

    pub(super) async fn waiting(&self, output: &str, limit: u32) -> Result<Vec<Waiting>, StoreError> {
        ask!(self, waiting(output, limit))
    }

    pub(super) async fn backlogs(&self) -> Result<Vec<Backlog>, StoreError> {
        ask!(self, backlogs())
    }

    pub(super) async fn alerts(
        &self,
        filter: &Filter,
        each: impl FnMut(String) -> bool,
    ) -> Result<(), StoreError> {
        ask!(self, alerts(filter, each))
    }

    pub(super) async fn clusters(&self) -> Result<Vec<(String, i64)>, StoreError> {
        ask!(self, clusters())
    }

    pub(super) async fn quarantined(
        &self,
        after: i64,
        cluster: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Kept>, StoreError> {
        ask!(self, quarantined(after, cluster, limit))
    }

    pub(super) async fn quarantine_list(
        &self,
        after: i64,
        cluster: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Listed>, StoreError> {
        ask!(self, quarantine_list(after, cluster, limit))
    }

    pub(super) async fn quarantine_counts(&self) -> Result<Vec<(String, String, String, i64)>, StoreError> {
        ask!(self, quarantine_counts())
    }

    pub(super) async fn activity(&self, filter: &ActivityFilter) -> Result<Vec<Shown>, StoreError> {
        ask!(self, activity(filter))
    }

    pub(super) async fn retry(&self, output: &str) -> Result<u64, StoreError> {
        ask!(self, retry(output))
    }

    pub(super) async fn page(
        &self,
        before: i64,
        wanted: &AlertsWanted,
        limit: u32,
    ) -> Result<Vec<Stored>, StoreError> {
        ask!(self, page(before, wanted, limit))
    }

    pub(super) async fn hits(&self, day: i64, week: i64) -> Result<Vec<(String, i64, i64)>, StoreError> {
        ask!(self, hits(day, week))
    }

    pub(super) async fn activity_page(
        &self,
        before: i64,
        id: &str,
        limit: u32,
    ) -> Result<Vec<(String, Shown)>, StoreError> {
        ask!(self, activity_page(before, id, limit))
    }

    pub(super) async fn erase(&self, user: &str) -> Result<(u64, u64), StoreError> {
        ask!(self, erase(user))
    }

    pub(super) async fn erase_record(&self, seq: i64) -> Result<bool, StoreError> {
        ask!(self, erase_record(seq))
    }

    pub(super) async fn note_erasure(&self, erasure: &Erasure) -> Result<(), StoreError> {
        ask!(self, note_erasure(erasure))
    }

    pub(super) async fn erasures(&self) -> Result<Vec<Erasure>, StoreError> {
        ask!(self, erasures())
    }

    pub(super) async fn usage(&self) -> Result<Usage, StoreError> {
        let kinds = ask!(self, usage())?;
        let (file, filled) = match self {
            Self::Sqlite(sqlite) => {
                let (file, filled) = sqlite.size().await.map_err(|cause| self.unreadable(&cause))?;
                (Some(file), Some(filled))
            }
            Self::Postgres(_) => (None, None),
        };
        Ok(Usage { kinds, file, filled })
    }

    /// Bytes in a file that are free to be written to. A server looks after its own.
    pub(super) async fn room(&self) -> Result<u64, StoreError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.room().await.map_err(|cause| self.unreadable(&cause)),
            Self::Postgres(_) => Ok(u64::MAX),
        }
    }

    pub(super) async fn add_silence(&self, silence: &Silence) -> Result<(), StoreError> {
        ask!(self, add_silence(silence))
    }

    pub(super) async fn silences(&self) -> Result<Vec<Silence>, StoreError> {
        ask!(self, silences())
    }

    pub(super) async fn remove_silence(&self, id: &str, by: &str, now: i64) -> Result<bool, StoreError> {
        ask!(self, remove_silence(id, by, now))
    }

    pub(super) async fn close(&self) {
        match self {
            Self::Sqlite(sqlite) => sqlite.pool.close().await,
            Self::Postgres(postgres) => postgres.pool.close().await,
        }
    }

    fn unreadable(&self, cause: &sqlx::Error) -> StoreError {
        StoreError::Unreadable { store: self.location().to_string(), cause: cause.to_string() }
    }

    fn location(&self) -> Location {
        match self {
            Self::Sqlite(sqlite) => Location::Sqlite(sqlite.path.clone()),
            Self::Postgres(postgres) => Location::Postgres(postgres.url.clone()),
        }
    }
}

impl Writer {
    /// One transaction for all of `writes`; for each what it changed.
    pub(super) async fn commit(
        &mut self,
        writes: impl Iterator<Item = &Write>,
    ) -> Result<Vec<Recorded>, StoreError> {
        match self {
            Self::Sqlite(writer) => writer.commit(writes).await,
            Self::Postgres(writer) => writer.commit(writes).await,
        }
    }

    pub(super) async fn close(self) {
        match self {
            Self::Sqlite(writer) => writer.close().await,
            Self::Postgres(writer) => writer.close().await,
        }
    }
}

/// What brings the tables up to date, from names and SQL in order.
pub(super) fn migrator(migrations: &[(&'static str, &'static str)]) -> Migrator {
    let migrations = (1..).zip(migrations).map(|(version, (name, sql))| {
        Migration::new(version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}

//! SQLite: one file, write-ahead log, every commit on the disk before it counts.

use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection as _};

use super::database::migrator;
use super::{OpenFailed, Recorded, Route, StoreError, Write};

#[path = "statements.rs"]
pub(super) mod statements;

type Driver = sqlx::Sqlite;
type Connection = SqliteConnection;

/// Migrations in order, forward only. A change to one that was published is a mistake: add another.
const MIGRATIONS: &[(&str, &str)] = &[
    ("alerts", include_str!("../../migrations/sqlite/0001_alerts.sql")),
    ("leases", include_str!("../../migrations/0002_leases.sql")),
    ("silences", include_str!("../../migrations/0003_silences.sql")),
    ("retention", include_str!("../../migrations/0004_retention.sql")),
    ("activity", include_str!("../../migrations/0005_activity.sql")),
    ("bounds", include_str!("../../migrations/0006_bounds.sql")),
];

/// Bytes that the log beside the file keeps after it was larger.
const LOG: u64 = 16 << 20;

/// Most pages given back in one transaction.
const SHRINK: i64 = 2000;

/// How long a statement waits for another process that holds the file.
const BUSY: Duration = Duration::from_secs(5);

/// An opened file, for reading.
#[derive(Clone, Debug)]
pub(super) struct Sqlite {
    pub(super) path: PathBuf,
    pub(super) pool: SqlitePool,
}

impl Sqlite {
    /// Opens, makes or migrates the file.
    pub(super) async fn open(path: &Path) -> Result<Self, OpenFailed> {
        create_private(path)?;
        let failed = |cause: String| OpenFailed::Database { store: path.display().to_string(), cause };
        prepare(path).await.map_err(|cause| failed(cause.to_string()))?;
        let this = Self::with(path, options(path));
        migrator(MIGRATIONS).run(&this.pool).await.map_err(|cause| failed(cause.to_string()))?;
        Ok(this)
    }

    /// An existing file that somebody else may be writing.
    pub(super) fn read_only(path: &Path) -> Self {
        Self::with(path, options(path).read_only(true))
    }

    /// An existing file that somebody else may be writing, to write as well.
    pub(super) fn attach(path: &Path) -> Self {
        Self::with(path, options(path))
    }

    /// Bytes in the file that hold nothing.
    pub(super) async fn room(&self) -> sqlx::Result<u64> {
        let (file, filled) = self.size().await?;
        Ok(u64::try_from(file.saturating_sub(filled)).unwrap_or_default())
    }

    /// Bytes of the file, and those of them that hold something.
    pub(super) async fn size(&self) -> sqlx::Result<(i64, i64)> {
        let (pages, free, size) = pages(&mut *self.pool.acquire().await?).await?;
        Ok((pages.saturating_mul(size), pages.saturating_sub(free).saturating_mul(size)))
    }

    fn with(path: &Path, options: SqliteConnectOptions) -> Self {
        let pool = SqlitePoolOptions::new().max_connections(2).connect_lazy_with(options);
        Self { path: path.to_owned(), pool }
    }

    /// The connection for writing.
    pub(super) async fn writer(&self, routes: Vec<Route>) -> Result<Writer, StoreError> {
        let connection =
            options(&self.path).connect().await.map_err(|cause| unwritable(&self.path, &cause))?;
        let identity = identity_of(&self.path);
        Ok(Writer { connection: Some(connection), routes, identity, path: self.path.clone() })
    }
}

/// The connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    /// Gone after a failure: SQLite may have rolled back by itself or not, a new connection knows.
    connection: Option<SqliteConnection>,
    routes: Vec<Route>,
    path: PathBuf,
    /// Device and inode of the file when it was opened.
    identity: Option<(u64, u64)>,
}

impl Writer {
    /// One transaction for all of `writes`; for each what it changed.
    pub(super) async fn commit(
        &mut self,
        writes: impl Iterator<Item = &Write>,
    ) -> Result<Vec<Recorded>, StoreError> {
        // SQLite goes on writing into a file that was removed, and all of it would be lost.
        if self.identity.is_none() || identity_of(&self.path) != self.identity {
            return Err(StoreError::Gone { path: self.path.display().to_string() });
        }
        self.transaction(writes).await.map_err(|cause| unwritable(&self.path, &cause))
    }

    async fn transaction(&mut self, writes: impl Iterator<Item = &Write>) -> sqlx::Result<Vec<Recorded>> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => options(&self.path).connect().await?,
        };
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let now = jiff::Timestamp::now().as_millisecond();
        let mut all = Vec::new();
        for write in writes {
            all.push(statements::apply(&mut transaction, &self.routes, now, write).await?);
        }
        transaction.commit().await?;
        self.connection = Some(connection);
        Ok(all)
    }

    /// Leaves a file without a log beside it.
    pub(super) async fn close(self) {
        if let Some(connection) = self.connection
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "the store was not closed cleanly");
        }
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", LOG.to_string())
        .busy_timeout(BUSY)
}

/// Makes an empty file one that can shrink: this has to be said before anything is in it.
async fn prepare(path: &Path) -> sqlx::Result<()> {
    if std::fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        return Ok(());
    }
    let options = SqliteConnectOptions::new().filename(path).auto_vacuum(SqliteAutoVacuum::Incremental);
    let mut connection = options.journal_mode(SqliteJournalMode::Delete).busy_timeout(BUSY).connect().await?;
    sqlx::query("VACUUM").execute(&mut connection).await?;
    connection.close().await
}

/// Bytes of the file that hold something.
pub(super) async fn used(on: &mut Connection) -> sqlx::Result<i64> {
    let (pages, free, size) = pages(on).await?;
    Ok(pages.saturating_sub(free).saturating_mul(size))
}

/// How many pages the file has, how many of them hold nothing, and the bytes of one.
async fn pages(on: &mut Connection) -> sqlx::Result<(i64, i64, i64)> {
    let pages = sqlx::query_scalar("PRAGMA page_count").fetch_one(&mut *on).await?;
    let free = sqlx::query_scalar("PRAGMA freelist_count").fetch_one(&mut *on).await?;
    let size = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *on).await?;
    Ok((pages, free, size))
}

/// One step of giving back what the file has more than `bytes`, of its pages that hold nothing.
pub(super) async fn shrink(on: &mut Connection, bytes: Option<i64>) -> sqlx::Result<u64> {
    let Some(bytes) = bytes else { return Ok(0) };
    let (pages, free, size) = pages(on).await?;
    let excess = pages.saturating_sub(bytes / size.max(1)).min(free).min(SHRINK);
    if excess > 0 {
        let sql = sqlx::AssertSqlSafe(format!("PRAGMA incremental_vacuum({excess})"));
        sqlx::query(sql).fetch_all(&mut *on).await?;
    }
    // None in a file of an earlier version, which can't shrink: there they are written to again.
    let left = self::pages(on).await?.0;
    Ok(u64::try_from(pages.saturating_sub(left)).unwrap_or_default())
}

/// Makes the file for its owner alone, as SQLite then makes the log beside it.
fn create_private(path: &Path) -> Result<(), OpenFailed> {
    let failed = |cause: std::io::Error| OpenFailed::File {
        path: path.to_owned(),
        hint: match cause.kind() {
            std::io::ErrorKind::NotFound => "create its folder or set `store` to another place",
            std::io::ErrorKind::PermissionDenied => {
                "give the receiver's user write permission on the file and its folder, or set `store` to another place"
            }
            _ => "set `store` to a file on a disk that can be written",
        },
        cause,
    };
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(failed)?;
    let permissions = file.metadata().map_err(failed)?.permissions();
    if permissions.mode() & 0o077 != 0 {
        file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    }
    Ok(())
}

fn identity_of(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

fn unwritable(path: &Path, cause: &sqlx::Error) -> StoreError {
    let (store, said) = (format!("sqlite:{}", path.display()), cause.to_string());
    let code = cause.as_database_error().and_then(|error| error.code());
    // SQLITE_BUSY, after that long.
    if code.is_some_and(|code| code == "5") {
        StoreError::Unanswered { store, cause: said }
    } else {
        StoreError::Unwritable { store, cause: said }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Redact;
    use crate::store::quarantine::SetAside;
    use crate::store::{Batch, Quarantined};

    #[tokio::test]
    async fn writes_go_on_when_the_disk_has_room_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Sqlite::open(&folder.path().join("alerts.db")).await.unwrap();
        let mut writer = store.writer(Vec::new()).await.unwrap();
        // A disk of this size, as far as this connection can tell.
        let full = sqlx::query("PRAGMA max_page_count = 1").execute(writer.connection.as_mut().unwrap());
        full.await.unwrap();
        let record = Quarantined {
            reason: String::new(),
            cluster: String::new(),
            source: String::new(),
            record: vec![b'x'; 1 << 20],
        };
        let records = vec![SetAside::new(record, &Redact::default())];
        let write = Write::Record(Batch::default(), records);
        let failed = writer.commit(std::iter::once(&write)).await.unwrap_err();
        assert!(failed.to_string().contains("full"), "{failed}");
        writer.commit(std::iter::once(&write)).await.unwrap();
        writer.commit(std::iter::once(&Write::Heartbeat)).await.unwrap();
        let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM quarantine").fetch_one(&store.pool);
        assert_eq!(count.await.unwrap(), 1);
    }
}

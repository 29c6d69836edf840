//! PostgreSQL: one database that several receivers share.
//!
//! Who writes holds a lock of the transaction, so transactions of several receivers come one after another: no two of them
//! wait for each other's rows, and alerts become visible in the order of their places.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection as _};
use tokio::time::timeout;

use super::database::migrator;
use super::location::Postgres as Url;
use super::{OpenFailed, Recorded, Route, StoreError, Write};

#[path = "statements.rs"]
pub(super) mod statements;

type Driver = sqlx::Postgres;
type Connection = PgConnection;

/// Migrations in order, forward only. A change to one that was published is a mistake: add another.
const MIGRATIONS: &[(&str, &str)] = &[
    ("alerts", include_str!("../../migrations/postgres/0001_alerts.sql")),
    ("leases", include_str!("../../migrations/0002_leases.sql")),
    ("silences", include_str!("../../migrations/0003_silences.sql")),
    ("retention", include_str!("../../migrations/0004_retention.sql")),
    ("activity", include_str!("../../migrations/0005_activity.sql")),
    ("bounds", include_str!("../../migrations/0006_bounds.sql")),
    ("users", include_str!("../../migrations/postgres/0007_users.sql")),
];

/// The lock that writers hold. Any number that nobody else uses.
const WRITING: i64 = 0x6b61_622d_7374_6f72;

/// How long a transaction may take before its sender is told to try again; also the most that a server waits for a
/// receiver that has gone with the lock.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long bringing the tables up to date may take: an index of many rows takes minutes.
const MIGRATING: Duration = Duration::from_secs(600);

/// How long a connection may take to stand.
const CONNECT: Duration = Duration::from_secs(10);

/// A database, for reading.
#[derive(Clone, Debug)]
pub(super) struct Postgres {
    pub(super) url: Url,
    pub(super) pool: PgPool,
}

impl Postgres {
    /// Connects, and makes or migrates the tables.
    pub(super) async fn open(url: &Url) -> Result<Self, OpenFailed> {
        let failed = |cause: String| OpenFailed::Server { store: url.to_string(), cause };
        let (pool, migrations) =
            (pool(options(url).options([("statement_timeout", "0")])), migrator(MIGRATIONS));
        let migrated = timeout(MIGRATING, migrations.run(&pool)).await;
        migrated.map_err(|_| failed("no answer".to_owned()))?.map_err(|cause| failed(cause.to_string()))?;
        pool.close().await;
        Ok(Self::lazy(url))
    }

    /// A database that somebody else looks after.
    pub(super) fn lazy(url: &Url) -> Self {
        Self { url: url.clone(), pool: pool(options(url)) }
    }

    /// The connection for writing.
    pub(super) fn writer(&self, routes: Vec<Route>) -> Writer {
        Writer { connection: None, routes, url: self.url.clone() }
    }

    /// Whether `owner` is the one to feed `output`, for `millis` from now on if so.
    pub(super) async fn lead(&self, output: &str, owner: &str, millis: i64) -> sqlx::Result<bool> {
        let held = sqlx::query(
            "INSERT INTO leases (name, owner, until) \
             VALUES ($1, $2, (extract(epoch FROM clock_timestamp()) * 1000)::bigint + $3) \
             ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until \
             WHERE leases.owner = excluded.owner \
             OR leases.until < (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
        );
        let held = held.bind(output).bind(owner).bind(millis).execute(&self.pool).await?;
        Ok(held.rows_affected() > 0)
    }

    /// `owner` feeds nothing any more.
    pub(super) async fn resign(&self, owner: &str) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM leases WHERE owner = $1").bind(owner).execute(&self.pool).await.map(drop)
    }
}

/// The connection that writes.
#[derive(Debug)]
pub(super) struct Writer {
    /// Gone after a failure.
    connection: Option<PgConnection>,
    routes: Vec<Route>,
    url: Url,
}

impl Writer {
    /// One transaction for all of `writes`; for each what it changed.
    pub(super) async fn commit(
        &mut self,
        writes: impl Iterator<Item = &Write>,
    ) -> Result<Vec<Recorded>, StoreError> {
        let store = self.url.to_string();
        let connection = self.connection.take();
        let committed = timeout(PATIENCE, async {
            let connection = match connection {
                Some(connection) => connection,
                None => connect(&self.url).await.map_err(|cause| (true, cause.to_string()))?,
            };
            self.transaction(connection, writes).await.map_err(|cause| (is_late(&cause), cause.to_string()))
        });
        let late = |_| Err((true, format!("nothing within {} s", PATIENCE.as_secs())));
        match committed.await.unwrap_or_else(late) {
            Ok((connection, recorded)) => {
                self.connection = Some(connection);
                Ok(recorded)
            }
            Err((true, cause)) => Err(StoreError::Unanswered { store, cause }),
            Err((false, cause)) => Err(StoreError::Unwritable { store, cause }),
        }
    }

    async fn transaction(
        &self,
        mut connection: PgConnection,
        writes: impl Iterator<Item = &Write>,
    ) -> sqlx::Result<(PgConnection, Vec<Recorded>)> {
        let mut transaction = connection.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(WRITING).execute(&mut *transaction).await?;
        let now = jiff::Timestamp::now().as_millisecond();
        let mut all = Vec::new();
        for write in writes {
            all.push(statements::apply(&mut transaction, &self.routes, now, write).await?);
        }
        transaction.commit().await?;
        Ok((connection, all))
    }

    pub(super) async fn close(self) {
        if let Some(connection) = self.connection {
            let _ = connection.close().await;
        }
    }
}

/// Whether the server ended a statement because of its time: what took it is somebody else, who has the lock.
fn is_late(cause: &sqlx::Error) -> bool {
    cause.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "57014")
}

/// Bytes that rows take, about.
pub(super) async fn used(on: &mut Connection) -> sqlx::Result<i64> {
    sqlx::query_scalar("SELECT CAST(sum(bytes) AS BIGINT) FROM usage").fetch_one(on).await
}

/// A server looks after its own files.
pub(super) async fn shrink(_: &mut Connection, _: Option<i64>) -> sqlx::Result<u64> {
    Ok(0)
}

/// A connection whose commits are on the disk, whatever is the server's custom.
async fn connect(url: &Url) -> sqlx::Result<PgConnection> {
    let mut connection = options(url).connect().await?;
    let waits: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut connection).await?;
    if waits == "off" {
        sqlx::query("SET synchronous_commit TO on").execute(&mut connection).await?;
    }
    Ok(connection)
}

fn pool(options: PgConnectOptions) -> PgPool {
    PgPoolOptions::new().max_connections(4).acquire_timeout(CONNECT).connect_lazy_with(options)
}

fn options(url: &Url) -> PgConnectOptions {
    let millis = |time: Duration| time.as_millis().to_string();
    url.options().application_name("audit-receiver").options([
        ("statement_timeout", millis(PATIENCE)),
        ("idle_in_transaction_session_timeout", millis(PATIENCE)),
    ])
}

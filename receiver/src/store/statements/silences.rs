//! Silences.

use super::*;

const SILENCE: &str =
    "id, rule, cluster, username, namespace, reason, author, created_at, expires_at, removed_at, removed_by";

pub(super) fn silence(row: &<Driver as sqlx::Database>::Row) -> sqlx::Result<Silence> {
    Ok(Silence {
        id: row.try_get(0)?,
        rule: row.try_get(1)?,
        cluster: row.try_get(2)?,
        user: row.try_get(3)?,
        namespace: row.try_get(4)?,
        reason: row.try_get(5)?,
        author: row.try_get(6)?,
        created_at: row.try_get(7)?,
        expires_at: row.try_get(8)?,
        removed_at: row.try_get(9)?,
        removed_by: row.try_get(10)?,
    })
}

pub(super) async fn silences_in_force(on: &mut Connection, now: i64) -> sqlx::Result<Vec<Silence>> {
    let sql = format!(
        "SELECT {SILENCE} FROM silences WHERE removed_at IS NULL AND expires_at > $1 ORDER BY created_at, id"
    );
    sqlx::query(AssertSqlSafe(sql)).bind(now).fetch_all(on).await?.iter().map(silence).collect()
}

/// All that there ever were, oldest first.
pub(in crate::store) async fn silences(pool: &Pool<Driver>) -> sqlx::Result<Vec<Silence>> {
    let sql = format!("SELECT {SILENCE} FROM silences ORDER BY created_at, id");
    sqlx::query(AssertSqlSafe(sql)).fetch_all(pool).await?.iter().map(silence).collect()
}

/// Adds one.
pub(in crate::store) async fn add_silence(pool: &Pool<Driver>, silence: &Silence) -> sqlx::Result<()> {
    let name = |name: &Option<String>| name.as_deref().map(|name| text(name).into_owned());
    sqlx::query(
        "INSERT INTO silences (id, rule, cluster, username, namespace, reason, author, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(&silence.id)
    .bind(name(&silence.rule))
    .bind(name(&silence.cluster))
    .bind(name(&silence.user))
    .bind(name(&silence.namespace))
    .bind(text(&silence.reason))
    .bind(text(&silence.author))
    .bind(silence.created_at)
    .bind(silence.expires_at)
    .execute(pool)
    .await
    .map(drop)
}

/// Ends one; whether it was in force.
pub(in crate::store) async fn remove_silence(
    pool: &Pool<Driver>,
    id: &str,
    by: &str,
    now: i64,
) -> sqlx::Result<bool> {
    let removed = sqlx::query(
        "UPDATE silences SET removed_at = $1, removed_by = $2 \
         WHERE id = $3 AND removed_at IS NULL AND expires_at > $1",
    );
    let removed = removed.bind(now).bind(text(by)).bind(id).execute(pool).await?;
    Ok(removed.rows_affected() > 0)
}

//! How much there is, and what of it goes.

use super::*;

/// What a row takes beside its document or record, with its share of the indexes.
const ROW: i64 = 400;

/// What a row with so many bytes takes, about.
pub(super) fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX).saturating_add(ROW)
}

pub(super) async fn use_more(on: &mut Connection, what: &str, bytes: i64) -> sqlx::Result<()> {
    let used = sqlx::query("UPDATE usage SET bytes = bytes + $1 WHERE what = $2");
    used.bind(bytes).bind(what).execute(on).await.map(drop)
}

/// Rows looked at in one step of retention.
const STEP: i64 = 1000;

/// One step of removing the oldest; how many rows went.
pub(super) async fn retain(on: &mut Connection, keep: &Keep) -> sqlx::Result<u64> {
    let alerts = oldest(on, "SELECT seq, stored_at, size FROM alerts ORDER BY seq LIMIT $1").await?;
    let records = oldest(on, "SELECT seq, stored_at, size FROM quarantine ORDER BY seq LIMIT $1").await?;
    let used: i64 =
        sqlx::query_scalar("SELECT CAST(sum(bytes) AS BIGINT) FROM usage").fetch_one(&mut *on).await?;
    let (of_alerts, of_quarantine) = cut(keep, used, &alerts, &records);
    if of_alerts.rows > 0 {
        remove(on, "DELETE FROM deliveries WHERE seq <= $1", of_alerts.upto).await?;
        remove(on, "DELETE FROM alerts WHERE seq <= $1", of_alerts.upto).await?;
        use_more(on, "alerts", -of_alerts.bytes).await?;
    }
    if of_quarantine.rows > 0 {
        remove(on, "DELETE FROM quarantine WHERE seq <= $1", of_quarantine.upto).await?;
        use_more(on, "quarantine", -of_quarantine.bytes).await?;
    }
    let activity = "DELETE FROM activity WHERE id IN (SELECT id FROM activity WHERE stored_at < $1 LIMIT $2)";
    let activity = sqlx::query(activity).bind(keep.alerts_since).bind(STEP).execute(on).await?;
    let Cut { rows, .. } = of_alerts;
    Ok(u64::try_from(rows + of_quarantine.rows).unwrap_or_default() + activity.rows_affected())
}

pub(super) async fn oldest(on: &mut Connection, sql: &'static str) -> sqlx::Result<Vec<Old>> {
    let rows = sqlx::query_as::<Driver, (i64, i64, i64)>(sql).bind(STEP).fetch_all(on).await?;
    Ok(rows.into_iter().map(|(seq, stored_at, size)| Old { seq, stored_at, size }).collect())
}

pub(super) async fn remove(on: &mut Connection, sql: &'static str, upto: i64) -> sqlx::Result<()> {
    sqlx::query(sql).bind(upto).execute(on).await.map(drop)
}

pub(super) async fn release(on: &mut Connection, seq: i64) -> sqlx::Result<()> {
    let gone = sqlx::query_scalar::<Driver, i64>("DELETE FROM quarantine WHERE seq = $1 RETURNING size");
    if let Some(bytes) = gone.bind(seq).fetch_optional(&mut *on).await? {
        use_more(on, "quarantine", -bytes).await?;
    }
    Ok(())
}

/// Removes the alerts and the activity of a user; how many.
pub(in crate::store) async fn erase(pool: &Pool<Driver>, user: &str) -> sqlx::Result<u64> {
    let mut transaction = pool.begin().await?;
    let waits = "DELETE FROM deliveries WHERE seq IN (SELECT seq FROM alerts WHERE username = $1)";
    sqlx::query(waits).bind(text(user)).execute(&mut *transaction).await?;
    let gone = sqlx::query_scalar::<Driver, i64>("DELETE FROM alerts WHERE username = $1 RETURNING size");
    let gone = gone.bind(text(user)).fetch_all(&mut *transaction).await?;
    let entries = sqlx::query("DELETE FROM activity WHERE username = $1").bind(text(user));
    let entries = entries.execute(&mut *transaction).await?.rows_affected();
    use_more(&mut transaction, "alerts", -gone.iter().sum::<i64>()).await?;
    transaction.commit().await?;
    Ok(gone.len() as u64 + entries)
}

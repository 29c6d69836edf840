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

/// Alerts take so many bytes more, and their identities what these take.
pub(super) async fn use_for_alerts(on: &mut Connection, bytes: i64, alerts: usize) -> sqlx::Result<()> {
    let identities = IDENTITY.saturating_mul(i64::try_from(alerts).unwrap_or_default());
    let sql = "UPDATE usage SET bytes = bytes + CASE WHEN what = 'alerts' THEN $1 ELSE $2 END \
               WHERE what IN ('alerts', 'identities')";
    sqlx::query(sql).bind(bytes).bind(identities).execute(on).await.map(drop)
}

/// What rows take, by kind.
pub(in crate::store) async fn usage(pool: &Pool<Driver>) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as::<Driver, _>("SELECT what, bytes FROM usage ORDER BY what").fetch_all(pool).await
}

/// Rows looked at in one step of retention.
const STEP: i64 = 1000;

/// What an identity takes, with its places in the indexes.
const IDENTITY: i64 = 100;

/// One step of removing the oldest.
pub(super) async fn retain(on: &mut Connection, keep: &Keep) -> sqlx::Result<Retained> {
    let alerts = oldest(on, "SELECT seq, stored_at, size FROM alerts ORDER BY seq LIMIT $1").await?;
    let records = oldest(on, "SELECT seq, stored_at, size FROM quarantine ORDER BY seq LIMIT $1").await?;
    let activity =
        oldest(on, "SELECT stored_at, stored_at, size FROM activity ORDER BY stored_at, id LIMIT $1").await?;
    let used = used(on).await?;
    let kinds = [
        Kind { since: keep.alerts_since, oldest: &alerts },
        Kind { since: keep.quarantine_since, oldest: &records },
        Kind { since: keep.alerts_since, oldest: &activity },
    ];
    let [of_alerts, of_quarantine, of_activity] = cut(keep, used, kinds);
    let mut unwritten = 0;
    if of_alerts.rows > 0 {
        let waits = sqlx::query("DELETE FROM deliveries WHERE seq <= $1 AND refused IS NULL");
        unwritten = waits.bind(of_alerts.upto).execute(&mut *on).await?.rows_affected();
        remove(on, "DELETE FROM deliveries WHERE seq <= $1", of_alerts.upto).await?;
        remove(on, "DELETE FROM alerts WHERE seq <= $1", of_alerts.upto).await?;
        use_more(on, "alerts", -of_alerts.bytes).await?;
    }
    if of_quarantine.rows > 0 {
        remove(on, "DELETE FROM quarantine WHERE seq <= $1", of_quarantine.upto).await?;
        use_more(on, "quarantine", -of_quarantine.bytes).await?;
    }
    if of_activity.rows > 0 {
        let sql =
            "DELETE FROM activity WHERE id IN (SELECT id FROM activity ORDER BY stored_at, id LIMIT $1)";
        remove(on, sql, of_activity.rows).await?;
        use_more(on, "activity", -of_activity.bytes).await?;
    }
    let rows = of_alerts.rows + of_quarantine.rows + of_activity.rows;
    let rows = u64::try_from(rows).unwrap_or_default() + forget(on, keep).await?;
    Ok(Retained { rows, unwritten, pages: 0 })
}

/// One step of removing identities of events that were seen long ago; how many. An alert that is stored keeps its own.
async fn forget(on: &mut Connection, keep: &Keep) -> sqlx::Result<u64> {
    let taken: i64 =
        sqlx::query_scalar("SELECT bytes FROM usage WHERE what = 'identities'").fetch_one(&mut *on).await?;
    let since =
        if keep.has_too_many_identities(taken) { keep.identities_surely } else { keep.identities_since };
    let oldest: Option<i64> = sqlx::query_scalar("SELECT stored_at FROM alerts ORDER BY seq LIMIT 1")
        .fetch_optional(&mut *on)
        .await?;
    let before = oldest.map_or(since, |oldest| oldest.min(since));
    let sql = "DELETE FROM identities WHERE id IN (SELECT id FROM identities WHERE stored_at < $1 \
               AND NOT EXISTS (SELECT 1 FROM alerts WHERE alerts.id = identities.id) ORDER BY stored_at LIMIT $2)";
    let gone = sqlx::query(sql).bind(before).bind(STEP).execute(&mut *on).await?.rows_affected();
    if gone > 0 {
        use_more(on, "identities", -IDENTITY * i64::try_from(gone).unwrap_or_default()).await?;
    }
    Ok(gone)
}

pub(super) async fn oldest(on: &mut Connection, sql: &'static str) -> sqlx::Result<Vec<Old>> {
    let rows = sqlx::query_as::<Driver, (i64, i64, i64)>(sql).bind(STEP).fetch_all(on).await?;
    Ok(rows.into_iter().map(|(seq, stored_at, size)| Old { seq, stored_at, size }).collect())
}

pub(super) async fn remove(on: &mut Connection, sql: &'static str, upto: i64) -> sqlx::Result<()> {
    sqlx::query(sql).bind(upto).execute(on).await.map(drop)
}

pub(super) async fn release(on: &mut Connection, seq: i64) -> sqlx::Result<bool> {
    let gone = sqlx::query_scalar::<Driver, i64>("DELETE FROM quarantine WHERE seq = $1 RETURNING size");
    let Some(bytes) = gone.bind(seq).fetch_optional(&mut *on).await? else { return Ok(false) };
    use_more(on, "quarantine", -bytes).await?;
    Ok(true)
}

/// Removes the alerts and the activity of a user; how many of each.
pub(in crate::store) async fn erase(pool: &Pool<Driver>, user: &str) -> sqlx::Result<(u64, u64)> {
    let mut transaction = pool.begin().await?;
    let waits = "DELETE FROM deliveries WHERE seq IN (SELECT seq FROM alerts WHERE username = $1)";
    sqlx::query(waits).bind(text(user)).execute(&mut *transaction).await?;
    let alerts = sqlx::query_scalar::<Driver, i64>("DELETE FROM alerts WHERE username = $1 RETURNING size");
    let alerts = alerts.bind(text(user)).fetch_all(&mut *transaction).await?;
    let entries =
        sqlx::query_scalar::<Driver, i64>("DELETE FROM activity WHERE username = $1 RETURNING size");
    let entries = entries.bind(text(user)).fetch_all(&mut *transaction).await?;
    use_more(&mut transaction, "alerts", -alerts.iter().sum::<i64>()).await?;
    use_more(&mut transaction, "activity", -entries.iter().sum::<i64>()).await?;
    transaction.commit().await?;
    Ok((alerts.len() as u64, entries.len() as u64))
}

/// Removes the quarantined record at a place; whether it was there.
pub(in crate::store) async fn erase_record(pool: &Pool<Driver>, seq: i64) -> sqlx::Result<bool> {
    let mut transaction = pool.begin().await?;
    let gone = release(&mut transaction, seq).await?;
    transaction.commit().await?;
    Ok(gone)
}

/// Notes that somebody had something removed.
pub(in crate::store) async fn note_erasure(pool: &Pool<Driver>, erasure: &Erasure) -> sqlx::Result<()> {
    let Erasure { at, author, user_digest, alerts, activity, quarantined } = erasure;
    let count = |count: &u64| i64::try_from(*count).unwrap_or(i64::MAX);
    sqlx::query(
        "INSERT INTO erasures (at, author, user_digest, alerts, activity, quarantined) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(at)
    .bind(text(author))
    .bind(user_digest)
    .bind(count(alerts))
    .bind(count(activity))
    .bind(count(quarantined))
    .execute(pool)
    .await
    .map(drop)
}

/// All that were noted, oldest first.
pub(in crate::store) async fn erasures(pool: &Pool<Driver>) -> sqlx::Result<Vec<Erasure>> {
    type Row = (i64, String, String, i64, i64, i64);
    let sql = "SELECT at, author, user_digest, alerts, activity, quarantined FROM erasures ORDER BY at";
    let rows = sqlx::query_as::<Driver, Row>(sql).fetch_all(pool).await?;
    let count = |count: i64| u64::try_from(count).unwrap_or_default();
    let noted = |(at, author, user_digest, alerts, activity, quarantined)| Erasure {
        at,
        author,
        user_digest,
        alerts: count(alerts),
        activity: count(activity),
        quarantined: count(quarantined),
    };
    Ok(rows.into_iter().map(noted).collect())
}

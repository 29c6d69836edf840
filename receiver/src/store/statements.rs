//! What is asked of the database, in SQL that SQLite and PostgreSQL understand alike; compiled once for each. Rows go in by
//! the hundred: a statement costs more than its rows.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Pool, QueryBuilder, Row};
use uuid::Uuid;

use super::super::query::{Filter, Value};
use super::super::retention::{Cut, Old, cut};
use super::super::{
    Alert, Backlog, Batch, Keep, Kept, Quarantined, Recorded, Route, Silence, Waiting, Write,
};
use super::{Connection, Driver};
use crate::identity;
use crate::outputs::group;

/// Bytes of alerts given to an output at once, and what is left of the last one.
const MOST_WAITING: usize = 8 << 20;

/// Rows in one statement; well below what SQLite and PostgreSQL take as parameters.
const ROWS: usize = 200;

/// Does what `write` says, as a part of the transaction on `on`.
pub(in crate::store) async fn apply(
    on: &mut Connection,
    routes: &[Route],
    now: i64,
    write: &Write,
) -> sqlx::Result<Recorded> {
    match write {
        Write::Record(batch) => return record(on, routes, now, batch).await,
        Write::Settled { output, written, refused } => {
            delivered(on, output, written).await?;
            self::refused(on, output, refused).await?;
        }
        Write::Heartbeat => {
            sqlx::query(
                "INSERT INTO heartbeat (id, at) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET at = excluded.at",
            )
            .bind(now)
            .execute(on)
            .await?;
        }
        Write::CloseGroups => close_groups(on, now).await?,
        Write::Retain(keep) => {
            let removed = retain(on, keep).await?;
            return Ok(Recorded { removed, ..Recorded::default() });
        }
        Write::Seen(newest) => seen(on, newest).await?,
        Write::Close => {}
    }
    Ok(Recorded::default())
}

async fn record(on: &mut Connection, routes: &[Route], now: i64, batch: &Batch) -> sqlx::Result<Recorded> {
    let mut new = Vec::with_capacity(batch.alerts.len());
    let mut silenced = 0;
    for alerts in batch.alerts.chunks(ROWS) {
        let mut claimed = claim(on, alerts, now).await?;
        // Of two equal alerts in one batch the first is the new one.
        let are_new: Vec<_> =
            alerts.iter().map(|alert| claimed.remove(alert.id.as_bytes().as_slice())).collect();
        let to_insert: Vec<_> =
            alerts.iter().zip(&are_new).filter_map(|(alert, is_new)| is_new.then_some(alert)).collect();
        if !to_insert.is_empty() {
            let silences = silences_in_force(on, now).await?;
            let by = |alert: &Alert| silences.iter().find(|silence| silence.covers(alert));
            let to_insert: Vec<_> = to_insert.into_iter().map(|alert| (alert, by(alert))).collect();
            let places = insert(on, &to_insert, now).await?;
            let heard: Vec<_> = to_insert
                .iter()
                .filter(|(_, silence)| silence.is_none())
                .filter_map(|(alert, _)| Some((*alert, *places.get(alert.id.as_bytes().as_slice())?)))
                .collect();
            silenced += to_insert.len() - heard.len();
            for Route { output, only, group } in routes {
                let taken: Vec<_> = heard.iter().filter(|(alert, _)| only.takes(alert)).copied().collect();
                let seqs = match group {
                    Some(span) => first_of_groups(on, output, millis(*span), now, &taken).await?,
                    None => taken.iter().map(|(_, seq)| *seq).collect(),
                };
                wait_for(on, output, &seqs).await?;
            }
        }
        new.extend(are_new);
    }
    for quarantined in &batch.quarantined {
        insert_quarantined(on, now, quarantined).await?;
    }
    for seq in &batch.released {
        release(on, *seq).await?;
    }
    Ok(Recorded { new, silenced, removed: 0 })
}

/// Takes the identities of `alerts`; those that were not taken before.
async fn claim(on: &mut Connection, alerts: &[Alert], now: i64) -> sqlx::Result<HashSet<Vec<u8>>> {
    let mut query = QueryBuilder::<Driver>::new("INSERT INTO identities (id, stored_at) ");
    query.push_values(alerts, |mut row, alert| {
        row.push_bind(alert.id.as_bytes().as_slice()).push_bind(now);
    });
    query.push(" ON CONFLICT DO NOTHING RETURNING id");
    query.build().fetch_all(on).await?.iter().map(|row| row.try_get(0)).collect()
}

/// Stores `alerts`; their places by identity.
async fn insert(
    on: &mut Connection,
    alerts: &[(&Alert, Option<&Silence>)],
    now: i64,
) -> sqlx::Result<HashMap<Vec<u8>, i64>> {
    let mut query = QueryBuilder::<Driver>::new(
        "INSERT INTO alerts (id, time, stored_at, rule, priority, cluster, username, namespace, target, silenced, size, document) ",
    );
    query.push_values(alerts, |mut row, (alert, silence)| {
        row.push_bind(alert.id.as_bytes().as_slice())
            .push_bind(alert.time)
            .push_bind(now)
            .push_bind(text(&alert.rule))
            .push_bind(alert.priority as i16)
            .push_bind(text(&alert.cluster))
            .push_bind(text(&alert.subject.user))
            .push_bind(text(&alert.subject.namespace))
            .push_bind(text(&alert.subject.target))
            .push_bind(silence.map(|silence| silence.id.as_str()))
            .push_bind(size(alert.document.len()))
            .push_bind(&alert.document);
    });
    query.push(" RETURNING id, seq");
    let rows = query.build().fetch_all(&mut *on).await?;
    use_more(on, "alerts", alerts.iter().map(|(alert, _)| size(alert.document.len())).sum()).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

/// Lets the alerts at `places` wait for an output.
async fn wait_for(on: &mut Connection, output: &str, places: &[i64]) -> sqlx::Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    let mut query = QueryBuilder::<Driver>::new("INSERT INTO deliveries (output, seq) ");
    query.push_values(places, |mut row, seq| {
        row.push_bind(output).push_bind(*seq);
    });
    query.build().execute(on).await.map(drop)
}

async fn refused(on: &mut Connection, output: &str, alerts: &[(i64, String)]) -> sqlx::Result<()> {
    for (seq, reason) in alerts {
        sqlx::query("UPDATE deliveries SET refused = $1 WHERE output = $2 AND seq = $3")
            .bind(text(reason))
            .bind(output)
            .bind(seq)
            .execute(&mut *on)
            .await?;
    }
    Ok(())
}

async fn delivered(on: &mut Connection, output: &str, alerts: &[i64]) -> sqlx::Result<()> {
    for alerts in alerts.chunks(5 * ROWS) {
        let mut query = QueryBuilder::<Driver>::new("DELETE FROM deliveries WHERE output = ");
        query.push_bind(output).push(" AND seq IN (");
        let mut places = query.separated(", ");
        for seq in alerts {
            places.push_bind(*seq);
        }
        query.push(")").build().execute(&mut *on).await?;
    }
    Ok(())
}

async fn insert_quarantined(on: &mut Connection, now: i64, record: &Quarantined) -> sqlx::Result<()> {
    let id = identity::quarantined(&record.cluster, &record.record);
    let inserted = sqlx::query(
        "INSERT INTO quarantine (id, stored_at, cluster, source, reason, record, size) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
    )
    .bind(id.as_bytes().as_slice())
    .bind(now)
    .bind(text(&record.cluster))
    .bind(text(&record.source))
    .bind(text(&record.reason))
    .bind(&record.record)
    .bind(size(record.record.len()))
    .execute(&mut *on)
    .await?;
    if inserted.rows_affected() > 0 {
        use_more(on, "quarantine", size(record.record.len())).await?;
    }
    Ok(())
}

/// Up to `limit` alerts that wait for `output`, oldest first.
pub(in crate::store) async fn waiting(
    pool: &Pool<Driver>,
    output: &str,
    limit: u32,
) -> sqlx::Result<Vec<Waiting>> {
    let mut rows = sqlx::query_as::<Driver, (i64, Vec<u8>, String, Option<i64>, Option<i64>)>(
        "SELECT alerts.seq, alerts.id, alerts.document, deliveries.more, deliveries.over_ms FROM deliveries JOIN alerts ON alerts.seq = deliveries.seq \
         WHERE deliveries.output = $1 AND deliveries.refused IS NULL ORDER BY deliveries.seq LIMIT $2",
    )
    .bind(output)
    .bind(i64::from(limit))
    .fetch(pool);
    let (mut all, mut bytes) = (Vec::new(), 0);
    while bytes < MOST_WAITING
        && let Some((seq, id, mut document, more, over)) = rows.try_next().await?
    {
        if let (Some(more), Some(over)) = (more, over) {
            document = group::summary(&document, more, over);
        }
        bytes += document.len();
        all.push(Waiting { seq, id: Uuid::from_slice(&id).unwrap_or_default(), document });
    }
    Ok(all)
}

/// How outputs stand.
pub(in crate::store) async fn backlogs(pool: &Pool<Driver>) -> sqlx::Result<Vec<Backlog>> {
    let rows = sqlx::query_as::<Driver, (String, i64, i64, Option<i64>)>(
        "SELECT counted.output, counted.waiting, counted.refused, alerts.stored_at FROM \
         (SELECT output, count(*) - count(refused) AS waiting, count(refused) AS refused, \
          min(CASE WHEN refused IS NULL THEN seq END) AS oldest FROM deliveries GROUP BY output) AS counted \
         LEFT JOIN alerts ON alerts.seq = counted.oldest ORDER BY counted.output",
    );
    let rows = rows.fetch_all(pool).await?;
    let backlog = |(output, waiting, refused, oldest)| Backlog { output, waiting, refused, oldest };
    Ok(rows.into_iter().map(backlog).collect())
}

/// The documents of the alerts that fit `filter`, each given to `each` until that returns false.
pub(in crate::store) async fn alerts(
    pool: &Pool<Driver>,
    filter: &Filter,
    mut each: impl FnMut(String) -> bool,
) -> sqlx::Result<()> {
    let (sql, values) = filter.sql();
    let mut query = sqlx::query_scalar::<Driver, String>(AssertSqlSafe(sql));
    for value in values {
        query = match value {
            Value::Integer(value) => query.bind(value),
            Value::Text(value) => query.bind(value),
            Value::Bytes(value) => query.bind(value),
        };
    }
    let mut rows = query.fetch(pool);
    while let Some(document) = rows.try_next().await? {
        if !each(document) {
            break;
        }
    }
    Ok(())
}

/// PostgreSQL keeps no NUL in text, and names come with events.
fn text(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

fn millis(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Of alerts with their places those that are the first of their group, which lasts `span` milliseconds; the others are
/// counted.
async fn first_of_groups(
    on: &mut Connection,
    output: &str,
    span: i64,
    now: i64,
    alerts: &[(&Alert, i64)],
) -> sqlx::Result<Vec<i64>> {
    if alerts.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<_> = alerts.iter().map(|(alert, _)| group::key(alert)).collect();
    let mut query =
        QueryBuilder::<Driver>::new("SELECT group_key, more, last_seq FROM alert_groups WHERE output = ");
    query.push_bind(output).push(" AND group_key IN (");
    let mut wanted = query.separated(", ");
    for key in &keys {
        wanted.push_bind(key.as_str());
    }
    query.push(")");
    let open = query.build().fetch_all(&mut *on).await?;
    let mut groups: HashMap<String, (i64, i64)> = open
        .iter()
        .map(|row| Ok((row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?))))
        .collect::<sqlx::Result<_>>()?;
    let mut first = Vec::new();
    for (key, (_, seq)) in keys.iter().zip(alerts) {
        match groups.get_mut(key) {
            Some((more, last)) => (*more, *last) = (*more + 1, *seq),
            None => {
                first.push(*seq);
                groups.insert(key.clone(), (0, *seq));
            }
        }
    }
    let mut query = QueryBuilder::<Driver>::new(
        "INSERT INTO alert_groups (output, group_key, span, until, more, last_seq) ",
    );
    query.push_values(&groups, |mut row, (key, (more, last))| {
        row.push_bind(output)
            .push_bind(key.as_str())
            .push_bind(span)
            .push_bind(now.saturating_add(span))
            .push_bind(*more)
            .push_bind(*last);
    });
    query.push(
        " ON CONFLICT (output, group_key) DO UPDATE SET more = excluded.more, last_seq = excluded.last_seq",
    );
    query.build().execute(on).await?;
    Ok(first)
}

/// Groups whose time is over: those with more than the first go on, after the last of them waits for the output in the name
/// of all.
async fn close_groups(on: &mut Connection, now: i64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM alert_groups WHERE until <= $1 AND more = 0")
        .bind(now)
        .execute(&mut *on)
        .await?;
    sqlx::query(
        "INSERT INTO deliveries (output, seq, more, over_ms) \
         SELECT output, last_seq, more, $1 - until + span FROM alert_groups WHERE until <= $1 \
         ON CONFLICT DO NOTHING",
    )
    .bind(now)
    .execute(&mut *on)
    .await?;
    sqlx::query("UPDATE alert_groups SET until = $1 + span, more = 0 WHERE until <= $1")
        .bind(now)
        .execute(on)
        .await
        .map(drop)
}

const SILENCE: &str =
    "id, rule, cluster, username, namespace, reason, author, created_at, expires_at, removed_at, removed_by";

fn silence(row: &<Driver as sqlx::Database>::Row) -> sqlx::Result<Silence> {
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

async fn silences_in_force(on: &mut Connection, now: i64) -> sqlx::Result<Vec<Silence>> {
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

/// What a row takes beside its document or record, with its share of the indexes.
const ROW: i64 = 400;

/// What a row with so many bytes takes, about.
fn size(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX).saturating_add(ROW)
}

async fn use_more(on: &mut Connection, what: &str, bytes: i64) -> sqlx::Result<()> {
    let used = sqlx::query("UPDATE usage SET bytes = bytes + $1 WHERE what = $2");
    used.bind(bytes).bind(what).execute(on).await.map(drop)
}

/// Rows looked at in one step of retention.
const STEP: i64 = 1000;

/// One step of removing the oldest; how many rows went.
async fn retain(on: &mut Connection, keep: &Keep) -> sqlx::Result<u64> {
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
    let Cut { rows, .. } = of_alerts;
    Ok(u64::try_from(rows + of_quarantine.rows).unwrap_or_default())
}

async fn oldest(on: &mut Connection, sql: &'static str) -> sqlx::Result<Vec<Old>> {
    let rows = sqlx::query_as::<Driver, (i64, i64, i64)>(sql).bind(STEP).fetch_all(on).await?;
    Ok(rows.into_iter().map(|(seq, stored_at, size)| Old { seq, stored_at, size }).collect())
}

async fn remove(on: &mut Connection, sql: &'static str, upto: i64) -> sqlx::Result<()> {
    sqlx::query(sql).bind(upto).execute(on).await.map(drop)
}

async fn release(on: &mut Connection, seq: i64) -> sqlx::Result<()> {
    let gone = sqlx::query_scalar::<Driver, i64>("DELETE FROM quarantine WHERE seq = $1 RETURNING size");
    if let Some(bytes) = gone.bind(seq).fetch_optional(&mut *on).await? {
        use_more(on, "quarantine", -bytes).await?;
    }
    Ok(())
}

/// Removes the alerts about a user; how many.
pub(in crate::store) async fn erase(pool: &Pool<Driver>, user: &str) -> sqlx::Result<u64> {
    let mut transaction = pool.begin().await?;
    let waits = "DELETE FROM deliveries WHERE seq IN (SELECT seq FROM alerts WHERE username = $1)";
    sqlx::query(waits).bind(text(user)).execute(&mut *transaction).await?;
    let gone = sqlx::query_scalar::<Driver, i64>("DELETE FROM alerts WHERE username = $1 RETURNING size");
    let gone = gone.bind(text(user)).fetch_all(&mut *transaction).await?;
    use_more(&mut transaction, "alerts", -gone.iter().sum::<i64>()).await?;
    transaction.commit().await?;
    Ok(gone.len() as u64)
}

async fn seen(on: &mut Connection, newest: &BTreeMap<String, i64>) -> sqlx::Result<()> {
    for (cluster, newest) in newest {
        sqlx::query(
            "INSERT INTO clusters (cluster, newest) VALUES ($1, $2) ON CONFLICT (cluster) \
             DO UPDATE SET newest = excluded.newest WHERE clusters.newest < excluded.newest",
        )
        .bind(text(cluster))
        .bind(newest)
        .execute(&mut *on)
        .await?;
    }
    Ok(())
}

/// Clusters with the time of their newest event.
pub(in crate::store) async fn clusters(pool: &Pool<Driver>) -> sqlx::Result<Vec<(String, i64)>> {
    sqlx::query_as::<Driver, _>("SELECT cluster, newest FROM clusters ORDER BY cluster").fetch_all(pool).await
}

/// Up to `limit` quarantined records after a place.
pub(in crate::store) async fn quarantined(
    pool: &Pool<Driver>,
    after: i64,
    cluster: Option<&str>,
    limit: u32,
) -> sqlx::Result<Vec<Kept>> {
    type Row = (i64, i64, String, String, String, Vec<u8>);
    let rows = sqlx::query_as::<Driver, Row>(
        "SELECT seq, stored_at, cluster, source, reason, record FROM quarantine \
         WHERE seq > $1 AND ($2 = 0 OR cluster = $3) ORDER BY seq LIMIT $4",
    );
    let rows = rows
        .bind(after)
        .bind(i64::from(cluster.is_some()))
        .bind(text(cluster.unwrap_or_default()))
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await?;
    let kept = |(seq, stored_at, cluster, source, reason, record)| Kept {
        seq,
        stored_at,
        quarantined: Quarantined { reason, cluster, source, record },
    };
    Ok(rows.into_iter().map(kept).collect())
}

/// How many quarantined records there are, by cluster, source and reason.
pub(in crate::store) async fn quarantine_counts(
    pool: &Pool<Driver>,
) -> sqlx::Result<Vec<(String, String, String, i64)>> {
    let sql = "SELECT cluster, source, reason, count(*) FROM quarantine \
               GROUP BY cluster, source, reason ORDER BY cluster, source, reason";
    sqlx::query_as::<Driver, _>(sql).fetch_all(pool).await
}

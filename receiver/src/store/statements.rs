//! What is asked of the database, in SQL that SQLite and PostgreSQL understand alike; compiled once for each. Rows go in by
//! the hundred: a statement costs more than its rows.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::TryStreamExt;
use sqlx::{AssertSqlSafe, Pool, QueryBuilder, Row};
use uuid::Uuid;

use super::super::quarantine::SetAside;
use super::super::query::{Filter, Value};
use super::super::retention::{Kind, Old, cut};
use super::super::{ActivityFilter, AlertsWanted, Shown, Stored};
use super::super::{
    Alert, Backlog, Batch, Erasure, Keep, Kept, Listed, Quarantined, Recorded, Retained, Route, Silence,
    Waiting, Write,
};
use super::{Connection, Driver, shrink, used};
use crate::activity::Activity;
use crate::outputs::group;

#[path = "statements/activity.rs"]
mod activity;
#[path = "statements/groups.rs"]
mod groups;
#[path = "statements/kept.rs"]
mod kept;
#[path = "statements/pages.rs"]
mod pages;
#[path = "statements/retention.rs"]
mod retention;
#[path = "statements/silences.rs"]
mod silences;

pub(in crate::store) use activity::activity;
pub(in crate::store) use kept::{clusters, quarantine_counts, quarantine_list, quarantined};
pub(in crate::store) use pages::{activity_page, hits, page};
pub(in crate::store) use retention::{erase, erase_record, erasures, note_erasure, usage};
pub(in crate::store) use silences::{add_silence, remove_silence, silences};

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
        Write::Record(batch, records) => return record(on, routes, now, batch, records).await,
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
        Write::CloseGroups => groups::close_groups(on, now).await?,
        Write::Retain(keep) => {
            let retained = retention::retain(on, keep).await?;
            let retained = Retained { pages: shrink(on, keep.bytes).await?, ..retained };
            return Ok(Recorded { retained, ..Recorded::default() });
        }
        Write::Seen(newest) => kept::seen(on, newest).await?,
        Write::Close => {}
    }
    Ok(Recorded::default())
}

async fn record(
    on: &mut Connection,
    routes: &[Route],
    now: i64,
    batch: &Batch,
    records: &[SetAside],
) -> sqlx::Result<Recorded> {
    let mut new = Vec::with_capacity(batch.alerts.len());
    let mut silenced = 0;
    for alerts in batch.alerts.chunks(ROWS) {
        let mut claimed = claim(on, alerts, now).await?;
        if claimed.len() < alerts.len() {
            seen_again(on, alerts, now).await?;
        }
        // Of two equal alerts in one batch the first is the new one.
        let are_new: Vec<_> =
            alerts.iter().map(|alert| claimed.remove(alert.id.as_bytes().as_slice())).collect();
        let to_insert: Vec<_> =
            alerts.iter().zip(&are_new).filter_map(|(alert, is_new)| is_new.then_some(alert)).collect();
        if !to_insert.is_empty() {
            let silences = silences::silences_in_force(on, now).await?;
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
                    Some(span) => {
                        groups::first_of_groups(on, output, groups::millis(*span), now, &taken).await?
                    }
                    None => taken.iter().map(|(_, seq)| *seq).collect(),
                };
                wait_for(on, output, &seqs).await?;
            }
        }
        new.extend(are_new);
    }
    for record in records {
        insert_quarantined(on, now, record).await?;
    }
    for activity in &batch.activity {
        activity::join(on, now, activity).await?;
    }
    for seq in &batch.released {
        retention::release(on, *seq).await?;
    }
    Ok(Recorded { new, silenced, ..Recorded::default() })
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

/// Notes that events were seen once more, those that were not seen for a day.
async fn seen_again(on: &mut Connection, alerts: &[Alert], now: i64) -> sqlx::Result<()> {
    const DAY: i64 = 86_400_000;
    let mut query = QueryBuilder::<Driver>::new("UPDATE identities SET stored_at = ");
    query.push_bind(now).push(" WHERE stored_at < ").push_bind(now.saturating_sub(DAY)).push(" AND id IN (");
    let mut ids = query.separated(", ");
    for alert in alerts {
        ids.push_bind(alert.id.as_bytes().as_slice());
    }
    query.push(")").build().execute(on).await.map(drop)
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
            .push_bind(retention::size(alert.document.len()))
            .push_bind(&alert.document);
    });
    query.push(" RETURNING id, seq");
    let rows = query.build().fetch_all(&mut *on).await?;
    let sizes = alerts.iter().map(|(alert, _)| retention::size(alert.document.len()));
    retention::use_for_alerts(on, sizes.sum(), alerts.len()).await?;
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

async fn insert_quarantined(on: &mut Connection, now: i64, record: &SetAside) -> sqlx::Result<()> {
    let SetAside { id, quarantined: record } = record;
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
    .bind(retention::size(record.record.len()))
    .execute(&mut *on)
    .await?;
    if inserted.rows_affected() > 0 {
        retention::use_more(on, "quarantine", retention::size(record.record.len())).await?;
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

/// Lets what an output refused wait for it again; how many alerts.
pub(in crate::store) async fn retry(pool: &Pool<Driver>, output: &str) -> sqlx::Result<u64> {
    let again = sqlx::query("UPDATE deliveries SET refused = NULL WHERE output = $1 AND refused IS NOT NULL");
    again.bind(output).execute(pool).await.map(|done| done.rows_affected())
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

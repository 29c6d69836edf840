//! Alerts alike as one.

use super::*;

pub(super) fn millis(span: std::time::Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

/// Of alerts with their places those that are the first of their group, which lasts `span` milliseconds; the others are
/// counted.
pub(super) async fn first_of_groups(
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
/// of all, if it is still kept.
pub(super) async fn close_groups(on: &mut Connection, now: i64) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM alert_groups WHERE until <= $1 AND more = 0")
        .bind(now)
        .execute(&mut *on)
        .await?;
    sqlx::query(
        "INSERT INTO deliveries (output, seq, more, over_ms) \
         SELECT output, last_seq, more, $1 - until + span FROM alert_groups \
         JOIN alerts ON alerts.seq = last_seq WHERE until <= $1 \
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

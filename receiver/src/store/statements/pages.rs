//! What the API shows, newest first.

use super::*;

/// Up to `limit` alerts stored before the place `before`, newest first.
pub(in crate::store) async fn page(
    pool: &Pool<Driver>,
    before: i64,
    wanted: &AlertsWanted,
    limit: u32,
) -> sqlx::Result<Vec<Stored>> {
    let rows = sqlx::query_as::<Driver, (i64, Option<String>, String)>(
        "SELECT seq, silenced, document FROM alerts WHERE seq < $1 AND ($2 = 0 OR rule = $3) \
         AND ($4 = 0 OR cluster = $5) AND ($6 = 0 OR username = $7) ORDER BY seq DESC LIMIT $8",
    );
    let mut rows = rows.bind(before);
    for wanted in [&wanted.rule, &wanted.cluster, &wanted.user] {
        rows = rows
            .bind(i64::from(wanted.is_some()))
            .bind(text(wanted.as_deref().unwrap_or_default()).into_owned());
    }
    let rows = rows.bind(i64::from(limit)).fetch_all(pool).await?;
    Ok(rows.into_iter().map(|(seq, silenced, document)| Stored { seq, silenced, document }).collect())
}

/// How many alerts of each rule there are of events since `week` and since `day`, nanoseconds since 1970.
pub(in crate::store) async fn hits(
    pool: &Pool<Driver>,
    day: i64,
    week: i64,
) -> sqlx::Result<Vec<(String, i64, i64)>> {
    sqlx::query_as::<Driver, _>(
        "SELECT rule, count(CASE WHEN time >= $1 THEN 1 END), count(*) FROM alerts WHERE time >= $2 GROUP BY rule",
    )
    .bind(day)
    .bind(week)
    .fetch_all(pool)
    .await
}

/// Up to `limit` entries of activity that began before `before`, or then with a lesser id, newest first; each with its id.
pub(in crate::store) async fn activity_page(
    pool: &Pool<Driver>,
    before: i64,
    id: &str,
    limit: u32,
) -> sqlx::Result<Vec<(String, Shown)>> {
    type Row = (String, i64, Option<i64>, Option<i64>, String, String);
    let rows = sqlx::query_as::<Driver, Row>(
        "SELECT id, started, ended, code, cluster, document FROM activity \
         WHERE started < $1 OR (started = $1 AND id < $2) ORDER BY started DESC, id DESC LIMIT $3",
    );
    let rows = rows.bind(before).bind(text(id)).bind(i64::from(limit)).fetch_all(pool).await?;
    let shown = |(id, started, ended, code, cluster, document)| {
        (id, Shown { started, ended, code, cluster, document })
    };
    Ok(rows.into_iter().map(shown).collect())
}

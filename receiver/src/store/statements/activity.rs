//! The activity.

use super::*;

/// Adds what a stage says of a request to what others said.
pub(super) async fn join(on: &mut Connection, now: i64, activity: &Activity) -> sqlx::Result<()> {
    let Activity { id, started, ended, code, cluster, entry } = activity;
    let document = serde_json::to_string(entry).unwrap_or_default();
    let known = sqlx::query_scalar::<Driver, i64>("SELECT count(*) FROM activity WHERE id = $1");
    let known = known.bind(id.to_string()).fetch_one(&mut *on).await? > 0;
    let size = retention::size(document.len());
    if !known {
        retention::use_more(on, "activity", size).await?;
    }
    sqlx::query(
        "INSERT INTO activity (id, started, ended, code, kind, cluster, username, namespace, stored_at, document, size) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (id) DO UPDATE SET \
         started = CASE WHEN excluded.started < activity.started THEN excluded.started ELSE activity.started END, \
         ended = coalesce(excluded.ended, activity.ended), code = coalesce(excluded.code, activity.code)",
    )
    .bind(id.to_string())
    .bind(started)
    .bind(ended)
    .bind(code)
    .bind(text(&entry.kind))
    .bind(text(cluster))
    .bind(text(&entry.user))
    .bind(text(&entry.namespace))
    .bind(now)
    .bind(document)
    .bind(size)
    .execute(on)
    .await
    .map(drop)
}

/// The activity that fits, oldest first.
pub(in crate::store) async fn activity(
    pool: &Pool<Driver>,
    filter: &ActivityFilter,
) -> sqlx::Result<Vec<Shown>> {
    type Row = (i64, Option<i64>, Option<i64>, String, String);
    let rows = sqlx::query_as::<Driver, Row>(
        "SELECT started, ended, code, cluster, document FROM activity WHERE started >= $1 \
         AND ($2 = 0 OR username = $3) AND ($4 = 0 OR cluster = $5) AND ($6 = 0 OR namespace = $7) \
         ORDER BY started, id",
    );
    let mut rows = rows.bind(filter.since);
    for wanted in [&filter.user, &filter.cluster, &filter.namespace] {
        rows = rows.bind(i64::from(wanted.is_some())).bind(wanted.clone().unwrap_or_default());
    }
    let rows = rows.fetch_all(pool).await?;
    let shown = |(started, ended, code, cluster, document)| Shown { started, ended, code, cluster, document };
    Ok(rows.into_iter().map(shown).collect())
}

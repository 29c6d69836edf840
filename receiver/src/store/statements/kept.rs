//! The quarantine, and clusters.

use super::*;

pub(super) async fn seen(on: &mut Connection, newest: &BTreeMap<String, i64>) -> sqlx::Result<()> {
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

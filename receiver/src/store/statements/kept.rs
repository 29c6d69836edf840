//! The quarantine, and clusters.

use super::*;

/// Bytes of quarantined records read at once, and what is left of the last one.
const MOST_RECORDS: i64 = 8 << 20;

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

/// Up to `limit` quarantined records after a place, as many as have [`MOST_RECORDS`] and the one that goes beyond.
pub(in crate::store) async fn quarantined(
    pool: &Pool<Driver>,
    after: i64,
    cluster: Option<&str>,
    limit: u32,
) -> sqlx::Result<Vec<Kept>> {
    type Row = (i64, i64, String, String, String, Vec<u8>);
    let rows = sqlx::query_as::<Driver, Row>(
        "WITH sized AS (SELECT seq, length(record) AS bytes FROM quarantine \
         WHERE seq > $1 AND ($2 = 0 OR cluster = $3) ORDER BY seq LIMIT $4), \
         summed AS (SELECT seq, sum(bytes) OVER (ORDER BY seq) - bytes AS ahead FROM sized) \
         SELECT quarantine.seq, stored_at, cluster, source, reason, record FROM quarantine \
         JOIN summed ON summed.seq = quarantine.seq WHERE ahead < $5 ORDER BY quarantine.seq",
    );
    let rows = rows
        .bind(after)
        .bind(i64::from(cluster.is_some()))
        .bind(text(cluster.unwrap_or_default()))
        .bind(i64::from(limit))
        .bind(MOST_RECORDS)
        .fetch_all(pool)
        .await?;
    let kept = |(seq, stored_at, cluster, source, reason, record)| Kept {
        seq,
        stored_at,
        quarantined: Quarantined { reason, cluster, source, record },
    };
    Ok(rows.into_iter().map(kept).collect())
}

/// Up to `limit` quarantined records after a place, without themselves.
pub(in crate::store) async fn quarantine_list(
    pool: &Pool<Driver>,
    after: i64,
    cluster: Option<&str>,
    limit: u32,
) -> sqlx::Result<Vec<Listed>> {
    type Row = (i64, i64, String, String, String, i64);
    let rows = sqlx::query_as::<Driver, Row>(
        "SELECT seq, stored_at, cluster, source, reason, CAST(length(record) AS BIGINT) FROM quarantine \
         WHERE seq > $1 AND ($2 = 0 OR cluster = $3) ORDER BY seq LIMIT $4",
    );
    let rows = rows
        .bind(after)
        .bind(i64::from(cluster.is_some()))
        .bind(text(cluster.unwrap_or_default()))
        .bind(i64::from(limit))
        .fetch_all(pool)
        .await?;
    let listed = |(seq, stored_at, cluster, source, reason, bytes)| Listed {
        seq,
        stored_at,
        cluster,
        source,
        reason,
        bytes,
    };
    Ok(rows.into_iter().map(listed).collect())
}

/// How many quarantined records there are, by cluster, source and reason.
pub(in crate::store) async fn quarantine_counts(
    pool: &Pool<Driver>,
) -> sqlx::Result<Vec<(String, String, String, i64)>> {
    let sql = "SELECT cluster, source, reason, count(*) FROM quarantine \
               GROUP BY cluster, source, reason ORDER BY cluster, source, reason";
    sqlx::query_as::<Driver, _>(sql).fetch_all(pool).await
}

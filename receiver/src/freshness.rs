//! Clusters that have fallen silent. The newest event of each is kept in the store, so that it outlives a restart and
//! several receivers know of each other's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::metrics::Counters;
use crate::native;
use crate::store::{Batch, Store, StoreError};

/// How often what came is written down and looked at.
const LOOK: Duration = Duration::from_secs(10);

/// Clusters that are followed; names come with events, and a stranger may send many.
const MOST: usize = 1000;

/// The newest events that came.
#[derive(Default, Debug)]
pub struct Freshness(Mutex<Seen>);

#[derive(Default, Debug)]
struct Seen {
    known: BTreeSet<String>,
    since_last_look: BTreeMap<String, i64>,
}

impl Freshness {
    /// Events of these clusters came, the newest at this time in nanoseconds since 1970. A time that is yet to come counts
    /// as now: it must not hide the silence after it.
    pub fn note(&self, newest: &BTreeMap<String, i64>) {
        let now = nanoseconds(Timestamp::now());
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (cluster, time) in newest {
            if !seen.known.contains(cluster) {
                if seen.known.len() >= MOST {
                    continue;
                }
                seen.known.insert(cluster.clone());
            }
            let time = (*time).min(now);
            let newest = seen.since_last_look.entry(cluster.clone()).or_insert(time);
            *newest = time.max(*newest);
        }
    }

    fn take(&self) -> BTreeMap<String, i64> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).since_last_look)
    }
}

fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}

/// Raises an alert for each cluster whose newest event is older than `silent_after`, one for each silence, as long as there
/// is a store. Not before that time has passed since the start: what was missed meanwhile must have had time to come.
pub async fn watch(
    freshness: Arc<Freshness>,
    silent_after: Duration,
    store: Store,
    hostname: String,
    counters: Arc<Counters>,
) {
    let started = Instant::now();
    loop {
        tokio::time::sleep(LOOK).await;
        let alerts = started.elapsed() > silent_after;
        match look(&freshness, alerts.then_some(silent_after), &store, &hostname, &counters).await {
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "which clusters are silent is not known"),
            Ok(()) => {}
        }
    }
}

async fn look(
    freshness: &Freshness,
    silent_after: Option<Duration>,
    store: &Store,
    hostname: &str,
    counters: &Counters,
) -> Result<(), StoreError> {
    let seen = freshness.take();
    if !seen.is_empty()
        && let Err(error) = store.seen(seen.clone()).await
    {
        freshness.note(&seen);
        return Err(error);
    }
    let Some(silent_after) = silent_after else { return Ok(()) };
    let now = Timestamp::now();
    let before = now.checked_sub(silent_after).map_or(i64::MIN, nanoseconds);
    let silent = store.clusters().await?.into_iter().filter(|(_, newest)| *newest < before);
    let alerts: Vec<_> =
        silent.map(|(cluster, newest)| native::silent(&cluster, newest, hostname, now)).collect();
    if !alerts.is_empty() {
        let rules: Vec<_> = alerts.iter().map(|alert| alert.rule.clone()).collect();
        let recorded = store.record(Batch { alerts, ..Batch::default() }).await?;
        counters.alerts(rules.iter().zip(&recorded.new).filter(|(_, new)| **new));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use audit_service::metrics::Metrics;

    use super::*;
    use crate::store::{Filter, Location};

    #[tokio::test]
    async fn a_silence_raises_one_alert_and_the_next_another() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::Sqlite(folder.path().join("a.db")), Vec::new()).await.unwrap();
        let (freshness, counters) = (Freshness::default(), Counters::new(&Metrics::new("test", "0")));
        let look =
            async || look(&freshness, Some(Duration::from_secs(60)), &store, "h", &counters).await.unwrap();
        let came = |cluster: &str, seconds_ago: i64| {
            let time = nanoseconds(Timestamp::now()) - seconds_ago * 1_000_000_000;
            freshness.note(&BTreeMap::from([(cluster.to_owned(), time)]));
        };
        came("quiet", 100);
        came("busy", 1);
        came("ahead", -3600);
        let silent = async || {
            look().await;
            let mut clusters = Vec::new();
            let each = |document: String| {
                let alert: serde_json::Value = serde_json::from_str(&document).unwrap();
                assert_eq!(alert["rule"], native::SILENT);
                clusters.push(alert["cluster"].as_str().unwrap().to_owned());
                true
            };
            store.alerts(&Filter::default(), each).await.unwrap();
            clusters
        };
        assert_eq!(silent().await, ["quiet"]);
        // An older event changes nothing, nor does looking again.
        came("quiet", 200);
        assert_eq!(silent().await, ["quiet"]);
        came("quiet", 70);
        assert_eq!(silent().await, ["quiet", "quiet"]);
        came("quiet", 0);
        assert_eq!(silent().await.len(), 2);
        let newest = store.clusters().await.unwrap();
        assert!(newest.iter().all(|(_, newest)| *newest <= nanoseconds(Timestamp::now())), "{newest:?}");
    }
}

//! How fresh each cluster's log is, and which have fallen silent. The newest event of each is kept in the store, so that it
//! outlives a restart and several receivers know of each other's.
//!
//! A cluster goes by its id. One that a sender is bound to is fresh by that sender alone: nobody else's events can hide its
//! silence, whatever they name. Of the others the events tell, so whoever may post can keep them fresh.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::clusters::Cluster;
use crate::evaluate::Newest;
use crate::metrics::Counters;
use crate::native;
use crate::store::{Batch, Store, StoreError};

/// How often what came is written down and looked at.
const LOOK: Duration = Duration::from_secs(10);

/// Clusters that are followed by their word alone; names come with events, and a stranger may send many.
const MOST: usize = 1000;

/// Most bytes of a [`key`], which may have six for each of a name: PostgreSQL takes no more than 2704 in an index.
const LONGEST_KEY: usize = 2000;

/// The newest events that came.
#[derive(Default, Debug)]
pub struct Freshness {
    /// Names of the clusters that senders are bound to, by their ids.
    bound: BTreeMap<String, String>,
    seen: Mutex<Seen>,
}

#[derive(Default, Debug)]
struct Seen {
    /// The names under which clusters came first, by their ids.
    claimed: BTreeMap<String, String>,
    told_of_long_names: bool,
    /// By [`key`].
    since_last_look: BTreeMap<String, i64>,
}

/// What is known of a cluster.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Known {
    /// Unique in the world.
    pub id: String,
    /// For people.
    pub name: String,
    /// Whether a sender is bound to it, so that no other counts.
    pub bound: bool,
    /// The time of its newest event, nanoseconds since 1970; none came when not given.
    pub newest: Option<i64>,
}

impl Freshness {
    /// Nothing came yet. Senders are bound to the clusters `bound`.
    pub fn new(bound: impl IntoIterator<Item = Cluster>) -> Self {
        let bound =
            bound.into_iter().map(|Cluster { id, name }| (id.to_string(), name.to_string())).collect();
        Self { bound, seen: Mutex::default() }
    }

    /// Events of these clusters came and are stored, from a sender that is `bound` to them or from one that says so. A time
    /// that is yet to come counts as now: it must not hide the silence after it.
    pub fn note(&self, newest: &BTreeMap<String, Newest>, bound: bool, counters: &Counters) {
        let now = nanoseconds(Timestamp::now());
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, Newest { name, time }) in newest {
            if key(id, name).len() > LONGEST_KEY {
                if !std::mem::replace(&mut seen.told_of_long_names, true) {
                    tracing::warn!(cluster = name, "not followed: its id and name take too many bytes");
                }
                continue;
            }
            let name = match self.bound.get(id) {
                Some(name) if bound => name,
                Some(_) => continue,
                None => match seen.name(id, name) {
                    Some(name) => name,
                    None => continue,
                },
            };
            let (key, time) = (key(id, name), (*time).min(now));
            counters.newest(id, name, time);
            let newest = seen.since_last_look.entry(key).or_insert(time);
            *newest = time.max(*newest);
        }
    }

    /// All clusters that were ever heard of, and those that should have been.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn clusters(&self, store: &Store) -> Result<Vec<Known>, StoreError> {
        let bound = self.bound.iter().map(|(id, name)| {
            (id.clone(), Known { id: id.clone(), name: name.clone(), bound: true, newest: None })
        });
        let mut known: BTreeMap<_, _> = bound.collect();
        let stored = store.clusters().await?;
        for (key, newest) in stored.into_iter().chain(self.since_last_look()) {
            let (id, name) = read(key);
            let known = known.entry(id.clone()).or_insert(Known {
                id,
                name: String::new(),
                bound: false,
                newest: None,
            });
            if known.newest < Some(newest) {
                known.newest = Some(newest);
                if !known.bound {
                    known.name = name;
                }
            }
        }
        Ok(known.into_values().collect())
    }

    fn since_last_look(&self) -> BTreeMap<String, i64> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).since_last_look.clone()
    }

    fn take(&self) -> BTreeMap<String, i64> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner).since_last_look)
    }

    /// What could not be written down comes with what came meanwhile.
    fn put_back(&self, taken: BTreeMap<String, i64>) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, time) in taken {
            let newest = seen.since_last_look.entry(key).or_insert(time);
            *newest = time.max(*newest);
        }
    }
}

impl Seen {
    /// The name of the cluster of that id, the first that it came under; none when there are too many clusters.
    fn name(&mut self, id: &str, name: &str) -> Option<&String> {
        if !self.claimed.contains_key(id) && self.claimed.len() < MOST {
            self.claimed.insert(id.to_owned(), name.to_owned());
        }
        self.claimed.get(id)
    }
}

/// Id and name as one text, under which the store keeps the time: a JSON array, so that no name passes for another's id.
fn key(id: &str, name: &str) -> String {
    serde_json::json!([id, name]).to_string()
}

/// Id and name of a [`key`]. Earlier versions wrote the name alone.
fn read(key: String) -> (String, String) {
    serde_json::from_str(&key).unwrap_or_else(|_| (key.clone(), key))
}

fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}

/// Raises an alert for each cluster whose newest event is older than `silent_after`, one for each silence, as long as there
/// is a store. Not before that time has passed since the start, and since the store took nothing: what was missed meanwhile
/// must have had time to come.
pub async fn watch(
    freshness: Arc<Freshness>,
    silent_after: Duration,
    store: Store,
    hostname: String,
    counters: Arc<Counters>,
) {
    let mut since = Instant::now();
    let often = LOOK.min(silent_after.max(Duration::from_secs(1)));
    loop {
        tokio::time::sleep(often).await;
        let is_healthy = store.health().borrow().is_ok();
        let alerts = has_passed(silent_after, &mut since, is_healthy, Instant::now());
        match look(&freshness, alerts.then_some(silent_after), &store, &hostname, &counters).await {
            Err(StoreError::Closed) => return,
            Err(error) => {
                since = Instant::now();
                tracing::warn!(%error, "which clusters are silent is not known");
            }
            Ok(()) => {}
        }
    }
}

/// Whether events have had so much time to come `since` the store could take them, if that time is given.
fn has_passed(silent_after: Duration, since: &mut Instant, is_healthy: bool, now: Instant) -> bool {
    if !is_healthy {
        *since = now;
    }
    silent_after > Duration::ZERO && now.duration_since(*since) > silent_after
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
        freshness.put_back(seen);
        return Err(error);
    }
    let Some(silent_after) = silent_after else { return Ok(()) };
    let now = Timestamp::now();
    let before = now.checked_sub(silent_after).map_or(i64::MIN, nanoseconds);
    let known = freshness.clusters(store).await?;
    let silent = known.iter().filter(|known| known.newest.is_none_or(|newest| newest < before));
    let alerts: Vec<_> = silent.map(|known| native::silent(known, hostname, now)).collect();
    if !alerts.is_empty() {
        let rules: Vec<_> = alerts.iter().map(|alert| alert.rule.clone()).collect();
        let recorded = store.record(Batch { alerts, ..Batch::default() }).await?;
        counters.alerts(rules.iter().zip(&recorded.new).filter(|(_, new)| **new));
    }
    Ok(())
}

#[cfg(test)]
mod tests;

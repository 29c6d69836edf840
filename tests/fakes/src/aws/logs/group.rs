//! Log groups, their streams, and the handles to fill them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::sync::Arc;
use std::time::Duration;

use super::event_id::event_id;
use crate::aws::{Aws, Place};

/// Every log group, by place and name.
pub(in crate::aws) type Groups = BTreeMap<(Place, String), Stored>;

/// What a log group holds.
#[derive(Debug, Default)]
pub(in crate::aws) struct Stored {
    pub(super) created_ms: i64,
    pub(super) streams: BTreeMap<Arc<str>, StoredStream>,
    pub(super) events: BTreeMap<Key, StoredEvent>,
    pub(super) series: Vec<StoredSeries>,
}

/// Very many events, of which only the recipe is kept: each is made anew when it is asked for.
#[derive(Clone)]
pub struct Series {
    /// The time of the first, in milliseconds since 1970.
    pub start_ms: i64,
    /// The time between two, in microseconds.
    pub step_us: u64,
    /// How many there are.
    pub count: u64,
    /// The message of the event of that number and time. It is the same each time, and may note that it was asked for.
    pub message: Arc<dyn Fn(u64, i64) -> String + Send + Sync>,
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { start_ms, step_us, count, .. } = self;
        write!(f, "Series({count} from {start_ms} on, {step_us} us apart)")
    }
}

/// A series of a stream; it was ingested a second after its time, each event.
#[derive(Debug)]
pub(super) struct StoredSeries {
    pub(super) stream: Arc<str>,
    series: Series,
    /// What the numbers of its keys begin with.
    base: u64,
}

impl StoredSeries {
    /// The keys of its events from `first` on, without `first` itself if that is `after` one.
    pub(super) fn keys(&self, first: Bound<Key>) -> impl Iterator<Item = Key> + '_ {
        let least = match first {
            Bound::Included(key) | Bound::Excluded(key) => key.timestamp,
            Bound::Unbounded => 0,
        };
        let past = u64::try_from(least - self.series.start_ms).unwrap_or(0).saturating_mul(1000);
        let index = past / self.series.step_us.max(1);
        (index.saturating_sub(1)..self.series.count)
            .map(|index| self.key(index))
            .skip_while(move |key| !(first, Bound::Unbounded).contains(key))
    }

    fn key(&self, index: u64) -> Key {
        let timestamp = self.series.start_ms + (index * self.series.step_us / 1000) as i64;
        Key { timestamp, ingested: timestamp + 1000, number: self.base + index }
    }

    pub(super) fn event(&self, key: &Key) -> (String, String) {
        let message = (self.series.message)(key.number - self.base, key.timestamp);
        (event_id(key.timestamp, key.ingested, key.number), message)
    }
}

#[derive(Debug)]
pub(super) struct StoredStream {
    pub(super) created_ms: i64,
    /// How long after being put an event becomes readable.
    delay: Duration,
}

/// The order of `FilterLogEvents`: time, ingestion time, order of putting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) timestamp: i64,
    pub(super) ingested: i64,
    pub(super) number: u64,
}

#[derive(Debug)]
pub(super) struct StoredEvent {
    pub(super) id: String,
    pub(super) stream: Arc<str>,
    pub(super) message: Arc<str>,
    pub(super) visible_ms: i64,
}

/// The handle to one log group.
#[derive(Debug, Clone)]
pub struct Group {
    aws: Aws,
    key: (Place, String),
}

impl Group {
    pub(in crate::aws) fn create(aws: Aws, place: Place, name: &str) -> Self {
        let key = (place, name.to_owned());
        let mut state = aws.lock();
        let created_ms = state.now_ms();
        state.groups.entry(key.clone()).or_insert_with(|| Stored { created_ms, ..Stored::default() });
        drop(state);
        Self { aws, key }
    }

    /// The stream of that name, created if it is not there.
    pub fn stream(&self, name: &str) -> Stream {
        let name: Arc<str> = Arc::from(name);
        let mut state = self.aws.lock();
        let created_ms = state.now_ms();
        let group = state.groups.get_mut(&self.key).expect("a log group that was not deleted");
        group.streams.entry(Arc::clone(&name)).or_insert(StoredStream { created_ms, delay: Duration::ZERO });
        drop(state);
        Stream { group: self.clone(), name }
    }

    /// Deletes the group with all that it holds.
    pub fn delete(self) {
        self.aws.lock().groups.remove(&self.key);
    }

    /// How many events it holds, readable or not.
    pub fn len(&self) -> usize {
        self.aws.lock().groups.get(&self.key).map_or(0, |group| group.events.len())
    }

    /// Whether it holds no event.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The handle to one log stream.
#[derive(Debug, Clone)]
pub struct Stream {
    group: Group,
    name: Arc<str>,
}

impl Stream {
    /// From now on events become readable only so long after they are put.
    pub fn set_delay(&self, delay: Duration) {
        let mut state = self.group.aws.lock();
        let group = state.groups.get_mut(&self.group.key).expect("a log group that was not deleted");
        group.streams.get_mut(&self.name).expect("a stream that was created").delay = delay;
    }

    /// Puts an event of that time (milliseconds since 1970), ingested now, and gives its ID.
    pub fn put(&self, timestamp: i64, message: &str) -> String {
        let now = self.group.aws.now_ms();
        self.put_ingested(timestamp, now, message)
    }

    /// Puts very many events, readable at once.
    pub fn put_series(&self, series: Series) {
        let mut state = self.group.aws.lock();
        let group = state.groups.get_mut(&self.group.key).expect("a log group that was not deleted");
        let base = (group.series.len() as u64 + 1) << 40;
        group.series.push(StoredSeries { stream: Arc::clone(&self.name), series, base });
    }

    /// Puts an event with an ingestion time of its own; it becomes readable after the stream's delay from now.
    pub fn put_ingested(&self, timestamp: i64, ingested: i64, message: &str) -> String {
        let mut state = self.group.aws.lock();
        let now = state.now_ms();
        let group = state.groups.get_mut(&self.group.key).expect("a log group that was not deleted");
        let number = group.events.len() as u64;
        let delay = group.streams.get(&self.name).expect("a stream that was created").delay;
        let id = event_id(timestamp, ingested, number);
        let event = StoredEvent {
            id: id.clone(),
            stream: Arc::clone(&self.name),
            message: Arc::from(message),
            visible_ms: now + delay.as_millis() as i64,
        };
        group.events.insert(Key { timestamp, ingested, number }, event);
        id
    }
}

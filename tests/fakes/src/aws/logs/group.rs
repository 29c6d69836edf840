//! Log groups, their streams, and the handles to fill them.

use std::collections::BTreeMap;
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

//! What a namespace holds: hubs, their partitions, the messages in them, and who reads them.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::Shared;

/// No condition of the wire: the reader stays attached and gets nothing more.
pub(super) const MUTE: &str = "mute";

/// The handle to a hub.
#[derive(Debug, Clone)]
pub struct Hub {
    shared: Arc<Shared>,
    name: String,
}

/// Where a reader wants to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// Behind that offset; `-1` is the beginning, `@latest` the end.
    Offset(String),
    /// Behind, or with `true` at, that sequence number.
    Sequence(i64, bool),
    /// Behind that time, in milliseconds since 1970.
    Enqueued(i64),
}

#[derive(Debug, Default)]
pub(super) struct Hubs(HashMap<String, HubState>);

#[derive(Debug)]
pub(super) struct HubState {
    pub(super) partitions: Vec<Partition>,
    pub(super) disabled: bool,
}

#[derive(Debug)]
pub(super) struct Partition {
    pub(super) messages: VecDeque<Stored>,
    pub(super) next: i64,
    /// The next sequence number, for readers that wait.
    grown: watch::Sender<i64>,
    readers: HashMap<String, Vec<Reader>>,
}

#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) sequence: i64,
    pub(super) enqueued_ms: i64,
    pub(super) body: Bytes,
}

#[derive(Debug)]
struct Reader {
    epoch: Option<i64>,
    kick: mpsc::UnboundedSender<String>,
}

impl Stored {
    /// Opaque, as offsets are since geo-replication.
    pub(super) fn offset(&self) -> String {
        format!("1:{}:{}", self.sequence * 4096, self.sequence)
    }
}

impl Hubs {
    pub(super) fn make(&mut self, name: &str, partitions: usize) {
        self.0.entry(name.to_owned()).or_insert_with(|| HubState {
            partitions: (0..partitions).map(|_| Partition::new()).collect(),
            disabled: false,
        });
    }

    pub(super) fn get(&mut self, name: &str) -> Option<&mut HubState> {
        self.0.get_mut(name)
    }

    pub(super) fn partition(&mut self, hub: &str, partition: &str) -> Option<&mut Partition> {
        let number: usize = partition.parse().ok()?;
        self.get(hub)?.partitions.get_mut(number)
    }
}

impl Partition {
    fn new() -> Self {
        Self { messages: VecDeque::new(), next: 0, grown: watch::Sender::new(0), readers: HashMap::new() }
    }

    pub(super) fn watch(&self) -> watch::Receiver<i64> {
        self.grown.subscribe()
    }

    /// The sequence number of the oldest message that is kept, or of the next one.
    pub(super) fn first(&self) -> i64 {
        self.messages.front().map_or(self.next, |message| message.sequence)
    }

    /// The sequence number to begin at; none when that place is not in the log.
    pub(super) fn begin(&self, selector: &Selector) -> Option<i64> {
        match selector {
            Selector::Offset(offset) if offset == "-1" => Some(self.first()),
            Selector::Offset(offset) if offset == "@latest" => Some(self.next),
            Selector::Offset(offset) => {
                self.messages.iter().find(|message| message.offset() == *offset).map(|m| m.sequence + 1)
            }
            Selector::Sequence(sequence, inclusive) => {
                let begin = sequence + i64::from(!inclusive);
                (self.first()..=self.next).contains(&begin).then_some(begin)
            }
            Selector::Enqueued(after) => {
                let found = self.messages.iter().find(|message| message.enqueued_ms > *after);
                Some(found.map_or(self.next, |message| message.sequence))
            }
        }
    }

    /// The message of that number, or the first behind it that is kept.
    pub(super) fn message(&self, sequence: i64) -> Option<Stored> {
        let at = usize::try_from(sequence.max(self.first()) - self.first()).ok()?;
        self.messages.get(at).cloned()
    }

    /// Makes room for a reader: the condition under which it may not read, or where it hears of having to stop.
    pub(super) fn join(
        &mut self,
        group: &str,
        epoch: Option<i64>,
    ) -> Result<mpsc::UnboundedReceiver<String>, &'static str> {
        let readers = self.readers.entry(group.to_owned()).or_default();
        readers.retain(|reader| !reader.kick.is_closed());
        let owner = readers.iter().filter_map(|reader| reader.epoch).max();
        match epoch {
            Some(epoch) if owner.is_some_and(|owner| owner > epoch) => return Err("amqp:link:stolen"),
            None if owner.is_some() => return Err("amqp:link:stolen"),
            None if readers.len() >= 5 => return Err("amqp:resource-limit-exceeded"),
            Some(_) => kick(readers, "amqp:link:stolen"),
            None => {}
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        readers.push(Reader { epoch, kick: sender });
        Ok(receiver)
    }
}

fn kick(readers: &mut Vec<Reader>, condition: &str) {
    for reader in readers.drain(..) {
        let _ = reader.kick.send(condition.to_owned());
    }
}

impl Hub {
    pub(super) fn new(shared: Arc<Shared>, name: &str) -> Self {
        Self { shared, name: name.to_owned() }
    }

    /// The hub's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Appends a message now; its sequence number.
    pub fn put(&self, partition: usize, body: impl Into<Bytes>) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        self.put_at(partition, i64::try_from(now).unwrap_or(i64::MAX), body)
    }

    /// Appends a message as if it had come in at that time, in milliseconds since 1970.
    pub fn put_at(&self, partition: usize, enqueued_ms: i64, body: impl Into<Bytes>) -> i64 {
        self.with(partition, |partition| {
            let sequence = partition.next;
            partition.messages.push_back(Stored { sequence, enqueued_ms, body: body.into() });
            partition.next += 1;
            partition.grown.send_replace(partition.next);
            sequence
        })
    }

    /// Adds partitions until there are so many, as the premium and dedicated tiers allow.
    pub fn grow(&self, partitions: usize) {
        let mut state = self.shared.lock();
        let hub = state.hubs.get(&self.name).expect("a hub is never removed");
        hub.partitions.resize_with(partitions.max(hub.partitions.len()), Partition::new);
    }

    /// Keeps only the newest so many messages, as the end of retention does.
    pub fn keep(&self, partition: usize, newest: usize) {
        self.with(partition, |partition| {
            let gone = partition.messages.len().saturating_sub(newest);
            partition.messages.drain(..gone);
        });
    }

    /// Ends the links of a partition's readers with that condition.
    pub fn detach(&self, partition: usize, condition: &str) {
        self.with(partition, |partition| {
            partition.readers.values_mut().for_each(|readers| kick(readers, condition));
        });
    }

    /// Lets the links of a partition's readers fall silent, as links do that were forgotten: nothing comes, and no word.
    pub fn mute(&self, partition: usize) {
        self.with(partition, |partition| {
            partition.readers.values_mut().for_each(|readers| kick(readers, MUTE));
        });
    }

    /// Switches the hub off or on again; readers are told.
    pub fn set_disabled(&self, disabled: bool) {
        let mut state = self.shared.lock();
        let hub = state.hubs.get(&self.name).expect("a hub is never removed");
        hub.disabled = disabled;
        if disabled {
            let readers = hub.partitions.iter_mut().flat_map(|partition| partition.readers.values_mut());
            readers.for_each(|readers| kick(readers, "com.microsoft:entity-disabled"));
        }
    }

    /// How many readers the partition has.
    pub fn readers(&self, partition: usize) -> usize {
        self.with(partition, |partition| {
            let readers = partition.readers.values().flatten();
            readers.filter(|reader| !reader.kick.is_closed()).count()
        })
    }

    fn with<T>(&self, partition: usize, act: impl FnOnce(&mut Partition) -> T) -> T {
        let mut state = self.shared.lock();
        let hub = state.hubs.get(&self.name).expect("a hub is never removed");
        act(hub.partitions.get_mut(partition).expect("a partition of the hub"))
    }
}

//! One partition as a source: attach, read, and come back from whatever the service says.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use audit_bridge::deliver::Backoff;
use audit_bridge::metrics::{Metrics, SourceTroubled};
use audit_bridge::time::{From, Time};
use audit_bridge::{Batch, Record, Source};
use audit_event::Timestamp;
use audit_service::health::Condition as Ready;
use audit_service::metrics::Occurrence;
use tokio::time::{Instant, sleep_until};

use crate::amqp::{Failure, Message, PartitionLink, PartitionProperties, Reaction, Received, Start};
use crate::hub::{Hub, Unavailable};

mod credit;
mod metrics;
mod position;

pub use credit::Credit;
pub use metrics::{Gap, HubMetrics, Replaced};
pub use position::Position;

/// When a partition is first asked how far behind its reader is: the service refuses some links only once they stand. Later
/// it is asked as often as an answer may take.
const LOOK_FIRST: Duration = Duration::from_secs(1);
/// At most so many bytes of messages in a batch, a single larger one excepted.
const MOST_BYTES: usize = 2 << 20;
/// At most so many messages in a batch.
const MOST_MESSAGES: usize = 200;

/// A partition of a hub, read from a position on.
#[derive(Debug)]
pub struct Partition {
    unit: String,
    id: String,
    hub: Arc<Hub>,
    /// What was read last, or where to begin.
    position: Position,
    /// Where to begin was decided here, and no checkpoint has it yet.
    is_new: bool,
    /// The newest message that the hub told of.
    newest: Option<i64>,
    /// Read up to here and end.
    until: Option<Until>,
    link: Option<Link>,
    /// Nothing is asked of the hub before that.
    not_before: Instant,
    backoff: Backoff,
    credit: Credit,
    ready: Ready,
    is_ready: bool,
    metrics: Metrics,
    hub_metrics: HubMetrics,
}

#[derive(Debug)]
struct Link {
    link: PartitionLink,
    /// The first message tells whether some are missing before it.
    fresh: bool,
    heard: Instant,
    look_at: Instant,
    /// Which of the hub's connections it is on.
    connection: u64,
}

/// Where a partition that is read once ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Until {
    Unknown,
    Sequence(i64),
}

/// What every partition of a bridge is read with.
#[derive(Clone, Debug)]
pub struct Reading {
    /// The hub.
    pub hub: Arc<Hub>,
    /// Where a partition without a position begins.
    pub from: From,
    /// Read what is there and end, and give up where somebody must mend something.
    pub once: bool,
    /// Bytes that all partitions together may have asked for.
    pub budget: usize,
    /// How many partitions share it at present.
    pub sharing: Arc<AtomicUsize>,
    /// What is counted.
    pub metrics: Metrics,
    /// What is counted of hubs.
    pub hub_metrics: HubMetrics,
}

/// A partition can't be read, and nobody waits for that to change.
#[derive(Debug, thiserror::Error)]
#[error("{unit} cannot be read: {problem}")]
pub struct GaveUp {
    unit: String,
    problem: Unavailable,
}

impl Partition {
    /// The partition `id` as the unit `unit`. `ready` is set while somebody must mend something.
    pub fn new(reading: &Reading, unit: &str, id: &str, position: Option<Position>, ready: Ready) -> Self {
        reading.sharing.fetch_add(1, Ordering::AcqRel);
        let is_new = position.is_none();
        Self {
            unit: unit.to_owned(),
            id: id.to_owned(),
            hub: Arc::clone(&reading.hub),
            position: position.unwrap_or_else(|| Position::starting(reading.from, Time::of_machine())),
            is_new,
            newest: None,
            until: reading.once.then_some(Until::Unknown),
            link: None,
            not_before: Instant::now(),
            backoff: Backoff::default(),
            credit: Credit::new(reading.budget, Arc::clone(&reading.sharing)),
            ready,
            is_ready: false,
            metrics: reading.metrics.clone(),
            hub_metrics: reading.hub_metrics.clone(),
        }
    }

    /// Attaches if need be. `None` at the end of what is to be read.
    async fn attached(&mut self) -> Result<Option<&Link>, Unavailable> {
        sleep_until(self.not_before).await;
        if self.link.is_none() {
            if self.until == Some(Until::Unknown) {
                let properties = self.hub.partition(&self.id).await?;
                if self.position.sequence.is_some_and(|last| last > properties.last) {
                    self.reposition(&properties);
                }
                self.until = Some(Until::Sequence(self.last_to_read(&properties)));
            }
            if self.is_done() {
                return Ok(None);
            }
            let (link, connection) = self.hub.attach(&self.id, &self.position.start()).await?;
            let now = Instant::now();
            self.link = Some(Link { link, fresh: true, heard: now, look_at: now + LOOK_FIRST, connection });
            self.metrics.request(&self.unit, "attached");
            tracing::info!(unit = self.unit, position = %self.position, "reading");
        }
        Ok(self.link.as_ref())
    }

    /// The sequence number after which nothing is left to read; -1 when there is nothing.
    fn last_to_read(&self, properties: &PartitionProperties) -> i64 {
        let nothing_since = match (self.position.start(), properties.last_enqueued) {
            (Start::Latest, _) => true,
            (Start::Since(time), Some(last)) => last.as_milliseconds() <= time.as_milliseconds(),
            _ => false,
        };
        if properties.is_empty || nothing_since { -1 } else { properties.last }
    }

    fn is_done(&self) -> bool {
        match self.until {
            Some(Until::Sequence(last)) => last <= self.position.sequence.unwrap_or(-1),
            _ => false,
        }
    }

    /// The next messages, as many as are there already.
    async fn read(&mut self) -> Result<Option<Batch<Position>>, Unavailable> {
        loop {
            if self.attached().await?.is_none() {
                return Ok(None);
            }
            self.allow().await?;
            let Some(link) = &mut self.link else { continue };
            let look = link.look_at;
            tokio::select! {
                received = link.link.next() => {
                    let received = received?;
                    link.heard = Instant::now();
                    return self.gather(received).await.map(Some);
                }
                () = self.credit.changed() => {}
                () = sleep_until(look) => self.look().await?,
            }
        }
    }

    /// Lets as many messages come as there is room for, in steps that are worth one.
    async fn allow(&mut self) -> Result<(), Unavailable> {
        let Some(link) = &mut self.link else { return Ok(()) };
        let (given, wanted) = (link.link.credit(), self.credit.messages());
        if given <= wanted / 2 && given != wanted {
            if given == 0 {
                // It could not be heard of until now.
                link.heard = Instant::now();
            }
            link.link.allow(wanted).await?;
        }
        Ok(())
    }

    /// Takes what came, and what else came meanwhile.
    async fn gather(&mut self, first: Received) -> Result<Batch<Position>, Unavailable> {
        let mut records = Vec::new();
        let (mut bytes, mut messages) = (0, 1);
        bytes += self.take(first, &mut records);
        while bytes < MOST_BYTES && messages < MOST_MESSAGES {
            let Some(link) = &mut self.link else { break };
            let Some(received) = link.link.next_at_hand().await else { break };
            match received {
                Ok(received) => bytes += self.take(received, &mut records),
                // What came before the failure is good; the next call meets the failure again.
                Err(_) => break,
            }
            messages += 1;
        }
        self.works();
        if let (Some(newest), Some(read)) = (self.newest, self.position.sequence) {
            self.hub_metrics.behind(&self.unit, (newest - read).max(0));
        }
        let load = Some(self.credit.load(bytes));
        // Should the link be gone, reading it says why.
        let _ = self.allow().await;
        Ok(Batch { records, position: Some(self.position.clone()), load })
    }

    /// Keeps a message and its place; how many bytes it has.
    fn take(&mut self, received: Received, records: &mut Vec<Record>) -> usize {
        let message = match received {
            Received::Message(message) => message,
            Received::Undecodable { reason, text } => {
                let origin = format!("{}, behind {}", self.unit, self.position);
                records.push(Record { origin, unreadable: Some(reason), ..Record::bare(text) });
                self.position.pass();
                return 0;
            }
        };
        let fresh = self.link.as_mut().is_some_and(|link| std::mem::take(&mut link.fresh));
        if let Some(last) = self.position.sequence {
            if fresh && message.sequence <= last {
                // It was asked for what is behind that.
                self.link = None;
                self.replaced();
                return 0;
            }
            if message.sequence <= last {
                return message.body.len();
            }
            if fresh && message.sequence > last + 1 {
                Gap { unit: &self.unit, after: last, before: message.sequence }.emit(&self.hub_metrics);
            }
        }
        let bytes = message.body.len();
        self.credit.saw(bytes);
        self.hub_metrics.read(&self.unit, message.enqueued);
        self.position = self.position.behind(&message);
        records.push(self.record(message));
        bytes
    }

    fn record(&self, message: Message) -> Record {
        Record {
            text: audit_event::payload::text(&message.body).into_owned(),
            origin: format!("{}, sequence number {}", self.unit, message.sequence),
            time: message.enqueued.map(|time: Timestamp| Time::from_millis(time.as_milliseconds())),
            unreadable: message.unreadable.map(str::to_owned),
        }
    }

    /// How far behind is this reader? A link on which nothing comes although there is something is dead.
    async fn look(&mut self) -> Result<(), Unavailable> {
        let properties = self.hub.partition(&self.id).await?;
        let behind = self.behind(&properties);
        let look_every = self.hub.settings().endpoint.answer_within;
        if let Some(link) = &mut self.link {
            link.look_at = Instant::now() + look_every;
            let stalled = behind > 0
                && !properties.is_empty
                && link.link.credit() > 0
                && link.heard.elapsed() >= look_every
                && self.position.is_countable();
            if stalled {
                return Err(Failure::Lost {
                    what: "reading the partition",
                    reason: format!("nothing comes although {behind} messages wait"),
                }
                .into());
            }
        }
        self.works();
        Ok(())
    }

    /// How many messages wait behind the last one read.
    fn behind(&mut self, properties: &PartitionProperties) -> i64 {
        let before_first = properties.first - 1;
        let read = self.position.sequence.unwrap_or(before_first).max(before_first);
        let behind = (properties.last - read).max(0);
        self.newest = Some(properties.last);
        self.hub_metrics.behind(&self.unit, behind);
        behind
    }

    fn works(&mut self) {
        self.backoff.reset();
        if !std::mem::replace(&mut self.is_ready, true) {
            self.ready.ready();
        }
    }

    /// Waits out what passes; the error is what does not pass and nobody waits for.
    async fn failed(&mut self, problem: Unavailable) -> Result<(), GaveUp> {
        if let Some(link) = self.link.take() {
            self.hub.ended(link.connection, &problem).await;
        }
        let text = match self.hub.hint(&problem) {
            Some(hint) => format!("{problem}; {hint}"),
            None => problem.to_string(),
        };
        SourceTroubled { unit: &self.unit, kind: problem.kind(), problem: &text }.emit(&self.metrics);
        let reaction = problem.reaction();
        if self.until.is_some() && matches!(reaction, Reaction::Mend) {
            return Err(GaveUp { unit: self.unit.clone(), problem });
        }
        match reaction {
            Reaction::Retry => {}
            Reaction::Rest(_) | Reaction::Authorize | Reaction::Mend => {
                self.is_ready = false;
                self.ready.not_ready(&text);
                // What can't be read for long piles up meanwhile.
                if let Ok(properties) = self.hub.partition(&self.id).await {
                    self.behind(&properties);
                }
            }
            Reaction::Reposition => {
                if let Ok(properties) = self.hub.partition(&self.id).await {
                    self.reposition(&properties);
                }
            }
        }
        let asked = match reaction {
            Reaction::Rest(span) => Some(span),
            _ => None,
        };
        self.not_before = Instant::now() + self.backoff.next(asked);
        Ok(())
    }

    /// The position is not in the log. What is still there is read from its beginning; what is gone is named.
    fn reposition(&mut self, properties: &PartitionProperties) {
        match self.position.sequence {
            Some(last) if last + 1 < properties.first => {
                Gap { unit: &self.unit, after: last, before: properties.first }.emit(&self.hub_metrics);
                self.position = self.position.oldest();
            }
            _ => self.replaced(),
        }
    }

    /// The position is of another hub of that name: all of this one is new.
    fn replaced(&mut self) {
        Replaced { unit: &self.unit, position: &self.position }.emit(&self.hub_metrics);
        self.position = self.position.in_another_hub();
    }
}

impl Source for Partition {
    type Position = Position;
    type Failed = GaveUp;

    async fn next(&mut self) -> Result<Option<Batch<Position>>, GaveUp> {
        if std::mem::take(&mut self.is_new) && self.position.since.is_some() {
            // Kept at once: where nothing comes for long, the next start would else begin at another time.
            return Ok(Some(Batch {
                records: Vec::new(),
                position: Some(self.position.clone()),
                load: None,
            }));
        }
        loop {
            if self.is_done() {
                return Ok(None);
            }
            match self.read().await {
                Ok(batch) => return Ok(batch),
                Err(problem) => self.failed(problem).await?,
            }
        }
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        self.credit.leave();
        self.hub_metrics.forget(&self.unit);
    }
}

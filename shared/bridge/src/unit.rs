//! The loop of one reading unit: source, convert, deliver, commit.

mod ledger;
mod task;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use audit_service::health::Condition;
use audit_service::metrics::Occurrence;
use audit_service::shutdown::Shutdown;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::checkpoint::{CommitFailed, Lease};
use crate::deliver::{Deliverer, NoPlace, Packer, Transport};
use crate::metrics::{Metrics, Violated};
use crate::record::{Batch, Convert, Converted, Load, Position, Source};
use ledger::Ledger;
use task::Task;

/// Bodies under way at once.
const MOST_IN_FLIGHT: usize = 4;
/// How long a body that is not full waits for more.
const LINGER: Duration = Duration::from_secs(1);
/// How long what is under way may take when the process is to end.
const GRACE: Duration = Duration::from_secs(20);

/// A unit ready to run.
#[derive(Debug)]
pub struct Unit<S, C, T> {
    /// Its name, as checkpoints, logs and metrics show it.
    pub name: String,
    /// What it reads.
    pub source: S,
    /// What makes events of it.
    pub convert: Arc<C>,
    /// Where they go.
    pub deliverer: Arc<Deliverer<T>>,
    /// Its checkpoint.
    pub lease: Lease,
    /// Set while positions can't be stored.
    pub condition: Condition,
    /// What is counted.
    pub metrics: Metrics,
}

/// Why a unit stopped before its end.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The source can't go on.
    #[error("{0}")]
    Source(String),
    /// A record could not be kept.
    #[error(transparent)]
    NoPlace(#[from] NoPlace),
    /// Another process reads it now, or a position could not be stored at the end.
    #[error(transparent)]
    Commit(#[from] CommitFailed),
    /// What was under way did not come to its end in time; it is sent again at the next start.
    #[error("what was under way was not delivered within {0:?}; it is sent again at the next start")]
    Grace(Duration),
    /// A part of this program failed.
    #[error("a task failed: {0}")]
    Task(String),
}

impl<S: Source, C: Convert, T: Transport> Unit<S, C, T> {
    /// Runs until the source ends or shutdown is requested; then what is under way is delivered and committed.
    ///
    /// # Errors
    /// [`Stopped`]. What was not committed is read again by the next owner.
    pub async fn run(self, shutdown: &Shutdown) -> Result<(), Stopped> {
        let (batches, inbox) = mpsc::channel(1);
        let reader = Task::spawn(read(self.source, batches));
        self.condition.ready();
        let mut running = Running {
            committed: self
                .lease
                .position()
                .and_then(|position| serde_json::from_value(position.clone()).ok()),
            name: self.name,
            convert: self.convert,
            deliverer: self.deliverer,
            lease: self.lease,
            condition: self.condition,
            metrics: self.metrics,
            waiting: VecDeque::new(),
            packer: Packer::default(),
            pack_by: None,
            claims: VecDeque::new(),
            loads: VecDeque::new(),
            in_flight: VecDeque::new(),
            due: None,
            goes_on: true,
            ledger: Ledger::default(),
        };
        let outcome = running.run(inbox, reader, shutdown).await;
        let committed = running.commit().await;
        match (outcome, committed) {
            (Ok(()), Ok(())) => Ok(running.lease.release().await?),
            (Err(stopped), _) => Err(stopped),
            (Ok(()), Err(failed)) => Err(failed.into()),
        }
    }
}

async fn read<S: Source>(mut source: S, batches: mpsc::Sender<Batch<S::Position>>) -> Result<(), S::Failed> {
    while let Some(batch) = source.next().await? {
        if batches.send(batch).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// A position with the number of records up to it.
struct Claim<P> {
    position: P,
    records: u64,
}

/// A body on its way, and what may be committed once it and all before it are settled.
struct Sent<P> {
    task: Task<Result<(), NoPlace>>,
    records: u64,
    then: Option<Claim<P>>,
}

struct Running<P, C, T> {
    name: String,
    convert: Arc<C>,
    deliverer: Arc<Deliverer<T>>,
    lease: Lease,
    condition: Condition,
    metrics: Metrics,
    /// Converted, not packed yet.
    waiting: VecDeque<(Vec<Converted>, String)>,
    packer: Packer,
    pack_by: Option<Instant>,
    /// What each batch allows once its last record is settled, until a body takes that along.
    claims: VecDeque<Claim<P>>,
    /// What each batch weighs, with how many records must be settled for it to go.
    loads: VecDeque<(u64, Load)>,
    in_flight: VecDeque<Sent<P>>,
    due: Option<Claim<P>>,
    committed: Option<P>,
    /// The last claim lay behind what is committed.
    goes_on: bool,
    ledger: Ledger,
}

impl<P: Position, C: Convert, T: Transport> Running<P, C, T> {
    async fn run<E: std::error::Error + Send + 'static>(
        &mut self,
        mut inbox: mpsc::Receiver<Batch<P>>,
        reader: Task<Result<(), E>>,
        shutdown: &Shutdown,
    ) -> Result<(), Stopped> {
        let mut ticks = interval(self.lease.commit_every());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut reader = Some(reader);
        let mut grace = None;
        loop {
            self.send_what_is_full(reader.is_none());
            if reader.is_none() && self.in_flight.is_empty() {
                return Ok(());
            }
            let room = self.waiting.is_empty() && self.in_flight.len() < MOST_IN_FLIGHT;
            tokio::select! {
                biased;
                settled = settled(&mut self.in_flight), if !self.in_flight.is_empty() => self.settle(settled?),
                () = shutdown.requested(), if grace.is_none() => {
                    grace = Some(Instant::now() + GRACE);
                    reader = None;
                    inbox.close();
                }
                () = at(grace), if grace.is_some() => return Err(Stopped::Grace(GRACE)),
                _ = ticks.tick() => self.commit_or_wait().await?,
                batch = inbox.recv(), if room && reader.is_some() => match batch {
                    Some(batch) => self.take(batch),
                    None => {
                        let ended = match reader.take() {
                            Some(reader) => reader.join().await.map_err(Stopped::Task)?,
                            None => Ok(()),
                        };
                        ended.map_err(|error| Stopped::Source(audit_service::exit::chain(&error)))?;
                    }
                },
                () = at(self.pack_by), if self.pack_by.is_some() && self.in_flight.len() < MOST_IN_FLIGHT => self.send(),
            }
        }
    }

    fn take(&mut self, batch: Batch<P>) {
        for record in batch.records {
            let converted = match record.unreadable {
                Some(reason) => vec![Converted::Quarantined { reason, record: record.text }],
                None => self.convert.convert(&record),
            };
            for part in &converted {
                match part {
                    Converted::Event(_) => self.metrics.record(&self.name, "event"),
                    Converted::Ignored(_) => self.metrics.record(&self.name, "ignored"),
                    // Counted where it is kept, with those that the receiver refuses.
                    Converted::Quarantined { .. } => {}
                }
            }
            if let Some(time) = record.time {
                self.metrics.event_at(&self.name, time);
            }
            self.ledger.took(1);
            self.waiting.push_back((converted, record.origin));
        }
        self.loads.extend(batch.load.map(|load| (self.ledger.taken(), load)));
        if let Some(position) = batch.position {
            let claim = Claim { position, records: self.ledger.taken() };
            self.claims.pop_back_if(|last| last.records == claim.records);
            self.claims.push_back(claim);
        }
    }

    /// Packs what waits and sends full bodies as far as there is room; everything when there is no more to come.
    fn send_what_is_full(&mut self, ending: bool) {
        while self.in_flight.len() < MOST_IN_FLIGHT {
            let Some((converted, origin)) = self.waiting.pop_front() else { break };
            let mut parts = converted.into_iter();
            let mut left = Vec::new();
            for part in parts.by_ref() {
                if self.packer.has_no_room_for(&part) {
                    left.push(part);
                    break;
                }
                self.packer.add(part, &self.name, &origin);
            }
            left.extend(parts);
            if left.is_empty() {
                self.ledger.packed(1);
            } else {
                self.waiting.push_front((left, origin));
                self.send();
            }
        }
        if !self.waiting.is_empty() || self.in_flight.len() >= MOST_IN_FLIGHT {
            return;
        }
        let nothing_before = self.packer.is_empty() && !self.claims.is_empty();
        if self.packer.is_full() || nothing_before || (ending && !self.packer.is_empty()) {
            self.send();
        } else if !self.packer.is_empty() && self.pack_by.is_none() {
            self.pack_by = Some(Instant::now() + LINGER);
        }
    }

    fn send(&mut self) {
        self.pack_by = None;
        let Packer { events, kept, .. } = std::mem::take(&mut self.packer);
        let deliverer = Arc::clone(&self.deliverer);
        let (records, whole) = self.ledger.sent();
        let mut then = None;
        while let Some(claim) = self.claims.pop_front_if(|claim| claim.records <= whole) {
            then = Some(claim);
        }
        let task = Task::spawn(async move { deliverer.deliver(events, kept).await });
        self.in_flight.push_back(Sent { task, records, then });
    }

    fn settle(&mut self, (records, then): (u64, Option<Claim<P>>)) {
        self.ledger.settled(records);
        while self.loads.pop_front_if(|(records, _)| self.ledger.covers(*records)).is_some() {}
        if then.is_some() {
            self.due = then;
        }
    }

    /// Stores what is due; a store that does not work is a matter of readiness, for the next tick may do better.
    async fn commit_or_wait(&mut self) -> Result<(), Stopped> {
        match self.commit().await {
            Ok(()) => self.condition.ready(),
            Err(CommitFailed::Store(failed)) => self.condition.not_ready(failed.to_string()),
            Err(deposed) => return Err(deposed.into()),
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), CommitFailed> {
        let Some(claim) = self.due.take() else { return self.lease.commit(None).await };
        if !self.may_commit(&claim) {
            return self.lease.commit(None).await;
        }
        let document = serde_json::to_value(&claim.position).unwrap_or_default();
        let stored = self.lease.commit(Some(document)).await;
        match stored {
            Ok(()) => {
                self.metrics.committed(&self.name);
                self.committed = Some(claim.position);
            }
            Err(_) => self.due = Some(claim),
        }
        stored
    }

    /// I1 and I2.
    fn may_commit(&mut self, claim: &Claim<P>) -> bool {
        let delivered = self.ledger.covers(claim.records);
        if !delivered {
            let what = format!("a position behind {} records with {:?}", claim.records, self.ledger);
            Violated { unit: &self.name, invariant: "I1", what: &what }.emit(&self.metrics);
        }
        debug_assert!(delivered, "I1: {:?} does not cover {}", self.ledger, claim.records);
        // Under a clock that was wrong a source may read again what is committed; that is no reason to go back.
        let follows = self.committed.as_ref().is_none_or(|committed| claim.position.follows(committed));
        if std::mem::replace(&mut self.goes_on, follows) && !follows {
            tracing::warn!(
                unit = self.name,
                "what is read lies before the committed position; nothing is committed until it is past that"
            );
        }
        delivered && follows
    }
}

/// The records and the claim of the oldest body under way, when it is settled.
async fn settled<P>(in_flight: &mut VecDeque<Sent<P>>) -> Result<(u64, Option<Claim<P>>), Stopped> {
    let Some(oldest) = in_flight.front_mut() else { return std::future::pending().await };
    (&mut oldest.task).await.map_err(Stopped::Task)??;
    Ok(in_flight.pop_front().map_or((0, None), |sent| (sent.records, sent.then)))
}

async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

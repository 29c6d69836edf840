//! The thin part of the reader: asks the log what the [`Machine`] wants to know.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use audit_service::health::Condition;
use audit_service::metrics::Occurrence;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::{Clock, Found, Machine, Marks, Pace, Request, Step};
use crate::deliver::Backoff;
use crate::metrics::{Metrics, SourceTroubled};
use crate::record::{Batch, Record, Source};
use crate::time::Time;

/// Requests of one unit under way at once: one for the present, one for the backlog.
const LANES: usize = 2;

/// A page of a log.
#[derive(Debug)]
pub struct Page {
    /// Its records.
    pub found: Vec<Found<Record>>,
    /// That there is more, and how to ask for it.
    pub token: Option<String>,
    /// What time it was for the service.
    pub served: Option<Time>,
}

/// Why a log gave no page.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReadFailed {
    /// One request too many.
    #[error("too many requests: {0}")]
    Throttled(String),
    /// The continuation token is not taken.
    #[error("the page token is not taken: {0}")]
    TokenExpired(String),
    /// It may work later, by itself.
    #[error("{0}")]
    Unavailable(String),
    /// Somebody must mend something first; the text says what.
    #[error("{0}")]
    Refused(String),
}

/// A log that finds records by time.
pub trait TimedLog: Send + Sync + 'static {
    /// Asks for one page, once: no retries of its own.
    fn read(&self, request: &Request) -> impl Future<Output = Result<Page, ReadFailed>> + Send;
}

/// The request budget of an account and region, for all units that read there. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget {
    pace: Arc<Mutex<Pace>>,
    /// Whoever holds it is the next to ask; the others stand in line.
    turn: Arc<tokio::sync::Mutex<()>>,
    start: Instant,
}

impl Budget {
    /// At most so many requests a second.
    pub fn new(ceiling: f64) -> Self {
        Self { pace: Arc::new(Mutex::new(Pace::new(ceiling))), turn: Arc::default(), start: Instant::now() }
    }

    fn with<R>(&self, use_it: impl FnOnce(&mut Pace, Duration) -> R) -> R {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        use_it(&mut pace, self.start.elapsed())
    }

    /// Waits for a place in the queue.
    pub async fn wait(&self) {
        let _turn = self.turn.lock().await;
        while let Err(later) = self.with(Pace::take) {
            sleep_until(self.start + later).await;
        }
    }
}

/// A [`Source`] made of a log and a [`Machine`].
#[derive(Debug)]
pub struct Swept<L> {
    unit: String,
    log: Arc<L>,
    machine: Machine,
    budget: Budget,
    start: Instant,
    clock: Clock,
    asking: JoinSet<Asked>,
    backoff: Backoff,
    not_before: Instant,
    /// Give up where a daemon would wait for somebody to mend something.
    once: bool,
    condition: Condition,
    metrics: Metrics,
}

/// A request, when it was made and when it was answered, since the start, and the answer.
type Asked = (Request, Duration, Duration, Result<Page, ReadFailed>);

impl<L: TimedLog> Swept<L> {
    /// `once` makes a refusal an error instead of a matter of readiness.
    pub fn new(
        unit: &str,
        log: Arc<L>,
        machine: Machine,
        budget: Budget,
        once: bool,
        condition: Condition,
        metrics: Metrics,
    ) -> Self {
        let start = Instant::now();
        Self {
            unit: unit.to_owned(),
            log,
            machine,
            budget,
            start,
            clock: Clock::new(Duration::ZERO, Time::of_machine()),
            asking: JoinSet::new(),
            backoff: Backoff::default(),
            not_before: start,
            once,
            condition,
            metrics,
        }
    }

    /// Asks as much as may be asked now; the time to wake at, or `None` when there is nothing left to read.
    fn ask(&mut self) -> Option<Duration> {
        while self.asking.len() < LANES {
            let now = self.clock.at(self.start.elapsed());
            let request = match self.machine.next(now) {
                Step::Read(request) => request,
                Step::Wait(until) => return Some(until.since(now)),
                Step::Done => return None,
            };
            let (log, budget, start, not_before) =
                (Arc::clone(&self.log), self.budget.clone(), self.start, self.not_before);
            self.asking.spawn(async move {
                sleep_until(not_before).await;
                budget.wait().await;
                let asked = start.elapsed();
                let answer = log.read(&request).await;
                // An answer may lie here for long while the receiver is down: its time is that of its arrival.
                let answer =
                    answer.map(|page| Page { served: page.served.or(Some(Time::of_machine())), ..page });
                (request, asked, start.elapsed(), answer)
            });
        }
        Some(Duration::MAX)
    }

    fn answered(
        &mut self,
        (request, asked, answered, answer): Asked,
    ) -> Result<Option<Batch<Marks>>, ReadFailed> {
        let page = match answer {
            Ok(page) => page,
            Err(failed) => return self.failed(&request, failed).map(|()| None),
        };
        self.metrics.request(&self.unit, "ok");
        self.metrics.rate(
            &self.unit,
            self.budget.with(|pace, _| {
                pace.answered();
                pace.rate()
            }),
        );
        self.backoff.reset();
        self.condition.ready();
        if page.served.is_some_and(|served| self.clock.observe(answered, served)) {
            tracing::info!(unit = self.unit, served = ?page.served, "the clock was set to the service's");
        }
        let emitted = self.machine.page(&request, self.clock.at(asked), page.found, page.token);
        self.metrics.swept(&self.unit, request.age, emitted.records.len(), emitted.tally.late);
        if let Some(marks) = &emitted.position {
            self.metrics.marks(&self.unit, marks.newest(), marks.final_until(), self.machine.seen().len());
        }
        let empty = emitted.records.is_empty() && emitted.position.is_none();
        Ok((!empty).then_some(Batch { records: emitted.records, position: emitted.position, load: None }))
    }

    fn failed(&mut self, request: &Request, failed: ReadFailed) -> Result<(), ReadFailed> {
        let kind = match &failed {
            ReadFailed::Throttled(_) => "throttled",
            ReadFailed::TokenExpired(_) => "token_expired",
            ReadFailed::Unavailable(_) => "unavailable",
            ReadFailed::Refused(_) => "refused",
        };
        SourceTroubled { unit: &self.unit, kind, problem: &failed.to_string() }.emit(&self.metrics);
        match failed {
            ReadFailed::TokenExpired(_) => {
                self.machine.expired(request);
                return Ok(());
            }
            ReadFailed::Throttled(_) => self.budget.with(Pace::throttled),
            ReadFailed::Refused(_) if self.once => return Err(failed),
            ReadFailed::Refused(reason) => {
                self.condition.not_ready(reason);
                self.not_before = Instant::now() + self.backoff.next(None);
            }
            ReadFailed::Unavailable(_) => self.not_before = Instant::now() + self.backoff.next(None),
        }
        self.machine.failed(request);
        Ok(())
    }
}

impl<L: TimedLog> Source for Swept<L> {
    type Position = Marks;
    type Failed = ReadFailed;

    async fn next(&mut self) -> Result<Option<Batch<Marks>>, ReadFailed> {
        loop {
            let wake = self.ask();
            if wake.is_none() && self.asking.is_empty() {
                return Ok(None);
            }
            let wake = wake.unwrap_or(Duration::MAX).clamp(Duration::from_millis(1), Duration::from_secs(60));
            let answered = tokio::select! {
                Some(answered) = self.asking.join_next() => answered,
                () = sleep(wake) => continue,
            };
            let asked = match answered {
                Ok(asked) => asked,
                Err(error) => return Err(ReadFailed::Refused(format!("a request's task failed: {error}"))),
            };
            if let Some(batch) = self.answered(asked)? {
                return Ok(Some(batch));
            }
        }
    }
}

#[cfg(test)]
mod tests;

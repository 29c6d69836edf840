//! Handing events to a receiver until it has them.
//!
//! A body is settled when every event in it was taken by a 2xx answer or stands in the quarantine. Nothing else ends
//! [`Deliverer::deliver`] but the lack of a place for what the receiver refuses.

mod answer;
mod backoff;
mod body;
mod http;
mod quarantine;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use audit_service::health::Condition;
use audit_service::metrics::Occurrence;
use tokio::time::sleep;

pub use answer::{Answer, Verdict};
pub use backoff::Backoff;
pub use body::Packer;
pub use http::{HttpReceiver, Options, ReceiverUrl, WrongUrl};
pub use quarantine::{Keep, Kept, NoPlace};

use crate::metrics::{self, Metrics};

/// Where a request goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// The intake of events.
    Events,
    /// The receiver's quarantine.
    Quarantine,
}

/// The way to a receiver.
pub trait Transport: Send + Sync + 'static {
    /// Posts a JSON body once, following nothing.
    ///
    /// # Errors
    /// [`NoAnswer`] says what went wrong before there was one.
    fn post(
        &self,
        target: Target,
        body: bytes::Bytes,
    ) -> impl Future<Output = Result<Answer, NoAnswer>> + Send;
}

/// There is no answer.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Nobody could be asked, or did not answer; it may pass.
    #[error("{0}")]
    Unreachable(String),
    /// The request can't be made until somebody has mended what it takes.
    #[error("{0}")]
    Unmade(String),
}

impl NoAnswer {
    fn needs_mending(&self) -> bool {
        matches!(self, Self::Unmade(_))
    }
}

/// Delivers bodies of one unit.
#[derive(Debug)]
pub struct Deliverer<T> {
    transport: T,
    quarantine: Keep,
    unit: String,
    condition: Condition,
    metrics: Metrics,
}

/// What became of a body.
enum Settled {
    Taken,
    Halve,
    Refused(String),
}

impl<T: Transport> Deliverer<T> {
    /// `condition` is set while the receiver needs mending.
    pub fn new(transport: T, quarantine: Keep, unit: &str, condition: Condition, metrics: Metrics) -> Self {
        condition.ready();
        Self { transport, quarantine, unit: unit.to_owned(), condition, metrics }
    }

    /// Returns when each of `events` was taken by the receiver or is in the quarantine, and so are the records in `kept`.
    ///
    /// # Errors
    /// [`NoPlace`]: something must be quarantined and can't be. Nothing is lost as long as nothing is committed.
    pub async fn deliver(&self, events: Vec<String>, mut kept: Vec<Kept>) -> Result<(), NoPlace> {
        let mut bodies = vec![events];
        while let Some(mut events) = bodies.pop() {
            match self.settle(&events).await {
                Settled::Taken => self.metrics.delivered(&self.unit, events.len()),
                Settled::Halve => {
                    let behind = events.split_off(events.len() / 2);
                    bodies.extend([behind, events]);
                }
                Settled::Refused(reason) => {
                    let origin = format!("{} refused by the receiver", self.unit);
                    let refused =
                        |event| Kept { reason: reason.clone(), source: origin.clone(), record: event };
                    kept.extend(events.into_iter().map(refused));
                }
            }
        }
        self.keep(kept).await
    }

    /// Posts until the answer settles the body.
    async fn settle(&self, events: &[String]) -> Settled {
        if events.is_empty() {
            return Settled::Taken;
        }
        let body = body::list(events);
        let mut backoff = Backoff::default();
        loop {
            let (problem, mend, wait) = match self.transport.post(Target::Events, body.clone()).await {
                Err(problem) => (problem.to_string(), problem.needs_mending(), None),
                Ok(answer) => match answer.verdict(events.len()) {
                    Verdict::Taken => {
                        self.condition.ready();
                        self.metrics.check_sum(&self.unit, &answer);
                        return Settled::Taken;
                    }
                    Verdict::Refused if events.len() > 1 => return Settled::Halve,
                    Verdict::Refused => match self.transport.post(Target::Events, body::list(&[])).await {
                        Ok(probe) if probe.is_success() => return Settled::Refused(answer.to_string()),
                        Ok(probe) => {
                            let mend = probe.verdict(0) != Verdict::Retry;
                            (probe.to_string(), mend, probe.retry_after)
                        }
                        Err(problem) => (problem.to_string(), problem.needs_mending(), None),
                    },
                    Verdict::Mend => (answer.to_string(), true, answer.retry_after),
                    Verdict::Retry => (answer.to_string(), false, answer.retry_after),
                    Verdict::Short { received } => {
                        (format!("it says it received {received} of {} events", events.len()), true, None)
                    }
                },
            };
            self.cannot_be_used(&problem, mend);
            self.wait(&problem, backoff.next(wait)).await;
        }
    }

    /// Puts records into the quarantine, trying for ever where that may help.
    async fn keep(&self, kept: Vec<Kept>) -> Result<(), NoPlace> {
        if kept.is_empty() {
            return Ok(());
        }
        for record in &kept {
            metrics::Quarantined { unit: &self.unit, reason: &record.reason, origin: &record.source }
                .emit(&self.metrics);
        }
        match &self.quarantine {
            Keep::File(path) => {
                let kept: Arc<[Kept]> = kept.into();
                let mut backoff = Backoff::default();
                while let Err(problem) = quarantine::append(path.clone(), Arc::clone(&kept)).await {
                    self.condition.not_ready(&problem);
                    self.wait(&problem, backoff.next(None)).await;
                }
                self.condition.ready();
                Ok(())
            }
            Keep::Receiver => {
                let mut pending: Vec<Vec<Kept>> = quarantine::bodies(kept);
                let mut backoff = Backoff::default();
                while let Some(records) = pending.pop() {
                    match self.transport.post(Target::Quarantine, quarantine::body(&records)).await {
                        Ok(answer) if answer.is_success() => self.condition.ready(),
                        Ok(answer) if answer.is_lacking() => {
                            return Err(NoPlace(answer.to_string()));
                        }
                        Ok(answer) if answer.verdict(0) == Verdict::Refused && records.len() > 1 => {
                            pending.extend(records.into_iter().map(|record| vec![record]));
                        }
                        Ok(answer) if answer.verdict(0) == Verdict::Refused => {
                            return Err(NoPlace(answer.to_string()));
                        }
                        other => {
                            let (problem, mend, wait) = match other {
                                Ok(answer) => (
                                    answer.to_string(),
                                    answer.verdict(0) == Verdict::Mend,
                                    answer.retry_after,
                                ),
                                Err(problem) => (problem.to_string(), problem.needs_mending(), None),
                            };
                            pending.push(records);
                            self.cannot_be_used(&problem, mend);
                            self.wait(&problem, backoff.next(wait)).await;
                        }
                    }
                }
                Ok(())
            }
        }
    }

    fn cannot_be_used(&self, problem: &str, mend: bool) {
        if mend {
            self.condition.not_ready(format!("the receiver cannot be used: {problem}"));
        }
    }

    async fn wait(&self, problem: &str, delay: Duration) {
        metrics::Retried { unit: &self.unit, problem, delay }.emit(&self.metrics);
        sleep(delay).await;
    }
}

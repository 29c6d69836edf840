//! What becomes of reviews once they are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use audit_event::payload;
use audit_service::metrics::Occurrence as _;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;

use super::{Review, Waiting};
use crate::clusters::Cluster;
use crate::evaluate::{Evaluator, Outcome};
use crate::freshness::Freshness;
use crate::metrics::{Counters, Evaluated, NotStored};
use crate::store::{Batch, Quarantined, Store};

/// Most reviews evaluated at once.
const AT_ONCE: usize = 100;
/// How often a cluster's lost reviews are told, at most.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// Between attempts to store, when the store fails.
const RETRY: Duration = Duration::from_secs(1);
/// A time for identities: the review's own is ours, and another for each showing.
const EPOCH: &str = "1970-01-01T00:00:00Z";
/// What evaluates the reviews of a cluster. Clones share everything.
#[derive(Clone, Debug)]
pub struct Worker {
    /// What they are held against.
    pub evaluator: Arc<Evaluator>,
    /// Bodies evaluated at once.
    pub workers: Arc<Semaphore>,
    /// Where it becomes durable.
    pub store: Store,
    /// Which clusters are heard of.
    pub fresh: Arc<Freshness>,
    /// What is counted.
    pub counters: Arc<Counters>,
}

/// How many reviews of a cluster are not evaluated and were not told of yet.
#[derive(Debug, Default)]
pub(super) struct Lost(AtomicU64);

impl Lost {
    pub(super) fn note(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}

impl Worker {
    /// Evaluates until no more can come.
    pub(super) async fn run(self, cluster: Cluster, mut inbox: UnboundedReceiver<Waiting>, lost: Arc<Lost>) {
        let mut told: Option<Instant> = None;
        let mut waiting = Vec::with_capacity(AT_ONCE);
        loop {
            let more = tokio::select! {
                count = inbox.recv_many(&mut waiting, AT_ONCE) => count > 0,
                // What is lost while nothing comes any more must be told too.
                () = tokio::time::sleep(TELL_EVERY) => true,
            };
            if !waiting.is_empty() {
                let count = waiting.len() as u64;
                if self.evaluate(&cluster, std::mem::take(&mut waiting)).await.is_none() {
                    lost.note(count);
                }
            }
            if !more || told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
                let count = lost.0.swap(0, Ordering::Relaxed);
                if count > 0 {
                    told = Some(Instant::now());
                    let alerts = vec![self.evaluator.reviews_lost(&cluster.name, count)];
                    self.keep(Batch { alerts, ..Batch::default() }).await;
                }
            }
            if !more {
                return;
            }
        }
    }

    /// The room that reviews take is given back when what came of them is durable.
    /// `None` when that can't be, because of a panic, which is in the log.
    async fn evaluate(&self, cluster: &Cluster, waiting: Vec<Waiting>) -> Option<()> {
        let permit = self.workers.clone().acquire_owned().await.ok()?;
        let (evaluator, cluster) = (self.evaluator.clone(), cluster.clone());
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let mut outcome = Outcome::default();
            for (index, review) in waiting.iter().enumerate() {
                outcome.add(index, one(&evaluator, &cluster, review));
            }
            (outcome, waiting)
        });
        let (outcome, waiting) = work.await.ok()?;
        Evaluated { outcome: &outcome }.emit(&self.counters);
        let quarantined = outcome.quarantined.into_iter().map(|(_, record)| record).collect();
        self.keep(Batch {
            alerts: outcome.alerts,
            quarantined,
            activity: outcome.activity,
            ..Batch::default()
        })
        .await;
        self.fresh.note(&outcome.newest, true, &self.counters);
        drop(waiting);
        Some(())
    }

    /// Stores, however long it takes: nobody sends a review again.
    async fn keep(&self, batch: Batch) {
        if batch.is_empty() {
            return;
        }
        let rules: Vec<_> = batch.alerts.iter().map(|alert| alert.rule.clone()).collect();
        loop {
            match self.store.record(batch.clone()).await {
                Ok(recorded) => return self.counters.alerts(rules.iter().zip(&recorded.new)),
                Err(error) => NotStored { error: &error }.emit(&self.counters),
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}

fn one(evaluator: &Evaluator, cluster: &Cluster, waiting: &Waiting) -> Outcome {
    let text = payload::text(&waiting.body);
    let outcome = Review::parse(&text).map_err(|problem| problem.to_string()).and_then(|review| {
        let (event, timeless) =
            (review.event(&cluster.name, &waiting.arrived.to_string()), review.event(&cluster.name, EPOCH));
        evaluator.evaluate_as(&event, &timeless, cluster).map_err(|problem| problem.to_string())
    });
    outcome.unwrap_or_else(|reason| {
        let record = Quarantined {
            reason,
            cluster: cluster.name.to_string(),
            source: "admission".to_owned(),
            record: waiting.body.clone(),
        };
        let alerts = evaluator.set_aside(&record).into_iter().collect();
        Outcome { received: 1, quarantined: vec![(0, record)], alerts, ..Outcome::default() }
    })
}

//! The port that audit events are posted to.

use std::sync::Arc;

use audit_event::payload;
use audit_service::http::Peer;
use axum::extract::{Path, Request, State};
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub use access::{Access, BoundCertificate, Sender, TokenFile};
pub use admission::{Admission, Options as AdmissionOptions, Worker};
pub use answer::{Answer, Refusal, Set};
pub use body::Limits;
pub use pace::Pace;

use crate::clusters::{Ids, Scope};
use crate::evaluate::{Evaluator, Outcome};
use crate::freshness::Freshness;
use crate::metrics::{BodyRefused, Counters, Evaluated, NotStored, Occurrence as _, Quarantining};
use crate::store::{Batch, Quarantined, Store};

pub mod access;
pub mod admission;
mod answer;
mod body;
pub mod pace;
mod records;

/// The longest name of a cluster that a path may give.
const LONGEST_CLUSTER: usize = 256;

/// Most entries in one body: above what a sender would put into the largest body.
const MOST_ENTRIES: usize = 1 << 17;

/// Bytes of the shortest event. A body of many entries that are shorter is refused: `[0,0,...]` would take many times its
/// size.
const SHORTEST: usize = 50;

/// So many entries a body may have, however short they are.
const FEW: usize = 1000;

/// Bytes that an entry takes with what comes of it, as long as that is what usually does.
const ENTRY: usize = 1600;

/// Most entries in a body of that length.
fn most_entries(bytes: usize) -> usize {
    // No entry is shorter than a digit and a comma.
    (FEW + bytes / SHORTEST).min(1 + bytes / 2).min(MOST_ENTRIES)
}

/// All that a request needs.
#[derive(Debug)]
pub struct Intake {
    /// Who may post.
    pub access: Access,
    /// The ids of clusters that paths name.
    pub ids: Ids,
    /// How often one address may ask; as it likes when not given.
    pub pace: Option<Pace>,
    /// Bounds on bodies.
    pub limits: Limits,
    /// What events are held against.
    pub evaluator: Arc<Evaluator>,
    /// Bodies evaluated at once.
    pub workers: Arc<Semaphore>,
    /// Where it becomes durable.
    pub store: Store,
    /// Which clusters are heard of.
    pub fresh: Arc<Freshness>,
    /// What is counted.
    pub counters: Arc<Counters>,
    /// For clusters without an audit log.
    pub admission: Option<Admission>,
}

/// The routes. Query parameters have no meaning: kube-apiserver adds `?timeout=30s` and drops others.
pub fn router(intake: Arc<Intake>) -> Router {
    Router::new()
        .route("/k8s_audit", post(events))
        .route("/k8s_audit/{cluster}", post(cluster_events))
        .route("/quarantine", post(quarantine))
        .route("/admission/{secret}", post(admission::review))
        .method_not_allowed_fallback(async || Refusal::Method)
        .fallback(async || Refusal::NoSuchPath)
        .with_state(intake)
}

async fn events(State(intake): State<Arc<Intake>>, request: Request) -> Result<Json<Answer>, Refusal> {
    let received = intake.clone().receive(None, request).await;
    intake.count_refusal(received)
}

async fn cluster_events(
    State(intake): State<Arc<Intake>>,
    Path(cluster): Path<String>,
    request: Request,
) -> Result<Json<Answer>, Refusal> {
    let received = intake.clone().receive(Some(cluster), request).await;
    intake.count_refusal(received)
}

async fn quarantine(
    State(intake): State<Arc<Intake>>,
    request: Request,
) -> Result<Json<records::Answer>, Refusal> {
    let received = intake.clone().receive_records(request).await;
    intake.count_refusal(received)
}

/// Goes on when the client leaves: a body in memory is done with as one whose client waits, and what it takes is given back
/// then, not before.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::spawn(work).await.unwrap_or(Err(Refusal::Stopping))
}

/// A body in memory whose sender is known.
struct Admitted {
    /// The clusters that it may be from.
    scope: Scope,
    /// Whether the configuration says so.
    bound: bool,
    bytes: Vec<u8>,
    /// The body's part of the budget, to be held until what came of it is stored.
    held: Option<OwnedSemaphorePermit>,
}

impl Intake {
    async fn receive(self: Arc<Self>, named: Option<String>, request: Request) -> Result<Answer, Refusal> {
        let admitted = self.admit(named, request).await?;
        to_the_end(async move { self.settle(admitted).await }).await
    }

    async fn settle(&self, admitted: Admitted) -> Result<Answer, Refusal> {
        let Admitted { scope, bound, bytes, held } = admitted;
        // What comes of a body may be many times its size: nothing is evaluated before that has room.
        let mut room = self.limits.room(most_entries(bytes.len()) * ENTRY).await;
        let outcome = self
            .work(move |evaluator| {
                let most = most_entries(bytes.len());
                evaluator.evaluate_within(&payload::text(&bytes), &scope, most).map_err(Refusal::Malformed)
            })
            .await?;
        drop(held);
        body::shrink(&mut room, outcome.size());
        Evaluated { outcome: &outcome }.emit(&self.counters);
        let Outcome { received, evaluated, ignored, quarantined, alerts, activity, newest } = outcome;
        let set_aside = quarantined.iter().map(Set::from).collect();
        let rules: Vec<_> = alerts.iter().map(|alert| alert.rule.clone()).collect();
        let quarantined = quarantined.into_iter().map(|(_, record)| record).collect();
        let new = self.record(Batch { alerts, quarantined, activity, ..Batch::default() }).await?;
        self.fresh.note(&newest, bound, &self.counters);
        drop(room);
        self.counters.alerts(rules.iter().zip(&new));
        let alerts = new.iter().filter(|new| **new).count();
        Ok(Answer { received, evaluated, ignored, quarantined: set_aside, alerts })
    }

    async fn receive_records(self: Arc<Self>, request: Request) -> Result<records::Answer, Refusal> {
        let admitted = self.admit(None, request).await?;
        to_the_end(async move { self.settle_records(admitted).await }).await
    }

    async fn settle_records(&self, admitted: Admitted) -> Result<records::Answer, Refusal> {
        let Admitted { scope, bytes, held, .. } = admitted;
        let mut room = self.limits.room(most_entries(bytes.len()) * ENTRY).await;
        let outcome = self
            .work(move |evaluator| {
                let quarantined = records::read(&payload::text(&bytes), &scope, most_entries(bytes.len()))?;
                Ok(Outcome {
                    received: quarantined.len(),
                    alerts: quarantined.iter().filter_map(|record| evaluator.set_aside(record)).collect(),
                    quarantined: quarantined.into_iter().enumerate().collect(),
                    ..Outcome::default()
                })
            })
            .await?;
        drop(held);
        body::shrink(&mut room, outcome.size());
        let Outcome { received, quarantined, alerts, .. } = outcome;
        for (_, record) in &quarantined {
            Quarantining { record }.emit(&self.counters);
        }
        let rules: Vec<_> = alerts.iter().map(|alert| alert.rule.clone()).collect();
        let quarantined = quarantined.into_iter().map(|(_, record)| record).collect();
        let new = self.record(Batch { alerts, quarantined, ..Batch::default() }).await?;
        drop(room);
        self.counters.alerts(rules.iter().zip(&new));
        Ok(records::Answer { quarantined: received })
    }

    /// Lets the sender in, then reads the body: in this order.
    async fn admit(&self, named: Option<String>, request: Request) -> Result<Admitted, Refusal> {
        let (head, body) = request.into_parts();
        if let (Some(pace), Some(peer)) = (&self.pace, head.extensions.get::<Peer>())
            && !pace.admit(peer.address.ip(), std::time::Instant::now())
        {
            return Err(Refusal::TooOften);
        }
        let sender = self
            .access
            .admit(&head.headers, head.extensions.get::<Peer>())
            .ok_or(Refusal::Unauthenticated)?;
        if named.as_ref().is_some_and(|name| name.is_empty() || name.len() > LONGEST_CLUSTER) {
            return Err(Refusal::ClusterName);
        }
        let named = named.map(|name| self.ids.cluster(&name));
        let scope = sender.scope(named).ok_or(Refusal::OtherCluster)?;
        // What could not be stored in the end need not be read, and its sender should keep it.
        self.store.health().borrow().clone().map_err(Refusal::Store)?;
        let body::Body { bytes, held } = self.read(&head.headers, body).await?;
        self.counters.body(bytes.len());
        Ok(Admitted { scope, bound: sender.is_bound(), bytes, held })
    }

    async fn read(&self, headers: &HeaderMap, body: axum::body::Body) -> Result<body::Body, Refusal> {
        let read = body::read(headers, body, &self.limits).await?;
        if read.bytes.trim_ascii().is_empty() {
            return Err(Refusal::Empty);
        }
        Ok(read)
    }

    /// Does what may be long on a thread for heavy work, as many at once as there are workers.
    async fn work(
        &self,
        work: impl FnOnce(&Evaluator) -> Result<Outcome, Refusal> + Send + 'static,
    ) -> Result<Outcome, Refusal> {
        let worker = self.workers.clone().acquire_owned().await.map_err(|_| Refusal::Stopping)?;
        let evaluator = self.evaluator.clone();
        let work = tokio::task::spawn_blocking(move || {
            let _worker = worker;
            work(&evaluator)
        });
        // After a panic the body stays with its sender, who tries again; the panic itself is in the log.
        work.await.unwrap_or(Err(Refusal::Stopping))
    }

    async fn record(&self, batch: Batch) -> Result<Vec<bool>, Refusal> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let begun = std::time::Instant::now();
        let recorded = self.store.record(batch).await;
        self.counters.store_latency(begun.elapsed());
        match recorded {
            Ok(recorded) => {
                self.counters.silenced(recorded.silenced);
                Ok(recorded.new)
            }
            Err(error) => {
                NotStored { error: &error }.emit(&self.counters);
                Err(Refusal::Store(error))
            }
        }
    }

    fn count_refusal<T>(&self, received: Result<T, Refusal>) -> Result<Json<T>, Refusal> {
        if let Err(refusal) = &received {
            BodyRefused { refusal }.emit(&self.counters);
        }
        received.map(Json)
    }
}

impl From<&(usize, Quarantined)> for Set {
    fn from((index, record): &(usize, Quarantined)) -> Self {
        Self { index: *index, reason: record.reason.clone() }
    }
}

//! Reviews of clusters that have no audit log: always allowed, at once; what they tell is evaluated afterwards.
//!
//! The answer comes before the evaluation, so a review can be lost with the process, and its sender never sends it again.
//! What waits is bounded for each cluster, so that the flood of one pushes out no other's; what finds no room, or could not
//! be read, is counted and raises an alert of its own.

use std::collections::HashMap;
use std::sync::Arc;

use audit_event::payload;
use audit_service::config::Bytes;
use audit_service::metrics::Occurrence as _;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use super::access::Unusable;
use super::{Access, Intake, Refusal, TokenFile};
use crate::clusters::{Ids, Scope};
use crate::metrics::{ReviewIgnored, ReviewLost};
pub use review::{NoReview, Review};
pub use worker::Worker;

mod review;
mod uri;
mod worker;

/// What the intake takes of clusters without an audit log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The secrets that stand at the end of the webhooks' paths, each for a cluster.
    pub secrets: Vec<TokenFile>,
    /// What is not evaluated: `RESOURCE`, `RESOURCE/SUBRESOURCE` or `*/SUBRESOURCE`.
    pub ignore: Vec<String>,
    /// Most bytes of reviews of one cluster that wait.
    pub queue: Bytes,
}

impl Default for Options {
    fn default() -> Self {
        let ignore = ["events", "leases", "*/status"].map(str::to_owned).to_vec();
        Self { secrets: Vec::new(), ignore, queue: Bytes::mib(16) }
    }
}

/// The door for reviews.
#[derive(Debug)]
pub struct Admission {
    access: Access,
    ignore: Vec<String>,
    queues: HashMap<Arc<str>, Queue>,
}

/// What waits of one cluster.
#[derive(Debug)]
struct Queue {
    waiting: UnboundedSender<Waiting>,
    room: Arc<Semaphore>,
    most: usize,
    lost: Arc<worker::Lost>,
}

/// A review that is answered.
#[derive(Debug)]
struct Waiting {
    body: Vec<u8>,
    arrived: jiff::Timestamp,
    _room: OwnedSemaphorePermit,
}

impl Admission {
    /// A door, and the workers behind it, which end when the door is dropped and nothing waits any more.
    ///
    /// # Errors
    /// When a secret can't be read.
    pub fn new(options: &Options, ids: &Ids, worker: &Worker) -> Result<(Self, JoinSet<()>), Unusable> {
        let mut workers = JoinSet::new();
        let mut queues = HashMap::new();
        for name in options.secrets.iter().flat_map(|secret| &secret.cluster.0) {
            let (waiting, inbox) = tokio::sync::mpsc::unbounded_channel();
            let most = options.queue.len().min(Semaphore::MAX_PERMITS);
            let lost = Arc::new(worker::Lost::default());
            let cluster = ids.cluster(name);
            workers.spawn(worker.clone().run(cluster.clone(), inbox, lost.clone()));
            queues.insert(cluster.name, Queue { waiting, room: Arc::new(Semaphore::new(most)), most, lost });
        }
        let access = Access::bound(options.secrets.clone(), &[], ids)?;
        Ok((Self { access, ignore: options.ignore.clone(), queues }, workers))
    }

    fn queue(&self, secret: &str) -> Option<(&Arc<str>, &Queue)> {
        let Scope::One(cluster) = self.access.admit_token(secret.as_bytes())?.scope(None)? else {
            return None;
        };
        self.queues.get_key_value(&cluster.name)
    }
}

impl Queue {
    /// Lets a review in if there is room for it.
    fn push(&self, body: Vec<u8>) -> bool {
        // What is larger than all the room waits alone.
        let size = u32::try_from(body.len().min(self.most).max(1)).unwrap_or(u32::MAX);
        let room = self.room.clone().try_acquire_many_owned(size);
        room.is_ok_and(|room| {
            self.waiting.send(Waiting { body, arrived: jiff::Timestamp::now(), _room: room }).is_ok()
        })
    }
}

/// `POST /admission/SECRET`
pub(super) async fn review(
    State(intake): State<Arc<Intake>>,
    Path(secret): Path<String>,
    request: Request,
) -> Response {
    match intake.review(&secret, request).await {
        Ok(allowed) => {
            let json = HeaderValue::from_static("application/json");
            ([(header::CONTENT_TYPE, json)], allowed).into_response()
        }
        Err(refusal) => {
            crate::metrics::BodyRefused { refusal: &refusal }.emit(&intake.counters);
            let mut response = refusal.into_response();
            // An API server that is told when to try again does so, while the request of its user waits.
            response.headers_mut().remove(header::RETRY_AFTER);
            response
        }
    }
}

impl Intake {
    async fn review(&self, secret: &str, request: Request) -> Result<String, Refusal> {
        let admission = self.admission.as_ref().ok_or(Refusal::NoSuchPath)?;
        let (cluster, queue) = admission.queue(secret).ok_or(Refusal::NoSuchPath)?;
        let lose = || {
            queue.lost.note(1);
            ReviewLost { cluster }.emit(&self.counters);
        };
        let (head, body) = request.into_parts();
        let read = self.read(&head.headers, body).await;
        if read.is_err() {
            lose();
        }
        let super::body::Body { bytes, held } = read?;
        self.counters.body(bytes.len());
        let text = payload::text(&bytes);
        let review = Review::parse(&text).inspect_err(|_| lose())?;
        let allowed = review.allowed();
        if review.is_one_of(&admission.ignore) {
            ReviewIgnored.emit(&self.counters);
        } else {
            drop(text);
            if !queue.push(bytes) {
                lose();
            }
        }
        drop(held);
        Ok(allowed)
    }
}

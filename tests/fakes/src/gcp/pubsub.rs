//! Pub/Sub by gRPC, as a subscriber sees it: `StreamingPull`, `Acknowledge`, `ModifyAckDeadline`.

mod server;
mod subscription;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use server::Server;
use subscription::Subscription;

/// The handle to a running fake; clones are the same fake, which ends with the last of them.
#[derive(Debug, Clone)]
pub struct PubSub {
    shared: Arc<Shared>,
    server: Arc<Server>,
}

#[derive(Debug, Default)]
struct Shared(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    subscriptions: HashMap<String, Subscription>,
    /// What `GET /v1/NAME` answers.
    resources: HashMap<String, Value>,
    /// Whether callers lack the permission to read.
    forbidden: bool,
    /// What the next calls of a stream are refused with.
    refusals: Vec<tonic::Code>,
    /// Streams of an earlier generation are broken with this.
    broken: Option<tonic::Code>,
    generation: u64,
    streams: usize,
    acknowledged: usize,
    nacked: usize,
    extended: usize,
}

impl PubSub {
    /// Starts a fake on a free port of 127.0.0.1, without a subscription.
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts a fake on that address.
    pub fn start_at(address: SocketAddr) -> Self {
        let shared = Arc::new(Shared::default());
        let server = Server::start(address, Arc::clone(&shared))
            .unwrap_or_else(|error| panic!("cannot listen on `{address}`: {error}"));
        Self { shared, server: Arc::new(server) }
    }

    /// The URL to give as endpoint.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Creates a subscription, `projects/P/subscriptions/S`, of the topic `projects/P/topics/audit`. Deadlines are never longer than `deadline`, however long
    /// a subscriber wants them.
    pub fn subscribe(&self, name: &str, deadline: Duration) {
        let project = name.split('/').nth(1).unwrap_or_default();
        let described = json!({"name": name, "topic": format!("projects/{project}/topics/audit"),
            "expirationPolicy": {}});
        let mut state = self.lock();
        state.subscriptions.insert(name.to_owned(), Subscription::new(deadline));
        state.resources.insert(name.to_owned(), described);
    }

    /// What a GET by REST says of a resource: a subscription, or `projects/P/topics/T:getIamPolicy`.
    pub fn describe(&self, name: &str, resource: Value) {
        self.lock().resources.insert(name.to_owned(), resource);
    }

    /// Puts a message into a subscription, as a topic would.
    ///
    /// # Panics
    /// When there is no such subscription.
    pub fn publish(&self, subscription: &str, data: impl Into<bytes::Bytes>) {
        self.lock()
            .subscriptions
            .get_mut(subscription)
            .expect("a subscription that was created")
            .publish(data.into());
    }

    /// How many messages are in a subscription that were not acknowledged.
    pub fn backlog(&self, subscription: &str) -> usize {
        self.lock().subscriptions.get(subscription).map_or(0, Subscription::len)
    }

    /// Takes the permission to read subscriptions away, or gives it. Streams are not asked: refuse those.
    pub fn forbid(&self, forbidden: bool) {
        self.lock().forbidden = forbidden;
    }

    /// The next attempts to open a stream are refused, one with each of these.
    pub fn refuse_next(&self, codes: impl IntoIterator<Item = tonic::Code>) {
        self.lock().refusals.extend(codes);
    }

    /// Ends every open stream with this.
    pub fn break_streams(&self, code: tonic::Code) {
        let mut state = self.lock();
        state.generation += 1;
        state.broken = Some(code);
    }

    /// How many streams were opened.
    pub fn streams(&self) -> usize {
        self.lock().streams
    }

    /// How many messages were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.lock().acknowledged
    }

    /// How many messages were handed back (a deadline of 0).
    pub fn nacked(&self) -> usize {
        self.lock().nacked
    }

    /// How many leases were extended.
    pub fn extended(&self) -> usize {
        self.lock().extended
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

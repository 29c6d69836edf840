//! Entries from the subscription of a sink. A message is acknowledged when the position behind it is committed, which is
//! when its event is delivered; until then its lease is extended, and after a crash Pub/Sub delivers it again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use audit_bridge::checkpoint::{CheckpointStore, Document, Expected, Pending, Version};
use audit_bridge::deliver::Backoff;
use audit_bridge::metrics::{Metrics, SourceTroubled};
use audit_bridge::sweep::driver::ReadFailed;
use audit_bridge::sweep::{Found, Seen};
use audit_bridge::time::Time;
use audit_bridge::{Batch, Position, Record, Source};
use audit_event::json::Raw;
use audit_service::config::Bytes;
use audit_service::exit::chain;
use audit_service::health::Condition;
use audit_service::metrics::Occurrence;
use google_cloud_auth::credentials::anonymous;
use google_cloud_pubsub::client::Subscriber;
use google_cloud_pubsub::model::Message;
use google_cloud_pubsub::subscriber::ShutdownToken;
use google_cloud_pubsub::subscriber::handler::Handler;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Asked, Credentials, Google, entry};

/// The most records that go on together.
const BATCH: usize = 500;
/// As long as the client allows: while the receiver is down, messages stay with us.
const LEASE: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
/// Identities of entries held to leave out what a sink exports twice: 32 MiB at most.
const REMEMBERED: usize = 1 << 20;
/// How often delivered messages are acknowledged: what is not counts against [`Options::outstanding`].
const ACKNOWLEDGE: Duration = Duration::from_millis(250);
/// How long the end of a stream may take.
const CLOSING: Duration = Duration::from_secs(5);
/// With `--once`, no message for this long is the end.
const IDLE: Duration = Duration::from_secs(10);

/// How a subscription is read.
#[derive(Clone, Debug)]
pub struct Options {
    /// `projects/PROJECT/subscriptions/NAME`.
    pub name: String,
    /// How long a message stays with a subscriber that says nothing any more, 10 s to 10 min.
    pub ack_deadline: Duration,
    /// How much Pub/Sub may send ahead of what is delivered.
    pub outstanding: Bytes,
    /// End when there is nothing more.
    pub once: bool,
}

/// The way to Pub/Sub.
#[derive(Clone, Debug)]
pub struct Client(Subscriber);

impl Client {
    /// Where Pub/Sub is, or at `endpoint`.
    ///
    /// # Errors
    /// What the client minds about it.
    pub async fn new(endpoint: Option<&str>, credentials: &Credentials) -> Result<Self, ReadFailed> {
        let mut builder = Subscriber::builder();
        if let Some(endpoint) = endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        builder = match credentials {
            Credentials::Anonymous => builder.with_credentials(anonymous::Builder::new().build()),
            Credentials::Google(credentials) => builder.with_credentials(credentials.clone()),
        };
        let client = builder.build().await;
        client.map(Self).map_err(|error| ReadFailed::Refused(format!("no Pub/Sub client: {}", chain(&error))))
    }
}

/// How many messages were taken and are done with, counted from the start of this process.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UpTo(u64);

impl Position for UpTo {
    fn follows(&self, earlier: &Self) -> bool {
        self.0 >= earlier.0
    }
}

/// Messages that were taken and not acknowledged yet. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Outstanding(Arc<Mutex<Taken>>);

#[derive(Debug, Default)]
struct Taken {
    /// By the number of the message.
    handlers: BTreeMap<u64, Handler>,
    /// The end of the latest stream.
    stream: Option<ShutdownToken>,
}

impl Outstanding {
    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what is acknowledged, and hands the rest back, so that it need not wait for its deadline.
    pub async fn close(&self) {
        let Taken { handlers, stream } = std::mem::take(&mut *self.lock());
        drop(handlers);
        if let Some(stream) = stream {
            let _ = tokio::time::timeout(CLOSING, stream.shutdown()).await;
        }
    }

    fn acknowledge(&self, UpTo(last): UpTo) {
        let mut taken = self.lock();
        let kept = taken.handlers.split_off(&(last + 1));
        let done = std::mem::replace(&mut taken.handlers, kept);
        drop(taken);
        done.into_values().for_each(Handler::ack);
    }
}

/// Pub/Sub keeps the position by itself: to commit is to acknowledge. There is nothing to own, as replicas share a
/// subscription.
impl CheckpointStore for Outstanding {
    fn commit_every(&self) -> Duration {
        ACKNOWLEDGE
    }

    fn hold<'a>(&'a self, _unit: &'a str) -> Pending<'a, bool> {
        Box::pin(async { Ok(true) })
    }

    fn load<'a>(&'a self, _unit: &'a str) -> Pending<'a, Option<(Document, Version)>> {
        Box::pin(async { Ok(None) })
    }

    fn store<'a>(&'a self, document: &'a Document, _expected: Expected) -> Pending<'a, Version> {
        if let Ok(position) = UpTo::deserialize(&document.position) {
            self.acknowledge(position);
        }
        Box::pin(async { Ok(Version(document.beat.to_string())) })
    }
}

/// A subscription being read.
#[derive(Debug)]
pub struct Subscription {
    messages: mpsc::Receiver<(Message, Handler)>,
    outstanding: Outstanding,
    seen: Seen,
    taken: u64,
    once: bool,
    tasks: [JoinHandle<()>; 2],
}

impl Subscription {
    /// Starts to read. `condition` is set while somebody must mend something first.
    pub fn read(
        google: Google,
        client: Client,
        options: Options,
        outstanding: Outstanding,
        condition: Condition,
        metrics: Metrics,
    ) -> Self {
        let (sender, messages) = mpsc::channel(BATCH);
        let once = options.once;
        let health = StreamHealth { condition, refused: Arc::default() };
        let watch = tokio::spawn(watch(google, options.name.clone(), health.clone()));
        let read = tokio::spawn(read(client.0, options, outstanding.clone(), sender, health, metrics));
        Self { messages, outstanding, seen: Seen::new(REMEMBERED), taken: 0, once, tasks: [watch, read] }
    }

    fn take(&mut self, message: Message, handler: Handler, records: &mut Vec<Record>) {
        self.taken += 1;
        self.outstanding.lock().handlers.insert(self.taken, handler);
        let text = audit_event::payload::text(&message.data);
        match Raw::parse(&text) {
            Ok(raw) => {
                let Found { id, time, record, .. } = entry::found(raw, Time::of_machine());
                // A sink may export an entry twice, as two messages. The first of them is on its way, and this one is
                // acknowledged only behind it.
                if self.seen.insert(time, id) {
                    records.push(record);
                }
            }
            Err(_) => {
                let origin = format!("message `{}`", message.message_id);
                records.push(Record { origin, ..Record::bare(text) });
            }
        }
    }
}

impl Source for Subscription {
    type Position = UpTo;
    type Failed = ReadFailed;

    async fn next(&mut self) -> Result<Option<Batch<UpTo>>, Self::Failed> {
        let wait = if self.once { IDLE } else { Duration::MAX };
        let (message, handler) = match tokio::time::timeout(wait, self.messages.recv()).await {
            Ok(Some(received)) => received,
            // A task of ours ended in a panic.
            Ok(None) if !self.once => {
                return Err(ReadFailed::Refused("the stream's reader has ended".into()));
            }
            _ => return Ok(None),
        };
        let mut records = Vec::new();
        self.take(message, handler, &mut records);
        while records.len() < BATCH
            && let Ok((message, handler)) = self.messages.try_recv()
        {
            self.take(message, handler, &mut records);
        }
        Ok(Some(Batch { records, position: Some(UpTo(self.taken)), load: None }))
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Whether the stream works, told by what it gives and, as it says nothing of a service that does not answer, by asking.
#[derive(Clone, Debug)]
struct StreamHealth {
    condition: Condition,
    /// When the stream was last refused.
    refused: Arc<Mutex<Option<Instant>>>,
}

impl StreamHealth {
    fn set(&self, refused: Option<Instant>) {
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = refused;
    }

    fn works(&self) {
        self.set(None);
        self.condition.ready();
    }

    fn is_refused(&self, problem: String) {
        self.set(Some(Instant::now()));
        self.condition.not_ready(problem);
    }

    /// Whether the stream was refused a moment ago; one that is tried again is refused at once, or it is not.
    fn was_refused(&self) -> bool {
        let refused = *self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.is_some_and(|at| at.elapsed() < Duration::from_secs(45))
    }
}

/// Asks now and then whether the subscription may be read.
async fn watch(google: Google, name: String, health: StreamHealth) {
    loop {
        let wait = match google.may_consume(&name).await {
            Ok(false) => {
                let mend = "grant `roles/pubsub.subscriber` on it";
                health.condition.not_ready(format!("subscription `{name}` may not be read; {mend}"));
                Duration::from_secs(10)
            }
            Err(Asked { problem, status: None }) => {
                health.condition.not_ready(format!("subscription `{name}`: {problem}"));
                Duration::from_secs(10)
            }
            // Answered, and be it by an emulator that knows nothing of permissions: the stream will tell.
            Ok(true) | Err(_) => {
                if !health.was_refused() {
                    health.condition.ready();
                }
                Duration::from_secs(60)
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Reads the stream for as long as anybody listens. The client opens it again after errors that pass; after others a new
/// one is made, until somebody has mended what was wrong.
async fn read(
    client: Subscriber,
    options: Options,
    outstanding: Outstanding,
    sender: mpsc::Sender<(Message, Handler)>,
    health: StreamHealth,
    metrics: Metrics,
) {
    let unit = options.name.as_str();
    let bytes = i64::try_from(options.outstanding.0).unwrap_or(i64::MAX);
    let mut backoff = Backoff::default();
    loop {
        let mut stream = client
            .subscribe(unit)
            .set_max_lease(LEASE)
            .set_max_lease_extension(options.ack_deadline)
            .set_max_outstanding_messages(0)
            .set_max_outstanding_bytes(bytes)
            .build();
        outstanding.lock().stream = Some(stream.shutdown_token());
        while let Some(next) = stream.next().await {
            match next {
                Ok(message) => {
                    health.works();
                    backoff.reset();
                    metrics.request(unit, "ok");
                    if sender.send(message).await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    let problem = format!("subscription `{unit}` cannot be read: {}", chain(&error));
                    SourceTroubled { unit, kind: "refused", problem: &problem }.emit(&metrics);
                    health.is_refused(problem);
                }
            }
        }
        tokio::time::sleep(backoff.next(None)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_a_sink_exports_twice_are_one() {
        let mut seen = Seen::new(10);
        let one = r#"{"insertId":"a","timestamp":"2026-01-02T03:04:05Z","receiveTimestamp":"1"}"#;
        let found = |text| entry::found(Raw::parse(text).unwrap(), Time::default());
        assert!(seen.insert(found(one).time, found(one).id));
        assert!(!seen.insert(found(one).time, found(one).id));
        // What can't be told apart by anything else is told by its text.
        assert_ne!(found("{}").id, found(r#"{"a":1}"#).id);
    }
}

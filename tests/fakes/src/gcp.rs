//! Google Cloud as the GKE bridge sees it: Cloud Logging, the metadata server and the token endpoints on one loopback
//! port.

mod entry;
mod error;
mod filter;
mod logging;
mod metadata;
pub mod pubsub;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::{Method, Request, Response};
use serde_json::{Value, json};

pub use entry::entry;
pub use error::GcpError;
pub use logging::Paging;
pub use metadata::Node;

use crate::Answer;
use crate::faults::{self, Faults};
use crate::http::Server;
use logging::{Entries, Stored};
use metadata::Tokens;

/// The project of a fake unless told otherwise.
pub const PROJECT: &str = "demo-project";
/// The location of its cluster.
pub const LOCATION: &str = "europe-west1";
/// The name of its cluster.
pub const CLUSTER: &str = "demo";

/// One way for a call to go wrong.
pub type Fault = faults::Fault<GcpError>;

/// What the fake can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// `POST /v2/entries:list`.
    EntriesList,
    /// `GET /computeMetadata/v1/...`.
    Metadata,
    /// `POST /token`.
    Token,
    /// `GET /v2/projects/P/sinks`.
    Sinks,
}

/// One call.
#[derive(Debug, Clone)]
pub struct Call {
    /// What was asked.
    pub operation: Operation,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The name of the error that was answered, such as `RESOURCE_EXHAUSTED`.
    pub error: Option<&'static str>,
    /// How many entries the answer had.
    pub entries: usize,
}

/// The handle to a running fake; clones are the same fake, which ends with the last of them.
#[derive(Debug, Clone)]
pub struct Gcp {
    shared: Arc<Mutex<State>>,
    server: Arc<Server>,
}

/// Everything the fake knows.
#[derive(Debug)]
struct State {
    entries: Entries,
    paging: Paging,
    node: Node,
    tokens: Tokens,
    faults: Faults<Operation, GcpError>,
    calls: Vec<Call>,
    /// Requests a minute of each project.
    quota: Option<u32>,
    buckets: HashMap<String, (f64, Instant)>,
    data_access_hidden: bool,
    sinks: Vec<Value>,
    /// How long after being put an entry becomes readable.
    delay: Duration,
}

impl Gcp {
    /// Starts a fake on a free port of 127.0.0.1. It holds no entry and takes any credentials.
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts a fake on that address.
    pub fn start_at(address: SocketAddr) -> Self {
        let shared = Arc::new(Mutex::new(State {
            entries: Entries::new(),
            paging: Paging::default(),
            node: Node::default(),
            tokens: Tokens::default(),
            faults: Faults::default(),
            calls: Vec::new(),
            quota: Some(60),
            buckets: HashMap::new(),
            data_access_hidden: false,
            sinks: Vec::new(),
            delay: Duration::ZERO,
        }));
        let served = Arc::clone(&shared);
        let server = Server::start(address, move |request| answer(&mut lock(&served), &request))
            .unwrap_or_else(|error| panic!("cannot listen on `{address}`: {error}"));
        Self { shared, server: Arc::new(server) }
    }

    /// The URL to give as endpoint, without a trailing slash.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// `HOST:PORT`, as `GCE_METADATA_HOST` wants it.
    pub fn metadata_host(&self) -> String {
        self.server.address().to_string()
    }

    /// Puts an entry, readable after the delay that is set. It is given a `receiveTimestamp` if it has none.
    pub fn put(&self, entry: Value) {
        let delay = self.lock().delay;
        self.put_late(delay, entry);
    }

    /// Puts an entry that becomes readable only so much later.
    pub fn put_late(&self, late: Duration, mut entry: Value) {
        let mut state = self.lock();
        let now = now_ms();
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        let time = text("timestamp").parse().unwrap_or_else(|error| panic!("`timestamp`: {error}"));
        let key = (time, Arc::from(text("insertId")), state.entries.len() as u64);
        if entry.get("receiveTimestamp").is_none() {
            let received = jiff::Timestamp::from_millisecond(now).expect("a time that a clock gave");
            entry["receiveTimestamp"] = json!(format!("{received:.9}"));
        }
        state.entries.insert(key, Stored { entry, readable_ms: now + late.as_millis() as i64 });
    }

    /// From now on entries become readable only so long after they are put.
    pub fn set_delay(&self, delay: Duration) {
        self.lock().delay = delay;
    }

    /// How many entries it holds, readable or not.
    pub fn len(&self) -> usize {
        self.lock().entries.len()
    }

    /// Whether it holds no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Changes how result pages are cut.
    pub fn set_paging(&self, change: impl FnOnce(&mut Paging)) {
        change(&mut self.lock().paging);
    }

    /// Makes every page token issued so far expired.
    pub fn expire_page_tokens(&self) {
        self.lock().paging.generation += 1;
    }

    /// Read requests a minute of each project; `None` is without limit. It starts at 60, which is the service's.
    pub fn set_quota(&self, per_minute: Option<u32>) {
        let mut state = self.lock();
        state.quota = per_minute;
        state.buckets.clear();
    }

    /// Whether the caller lacks the role for private logs: Data Access entries are then as if absent.
    pub fn hide_data_access(&self, hidden: bool) {
        self.lock().data_access_hidden = hidden;
    }

    /// The log sinks of every project, objects with `destination` and `writerIdentity`.
    pub fn set_sinks(&self, sinks: Vec<Value>) {
        self.lock().sinks = sinks;
    }

    /// Changes what the metadata server says.
    pub fn set_node(&self, change: impl FnOnce(&mut Node)) {
        change(&mut self.lock().node);
    }

    /// From now on only access tokens that this fake issued are taken, for as long as they are valid.
    pub fn require_issued_tokens(&self) {
        self.lock().tokens.required = true;
    }

    /// How long the access tokens issued from now on are valid; starts at an hour.
    pub fn set_token_life(&self, life: Duration) {
        self.lock().tokens.life = life;
    }

    /// Makes every access token issued so far invalid.
    pub fn expire_tokens(&self) {
        self.lock().tokens.expire_all();
    }

    /// Makes the next call of `operation` go wrong; faults given for one operation happen in the order given.
    pub fn fail_next(&self, operation: Operation, fault: Fault) {
        self.lock().faults.next(operation, fault);
    }

    /// Makes every call of `operation` go wrong, until `None` is given.
    pub fn fail_always(&self, operation: Operation, fault: Option<Fault>) {
        self.lock().faults.always(operation, fault);
    }

    /// Makes `per_mille` of a thousand calls, of whatever operation, go wrong in one of these ways, by `seed`.
    pub fn fail_randomly(&self, seed: u64, per_mille: u64, faults: Vec<Fault>) {
        self.lock().faults.randomly(seed, per_mille, faults);
    }

    /// Ends every fault, those not yet used too.
    pub fn heal(&self) {
        self.lock().faults = Faults::default();
    }

    /// Every call so far, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.lock().calls.clone()
    }

    /// How often `operation` was called.
    pub fn count(&self, operation: Operation) -> usize {
        self.lock().calls.iter().filter(|call| call.operation == operation).count()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.shared)
    }
}

/// A successful answer.
struct Reply {
    content_type: &'static str,
    body: String,
    entries: usize,
}

impl Reply {
    fn json(body: String, entries: usize) -> Self {
        Self { content_type: "application/json; charset=UTF-8", body, entries }
    }

    fn text(body: String) -> Self {
        Self { content_type: "application/text", body, entries: 0 }
    }
}

fn answer(state: &mut State, request: &Request<Bytes>) -> Answer {
    let now = now_ms();
    let operation = match (request.method(), request.uri().path()) {
        (&Method::POST, "/v2/entries:list") => Operation::EntriesList,
        (&Method::GET, path) if path.starts_with("/computeMetadata/") => Operation::Metadata,
        (&Method::POST, "/token" | "/v1/token") => Operation::Token,
        (&Method::GET, path) if path.ends_with("/sinks") => Operation::Sinks,
        (_, path) => {
            return Answer::Reply(GcpError::new(404, "NOT_FOUND", format!("no `{path}`")).response());
        }
    };
    let fault = state.faults.take(operation);
    let result = match (&fault, operation) {
        (Some(Fault::Error(error)), _) => Err(error.clone()),
        (_, Operation::Metadata) => metadata::answer(state, request, now),
        (_, Operation::Sinks) if !state.tokens.admit(request, now) => Err(GcpError::unauthenticated()),
        (_, Operation::Sinks) => Ok(Reply::json(json!({"sinks": state.sinks}).to_string(), 0)),
        (_, Operation::Token) => metadata::exchange(state, request, now),
        (_, Operation::EntriesList) => entries_list(state, request, now),
    };
    state.calls.push(Call {
        operation,
        at_ms: now,
        error: result.as_ref().err().map(|error| error.status),
        entries: result.as_ref().map_or(0, |reply| reply.entries),
    });
    let response = match result {
        Ok(reply) => respond(200, reply.content_type, reply.body),
        Err(error) => error.response(),
    };
    Fault::befall(fault, response)
}

fn entries_list(state: &mut State, request: &Request<Bytes>, now: i64) -> Result<Reply, GcpError> {
    if !state.tokens.admit(request, now) {
        return Err(GcpError::unauthenticated());
    }
    let project = logging::project(request.body());
    if !admit(state, &project) {
        return Err(GcpError::quota_exceeded(&project));
    }
    logging::list(state, request.body(), now)
}

/// Whether one more call of the project fits its quota; by the monotonic clock. A call that doesn't costs nothing.
fn admit(state: &mut State, project: &str) -> bool {
    let Some(per_minute) = state.quota.map(f64::from) else { return true };
    let now = Instant::now();
    let (level, filled) = state.buckets.entry(project.to_owned()).or_insert((per_minute, now));
    *level = (*level + now.duration_since(*filled).as_secs_f64() * per_minute / 60.0).min(per_minute);
    *filled = now;
    let fits = *level >= 1.0;
    *level -= f64::from(u8::from(fits));
    fits
}

fn respond(status: u16, content_type: &str, body: String) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .header("metadata-flavor", "Google")
        .body(Bytes::from(body))
        .expect("a status and headers that are valid")
}

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_millis() as i64
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

//! AWS as the EKS bridge sees it: CloudWatch Logs, STS and EKS Pod Identity on one loopback port.

mod calls;
mod credentials;
mod error;
mod logs;
mod pod_identity;
mod quota;
mod sts;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hyper::{Request, Response};
use jiff::Timestamp;

pub use calls::{Call, Operation};
pub use error::AwsError;
pub use logs::{Group, Paging, Series, Stream};

use crate::Answer;
use crate::faults::{self, Faults};
use crate::http::Server;
use calls::Calls;
use credentials::Credentials;
use logs::Groups;
use quota::Quotas;

/// The region a fake is in unless told otherwise.
pub const REGION: &str = "eu-central-1";
/// The account a fake belongs to unless told otherwise.
pub const ACCOUNT: &str = "111122223333";

/// One way for a call to go wrong.
pub type Fault = faults::Fault<AwsError>;

/// An account in a region: what log groups belong to and what a request quota counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Twelve digits.
    pub account: String,
    /// Such as `eu-central-1`.
    pub region: String,
}

impl Default for Place {
    fn default() -> Self {
        Self { account: ACCOUNT.to_owned(), region: REGION.to_owned() }
    }
}

/// The handle to a running fake; clones are the same fake, which ends with the last of them.
#[derive(Debug, Clone)]
pub struct Aws {
    shared: Arc<Shared>,
    server: Arc<Server>,
}

#[derive(Debug, Default)]
struct Shared(Mutex<State>);

/// Everything the fake knows.
#[derive(Debug, Default)]
struct State {
    groups: Groups,
    paging: Paging,
    credentials: Credentials,
    quotas: Quotas,
    faults: Faults<Operation, AwsError>,
    calls: Calls,
    /// Milliseconds that this cloud's clock is ahead of ours.
    ahead_ms: i64,
}

impl State {
    fn now_ms(&self) -> i64 {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
        since_epoch.as_millis() as i64 + self.ahead_ms
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Aws {
    /// Starts a fake on a free port of 127.0.0.1. It holds no log group and takes any credentials.
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts a fake on that address.
    pub fn start_at(address: SocketAddr) -> Self {
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        let server = Server::start(address, move |request| answer(&served, &request))
            .unwrap_or_else(|error| panic!("cannot listen on `{address}`: {error}"));
        Self { shared, server: Arc::new(server) }
    }

    /// The URL to give as endpoint of every service, without a trailing slash.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// The log group of that name in the default place, created if it is not there.
    pub fn group(&self, name: &str) -> Group {
        self.group_in(Place::default(), name)
    }

    /// The log group of that name in `place`, created if it is not there.
    pub fn group_in(&self, place: Place, name: &str) -> Group {
        Group::create(self.clone(), place, name)
    }

    /// Changes how result pages are cut.
    pub fn set_paging(&self, change: impl FnOnce(&mut Paging)) {
        change(&mut self.lock().paging);
    }

    /// Requests a second that an account may make of each operation in a region; `None` is without limit.
    /// It starts at 5, which is what `FilterLogEvents` has.
    pub fn set_quota(&self, per_second: Option<u32>) {
        self.lock().quotas.set(per_second);
    }

    /// Moves this cloud's clock, which its answers tell and signatures are held against; negative is back.
    pub fn shift_clock_ms(&self, by: i64) {
        self.lock().ahead_ms += by;
    }

    /// This cloud's time, in milliseconds since 1970.
    pub fn now_ms(&self) -> i64 {
        self.lock().now_ms()
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
        self.lock().calls.all()
    }

    /// How often `operation` was called.
    pub fn count(&self, operation: Operation) -> usize {
        self.lock().calls.count(operation)
    }

    /// From now on only credentials that this fake issued are taken, for as long as they are valid.
    pub fn require_issued_credentials(&self) {
        self.lock().credentials.required = true;
    }

    /// How long the credentials issued from now on are valid; starts at an hour.
    pub fn set_credential_life(&self, life: Duration) {
        self.lock().credentials.life = life;
    }

    /// Makes every credential issued so far expired, whatever expiry it was given with.
    pub fn expire_credentials(&self) {
        self.lock().credentials.expire_all();
    }

    /// The only web identity token, respectively pod identity token, that is exchanged for credentials;
    /// any is, until this is called.
    pub fn require_token(&self, token: &str) {
        self.lock().credentials.token = Some(token.to_owned());
    }

    /// Makes every pagination token issued so far expired.
    pub fn expire_page_tokens(&self) {
        self.lock().paging.generation += 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

/// What a call was answered with, and what to write into the call log about it.
struct Outcome {
    operation: Operation,
    place: Place,
    result: Result<Reply, AwsError>,
}

/// A successful answer.
struct Reply {
    content_type: &'static str,
    body: String,
    events: usize,
}

fn answer(shared: &Shared, request: &Request<Bytes>) -> Answer {
    let state = &mut *shared.lock();
    let now = state.now_ms();
    let form: HashMap<String, String> = form_urlencoded::parse(request.body()).into_owned().collect();
    let Some(operation) = Operation::of(request, &form) else {
        return Answer::Reply(dated(now, AwsError::unknown_operation().response(false)));
    };
    let caller = state.credentials.caller(request, operation, now);
    let place = caller.place.clone();
    let query_protocol = operation.is_sts();

    let fault = state.faults.take(operation);
    let result = match (&fault, state.quotas.admit(&place, operation)) {
        (Some(Fault::Error(error)), _) => Err(error.clone()),
        (_, false) => Err(AwsError::throttling()),
        _ => match operation {
            operation if operation.is_logs() => logs::answer(state, operation, &caller, request.body(), now),
            Operation::PodIdentity => pod_identity::answer(state, request, now),
            _ => sts::answer(state, operation, &caller, &form, now),
        },
    };
    let outcome = Outcome { operation, place, result };
    state.calls.note(now, fault.as_ref(), &outcome);
    let response = match outcome.result {
        Ok(reply) => respond(200, reply.content_type, reply.body),
        Err(error) => error.response(query_protocol),
    };
    Fault::befall(fault, dated(now, response))
}

/// The same with the time that it is for this cloud.
fn dated(now_ms: i64, mut response: Response<Bytes>) -> Response<Bytes> {
    let now = Timestamp::from_millisecond(now_ms).expect("a time in the calendar");
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    response.headers_mut().insert("date", date.parse().expect("a header that is valid"));
    response
}

fn respond(status: u16, content_type: &str, body: String) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .header("x-amzn-requestid", "6f9e4c1a-0000-4000-8000-000000000000")
        .body(Bytes::from(body))
        .expect("a status and headers that are valid")
}

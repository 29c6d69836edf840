//! A receiver of audit events that answers as it is told.

use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use hyper::{Request, Response};
use serde_json::{Value, json};

use crate::Answer;
use crate::http::Server;
use crate::program::await_true;

/// The handle to a running receiver. Unscripted, it takes every body and counts its events as evaluated, as
/// `audit-receiver` would.
#[derive(Debug)]
pub struct Receiver {
    shared: Arc<Mutex<State>>,
    server: Server,
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Scripted>,
    always: Option<Scripted>,
    taken: Vec<Value>,
    posts: Vec<Instant>,
}

#[derive(Debug, Clone)]
struct Scripted {
    answer: Answer,
    keep: bool,
}

impl Receiver {
    /// Starts a receiver on a free port of 127.0.0.1.
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Starts a receiver on that address.
    pub fn start_at(address: SocketAddr) -> Self {
        let shared = Arc::new(Mutex::new(State::default()));
        let served = Arc::clone(&shared);
        let server = Server::start(address, move |request| answer(&mut lock(&served), &request))
            .unwrap_or_else(|error| panic!("cannot listen on `{address}`: {error}"));
        Self { shared, server }
    }

    /// Where to post to.
    pub fn url(&self) -> String {
        format!("http://{}/k8s_audit", self.server.address())
    }

    /// Answers the next post so and forgets its events; answers given happen in the order given.
    pub fn refuse_next(&self, answer: Answer) {
        lock(&self.shared).script.push_back(Scripted { answer, keep: false });
    }

    /// Keeps the events of the next post and answers so nevertheless: an acknowledgement that gets lost.
    pub fn keep_next(&self, answer: Answer) {
        lock(&self.shared).script.push_back(Scripted { answer, keep: true });
    }

    /// Answers every post so and forgets its events, until `None` is given.
    pub fn refuse_always(&self, answer: Option<Answer>) {
        lock(&self.shared).always = answer.map(|answer| Scripted { answer, keep: false });
    }

    /// The events taken so far, copies too, in the order of arrival.
    pub fn events(&self) -> Vec<Value> {
        lock(&self.shared).taken.clone()
    }

    /// How many events were taken so far, copies counted.
    pub fn len(&self) -> usize {
        lock(&self.shared).taken.len()
    }

    /// How often each event was taken, by its audit ID and stage.
    pub fn arrived(&self) -> HashMap<String, u32> {
        let mut times = HashMap::new();
        for event in &lock(&self.shared).taken {
            *times.entry(format!("{} {}", event["auditID"], event["stage"])).or_default() += 1;
        }
        times
    }

    /// Waits until so many events were taken, copies not counted.
    #[track_caller]
    pub fn wait_for(&self, count: usize) {
        await_true(&format!("{count} events"), || self.arrived().len() >= count);
    }

    /// Whether no event was taken yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many requests came, refused ones too.
    pub fn posts(&self) -> usize {
        lock(&self.shared).posts.len()
    }

    /// When each request came, refused ones too.
    pub fn post_times(&self) -> Vec<Instant> {
        lock(&self.shared).posts.clone()
    }
}

/// An answer of that status, with `Retry-After` in seconds if given.
pub fn status(code: u16, retry_after: Option<u32>) -> Answer {
    let mut response = Response::builder().status(code);
    if let Some(seconds) = retry_after {
        response = response.header("retry-after", seconds);
    }
    Answer::Reply(response.body(Bytes::new()).expect("a valid status"))
}

fn answer(state: &mut State, request: &Request<Bytes>) -> Answer {
    state.posts.push(Instant::now());
    let scripted = state.script.pop_front().or_else(|| state.always.clone());
    if scripted.as_ref().is_none_or(|scripted| scripted.keep) {
        let Ok(mut body) = serde_json::from_slice::<Value>(request.body()) else { return status(400, None) };
        let events =
            body.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        let count = events.len();
        state.taken.extend(events);
        if scripted.is_none() {
            let body =
                json!({"received": count, "evaluated": count, "ignored": 0, "quarantined": [], "alerts": 0});
            return Answer::Reply(Response::new(Bytes::from(body.to_string())));
        }
    }
    scripted.map_or(Answer::Close, |scripted| scripted.answer)
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

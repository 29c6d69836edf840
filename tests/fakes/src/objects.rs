//! Object stores: S3, Cloud Storage and Blob Storage, as far as one object is read and conditionally written.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hyper::{Method, Request, Response};

use crate::Answer;
use crate::http::Server;
pub use crate::kubernetes::Loss;

/// A running object store that speaks all three dialects.
#[derive(Debug)]
pub struct Objects {
    state: Arc<Mutex<State>>,
    server: Server,
}

#[derive(Debug, Default)]
struct State {
    /// The content and the generation of what is at a path.
    objects: BTreeMap<String, (Bytes, u64)>,
    generation: u64,
    losses: VecDeque<Loss>,
    /// Whether there is no bucket.
    missing: bool,
}

impl Objects {
    /// Starts one on a free port of 127.0.0.1.
    pub fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let served = Arc::clone(&state);
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::start(address, move |request| lock(&served).answer(&request))
            .expect("a port of 127.0.0.1");
        Self { state, server }
    }

    /// Where it is.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.server.address())
    }

    /// Closes the connection of the next writes, in this order.
    pub fn lose(&self, losses: impl IntoIterator<Item = Loss>) {
        lock(&self.state).losses.extend(losses);
    }

    /// Has no bucket from now on.
    pub fn lose_bucket(&self) {
        lock(&self.state).missing = true;
    }

    /// Paths and contents.
    pub fn contents(&self) -> BTreeMap<String, Bytes> {
        lock(&self.state).objects.iter().map(|(path, (content, _))| (path.clone(), content.clone())).collect()
    }
}

impl State {
    fn answer(&mut self, request: &Request<Bytes>) -> Answer {
        let path = request.uri().path().to_owned();
        if self.missing {
            return reply(404, None, Bytes::from_static(b"<Error><Code>NoSuchBucket</Code></Error>"));
        }
        match *request.method() {
            Method::GET => match self.objects.get(&path) {
                Some((content, generation)) => reply(200, Some(*generation), content.clone()),
                None => reply(404, None, Bytes::from_static(b"<Error><Code>NoSuchKey</Code></Error>")),
            },
            Method::PUT => {
                let loss = self.losses.pop_front();
                if loss == Some(Loss::Before) {
                    return Answer::Close;
                }
                let answer = self.put(request, path);
                if loss == Some(Loss::After) { Answer::Close } else { answer }
            }
            _ => reply(405, None, Bytes::new()),
        }
    }

    fn put(&mut self, request: &Request<Bytes>, path: String) -> Answer {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
        let there = self.objects.get(&path).map(|(_, generation)| *generation);
        // Cloud Storage: 0 stands for nothing.
        let generation = header("x-goog-if-generation-match")
            .is_none_or(|wanted| there.unwrap_or(0).to_string() == wanted);
        let tag = header("if-match").is_none_or(|wanted| there.is_some_and(|there| tag(there) == wanted));
        if !generation || !tag {
            return reply(412, None, Bytes::new());
        }
        if header("if-none-match") == Some("*") && there.is_some() {
            // Blob Storage says 409, S3 412.
            return reply(if header("x-ms-version").is_some() { 409 } else { 412 }, None, Bytes::new());
        }
        self.generation += 1;
        self.objects.insert(path, (request.body().clone(), self.generation));
        let created = if header("x-ms-version").is_some() { 201 } else { 200 };
        reply(created, Some(self.generation), Bytes::new())
    }
}

fn tag(generation: u64) -> String {
    format!("\"{generation:016x}\"")
}

fn reply(status: u16, generation: Option<u64>, body: Bytes) -> Answer {
    let mut response = Response::builder().status(status);
    if let Some(generation) = generation {
        response = response
            .header("etag", tag(generation))
            .header("x-goog-generation", generation)
            .header("last-modified", "Mon, 05 Jan 2026 00:00:00 GMT");
    }
    Answer::Reply(response.body(body).expect("a response"))
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

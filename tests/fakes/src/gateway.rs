//! What may stand between a bridge and its receiver: a gateway that fails at random.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::{Request, Response};
use serde_json::Value;

use crate::http::Server;
use crate::receiver::status;
use crate::{Answer, Random};

/// The handle to a running gateway. It passes on one request at a time.
#[derive(Debug)]
pub struct Gateway {
    state: Arc<Mutex<State>>,
    server: Server,
}

#[derive(Debug)]
struct State {
    to: SocketAddr,
    random: Random,
    per_mille: u64,
    passed: Passed,
}

/// What has become of requests so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// All of them.
    pub posts: u64,
    /// Answered with 429 or 503 by the gateway itself.
    pub refused: u64,
    /// Closed before the receiver saw anything of them.
    pub reset: u64,
    /// Taken by the receiver, whose answer was then lost or made an error.
    pub lost: u64,
    /// Not answered by the receiver.
    pub unanswered: u64,
    /// Events that the receiver says it has received, copies counted.
    pub received: u64,
}

impl Gateway {
    /// Passes requests on to that address; `per_mille` of a thousand go wrong, by `seed`.
    pub fn start(to: SocketAddr, seed: u64, per_mille: u64) -> Self {
        let random = Random::new(seed);
        let state = Arc::new(Mutex::new(State { to, random, per_mille, passed: Passed::default() }));
        let served = Arc::clone(&state);
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::start(anywhere, move |request| {
            answer(&mut served.lock().unwrap_or_else(PoisonError::into_inner), &request)
        });
        Self { state, server: server.unwrap_or_else(|error| panic!("cannot listen: {error}")) }
    }

    /// Where to post to.
    pub fn url(&self) -> String {
        format!("http://{}/k8s_audit", self.server.address())
    }

    /// What has become of requests so far.
    pub fn passed(&self) -> Passed {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).passed
    }

    /// From now on every request is passed on, and its answer back.
    pub fn heal(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).per_mille = 0;
    }
}

fn answer(state: &mut State, request: &Request<Bytes>) -> Answer {
    state.passed.posts += 1;
    let luck = if state.random.chance(state.per_mille) { state.random.below(5) } else { u64::MAX };
    if luck < 2 {
        state.passed.refused += 1;
        return if luck == 0 { status(503, Some(1)) } else { status(429, None) };
    }
    if luck == 2 {
        state.passed.reset += 1;
        return Answer::Close;
    }
    let Ok(response) = pass_on(state.to, request) else {
        state.passed.unanswered += 1;
        return Answer::Close;
    };
    let receipt: Option<Value> = serde_json::from_slice(response.body()).ok();
    let received = receipt.and_then(|receipt| receipt.get("received")?.as_u64());
    state.passed.received += received.unwrap_or(0);
    if luck == 3 || luck == 4 {
        state.passed.lost += 1;
        return if luck == 3 { Answer::Close } else { status(502, None) };
    }
    Answer::Reply(response)
}

/// Asks the receiver the same, over a connection of its own.
fn pass_on(to: SocketAddr, request: &Request<Bytes>) -> io::Result<Response<Bytes>> {
    let mut connection = TcpStream::connect(to)?;
    connection.set_read_timeout(Some(Duration::from_secs(60)))?;
    let (method, path, body) = (request.method(), request.uri(), request.body());
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {to}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes())?;
    connection.write_all(body)?;
    let mut text = Vec::new();
    connection.read_to_end(&mut text)?;
    let text = String::from_utf8_lossy(&text);
    let broken = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(broken)?;
    let code: u16 = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or_else(broken)?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let body = body.get(..length.unwrap_or(body.len())).ok_or_else(broken)?;
    Response::builder().status(code).body(Bytes::from(body.to_owned())).map_err(io::Error::other)
}

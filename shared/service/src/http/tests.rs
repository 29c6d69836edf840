use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{Limits, serve};
use crate::config::Span;
use crate::shutdown::Shutdown;
use crate::tls::Acceptor;
use crate::tls::tests::{Authority, listener};

struct Server {
    address: SocketAddr,
    shutdown: Shutdown,
    serving: JoinHandle<()>,
}

impl Server {
    async fn start(router: Router, tls: Option<Acceptor>, limits: Limits) -> Self {
        let (listener, shutdown) = (listener().await, Shutdown::new());
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(serve(listener, tls, router, limits, shutdown.clone()));
        Self { address, shutdown, serving }
    }

    async fn ask(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    async fn stop(self) {
        self.shutdown.request();
        self.serving.await.unwrap();
    }
}

const ASK: &str = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";

/// What the server says until it hangs up.
async fn all(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset is a way to hang up too.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn hello() -> Router {
    Router::new().route("/", get(async || "hello"))
}

fn short() -> Limits {
    let short = Span::millis(50);
    Limits { handshake_timeout: short, header_timeout: short, drain_timeout: short, ..Limits::default() }
}

#[tokio::test]
async fn a_slow_head_is_hung_up_on() {
    let server = Server::start(hello(), None, short()).await;
    for begun in ["", "G", "GET / HTTP/1.1\r\nhost: a\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"] {
        let stream = server.ask(begun).await;
        assert!(!all(stream).await.contains("hello"), "{begun:?}");
    }
    // One that idles after its first request, too.
    let idle = server.ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(all(idle).await.ends_with("hello"));
    server.stop().await;
}

#[tokio::test]
async fn a_slow_handshake_is_hung_up_on() {
    let authority = Authority::new();
    authority.issue("server");
    let tls = Some(Acceptor::new(authority.server()).unwrap());
    let server = Server::start(hello(), tls, short()).await;
    let silent = server.ask("").await;
    assert_eq!(all(silent).await, "");
    server.stop().await;
}

#[tokio::test]
async fn slow_handshakes_delay_nobody_else() {
    let authority = Authority::new();
    authority.issue("server");
    let tls = Some(Acceptor::new(authority.server()).unwrap());
    let server = Server::start(hello(), tls, Limits::default()).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(server.ask("").await);
    }
    let options = crate::client::Options { tls: authority.client(), ..Default::default() };
    let client = crate::client::Client::new("test", &options).unwrap().get();
    let url = format!("https://localhost:{}/", server.address.port());
    assert_eq!(client.get(&url).send().await.unwrap().text().await.unwrap(), "hello");
    server.stop().await;
}

#[tokio::test]
async fn connections_above_the_limit_wait_their_turn() {
    const LIMIT: usize = 2;
    let (inside, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let handler = {
        let (inside, most) = (inside.clone(), most.clone());
        async move || {
            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            // Long enough for everybody who is let in to come in.
            for _ in 0..500 {
                tokio::task::yield_now().await;
            }
            inside.fetch_sub(1, Ordering::SeqCst);
            "hello"
        }
    };
    let limits = Limits { connections: LIMIT, ..Limits::default() };
    let server = Server::start(Router::new().route("/", get(handler)), None, limits).await;
    let mut asked = Vec::new();
    for _ in 0..8 {
        asked.push(tokio::spawn(all(server.ask(ASK).await)));
    }
    for answer in asked {
        assert!(answer.await.unwrap().ends_with("hello"));
    }
    assert_eq!(most.load(Ordering::SeqCst), LIMIT);
    server.stop().await;
}

#[tokio::test]
async fn a_shutdown_lets_requests_end_and_takes_no_more() {
    let (entered, leave) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let router = Router::new().route(
        "/",
        post({
            let (entered, leave) = (entered.clone(), leave.clone());
            async move |body: String| {
                entered.notify_one();
                leave.notified().await;
                body
            }
        }),
    );
    let server = Server::start(router, None, Limits::default()).await;
    let idle = server.ask("").await;
    let busy = server.ask("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody").await;
    entered.notified().await;
    server.shutdown.request();
    // The idle one is hung up on, the busy one gets its answer.
    assert_eq!(all(idle).await, "");
    assert!(TcpStream::connect(server.address).await.is_err());
    assert!(!server.serving.is_finished());
    leave.notify_one();
    assert!(all(busy).await.ends_with("body"));
    server.serving.await.unwrap();
}

#[tokio::test]
async fn a_drain_ends_in_time() {
    let router = Router::new().route("/", get(async || std::future::pending::<()>().await));
    let server = Server::start(router, None, short()).await;
    let stuck = server.ask(ASK).await;
    server.stop().await;
    assert_eq!(all(stuck).await, "");
}

#[tokio::test]
async fn a_handler_that_panics_takes_only_its_connection_down() {
    let router = hello().route("/panic", get(async || if true { panic!("on purpose") } else { "" }));
    let server = Server::start(router, None, Limits::default()).await;
    let broken = server.ask(&ASK.replace("GET /", "GET /panic")).await;
    assert_eq!(all(broken).await, "");
    assert!(all(server.ask(ASK).await).await.ends_with("hello"));
    server.stop().await;
}

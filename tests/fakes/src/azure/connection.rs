//! Connections and sessions: who is let in, and which links lead where.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fe2o3_amqp::acceptor::{
    ConnectionAcceptor, LinkAcceptor, ListenerSessionHandle, SaslAnonymousMechanism, SessionAcceptor,
};
use fe2o3_amqp::types::definitions::{Fields, Role};
use fe2o3_amqp::types::messaging::TargetArchetype;
use fe2o3_amqp::types::performatives::Attach;
use fe2o3_amqp::types::primitives::{Symbol, Value};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::line::Wire;
use super::requests::Nodes;
use super::tokens::path;
use super::{Shared, link, requests, websocket};

/// How long an idle connection may stay.
const IDLE_MS: u32 = 240_000;

/// One client's connection.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) shared: Arc<Shared>,
    /// Resources with the token that was put for them.
    tokens: Mutex<Vec<(String, Put)>>,
    pub(super) nodes: Nodes,
}

/// When a token was put, and until when it is good.
#[derive(Debug, Clone, Copy)]
struct Put {
    at: Instant,
    until: Instant,
}

impl Peer {
    pub(super) fn authorise(&self, audience: &str, life: Duration) {
        let audience = path(audience).to_ascii_lowercase();
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|(known, _)| *known != audience);
        let at = Instant::now();
        tokens.push((audience, Put { at, until: at + life }));
    }

    /// Until when this connection may read that resource, if it may.
    pub(super) fn authorised(&self, resource: &str) -> Option<Instant> {
        let ended = self.shared.lock().tokens_ended;
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let resource = path(resource).to_ascii_lowercase();
        let fitting = tokens.iter().filter(|(audience, _)| resource.starts_with(audience.as_str()));
        let good = fitting.map(|(_, put)| put).filter(|put| ended.is_none_or(|ended| put.at > ended));
        good.map(|put| put.until).max().filter(|until| *until > Instant::now())
    }
}

pub(super) async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        if shared.lock().down {
            continue;
        }
        let _ = stream.set_nodelay(true);
        let (wire, line) = Wire::new(stream);
        shared.lock().lines.push(line);
        let (tls, shared) = (tls.clone(), Arc::clone(&shared));
        tokio::spawn(async move {
            match tls {
                None => greet(wire, shared).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(wire).await {
                        greet(stream, shared).await;
                    }
                }
            }
        });
    }
}

/// Some clients index into frames by position and need the optional fields behind those that they read.
fn some_properties() -> Fields {
    let mut properties = Fields::new();
    properties.insert(Symbol::from("product"), Value::from("audit-fakes"));
    properties
}

/// AMQP comes as it is, or in a WebSocket, on the same port.
async fn greet<S: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin + 'static>(
    stream: S,
    shared: Arc<Shared>,
) {
    let mut stream = BufReader::new(stream);
    let Ok(first) = stream.fill_buf().await else { return };
    if first.starts_with(b"GET ") {
        let Some(stream) = websocket::accept(stream).await else { return };
        shared.lock().websockets += 1;
        serve(stream, shared).await;
    } else {
        serve(stream, shared).await;
    }
}

async fn serve<S: AsyncRead + AsyncWrite + std::fmt::Debug + Send + Unpin + 'static>(
    stream: S,
    shared: Arc<Shared>,
) {
    let acceptor = ConnectionAcceptor::builder()
        .container_id("fake-event-hubs")
        .max_frame_size(64 * 1024)
        .channel_max(4_999)
        .idle_time_out(IDLE_MS)
        .properties(some_properties())
        .sasl_acceptor(SaslAnonymousMechanism {})
        .build();
    let Ok(mut connection) = acceptor.accept(stream).await else { return };
    let peer = Arc::new(Peer { shared, tokens: Mutex::default(), nodes: Nodes::default() });
    let acceptor = SessionAcceptor::builder().handle_max(255).properties(some_properties()).build();
    while let Ok(session) = acceptor.accept(&mut connection).await {
        tokio::spawn(links(session, Arc::clone(&peer)));
    }
    let _ = connection.on_close().await;
}

async fn links(mut session: ListenerSessionHandle, peer: Arc<Peer>) {
    while let Some(attach) = session.next_incoming_attach().await {
        link(attach, &mut session, &peer).await;
    }
    let _ = session.end().await;
}

async fn link(attach: Attach, session: &mut ListenerSessionHandle, peer: &Arc<Peer>) {
    let acceptor = LinkAcceptor::builder()
        .verify_incoming_source(false)
        .verify_incoming_target(false)
        .properties(some_properties())
        .build();
    let source = attach.source.as_ref().and_then(|source| source.address.clone()).unwrap_or_default();
    let target = match attach.target.as_deref() {
        Some(TargetArchetype::Target(target)) => target.address.clone().unwrap_or_default(),
        _ => String::new(),
    };
    let (node, filter) = match attach.role {
        Role::Sender => (target.clone(), None),
        Role::Receiver => (source.clone(), attach.source.as_ref().and_then(|source| source.filter.clone())),
    };
    let name = attach.name.clone();
    let properties = attach.properties.clone();
    let Ok(endpoint) = acceptor.accept_incoming_attach(attach, session).await else { return };
    if let Some(node) = requests::node(path(&node)) {
        requests::join(endpoint, node, &name, &target, peer);
    } else if let fe2o3_amqp::acceptor::LinkEndpoint::Sender(sender) = endpoint {
        let wish = link::Wish::of(path(&node), filter.as_ref(), properties.as_ref());
        tokio::spawn(link::serve(sender, wish, Arc::clone(peer)));
    }
}

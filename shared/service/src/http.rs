//! The server loop, with the limits that a public port needs.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::config::Span;
use crate::shutdown::Shutdown;
use crate::tls::Acceptor;

/// What a listener puts up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections at once; more wait in the backlog of the system.
    pub connections: usize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Span,
    /// How long the head of a request may take, and a connection may idle before its first request and, with
    /// HTTP/1, between two.
    pub header_timeout: Span,
    /// How long requests under way may go on after a shutdown was requested.
    pub drain_timeout: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 1024,
            handshake_timeout: Span::secs(10),
            header_timeout: Span::secs(30),
            drain_timeout: Span::secs(20),
        }
    }
}

/// Who is on the other side of a connection: an extension of every request.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Where it connected from.
    pub address: SocketAddr,
    /// The certificate that it presented and that was verified, in DER.
    pub certificate: Option<CertificateDer<'static>>,
}

/// Serves `router` over HTTP/1 and HTTP/2, with TLS when there is an acceptor, until `shutdown` is requested;
/// then takes no more, and returns when what is under way has ended or the drain timeout has.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Acceptor>,
    router: Router,
    limits: Limits,
    shutdown: Shutdown,
) {
    let permits = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let mut connections = JoinSet::new();
    loop {
        while let Some(ended) = connections.try_join_next() {
            if let Err(error) = ended {
                tracing::error!(%error, "a request handler failed");
            }
        }
        let accepted = async { (permits.clone().acquire_owned().await, listener.accept().await) };
        let (permit, accepted) = tokio::select! {
            accepted = accepted => accepted,
            () = shutdown.requested() => break,
        };
        match accepted {
            Ok((stream, address)) => {
                let (tls, router, shutdown) = (tls.clone(), router.clone(), shutdown.clone());
                connections.spawn(async move {
                    let _permit = permit;
                    connect(stream, address, tls, router, limits, shutdown).await;
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: trying again at once would only spin.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    let drained = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.drain_timeout.0, drained).await.is_err() {
        tracing::warn!(connections = connections.len(), "drain timeout, closing what is still under way");
    }
}

async fn connect(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<Acceptor>,
    router: Router,
    limits: Limits,
    shutdown: Shutdown,
) {
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return converse(stream, Peer { address, certificate: None }, router, limits, shutdown).await;
    };
    let accepted = tokio::select! {
        accepted = tls.accept(stream, limits.handshake_timeout.0) => accepted,
        () = shutdown.requested() => return,
    };
    match accepted {
        Ok(stream) => {
            let chain = stream.get_ref().1.peer_certificates();
            let certificate = chain.and_then(|chain| chain.first()).map(|leaf| leaf.clone().into_owned());
            converse(stream, Peer { address, certificate }, router, limits, shutdown).await;
        }
        Err(error) => tracing::debug!(%address, %error, "no TLS handshake"),
    }
}

async fn converse<S>(stream: S, peer: Peer, router: Router, limits: Limits, shutdown: Shutdown)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let address = peer.address;
    let router = TowerToHyperService::new(router);
    let begun = Arc::new(AtomicBool::new(false));
    let service = service_fn({
        let begun = begun.clone();
        move |mut request: hyper::Request<Incoming>| {
            begun.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(peer.clone());
            let answer = router.call(request.map(Body::new));
            async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_timeout.0);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    // Neither HTTP version times out a peer that never says which one it speaks.
    let silence = async {
        sleep(limits.header_timeout.0).await;
        if begun.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = silence => return tracing::debug!(%address, "no request in time"),
        () = shutdown.requested() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%address, error = %error, "connection ended early");
    }
}

#[cfg(test)]
mod tests;

//! A loopback HTTP/1.1 server on a thread of its own, which can also misbehave.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// What a fake does with one request.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Sends the response.
    Reply(Response<Bytes>),
    /// Sends the response, late.
    Late(Duration, Response<Bytes>),
    /// Promises the whole response and closes the connection after half of its body.
    Cut(Response<Bytes>),
    /// Closes the connection without an answer.
    Close,
    /// Never answers; the caller's timeout has to end it.
    Hang,
}

type Handler = dyn Fn(Request<Bytes>) -> Answer + Send + Sync;

/// A running server; it ends, with its connections, when this is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Serves `handler` on `address`, port 0 for one that is free.
    pub(crate) fn start(
        address: SocketAddr,
        handler: impl Fn(Request<Bytes>) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::start_tls(address, None, handler)
    }

    /// The same over TLS, if there is an acceptor.
    pub(crate) fn start_tls(
        address: SocketAddr,
        tls: Option<TlsAcceptor>,
        handler: impl Fn(Request<Bytes>) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<Infallible>();
        let handler: Arc<Handler> = Arc::new(handler);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener that was bound above");
                tokio::select! {
                    () = accept(listener, tls, handler) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({})", self.address)
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, handler: Arc<Handler>) {
    loop {
        let Ok((connection, _)) = listener.accept().await else { continue };
        let handler = Arc::clone(&handler);
        match tls.clone() {
            None => drop(tokio::spawn(serve(connection, handler))),
            Some(tls) => drop(tokio::spawn(async move {
                if let Ok(connection) = tls.accept(connection).await {
                    serve(connection, handler).await;
                }
            })),
        }
    }
}

async fn serve(connection: impl AsyncRead + AsyncWrite + Send + Unpin + 'static, handler: Arc<Handler>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let handler = Arc::clone(&handler);
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
            match handler(Request::from_parts(head, body)) {
                Answer::Reply(response) => Ok(response.map(|bytes| Wire { bytes: Some(bytes), cut: false })),
                Answer::Cut(response) => Ok(response.map(|bytes| Wire { bytes: Some(bytes), cut: true })),
                Answer::Late(delay, response) => {
                    tokio::time::sleep(delay).await;
                    Ok(response.map(|bytes| Wire { bytes: Some(bytes), cut: false }))
                }
                Answer::Close => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
                Answer::Hang => std::future::pending().await,
            }
        }
    });
    // A connection that ends badly is what the faults are for.
    let _ =
        hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(connection), service).await;
}

/// A body that may break off in the middle although its whole length was promised.
struct Wire {
    bytes: Option<Bytes>,
    cut: bool,
}

impl Body for Wire {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        Poll::Ready(match self.bytes.take() {
            Some(bytes) if self.cut => Some(Ok(Frame::data(bytes.slice(..bytes.len() / 2)))),
            Some(bytes) if !bytes.is_empty() => Some(Ok(Frame::data(bytes))),
            None if self.cut => Some(Err(io::Error::from(io::ErrorKind::ConnectionReset))),
            _ => None,
        })
    }

    fn size_hint(&self) -> SizeHint {
        self.bytes.as_ref().map_or_else(SizeHint::default, |bytes| SizeHint::with_exact(bytes.len() as u64))
    }
}

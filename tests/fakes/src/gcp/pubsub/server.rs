//! A gRPC server without generated code: three methods, told apart by their path.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, Ready, ready};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::server::{Grpc, StreamingService, UnaryService};
use tonic::{Code, Status, Streaming};
use tonic_prost::ProstCodec;

use serde_json::json;

use super::Shared;
use super::subscription::Flow;
use super::wire::{
    AcknowledgeRequest, Empty, ModifyAckDeadlineRequest, StreamingPullRequest, StreamingPullResponse,
};
use crate::gcp::{GcpError, respond};

/// How often a stream looks for messages.
const TICK: Duration = Duration::from_millis(10);

/// A running server; it ends, with its connections, when this is dropped.
pub(super) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<Infallible>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(address: SocketAddr, shared: Arc<Shared>) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<Infallible>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener that was bound above");
                tokio::select! {
                    () = accept(listener, shared) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    pub(super) fn address(&self) -> SocketAddr {
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

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    loop {
        let Ok((connection, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(&shared);
        let service = service_fn(move |request| answer(Arc::clone(&shared), request));
        tokio::spawn(async move {
            // gRPC is HTTP/2, REST comes by either.
            let http = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let _ = http.serve_connection(TokioIo::new(connection), service).await;
        });
    }
}

async fn answer(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<tonic::body::Body>, Infallible> {
    Ok(match request.uri().path() {
        "/google.pubsub.v1.Subscriber/StreamingPull" => {
            Grpc::new(ProstCodec::default()).streaming(Pull(shared), request).await
        }
        "/google.pubsub.v1.Subscriber/Acknowledge" => {
            Grpc::new(ProstCodec::default()).unary(Acknowledge(shared), request).await
        }
        "/google.pubsub.v1.Subscriber/ModifyAckDeadline" => {
            Grpc::new(ProstCodec::default()).unary(ModifyAckDeadline(shared), request).await
        }
        path => match path.strip_prefix("/v1/") {
            Some(name) => described(&shared, name),
            None => Status::unimplemented(format!("no `{path}`")).into_http(),
        },
    })
}

/// What is asked by REST.
fn described(shared: &Shared, name: &str) -> Response<tonic::body::Body> {
    let state = shared.lock();
    let asks = name.strip_suffix(":testIamPermissions").filter(|name| state.resources.contains_key(*name));
    let answer = match state.resources.get(name) {
        None if asks.is_some() => {
            let granted: &[&str] = if state.forbidden { &[] } else { &["pubsub.subscriptions.consume"] };
            respond(200, "application/json", json!({"permissions": granted}).to_string())
        }
        Some(resource) => respond(200, "application/json", resource.to_string()),
        None => GcpError::new(404, "NOT_FOUND", format!("Resource not found (resource={name}).")).response(),
    };
    answer.map(|bytes| tonic::body::Body::new(http_body_util::Full::new(bytes)))
}

struct Acknowledge(Arc<Shared>);

impl UnaryService<AcknowledgeRequest> for Acknowledge {
    type Response = Empty;
    type Future = Ready<Result<tonic::Response<Empty>, Status>>;

    fn call(&mut self, request: tonic::Request<AcknowledgeRequest>) -> Self::Future {
        let request = request.into_inner();
        let state = &mut *self.0.lock();
        let Some(subscription) = state.subscriptions.get_mut(&request.subscription) else {
            return ready(Err(no_subscription(&request.subscription)));
        };
        state.acknowledged += request.ack_ids.iter().filter(|id| subscription.acknowledge(id)).count();
        ready(Ok(tonic::Response::new(Empty {})))
    }
}

struct ModifyAckDeadline(Arc<Shared>);

impl UnaryService<ModifyAckDeadlineRequest> for ModifyAckDeadline {
    type Response = Empty;
    type Future = Ready<Result<tonic::Response<Empty>, Status>>;

    fn call(&mut self, request: tonic::Request<ModifyAckDeadlineRequest>) -> Self::Future {
        let request = request.into_inner();
        let state = &mut *self.0.lock();
        let Some(subscription) = state.subscriptions.get_mut(&request.subscription) else {
            return ready(Err(no_subscription(&request.subscription)));
        };
        let seconds = u64::try_from(request.ack_deadline_seconds).unwrap_or(0);
        match seconds {
            0 => state.nacked += request.ack_ids.len(),
            _ => state.extended += request.ack_ids.len(),
        }
        for id in &request.ack_ids {
            subscription.modify(id, Duration::from_secs(seconds));
        }
        ready(Ok(tonic::Response::new(Empty {})))
    }
}

struct Pull(Arc<Shared>);

type Responses = ReceiverStream<Result<StreamingPullResponse, Status>>;
type Opening = dyn Future<Output = Result<tonic::Response<Responses>, Status>> + Send;

impl StreamingService<StreamingPullRequest> for Pull {
    type Response = StreamingPullResponse;
    type ResponseStream = Responses;
    type Future = Pin<Box<Opening>>;

    fn call(&mut self, request: tonic::Request<Streaming<StreamingPullRequest>>) -> Self::Future {
        Box::pin(open(Arc::clone(&self.0), request.into_inner()))
    }
}

async fn open(
    shared: Arc<Shared>,
    mut requests: Streaming<StreamingPullRequest>,
) -> Result<tonic::Response<Responses>, Status> {
    let Some(first) = requests.message().await? else { return Err(Status::invalid_argument("no request")) };
    let (generation, stream) = {
        let mut state = shared.lock();
        if !state.refusals.is_empty() {
            return Err(Status::new(state.refusals.remove(0), "refused by script"));
        }
        if !state.subscriptions.contains_key(&first.subscription) {
            return Err(no_subscription(&first.subscription));
        }
        state.streams += 1;
        (state.generation, state.streams as u64)
    };
    let flow = Flow {
        messages: first.max_outstanding_messages,
        bytes: first.max_outstanding_bytes,
        deadline: Duration::from_secs(u64::try_from(first.stream_ack_deadline_seconds).unwrap_or(10)),
    };
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                // Requests that follow only keep the stream alive.
                request = requests.message() => if !matches!(request, Ok(Some(_))) { return },
                _ = ticks.tick() => {
                    let pulled = pull(&shared, &first.subscription, generation, stream, flow);
                    let ended = pulled.is_err();
                    let news = pulled.as_ref().map_or(true, |response| !response.received_messages.is_empty());
                    if news && (sender.send(pulled).await.is_err() || ended) {
                        return;
                    }
                }
            }
        }
    });
    Ok(tonic::Response::new(ReceiverStream::new(receiver)))
}

fn pull(
    shared: &Shared,
    subscription: &str,
    generation: u64,
    stream: u64,
    flow: Flow,
) -> Result<StreamingPullResponse, Status> {
    let mut state = shared.lock();
    if state.generation != generation {
        return Err(Status::new(state.broken.unwrap_or(Code::Unavailable), "broken by script"));
    }
    match state.subscriptions.get_mut(subscription) {
        Some(found) => Ok(StreamingPullResponse { received_messages: found.pull(stream, flow) }),
        None => Err(no_subscription(subscription)),
    }
}

fn no_subscription(name: &str) -> Status {
    Status::not_found(format!("Resource not found (resource={name})."))
}

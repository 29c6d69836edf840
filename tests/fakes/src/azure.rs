//! Azure as the AKS bridge sees it: an Event Hubs namespace over AMQP 1.0, and Entra ID's tokens.
//!
//! The namespace checks what a client must get right (tokens by signature, audience and expiry, one reader per partition
//! by epoch, credit, idle connections) and does what the service does to clients on bad days: links stolen and detached,
//! server-busy, connections closed, cut, or silent.

pub mod blob;
mod connection;
pub mod entra;
mod hub;
mod line;
mod link;
mod requests;
mod tokens;
mod websocket;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use entra::Entra;
pub use hub::{Hub, Selector};

use hub::Hubs;
use line::Line;
use tokens::Issued;

/// The name of the shared access policy of every fake.
pub const KEY_NAME: &str = "listen";
/// Its key, which is base64 by custom.
pub const KEY: &str = "c2VjcmV0IG9mIHRoZSBmYWtlIGV2ZW50IGh1Yg==";

/// The handle to a running namespace; clones are the same one, which ends with the last of them.
#[derive(Debug, Clone)]
pub struct EventHubs {
    shared: Arc<Shared>,
    thread: Arc<Running>,
}

/// What a client asked of a partition by attaching.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The hub.
    pub hub: String,
    /// The consumer group.
    pub group: String,
    /// The partition.
    pub partition: String,
    /// Where it wants to begin.
    pub selector: Selector,
    /// Its owner level.
    pub epoch: Option<i64>,
}

#[derive(Debug, Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    hubs: Hubs,
    issued: Issued,
    lines: Vec<Line>,
    attached: Vec<Attached>,
    refuse: VecDeque<String>,
    down: bool,
    tokens_ended: Option<Instant>,
    tokens_put: usize,
    websockets: usize,
}

impl Shared {
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventHubs {
    /// Starts a namespace on a free port of 127.0.0.1, without TLS.
    pub fn start() -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), None)
    }

    /// Starts a namespace on that address; with TLS if an acceptor is given.
    pub fn start_at(address: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let listener = std::net::TcpListener::bind(address)
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .unwrap_or_else(|error| panic!("cannot listen on `{address}`: {error}"));
        let address = listener.local_addr().expect("an address that was bound");
        let shared = Arc::new(Shared::default());
        let served = Arc::clone(&shared);
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener that was bound above");
                tokio::select! {
                    () = connection::accept(listener, tls, served) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        let thread = Running { address, stop: Some(stop), thread: Some(thread) };
        Self { shared, thread: Arc::new(thread) }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.thread.address
    }

    /// The hub of that name, made with so many partitions if there is none.
    pub fn hub(&self, name: &str, partitions: usize) -> Hub {
        self.shared.lock().hubs.make(name, partitions);
        Hub::new(Arc::clone(&self.shared), name)
    }

    /// A connection string as the portal shows it, for an emulator: plain text, on this port.
    pub fn connection_string(&self, hub: &str) -> String {
        let port = self.address().port();
        format!(
            "Endpoint=sb://127.0.0.1:{port}/;SharedAccessKeyName={KEY_NAME};SharedAccessKey={KEY};EntityPath={hub};\
             UseDevelopmentEmulator=true;"
        )
    }

    /// Entra ID for this namespace, on a port of its own.
    pub fn entra(&self) -> Entra {
        Entra::start(Arc::clone(&self.shared))
    }

    /// Answers the next attaches to partitions with these conditions, `com.microsoft:server-busy` for one.
    pub fn refuse_next(&self, conditions: impl IntoIterator<Item = &'static str>) {
        self.shared.lock().refuse.extend(conditions.into_iter().map(str::to_owned));
    }

    /// Ends every token that was put so far; readers are told when the next message comes in.
    pub fn end_tokens(&self) {
        self.shared.lock().tokens_ended = Some(Instant::now());
    }

    /// Cuts every connection without a word.
    pub fn cut(&self) {
        self.each_line(Line::cut);
    }

    /// Lets every connection that stands go silent: nothing more comes of it, and nothing more is read.
    pub fn hang(&self) {
        self.each_line(Line::hang);
    }

    /// Cuts every connection and takes none, until told otherwise.
    pub fn set_down(&self, down: bool) {
        self.shared.lock().down = down;
        if down {
            self.cut();
        }
    }

    /// Every attach to a partition so far, in order.
    pub fn attached(&self) -> Vec<Attached> {
        self.shared.lock().attached.clone()
    }

    /// How many tokens were put to `$cbs` and taken.
    pub fn tokens_put(&self) -> usize {
        self.shared.lock().tokens_put
    }

    /// How many clients came through a WebSocket.
    pub fn websockets(&self) -> usize {
        self.shared.lock().websockets
    }

    /// How many connections stand.
    pub fn connections(&self) -> usize {
        let mut state = self.shared.lock();
        state.lines.retain(Line::stands);
        state.lines.len()
    }

    fn each_line(&self, act: impl Fn(&Line)) {
        let mut state = self.shared.lock();
        state.lines.iter().for_each(act);
        state.lines.retain(Line::stands);
    }
}

/// The thread of a fake; it ends, with its connections, when this is dropped.
struct Running {
    address: SocketAddr,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Running({})", self.address)
    }
}

/// The cluster of [`record`], as records name it.
pub const RESOURCE: &str =
    "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.CONTAINERSERVICE/MANAGEDCLUSTERS/DEMO";

/// The record that a diagnostic setting makes of an audit event, which is a JSON text.
pub fn record(event: &str) -> serde_json::Value {
    serde_json::json!({
        "category": "kube-audit",
        "operationName": "Microsoft.ContainerService/managedClusters/diagnosticLogs/Read",
        "properties": {"containerID": "0", "log": format!("{event}\n"), "pod": "kube-apiserver-0", "stream": "stdout"},
        "resourceId": RESOURCE,
    })
}

/// The message of these audit events.
pub fn message<'a>(events: impl IntoIterator<Item = &'a str>) -> String {
    let records: Vec<_> = events.into_iter().map(record).collect();
    serde_json::json!({ "records": records }).to_string()
}

/// The query or form of a text, as pairs.
fn form(text: &[u8]) -> HashMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fe2o3_amqp::connection::ConnectionHandle;
use fe2o3_amqp::sasl_profile::SaslProfile;
use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::{Connection as Amqp, Session};
use fe2o3_amqp_ws::WebSocketStream;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{Failure, within};

/// What the service itself takes as its largest frame.
const FRAME: u32 = 64 * 1024;

/// Where a namespace is.
#[derive(Clone)]
pub struct Endpoint {
    /// The namespace's full name, which the service routes by: `shop.servicebus.windows.net`.
    pub namespace: String,
    /// The host to connect to: the namespace itself, unless a private endpoint or an emulator stands in for it.
    pub host: String,
    /// Its port: 5671, or 5672 without TLS.
    pub port: u16,
    /// Through a WebSocket, where the port of AMQP is closed.
    pub websocket: bool,
    /// `None` is plain text: emulators only.
    pub tls: Option<Arc<ClientConfig>>,
    /// How long an answer may take: opening, attaching, a request. A connection without any frame for four times as
    /// long is dead; the service sends empty ones well before.
    pub answer_within: Duration,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.websocket, self.tls.is_some()) {
            (false, true) => "amqps",
            (false, false) => "amqp",
            (true, true) => "wss",
            (true, false) => "ws",
        };
        write!(f, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// An open connection; sessions on it are begun one after the other.
#[derive(Debug)]
pub struct Connection {
    handle: Mutex<ConnectionHandle<()>>,
    pub(super) limit: Duration,
}

impl Connection {
    /// Connects, and signs in as nobody: who reads is settled later, by tokens.
    pub async fn open(endpoint: &Endpoint, container: &str) -> Result<Self, Failure> {
        const WHAT: &str = "connecting";
        let limit = endpoint.answer_within;
        let stream = within(limit, WHAT, TcpStream::connect((endpoint.host.as_str(), endpoint.port))).await?;
        // Small frames of many links share the connection; none should wait for another to fill a packet.
        let _ = stream.set_nodelay(true);
        let handle = match &endpoint.tls {
            None => Self::speak(endpoint, container, stream).await?,
            Some(config) => {
                let name = ServerName::try_from(endpoint.host.clone())
                    .map_err(|error| Failure::Lost { what: WHAT, reason: error.to_string() })?;
                let connector = TlsConnector::from(Arc::clone(config));
                let stream = within(limit, "the TLS handshake", connector.connect(name, stream)).await?;
                Self::speak(endpoint, container, stream).await?
            }
        };
        Ok(Self { handle: Mutex::new(handle), limit })
    }

    /// Speaks AMQP on a stream to the service, in a WebSocket if it is to be.
    async fn speak<S>(
        endpoint: &Endpoint,
        container: &str,
        stream: S,
    ) -> Result<ConnectionHandle<()>, Failure>
    where
        S: AsyncRead + AsyncWrite + fmt::Debug + Send + Unpin + 'static,
    {
        let limit = endpoint.answer_within;
        let idle = u32::try_from(limit.saturating_mul(4).as_millis()).unwrap_or(u32::MAX);
        let builder = Amqp::builder()
            .container_id(container)
            .hostname(endpoint.namespace.as_str())
            .sasl_hostname(endpoint.namespace.as_str())
            .max_frame_size(FRAME)
            .idle_time_out(idle)
            .sasl_profile(SaslProfile::Anonymous);
        if !endpoint.websocket {
            return within(limit, "connecting", builder.open_with_stream(stream)).await;
        }
        let scheme = if endpoint.tls.is_some() { "wss" } else { "ws" };
        let url = format!("{scheme}://{}/$servicebus/websocket", endpoint.namespace);
        let stream =
            within(limit, "opening a WebSocket", WebSocketStream::connect_with_stream(url, stream)).await?;
        within(limit, "connecting", builder.open_with_stream(stream)).await
    }

    /// Whether the connection has ended. One that went silent shows it only after a while.
    pub async fn is_closed(&self) -> bool {
        self.handle.lock().await.is_closed()
    }

    pub(super) async fn session(&self) -> Result<SessionHandle<()>, Failure> {
        within(self.limit, "beginning a session", async {
            Session::begin(&mut *self.handle.lock().await).await
        })
        .await
    }

    /// Says good-bye, without insisting on an answer.
    pub async fn close(&self) {
        let mut handle = self.handle.lock().await;
        let _ = tokio::time::timeout(Duration::from_secs(2), handle.close()).await;
    }
}

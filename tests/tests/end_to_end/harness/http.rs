//! An HTTP/1.1 client that sends exactly what it is told, well formed or not.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

/// Asks one server; a connection for each request.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    address: SocketAddr,
    tls: Option<Arc<ClientConfig>>,
}

/// What was answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Client {
    pub(crate) fn plain(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }

    /// Over TLS to a server named `localhost`, trusting that authority alone.
    pub(crate) fn tls(address: SocketAddr, authority: CertificateDer<'static>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions that the provider has")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self { address, tls: Some(Arc::new(config)) }
    }

    /// Posts a body with a length and the given headers.
    ///
    /// # Errors
    /// When there is no whole answer; that is what a killed server gives.
    pub(crate) fn post(&self, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        let mut head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        self.send(head.as_bytes(), body)
    }

    /// # Errors
    /// When there is no whole answer.
    pub(crate) fn get(&self, path: &str) -> io::Result<Answer> {
        self.send(
            format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes(),
            b"",
        )
    }

    fn send(&self, head: &[u8], body: &[u8]) -> io::Result<Answer> {
        let connection = TcpStream::connect(self.address)?;
        connection.set_read_timeout(Some(Duration::from_secs(60)))?;
        let Some(config) = &self.tls else { return exchange(connection, head, body) };
        let name = ServerName::try_from("localhost").expect("a name");
        let session = ClientConnection::new(Arc::clone(config), name).map_err(io::Error::other)?;
        exchange(StreamOwned::new(session, connection), head, body)
    }
}

fn exchange(mut connection: impl Read + Write, head: &[u8], body: &[u8]) -> io::Result<Answer> {
    connection.write_all(head)?;
    // A server that refuses a body answers before it has read it all, and may close; its answer counts.
    let sent = connection.write_all(body).and_then(|()| connection.flush());
    let mut text = Vec::new();
    if let Err(error) = connection.read_to_end(&mut text)
        && text.is_empty()
    {
        return Err(sent.err().unwrap_or(error));
    }
    read(&String::from_utf8_lossy(&text)).ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
}

/// Reads an answer: a body of the promised length, or to the end of the connection.
fn read(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let head = head.to_ascii_lowercase();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    if head.contains("transfer-encoding: chunked") {
        let body = unchunk(body)?;
        return Some(Answer { status, head, body });
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let body = body.get(..length.unwrap_or(body.len()))?.to_owned();
    Some(Answer { status, head, body })
}

fn unchunk(mut text: &str) -> Option<String> {
    let mut whole = String::new();
    loop {
        let (length, rest) = text.split_once("\r\n")?;
        let length = usize::from_str_radix(length, 16).ok()?;
        if length == 0 {
            return Some(whole);
        }
        whole.push_str(rest.get(..length)?);
        text = rest.get(length + 2..)?;
    }
}

//! A client that sends what it likes, and tells how it was answered.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// A status, or 0 when the connection was closed without one.
pub(crate) fn send(to: SocketAddr, write: impl FnOnce(&mut TcpStream) -> io::Result<()>) -> u16 {
    let mut stream = connect(to);
    // Who refuses may close before all is sent; the answer counts.
    let _ = write(&mut stream);
    status(&mut stream)
}

pub(crate) fn connect(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// The status of what is answered on a connection.
///
/// # Panics
/// When nothing is, and it isn't closed either.
pub(crate) fn status(stream: &mut TcpStream) -> u16 {
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while !answer.windows(2).any(|pair| pair == b"\r\n") {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&piece[..read]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                panic!("neither answered nor closed within {PATIENCE:?}")
            }
            Err(_) => break,
        }
    }
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

/// Waits until `condition` holds.
pub(crate) fn becomes(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A status and what is answered, of a request without a body.
pub(crate) fn get(to: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut stream = connect(to);
    let mut request = format!("GET {path} HTTP/1.1\r\nconnection: close\r\n");
    let host = ("host", "localhost");
    let given = headers.iter().any(|(name, _)| *name == "host");
    for (name, value) in headers.iter().chain((!given).then_some(&host)) {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Posts a body and gives the status and the answer.
pub(crate) fn ask(to: SocketAddr, path: &str, token: &str, body: &str) -> (u16, serde_json::Value) {
    let mut stream = connect(to);
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

/// The head of a POST.
pub(crate) fn head(more: &str) -> String {
    format!(
        "POST /k8s_audit HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer good\r\n{more}\r\n"
    )
}

/// Posts a body of that length.
pub(crate) fn post(to: SocketAddr, more: &str, pieces: &Pieces) -> u16 {
    send(to, |stream| {
        stream.write_all(head(&format!("{more}content-length: {}\r\n", pieces.len())).as_bytes())?;
        pieces.write(stream)
    })
}

/// A body that is never in memory as a whole on this side.
#[derive(Clone)]
pub(crate) struct Pieces {
    pub(crate) head: Vec<u8>,
    pub(crate) middle: Vec<u8>,
    pub(crate) times: usize,
    pub(crate) tail: Vec<u8>,
}

impl Pieces {
    pub(crate) fn new(head: &str, middle: &str, times: usize, tail: &str) -> Self {
        Self { head: head.into(), middle: middle.into(), times, tail: tail.into() }
    }

    pub(crate) fn len(&self) -> usize {
        self.head.len() + self.middle.len() * self.times + self.tail.len()
    }

    pub(crate) fn write(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.head)?;
        let together = (64 << 10) / self.middle.len().max(1) + 1;
        let many = self.middle.repeat(together);
        for _ in 0..self.times / together {
            to.write_all(&many)?;
        }
        to.write_all(&self.middle.repeat(self.times % together))?;
        to.write_all(&self.tail)
    }
}

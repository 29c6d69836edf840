//! A server that takes alerts, as one behind falcosidekick or Alertmanager would get them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// Bodies by path, in the order in which they came.
#[derive(Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<BTreeMap<String, Vec<Value>>>>);

impl Sink {
    /// One at a free port, or at a port that was one's before.
    pub(crate) fn start(at: Option<SocketAddr>) -> (Self, SocketAddr) {
        let listener = TcpListener::bind(at.unwrap_or(([127, 0, 0, 1], 0).into())).unwrap();
        let (address, sink) = (listener.local_addr().unwrap(), Self::default());
        let all = sink.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let sink = sink.clone();
                std::thread::spawn(move || sink.serve(stream));
            }
        });
        (all, address)
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().ok()?);
        let mut stream = stream;
        loop {
            let (mut line, mut length) = (String::new(), 0);
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let path = line.split(' ').nth(1)?.to_owned();
            loop {
                let mut header = String::new();
                reader.read_line(&mut header).ok()?;
                if header.trim().is_empty() {
                    break;
                }
                if let Some(told) = header.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = told.trim().parse().ok()?;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).ok()?;
            let body = serde_json::from_slice(&body).unwrap();
            self.0.lock().unwrap().entry(path).or_default().push(body);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
        }
    }

    /// What came to a path.
    pub(crate) fn bodies(&self, path: &str) -> Vec<Value> {
        self.0.lock().unwrap().get(path).cloned().unwrap_or_default()
    }
}

/// An alert as falcosidekick 2.x reads it (`FalcoPayload` in its `types/types.go`), which refuses what `Check` there refuses.
/// It puts a `uuid` of its own in the place of ours and passes on no key that isn't here.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct FalcoPayload {
    pub(crate) uuid: String,
    output: String,
    priority: String,
    pub(crate) rule: String,
    time: String,
    output_fields: serde_json::Map<String, Value>,
    source: String,
    tags: Vec<String>,
    hostname: Option<String>,
}

impl FalcoPayload {
    #[track_caller]
    pub(crate) fn read(document: &Value) -> Self {
        let read: Self =
            serde_json::from_value(document.clone()).unwrap_or_else(|error| panic!("{error}: {document}"));
        let priorities =
            ["emergency", "alert", "critical", "error", "warning", "notice", "informational", "debug"];
        assert!(priorities.contains(&read.priority.to_lowercase().as_str()), "{document}");
        assert!(
            !read.rule.is_empty() && !read.output.is_empty() && !read.output_fields.is_empty(),
            "{document}"
        );
        assert!(read.time.parse::<jiff::Timestamp>().is_ok() && !read.time.starts_with("0001"), "{document}");
        assert_eq!((read.source.as_str(), read.uuid.len()), ("k8s_audit", 36), "{document}");
        assert!(read.hostname.as_ref().is_some_and(|name| !name.is_empty()), "{document}");
        // It takes these two for texts without a look.
        for text in ["k8s.ns.name", "k8s.pod.name"] {
            assert!(
                read.output_fields.get(text).is_none_or(|value| value.is_string() || value.is_null()),
                "{document}"
            );
        }
        assert!(read.tags.iter().all(|tag| !tag.is_empty()), "{document}");
        read
    }
}

//! moto, an independent imitation of AWS, run by the tests themselves.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use super::eventually;
use super::http::Client;
use super::python::Packages;

/// What it is installed from.
pub(crate) const MOTO: Packages =
    Packages { folder: "moto", requirements: &["moto[server]==5.2.5"], modules: "moto.server" };

/// A running moto; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Moto {
    child: Child,
    address: SocketAddr,
}

impl Moto {
    /// Starts it. `None`, and a loud line, where it can't be had.
    pub(crate) fn start() -> Option<Self> {
        let mut python = MOTO.python()?;
        let mut child = python
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", "0"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a Python that was there a moment ago");
        // werkzeug says ` * Running on http://127.0.0.1:PORT`, then a line for each request.
        let lines = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        let mut lines = lines.map_while(Result::ok);
        let address = lines.find_map(|line| line.split_once("Running on http://")?.1.trim().parse().ok());
        std::thread::spawn(move || lines.for_each(drop));
        let Some(address) = address else {
            let _ = child.kill();
            panic!("moto ended at once");
        };
        Some(Self { child, address })
    }

    /// The URL to give as endpoint of every service.
    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Calls CloudWatch Logs.
    #[track_caller]
    pub(crate) fn logs(&self, operation: &str, body: &Value) -> Value {
        let target = format!("Logs_20140328.{operation}");
        let headers = [
            ("x-amz-target", target.as_str()),
            ("content-type", "application/x-amz-json-1.1"),
            (
                "authorization",
                "AWS4-HMAC-SHA256 Credential=test/20260101/eu-central-1/logs/aws4_request, SignedHeaders=host, Signature=0",
            ),
        ];
        let client = Client::plain(self.address);
        let answer = eventually(operation, || client.post("/", &headers, body.to_string().as_bytes()).ok());
        assert_eq!(answer.status, 200, "{answer:?}");
        if answer.body.is_empty() { json!({}) } else { answer.json() }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

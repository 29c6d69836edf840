//! A binary under test, as another process.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running binary; killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    ports: HashMap<String, String>,
}

impl Program {
    /// Starts a bridge.
    pub fn start(command: Command) -> Self {
        Self::start_with(command, &["admin"])
    }

    /// Starts it and waits until all of `names` listen.
    pub fn start_with(mut command: Command, names: &[&str]) -> Self {
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut ports = HashMap::new();
        while ports.len() < names.len() {
            let line = lines.next().expect("a line for each port").unwrap();
            if let Some((name, port)) = line.strip_prefix("listening ").and_then(|rest| rest.split_once(' '))
            {
                ports.insert(name.to_owned(), port.replace("0.0.0.0", "127.0.0.1"));
            }
        }
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, ports }
    }

    /// Where a port listens.
    pub fn address(&self, port: &str) -> &str {
        &self.ports[port]
    }

    /// What `GET path` answers on a port, head and body.
    pub fn get(&self, port: &str, path: &str) -> String {
        let mut stream = std::net::TcpStream::connect(self.address(port)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// What readiness says.
    pub fn ready(&self) -> String {
        self.get("admin", "/readyz")
    }

    /// Ends it the hard way.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end, with SIGTERM; the code that it ends with.
    pub fn stop(mut self) -> i32 {
        let id = i32::try_from(self.child.id()).unwrap();
        assert!(Command::new("kill").args(["-TERM", &id.to_string()]).status().unwrap().success());
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until `done`.
///
/// # Panics
/// When it takes too long.
#[track_caller]
pub fn await_true(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < Duration::from_secs(90), "waited too long for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// What a program wrote.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

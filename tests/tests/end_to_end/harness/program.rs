//! A child process, its stderr, and its end.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{PATIENCE, within};

/// The receiver's binary.
pub(crate) const RECEIVER: &str = env!("CARGO_BIN_EXE_tested-audit-receiver");

/// The binary to run for one that Cargo has built: of the folder in `TESTED_BINARIES` if there is one, under its own name.
pub(crate) fn tested(built: &str) -> PathBuf {
    let built = Path::new(built);
    let name = built.file_name().and_then(OsStr::to_str).expect("the path of a binary");
    let own = name.strip_prefix("tested-").unwrap_or(name);
    std::env::var_os("TESTED_BINARIES").map_or(built.to_owned(), |folder| Path::new(&folder).join(own))
}

/// How a program ended, and what it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a program to its end.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Ended {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let (stdout, stderr) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
    let [stdout, stderr] = [read(stdout), read(stderr)];
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child that can be asked") {
            break Some(status);
        }
        if start.elapsed() > PATIENCE {
            let _ = child.kill();
            let _ = child.wait();
            break None;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let [stdout, stderr] = [stdout, stderr].map(|text| text.join().expect("a thread that reads"));
    let status = status.unwrap_or_else(|| panic!("{command:?} does not end; it says:\n{stdout}{stderr}"));
    Ended { code: status.code(), stdout, stderr }
}

fn read(mut pipe: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// A running program; it is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    stdout: Arc<Mutex<Vec<String>>>,
    stderr: Arc<Mutex<Vec<String>>>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stdout = collect(child.stdout.take().expect("a piped stdout"));
        let stderr = collect(child.stderr.take().expect("a piped stderr"));
        Self { child, stdout, stderr }
    }

    /// The address of the listener of that name, once it is bound.
    #[track_caller]
    pub(crate) fn listening(&mut self, name: &str) -> SocketAddr {
        let start = format!("listening {name} ");
        within(PATIENCE, &format!("`{start}`"), || {
            let address = self.stderr().iter().find_map(|line| line.strip_prefix(&start)?.parse().ok());
            if address.is_none() {
                let ended = self.child.try_wait().expect("a child that can be asked");
                assert!(
                    ended.is_none(),
                    "ended with {ended:?} before `{start}`:\n{}",
                    self.stderr().join("\n")
                );
            }
            address
        })
    }

    /// What it has written to stderr so far.
    pub(crate) fn stderr(&self) -> Vec<String> {
        self.stderr.lock().unwrap().clone()
    }

    /// What it has written to stdout so far.
    pub(crate) fn stdout(&self) -> Vec<String> {
        self.stdout.lock().unwrap().clone()
    }

    /// What it has written to stdout behind so many lines.
    pub(crate) fn stdout_from(&self, line: usize) -> Vec<String> {
        self.stdout.lock().unwrap().get(line..).map(<[String]>::to_vec).unwrap_or_default()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The most memory it has had, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a Linux process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// Bounds the size of its files, or with `None` no longer.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        let soft = bytes.map_or("unlimited".to_owned(), |bytes| bytes.to_string());
        let arguments = [format!("--pid={}", self.id()), format!("--fsize={soft}:")];
        let limited = Command::new("prlimit").args(arguments).status();
        assert!(limited.is_ok_and(|status| status.success()), "prlimit, of util-linux, must be there");
    }

    /// Ends it the hard way: no destructor and no handler of it runs.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks it to end, with SIGTERM, and waits for that.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended()
    }

    /// Sends a signal, named without its `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        // The shell has `kill` built in; the system may have none.
        let sent =
            Command::new("sh").args(["-c", "kill -\"$0\" \"$1\"", name, &self.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "cannot send SIG{name}");
    }

    /// Waits until it ends by itself.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> ExitStatus {
        within(PATIENCE, "the end of a program", || self.child.try_wait().expect("a child that can be asked"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
        if thread::panicking() {
            eprintln!("--- stderr of {}:\n{}", self.child.id(), self.stderr().join("\n"));
        }
    }
}

fn collect(pipe: impl Read + Send + 'static) -> Arc<Mutex<Vec<String>>> {
    let lines = Arc::new(Mutex::new(Vec::new()));
    let filled = Arc::clone(&lines);
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            filled.lock().unwrap().push(line);
        }
    });
    lines
}

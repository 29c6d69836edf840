//! The bridge under test.

use std::path::Path;
use std::process::Command;

use audit_fakes::azure::EventHubs;
use tempfile::TempDir;

use crate::harness::{Client, Ended, Program, Receiver, run, sum, tested};

/// The bridge's binary.
const BRIDGE: &str = env!("CARGO_BIN_EXE_tested-eventhub-bridge");

/// A bridge with a folder of its own, whose checkpoints outlive its deaths.
pub(super) struct Bridge {
    folder: TempDir,
    receiver: String,
    checkpoint: Option<String>,
    environment: Vec<(&'static str, String)>,
    program: Option<Program>,
    admin: Option<Client>,
}

impl Bridge {
    pub(super) fn new(fake: &EventHubs, receiver: &Receiver) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::write(folder.path().join("string"), fake.connection_string("audit")).expect("a file");
        let variable = ("KAB_CONNECTION_STRING_FILE", folder.path().join("string").display().to_string());
        Self {
            folder,
            receiver: receiver.url(),
            checkpoint: None,
            environment: vec![variable],
            program: None,
            admin: None,
        }
    }

    /// The same with these environment variables alone, instead of a file with a connection string.
    pub(super) fn environment(self, environment: Vec<(&'static str, String)>) -> Self {
        Self { environment, ..self }
    }

    /// The same with one more environment variable.
    pub(super) fn set(mut self, name: &'static str, value: &str) -> Self {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// The same with its checkpoints elsewhere than in its folder.
    pub(super) fn checkpoint(self, address: &str) -> Self {
        Self { checkpoint: Some(address.to_owned()), ..self }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn restart(&mut self) {
        self.kill();
        let mut program = Program::start(&mut self.command());
        self.admin = Some(Client::plain(program.listening("admin")));
        self.program = Some(program);
    }

    pub(super) fn started(mut self) -> Self {
        self.restart();
        self
    }

    /// Ends it as a power cut would.
    pub(super) fn kill(&mut self) {
        self.admin = None;
        if let Some(mut program) = self.program.take() {
            program.kill();
        }
    }

    /// Ends it with SIGTERM.
    pub(super) fn stop(&mut self) {
        self.admin = None;
        let mut program = self.program.take().expect("a running bridge");
        assert!(program.stop().success(), "{}", program.stderr().join("\n"));
    }

    pub(super) fn program(&self) -> &Program {
        self.program.as_ref().expect("a running bridge")
    }

    /// All metrics, while it runs.
    pub(super) fn metrics(&self) -> Option<String> {
        Some(self.admin.as_ref()?.get("/metrics").ok()?.body)
    }

    /// The sum of a metric's samples whose labels contain `labels`.
    pub(super) fn metric(&self, name: &str, labels: &str) -> f64 {
        sum(&self.metrics().expect("a running bridge"), name, labels)
    }

    pub(super) fn once(&self) -> Ended {
        run(self.command().arg("--once"))
    }

    fn command(&self) -> Command {
        let checkpoints = format!("file:{}", self.folder().join("checkpoints").display());
        let mut command = Command::new(tested(BRIDGE));
        command
            .args(["--admin-listen", "127.0.0.1:0", "--from", "earliest"])
            .args(["--checkpoint", self.checkpoint.as_ref().unwrap_or(&checkpoints)])
            .env_clear()
            .env("HOME", self.folder())
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        if !self.environment.iter().any(|(name, _)| *name == "WebSinkURL") {
            command.args(["--receiver-url", &self.receiver]);
        }
        command
    }
}

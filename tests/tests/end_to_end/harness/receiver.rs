//! The receiver under test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use audit_fakes::traffic;
use serde_json::Value;
use tempfile::TempDir;

use super::http::{Answer, Client};
use super::program::{Program, RECEIVER, run, tested};

/// A receiver with a folder of its own, whose store and port outlive its deaths.
#[derive(Debug)]
pub(crate) struct Receiver {
    folder: TempDir,
    args: Vec<String>,
    intake: SocketAddr,
    admin: SocketAddr,
    program: Option<Program>,
}

/// An alert of the store; without an audit ID, if what raised it had none.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Alert {
    pub(crate) audit_id: String,
    pub(crate) rule: String,
    pub(crate) uuid: String,
}

impl Receiver {
    /// Starts one that evaluates the rules of the generated traffic.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with further arguments.
    #[track_caller]
    pub(crate) fn start_with(args: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        std::fs::write(folder.path().join("rules.yaml"), traffic::RULES).expect("a file that can be written");
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        let args = args.iter().map(|&arg| arg.to_owned()).collect();
        let mut receiver = Self { folder, args, intake: free, admin: free, program: None };
        receiver.restart();
        receiver
    }

    /// Starts it again, at the same addresses, on the same store.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.kill();
        let mut program = Program::start(
            // A write beyond `limit_files` is to fail, as on a full disk, rather than to end the process.
            Command::new("sh")
                .args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
                .arg(tested(RECEIVER))
                .arg("serve")
                .args(["--listen", &self.intake.to_string(), "--admin-listen", &self.admin.to_string()])
                .args(["--store", &self.store()])
                .arg("--rules")
                .arg(self.rules())
                .args(&self.args),
        );
        self.intake = program.listening("intake");
        self.admin = program.listening("admin");
        self.program = Some(program);
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.kill();
        }
    }

    /// Ends it with SIGTERM and gives what it wrote to stdout.
    #[track_caller]
    pub(crate) fn stop(&mut self) -> Vec<String> {
        let mut program = self.program.take().expect("a running receiver");
        assert!(program.stop().success(), "{}", program.stderr().join("\n"));
        program.stdout()
    }

    pub(crate) fn program(&mut self) -> &mut Program {
        self.program.as_mut().expect("a running receiver")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn rules(&self) -> PathBuf {
        self.folder().join("rules.yaml")
    }

    pub(crate) fn store(&self) -> String {
        format!("sqlite:{}", self.folder().join("store.db").display())
    }

    /// Where bridges post to.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/k8s_audit", self.intake)
    }

    pub(crate) fn intake(&self) -> SocketAddr {
        self.intake
    }

    /// Posts a body as kube-apiserver does.
    ///
    /// # Errors
    /// When there is no whole answer.
    pub(crate) fn post(&self, body: &[u8]) -> std::io::Result<Answer> {
        let headers = [("content-type", "application/json")];
        Client::plain(self.intake).post("/k8s_audit?timeout=30s", &headers, body)
    }

    /// What it has written to stdout behind so many lines: its alerts.
    pub(crate) fn told_from(&self, line: usize) -> Vec<String> {
        self.program.as_ref().expect("a running receiver").stdout_from(line)
    }

    /// What the readiness probe is answered.
    pub(crate) fn readiness(&self) -> Answer {
        Client::plain(self.admin).get("/readyz").expect("an answer of the admin port")
    }

    /// From now on no file of it may grow beyond so many bytes: a disk that is full, or with `None` no longer.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        self.program.as_ref().expect("a running receiver").limit_files(bytes);
    }

    /// The sum of the samples of a metric whose labels contain `labels`.
    #[track_caller]
    pub(crate) fn metric(&self, name: &str, labels: &str) -> f64 {
        let page = Client::plain(self.admin).get("/metrics").expect("an answer of the admin port").body;
        sum(&page, name, labels)
    }

    /// Every alert of the store, sorted, copies kept.
    #[track_caller]
    pub(crate) fn alerts(&self) -> Vec<Alert> {
        let ended = run(Command::new(tested(RECEIVER)).args(["alerts", "--store", &self.store()]));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let mut alerts: Vec<Alert> = ended.stdout.lines().map(Alert::read).collect();
        alerts.sort();
        alerts
    }

    /// Why each record of the quarantine stands there.
    #[track_caller]
    pub(crate) fn quarantine(&self) -> Vec<String> {
        let ended =
            run(Command::new(tested(RECEIVER)).args(["quarantine", "list", "--store", &self.store()]));
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let reason = |line: &str| {
            let kept: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            kept["reason"].as_str().unwrap_or_default().to_owned()
        };
        ended.stdout.lines().map(reason).collect()
    }

    /// What stands in the store, as pairs of audit ID and rule, sorted, copies kept.
    #[track_caller]
    pub(crate) fn raised(&self) -> Vec<(String, String)> {
        let mut raised: Vec<_> =
            self.alerts().into_iter().map(|alert| (alert.audit_id, alert.rule)).collect();
        raised.sort();
        raised
    }
}

impl Alert {
    /// Reads one line of `audit-receiver alerts`.
    #[track_caller]
    pub(crate) fn read(line: &str) -> Self {
        let alert: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        let text = |key: &str| alert[key].as_str().unwrap_or_default().to_owned();
        Self { audit_id: text("audit_id"), rule: text("rule"), uuid: text("uuid") }
    }
}

/// An `EventList` of events that are JSON texts.
pub(crate) fn list<'a>(events: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let items: Vec<&str> = events.into_iter().collect();
    let head = r#"{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":["#;
    format!("{head}{}]}}", items.join(",")).into_bytes()
}

/// Adds up samples of a metric in the Prometheus text format.
pub(crate) fn sum(page: &str, name: &str, labels: &str) -> f64 {
    page.lines()
        .filter_map(|line| line.strip_prefix(name))
        .filter(|rest| rest.starts_with(['{', ' ']) && rest.contains(labels))
        .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

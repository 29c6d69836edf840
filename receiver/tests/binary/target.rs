//! The receiver under attack: the real binary, and what it takes.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

/// A rule for which every event that creates something is an alert that repeats what the sender chose.
const RULE: &str = "- rule: Create\n  desc: d\n  condition: ka.verb = create\n  output: create %ka.uri\n  priority: NOTICE\n  source: k8s_audit\n";

pub(crate) struct Target {
    process: Child,
    pub(crate) intake: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) folder: tempfile::TempDir,
    /// What it writes, when somebody asked for it.
    pub(crate) stdout: Option<ChildStdout>,
}

impl Target {
    /// Starts one. `config` is YAML without the ports, the store and the rules, with `$DIR` for its folder.
    pub(crate) fn start(config: &str, prepare: impl FnOnce(&Path)) -> Self {
        Self::start_with(config, Stdio::null(), prepare)
    }

    /// The same, with this as its standard output.
    pub(crate) fn start_with(config: &str, stdout: Stdio, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(at("rules.yaml"), RULE).unwrap();
        let mut text = config.replace("$DIR", &folder.path().display().to_string());
        if !text.contains("admin:") {
            text.push_str("\nadmin: {listen: '127.0.0.1:0'}");
        }
        write!(
            text,
            "\nlisten: 127.0.0.1:0\nstore: 'sqlite:{}'\nrules: ['{}']\n",
            at("alerts.db"),
            at("rules.yaml"),
        )
        .unwrap();
        std::fs::write(at("config.yaml"), text).unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_audit-receiver"))
            .args(["--config", &at("config.yaml")])
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let mut told = Vec::new();
        let mut listening = |name: &str| -> SocketAddr {
            let start = format!("listening {name} ");
            let found = lines.by_ref().find_map(|line| {
                let address = line.split_once(&start).map(|(_, address)| address.trim().parse().unwrap());
                told.push(line);
                address
            });
            found.unwrap_or_else(|| panic!("the receiver did not start: {told:#?}"))
        };
        let (intake, admin) = (listening("intake"), listening("admin"));
        std::thread::spawn(move || lines.for_each(drop));
        let stdout = process.stdout.take();
        Self { process, intake, admin, folder, stdout }
    }

    /// The most memory that it has had since the last call, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        let of = |file: &str| format!("/proc/{}/{file}", self.process.id());
        let status = std::fs::read_to_string(of("status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let peak = line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10;
        // 5 puts the peak back to what is taken now. Where that can't be written the peak is that of all so far.
        let _ = std::fs::write(of("clear_refs"), "5");
        peak
    }

    /// Sends a signal, named without its `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        let process = self.process.id().to_string();
        // The shell has `kill` built in; the system may have none.
        let sent = Command::new("sh").args(["-c", "kill -\"$0\" \"$1\"", name, &process]).status();
        assert!(sent.unwrap().success());
    }

    /// Waits until it ends.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }

    /// A file in its folder, empty when it isn't there.
    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }

    /// All alerts in the store.
    pub(crate) fn alerts(&self) -> usize {
        let store = format!("sqlite:{}", self.folder.path().join("alerts.db").display());
        let output =
            Command::new(env!("CARGO_BIN_EXE_audit-receiver")).args(["alerts", "--store", &store]).output();
        output.unwrap().stdout.iter().filter(|byte| **byte == b'\n').count()
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

//! The bridge under test.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::http::{Answer, Client};
use super::program::{Ended, Program, run, tested};

/// The bridge's binary.
const BRIDGE: &str = env!("CARGO_BIN_EXE_tested-cloudwatch-bridge");

/// The log group that bridges read unless told otherwise.
const GROUP: &str = "/aws/eks/demo/cluster";

/// Where a bridge reads and where it posts to.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    pub(crate) endpoint: String,
    pub(crate) receiver: String,
}

/// A bridge with a folder of its own, whose checkpoint outlives its deaths.
#[derive(Debug)]
pub(crate) struct Bridge {
    folder: TempDir,
    checkpoint: PathBuf,
    sources: Option<PathBuf>,
    cloud: Cloud,
    sweeps: &'static str,
    poll: &'static str,
    requests_per_second: &'static str,
    env: Vec<(String, String)>,
    program: Option<Program>,
    admin: Option<SocketAddr>,
}

impl Bridge {
    /// One that is not started yet. It sweeps early and often, so that a test needs not wait for its table of ages.
    pub(crate) fn new(cloud: &Cloud) -> Self {
        let env = [("AWS_ACCESS_KEY_ID", "AKIAFAKE"), ("AWS_SECRET_ACCESS_KEY", "fake")];
        let folder = TempDir::new().expect("a temporary folder");
        Self {
            checkpoint: folder.path().join("checkpoint"),
            sources: None,
            folder,
            cloud: cloud.clone(),
            sweeps: "100ms,1s,5s",
            poll: "100ms",
            // More than an account has, since most fakes here are without a quota.
            requests_per_second: "50",
            env: env.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec(),
            program: None,
            admin: None,
        }
    }

    /// The same with other ages of its sweeps.
    pub(crate) fn sweeps(self, sweeps: &'static str) -> Self {
        Self { sweeps, ..self }
    }

    /// The same with these sources, in YAML, instead of the one log group.
    pub(crate) fn sources(mut self, yaml: &str) -> Self {
        let path = self.folder.path().join("sources.yaml");
        std::fs::write(&path, yaml).expect("a file that can be written");
        self.sources = Some(path);
        self
    }

    /// The same with another budget, in requests a second, of which the youngest sweep takes one so often.
    pub(crate) fn budget(self, requests_per_second: &'static str, poll: &'static str) -> Self {
        Self { requests_per_second, poll, ..self }
    }

    /// The same, asking as rarely as in production: what `check` says of quotas depends on it.
    pub(crate) fn at_ease(self) -> Self {
        Self { sweeps: "5s,1m,10m,1h", poll: "5s", requests_per_second: "2", ..self }
    }

    /// The same with these environment variables alone, instead of static credentials.
    pub(crate) fn env(mut self, env: &[(&str, &str)]) -> Self {
        self.env = env.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect();
        self
    }

    /// The same with one more environment variable.
    pub(crate) fn set(mut self, key: &str, value: &str) -> Self {
        self.env.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Starts it, or starts it again.
    #[track_caller]
    pub(crate) fn restart(&mut self) {
        self.kill();
        let mut program = Program::start(&mut self.command(&["run", "--admin-listen", "127.0.0.1:0"]));
        self.admin = Some(program.listening("admin"));
        self.program = Some(program);
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn started(mut self) -> Self {
        self.restart();
        self
    }

    /// Runs it up to now and gives how it ended.
    #[track_caller]
    pub(crate) fn once(&self) -> Ended {
        run(&mut self.command(&["run", "--once"]))
    }

    /// Checks its configuration and gives how that ended; the findings are on stdout, as JSON.
    #[track_caller]
    pub(crate) fn check(&self) -> Ended {
        run(&mut self.command(&["check", "--format", "json"]))
    }

    /// The same for people.
    #[track_caller]
    pub(crate) fn check_for_people(&self) -> Ended {
        run(&mut self.command(&["check"]))
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.kill();
        }
    }

    /// What its admin port answers.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        let client = Client::plain(self.admin.expect("a running bridge"));
        client.get(path).expect("an answer of the admin port")
    }

    /// From now on no file of it may grow beyond so many bytes: a disk that is full, or with `None` no longer.
    pub(crate) fn limit_files(&self, bytes: Option<u64>) {
        self.program.as_ref().expect("a running bridge").limit_files(bytes);
    }

    pub(crate) fn program(&mut self) -> &mut Program {
        self.program.as_mut().expect("a running bridge")
    }

    /// The same with its checkpoint elsewhere.
    pub(crate) fn checkpoint_at(mut self, path: &Path) -> Self {
        self.checkpoint = path.to_owned();
        self
    }

    /// The files that its checkpoint is made of.
    pub(crate) fn checkpoint_files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").map_while(Result::ok) {
                let path = entry.path();
                if path.is_dir() {
                    folders.push(path)
                } else if path.starts_with(&self.checkpoint) {
                    files.push(path)
                }
            }
        }
        files
    }

    fn command(&self, args: &[&str]) -> Command {
        // A write beyond `limit_files` is to fail, as on a full disk, rather than to end the process.
        let mut command = Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(tested(BRIDGE));
        match &self.sources {
            Some(path) => command.args(args).arg("--config").arg(path),
            None => command.args(args).args(["--log-group", GROUP, "--region", "eu-central-1"]),
        };
        command
            .args(["--endpoint-url", &self.cloud.endpoint, "--receiver-url", &self.cloud.receiver])
            .arg("--checkpoint")
            .arg(format!("file:{}", self.checkpoint.display()))
            .args(["--sweeps", self.sweeps, "--poll-interval", self.poll])
            // Nothing of the machine's own AWS set-up, and no look at its metadata service.
            .env_clear()
            .envs([("HOME", self.folder.path().as_os_str()), ("PATH", "/usr/bin:/bin".as_ref())])
            .env("AWS_EC2_METADATA_DISABLED", "true")
            // STS, which the flag for the endpoint is not about.
            .env("AWS_ENDPOINT_URL", &self.cloud.endpoint)
            .env("KAB_REQUESTS_PER_SECOND", self.requests_per_second)
            .envs(self.env.iter().map(|(key, value)| (key, value)));
        command
    }
}

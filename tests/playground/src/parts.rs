//! The bridges and the receiver, as processes.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::Sender;
use std::thread;
use std::time::{Duration, Instant};

use audit_service::exit;
use clap::Parser;

use crate::play::{Failure, News};

/// Set for a process that is to be one of the parts, to its name.
pub(crate) const PART: &str = "PLAYGROUND_PART";

/// How long a part may take to bind its ports, and to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the part that this process was started as, if it was.
pub(crate) fn become_part() -> Option<ExitCode> {
    match std::env::var(PART).ok()?.as_str() {
        "audit-receiver" => Some(audit_receiver::cli::main()),
        cloudwatch_bridge::NAME => {
            let cli = cloudwatch_bridge::cli::Cli::parse();
            Some(exit::main(cloudwatch_bridge::NAME, |shutdown| cloudwatch_bridge::main(cli, shutdown)))
        }
        eventhub_bridge::NAME => {
            let cli = eventhub_bridge::cli::Cli::parse();
            Some(exit::main(eventhub_bridge::NAME, |shutdown| eventhub_bridge::main(cli, shutdown)))
        }
        stackdriver_bridge::NAME => {
            let cli = stackdriver_bridge::cli::Cli::parse();
            Some(exit::main(stackdriver_bridge::NAME, |shutdown| stackdriver_bridge::main(cli, shutdown)))
        }
        _ => None,
    }
}

/// A running part; it is killed when this is dropped.
pub(crate) struct Part {
    name: &'static str,
    log: PathBuf,
    child: Child,
}

impl Part {
    /// Starts a part. Its stderr goes to `NAME.log` in `folder`, each line of its stdout to `news`.
    pub(crate) fn start(
        name: &'static str,
        args: &[&str],
        folder: &Path,
        news: Sender<News>,
    ) -> Result<Self, Failure> {
        let failed = |error| Failure::new(format!("cannot start `{name}`"), error);
        let log = folder.join(format!("{name}.log"));
        let stderr = File::create(&log).map_err(failed)?;
        let mut child = Command::new(std::env::current_exe().map_err(failed)?)
            .env(PART, name)
            // Any credentials do for an imitation of AWS.
            .envs([("AWS_ACCESS_KEY_ID", "playground"), ("AWS_SECRET_ACCESS_KEY", "playground")])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            // Ctrl-C is for us; we end the parts in order.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if news.send(News::Alert(line)).is_err() {
                        return;
                    }
                }
                let _ = news.send(News::Ended(name));
            });
        }
        Ok(Self { name, log, child })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Where its log is.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// The address that its listener of that name is bound to, once it is.
    pub(crate) fn listening(&mut self, listener: &str) -> Result<String, Failure> {
        let start = format!("listening {listener} ");
        let begun = Instant::now();
        loop {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            // A last line without its end may be half of it.
            let whole = log.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            if let Some(address) = whole.filter_map(|line| line.strip_prefix(&start)).next_back() {
                return Ok(address.to_owned());
            }
            if begun.elapsed() > PATIENCE || !matches!(self.child.try_wait(), Ok(None)) {
                return Err(self.failure());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What to say when it ended although nobody asked it to.
    pub(crate) fn failure(&self) -> Failure {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        Failure::told(format!("`{}` ended, or never began to listen; its log says:\n{log}", self.name))
    }

    /// Asks it to end and waits for that.
    pub(crate) fn stop(mut self) {
        // The shell has `kill` built in; the system may have none.
        let _ =
            Command::new("sh").args(["-c", "kill -TERM \"$0\""]).arg(self.child.id().to_string()).status();
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && matches!(self.child.try_wait(), Ok(None)) {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

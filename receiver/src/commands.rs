//! The commands that are no daemon: data on stdout, everything else on stderr.

use std::io::{self, Write};
use std::process::ExitCode;

use audit_service::exit;

pub mod activity;
pub mod alerts;
pub mod erase;
pub mod outputs;
pub mod provision;
pub mod quarantine;
pub mod replay;
pub mod rules;
pub mod silences;
pub mod test_alert;

/// How a command ends when nothing stopped it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Done {
    /// It did what was asked.
    Well,
    /// It did, and what it found is bad; the person was told.
    Badly,
}

/// Why a command stopped.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// Nobody reads on: that is for the reader to decide.
    #[error("stdout was closed")]
    NoReader,
    /// Asked wrongly.
    #[error("{0}")]
    Usage(String),
    /// It could not.
    #[error("{0}")]
    Failed(String),
}

impl Stopped {
    /// An error with its causes.
    pub fn failed(error: &(dyn std::error::Error + 'static)) -> Self {
        Self::Failed(exit::chain(error))
    }

    /// What an error in writing to stdout means.
    pub fn writing(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::NoReader,
            _ => Self::Failed(format!("can't write to stdout: {error}")),
        }
    }
}

/// Tells how it ended.
pub fn finish(ended: Result<Done, Stopped>) -> ExitCode {
    let code = match &ended {
        Ok(Done::Well) | Err(Stopped::NoReader) => exit::OK,
        Ok(Done::Badly) | Err(Stopped::Failed(_)) => exit::FAILED,
        Err(Stopped::Usage(_)) => exit::USAGE,
    };
    if let Err(stopped @ (Stopped::Usage(_) | Stopped::Failed(_))) = ended {
        tell(&format!("audit-receiver: {stopped}"));
    }
    code.into()
}

/// Runs `work` to its end, on this thread.
fn block_on<T, E: std::error::Error + 'static>(
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Stopped> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Stopped::failed(&error))?;
    runtime.block_on(work).map_err(|error| Stopped::failed(&error))
}

/// Prints text on stdout.
fn print(text: &str) -> Result<Done, Stopped> {
    let mut stdout = io::stdout().lock();
    let printed = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    printed.map(|()| Done::Well).map_err(|error| Stopped::writing(&error))
}

/// A line on stderr. Whoever closed it does not want to know.
pub fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

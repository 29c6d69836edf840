//! How a process begins and ends.

use std::error::Error;
use std::fmt::Write as _;
use std::future::Future;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use crate::config::Mistakes;
use crate::shutdown::Shutdown;
use crate::{logging, tls};

/// It did what was asked.
pub const OK: u8 = 0;
/// It could not.
pub const FAILED: u8 = 1;
/// It was asked in a way it does not understand: flags or configuration.
pub const USAGE: u8 = 2;

/// Why a process ends in failure. Every error becomes one by `?`: [`Mistakes`] with [`USAGE`], others with
/// [`FAILED`].
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: Option<String>,
}

impl Failure {
    /// Failed, and the person was told already.
    #[must_use]
    pub fn told() -> Self {
        Self { code: FAILED, message: None }
    }

    /// Asked wrongly, for this reason.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: Some(message.into()) }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        let error: Box<dyn Error + Send + Sync> = error.into();
        let code = if error.is::<Mistakes>() { USAGE } else { FAILED };
        Self { code, message: Some(chain(&*error)) }
    }
}

/// An error with its causes, joined by colons. A cause that its error spells out already is not repeated.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let reason = error.to_string();
        if !text.ends_with(&reason) {
            let _ = write!(text, ": {reason}");
        }
        cause = error.source();
    }
    text
}

/// Runs a binary: logging and the TLS provider first, then `run` within a runtime until it returns. `run` reads
/// its configuration ([`crate::config::load`], then [`logging::apply`]), builds what it needs (binds,
/// connects), and works until the [`Shutdown`] is requested, by signal too. Its failure is printed as
/// `NAME: ...` on stderr.
///
/// ```no_run
/// # use std::process::ExitCode;
/// fn main() -> ExitCode {
///     audit_service::exit::main("audit-receiver", |shutdown| async move {
///         shutdown.requested().await;
///         Ok(())
///     })
/// }
/// ```
pub fn main<F>(name: &str, run: impl FnOnce(Shutdown) -> F) -> ExitCode
where
    F: Future<Output = Result<(), Failure>>,
{
    logging::init();
    tls::install();
    let outcome = start(run);
    let code = outcome.as_ref().map_or_else(|failure| failure.code, |()| OK);
    if let Err(Failure { message: Some(message), .. }) = outcome {
        // Whoever closed our stderr does not read the reason either.
        let _ = io::stderr().write_all(format!("{name}: {message}\n").as_bytes());
    }
    ExitCode::from(code)
}

fn start<F>(run: impl FnOnce(Shutdown) -> F) -> Result<(), Failure>
where
    F: Future<Output = Result<(), Failure>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async { run(Shutdown::on_signals()?).await });
    // What still runs on blocking threads after the drain (a name look-up, say) does not hold up the exit.
    runtime.shutdown_timeout(Duration::from_secs(2));
    outcome
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::{Failure, chain};

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read `{path}`")]
    struct Unreadable {
        path: &'static str,
        source: io::Error,
    }

    #[test]
    fn causes_are_joined_by_colons() {
        let error = Unreadable { path: "a.pem", source: io::Error::other("no such file") };
        assert_eq!(chain(&error), "cannot read `a.pem`: no such file");
        assert_eq!(Failure::from(error).code, super::FAILED);
    }

    #[test]
    fn mistakes_are_usage() {
        let mut mistakes = crate::config::Mistakes::default();
        mistakes.add("a", "must be given");
        assert_eq!(Failure::from(mistakes).code, super::USAGE);
    }

    #[test]
    fn the_exit_code_says_whose_fault_it_was() {
        let run = |outcome: fn() -> Result<(), Failure>| super::main("test", |_| async move { outcome() });
        assert_eq!(run(|| Ok(())), super::OK.into());
        assert_eq!(run(|| Err(Failure::told())), super::FAILED.into());
        assert_eq!(run(|| Err(io::Error::other("no").into())), super::FAILED.into());
        assert_eq!(run(|| Err(Failure::usage("which?"))), super::USAGE.into());
    }
}

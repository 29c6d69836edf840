//! Where alerts go. Each output is fed from the store and has a state per alert there: an alert waits for an output until
//! that has written it, through restarts. A crash between writing and noting it repeats the last few, never an entry of
//! the store.

use std::future::Future;
use std::io;
use std::time::Duration;

use audit_service::shutdown::Shutdown;
use std::sync::Arc;

use crate::metrics::{Counters, Occurrence as _, OutputFailed, Written};
use crate::store::{Store, StoreError, Waiting};

mod stdout;

pub use stdout::Stdout;

/// Most alerts written before that is noted: how many a crash may repeat.
const AT_ONCE: u32 = 256;

/// The pause after a first failure; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A place that takes alerts.
pub trait Output: Send + 'static {
    /// Its name, unique among the outputs: alerts wait under it.
    fn name(&self) -> &'static str;

    /// Writes all of `alerts`, in order.
    ///
    /// # Errors
    /// When it isn't certain that all are written: all will come again.
    fn write(&mut self, alerts: &[Waiting]) -> impl Future<Output = io::Result<()>> + Send;
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Output(io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Feeds `output` with what waits for it, for ever; once a shutdown is requested, until nothing waits or it fails.
pub async fn feed(mut output: impl Output, store: Store, counters: Arc<Counters>, shutdown: Shutdown) {
    let mut commits = store.commits();
    let mut pause = FIRST_PAUSE;
    loop {
        commits.mark_unchanged();
        match write_some(&mut output, &store).await {
            Ok(0) => tokio::select! {
                changed = commits.changed() => if changed.is_err() { return },
                () = shutdown.requested() => return,
            },
            Ok(alerts) => {
                Written { output: output.name(), alerts }.emit(&counters);
                pause = FIRST_PAUSE;
            }
            Err(error) => {
                OutputFailed { output: output.name(), reason: &error.to_string() }.emit(&counters);
                tokio::select! {
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
                    () = shutdown.requested() => return,
                }
            }
        }
    }
}

async fn write_some(output: &mut impl Output, store: &Store) -> Result<usize, Failed> {
    let waiting = store.waiting(output.name(), AT_ONCE).await?;
    if !waiting.is_empty() {
        output.write(&waiting).await.map_err(Failed::Output)?;
        store.delivered(output.name(), waiting.iter().map(|alert| alert.seq).collect()).await?;
    }
    Ok(waiting.len())
}

#[cfg(test)]
mod tests;

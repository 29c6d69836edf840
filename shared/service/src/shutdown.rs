//! One wish to stop, seen everywhere: by signal, or asked for by program.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::exit;

/// Whether the process is to stop. Clones share the wish.
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<watch::Sender<bool>>);

impl Shutdown {
    /// A wish that only [`Shutdown::request`] utters.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }

    /// A wish that SIGTERM and SIGINT utter as well. A second signal ends the process at once, with exit
    /// code 1: for a person who does not want to wait for the drain.
    ///
    /// # Errors
    /// When the signals cannot be listened to. Must be called within a tokio runtime.
    pub fn on_signals() -> io::Result<Self> {
        let shutdown = Self::new();
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let asked = shutdown.clone();
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    _ = terminate.recv() => "SIGTERM",
                    _ = interrupt.recv() => "SIGINT",
                };
                if asked.is_requested() {
                    tracing::warn!(signal = name, "second signal, stopping at once");
                    std::process::exit(exit::FAILED.into());
                }
                tracing::info!(signal = name, "draining; a second signal stops at once");
                asked.request();
            }
        });
        Ok(shutdown)
    }

    /// Utters the wish. More than once does no more than once.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// Whether the wish was uttered.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the wish is uttered; returns at once when it was.
    pub async fn requested(&self) {
        // The sender lives as long as `self`, so waiting cannot fail.
        let _ = self.0.subscribe().wait_for(|requested| *requested).await;
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;

//! Standard output: one JSON document a line.

use std::io::{self, Write};

use super::{Output, Progress, Waiting};

/// Standard output of the process.
#[derive(Debug)]
pub struct Stdout;

impl Output for Stdout {
    fn name(&self) -> &str {
        "stdout"
    }

    async fn write(&mut self, alerts: &[Waiting]) -> Progress {
        let lines = lines(alerts);
        // A reader that stands still must not hold up a thread that others need.
        let written = tokio::task::spawn_blocking(move || {
            let mut stdout = io::stdout().lock();
            stdout.write_all(lines.as_bytes())?;
            stdout.flush()
        });
        Progress::all_or_none(alerts, written.await.unwrap_or_else(|error| Err(io::Error::other(error))))
    }
}

/// Each document as a line.
pub(super) fn lines(alerts: &[Waiting]) -> String {
    let mut lines = String::with_capacity(alerts.iter().map(|alert| alert.document.len() + 1).sum());
    for alert in alerts {
        lines.push_str(&alert.document);
        lines.push('\n');
    }
    lines
}

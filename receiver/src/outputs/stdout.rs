//! Standard output: one JSON document a line.

use std::io::{self, Write};

use super::{Output, Waiting};

/// Standard output of the process.
#[derive(Debug)]
pub struct Stdout;

impl Output for Stdout {
    fn name(&self) -> &'static str {
        "stdout"
    }

    async fn write(&mut self, alerts: &[Waiting]) -> io::Result<()> {
        let mut lines = String::new();
        for alert in alerts {
            lines.push_str(&alert.document);
            lines.push('\n');
        }
        // A reader that stands still must not hold up a thread that others need.
        let written = tokio::task::spawn_blocking(move || {
            let mut stdout = io::stdout().lock();
            stdout.write_all(lines.as_bytes())?;
            stdout.flush()
        });
        written.await.map_err(io::Error::other)?
    }
}

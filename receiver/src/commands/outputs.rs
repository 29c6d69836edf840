//! `outputs`: how outputs stand.

use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{Done, Stopped, block_on, print, tell};
use crate::store::{self, Location};

/// Subcommands of `outputs`.
#[derive(Debug, Subcommand)]
pub enum Outputs {
    /// Print how many alerts wait for each output and how many it refused, as JSON lines
    List(At),
    /// Let the alerts that an output refused wait for it again
    Retry {
        /// Where they are kept
        #[command(flatten)]
        store: At,
        /// As `list` prints it
        output: String,
    },
}

/// Where the store is.
#[derive(Debug, Args)]
pub struct At {
    /// The store: sqlite:PATH or a URL of PostgreSQL
    #[arg(long, value_name = "URL", default_value = "sqlite:audit-receiver.db", env = "KAB_STORE")]
    store: Location,
}

impl Outputs {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// When the store can't be read or written, or knows no such output.
    pub fn run(self) -> Result<Done, Stopped> {
        match self {
            Self::List(at) => {
                let backlogs = block_on(store::backlogs(&at.store))?;
                let line = |backlog: &store::Backlog| {
                    let oldest = backlog.oldest.and_then(|oldest| Timestamp::from_millisecond(oldest).ok());
                    let document = serde_json::json!({
                        "output": backlog.output, "waiting": backlog.waiting, "set_aside": backlog.refused,
                        "oldest_waiting": oldest.map(|oldest| oldest.to_string()),
                    });
                    format!("{document}\n")
                };
                print(&backlogs.iter().map(line).collect::<String>())
            }
            Self::Retry { store, output } => {
                let known: Vec<_> =
                    block_on(store::backlogs(&store.store))?.into_iter().map(|known| known.output).collect();
                if !known.contains(&output) {
                    return Err(Stopped::Failed(unknown(&output, &known)));
                }
                let count = block_on(store::retry(&store.store, &output))?;
                tell(&format!("{count} alerts wait for `{output}` again"));
                Ok(Done::Well)
            }
        }
    }
}

/// An output that has all of its alerts is not known to the store either.
fn unknown(output: &str, known: &[String]) -> String {
    let quoted: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    let those = if quoted.is_empty() { "there are none".to_owned() } else { quoted.join(", ") };
    format!(
        "no alert waits for an output `{output}`, nor did it refuse one; outputs with such alerts: {those}"
    )
}

//! `checkpoint show` and `checkpoint set`.

use std::io::Write;
use std::sync::Arc;

use serde_json::Value;

use super::{CheckpointStore, Document, Expected, SCHEMA, StoreFailed};

/// What an operator may do with checkpoints.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Prints the document of each unit, one a line.
    Show,
    /// Gives a unit a position; its bridge must not be running.
    Set {
        /// The unit as `show` names it; may be left out when there is one only.
        #[arg(long)]
        unit: Option<String>,
        /// Where to go on: an RFC 3339 time, a span ago such as `-1h`, `beginning`, or a position as JSON.
        #[arg(allow_hyphen_values = true)]
        position: String,
    },
}

/// Why a command on checkpoints failed.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// The store said no.
    #[error(transparent)]
    Store(#[from] StoreFailed),
    /// The unit is not one of the configuration's.
    #[error("name one of these units with `--unit`: {0}")]
    Which(String),
    /// A position that the source can't use.
    #[error("{0}")]
    Position(String),
    /// Standard output is closed.
    #[error("cannot print: {0}")]
    Print(#[from] std::io::Error),
}

/// Runs a command for the units of a configuration. `position` turns what the operator wrote into the source's position.
///
/// # Errors
/// [`Failed`].
pub async fn run(
    command: &Command,
    store: &Arc<dyn CheckpointStore>,
    units: &[String],
    position: impl Fn(&str) -> Result<Value, String>,
    out: &mut (dyn Write + Send),
) -> Result<(), Failed> {
    match command {
        Command::Show => {
            for unit in units {
                match store.load(unit).await? {
                    Some((document, _)) => out.write_all(document.text().as_bytes())?,
                    None => writeln!(out, "{}", serde_json::json!({"unit": unit, "position": null}))?,
                }
            }
        }
        Command::Set { unit, position: text } => {
            let unit = match (unit, units) {
                (None, [only]) => only,
                (Some(unit), units) if units.contains(unit) => unit,
                _ => return Err(Failed::Which(units.join(", "))),
            };
            let position = position(text).map_err(Failed::Position)?;
            store.hold(unit).await?;
            // A document that can't be read is what this command mends.
            let beat = store
                .load(unit)
                .await
                .ok()
                .flatten()
                .map_or(0, |(document, _)| document.beat.wrapping_add(1));
            let document =
                Document { schema: SCHEMA, unit: unit.clone(), owner: String::new(), beat, position };
            store.store(&document, Expected::Anything).await?;
            out.write_all(document.text().as_bytes())?;
        }
    }
    Ok(())
}

//! `quarantine`: records that could not be evaluated.

use std::io::Write;
use std::path::PathBuf;

use audit_event::payload;
use audit_service::config;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{Done, Stopped, block_on, print, tell};
use crate::config::Config;
use crate::evaluate::Evaluator;
use crate::rules::Rules;
use crate::store::{self, Batch, Kept, Location, Store};
use crate::{outputs, serve};

/// Subcommands of `quarantine`.
#[derive(Debug, Subcommand)]
pub enum Quarantine {
    /// Print what is kept as JSON lines, without the records themselves
    List(Which),
    /// Print a record as it came
    Show {
        /// The store: sqlite:PATH or a URL of PostgreSQL
        #[arg(long, value_name = "URL", default_value = "sqlite:audit-receiver.db", env = "KAB_STORE")]
        store: Location,
        /// As `list` prints it
        number: i64,
    },
    /// Evaluate records once more, with the rules of the configuration, and let go of those that can be by now
    Replay {
        /// YAML file with the configuration of the receiver
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// From the cluster of this name
        #[arg(long, value_name = "NAME")]
        cluster: Option<String>,
    },
}

/// Which records.
#[derive(Debug, Args)]
pub struct Which {
    /// The store: sqlite:PATH or a URL of PostgreSQL
    #[arg(long, value_name = "URL", default_value = "sqlite:audit-receiver.db", env = "KAB_STORE")]
    store: Location,
    /// From the cluster of this name
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// How many there are of each cluster, source and reason instead
    #[arg(long)]
    count: bool,
}

impl Quarantine {
    /// Runs the subcommand.
    ///
    /// # Errors
    /// When the store can't be read or written, or there is no such record.
    pub fn run(self) -> Result<Done, Stopped> {
        match self {
            Self::List(which) => list(&which),
            Self::Show { store, number } => {
                let kept = block_on(store::quarantined(&store, number - 1, None, 1))?;
                let Some(kept) = kept.into_iter().find(|kept| kept.seq == number) else {
                    return Err(Stopped::Failed(format!("there is no record {number} in the quarantine")));
                };
                let mut stdout = std::io::stdout().lock();
                let written = stdout.write_all(&kept.quarantined.record).and_then(|()| stdout.flush());
                written.map(|()| Done::Well).map_err(|error| Stopped::writing(&error))
            }
            Self::Replay { config, cluster } => {
                let config: Config = config::load(Config::default(), config.as_deref(), ())
                    .map_err(|mistakes| Stopped::Usage(mistakes.to_string()))?;
                let rules = Rules::load(&config.rules, &config).map_err(|error| Stopped::failed(&error))?;
                let evaluator = Evaluator::new(rules, serve::hostname())
                    .with_zone(serve::zone(super::tell))
                    .with_native(config.native)
                    .with_ids(config.clusters.clone())
                    .with_lag()
                    .with_redaction(config.redact.clone());
                block_on(async { Ok::<_, Fault>(replay(&config, &evaluator, cluster.as_deref()).await) })?
            }
        }
    }
}

/// No fault: what failed is in the result.
#[derive(Debug, thiserror::Error)]
enum Fault {}

/// Records read at once.
const PAGE: u32 = 100;

fn list(which: &Which) -> Result<Done, Stopped> {
    if which.count {
        let counts = block_on(store::quarantine_counts(&which.store))?;
        let line = |(cluster, source, reason, count): (String, String, String, i64)| {
            format!(
                "{}\n",
                serde_json::json!({"cluster": cluster, "source": source, "reason": reason, "count": count})
            )
        };
        let wanted =
            |count: &(String, _, _, _)| which.cluster.as_ref().is_none_or(|cluster| *cluster == count.0);
        return print(&counts.into_iter().filter(wanted).map(line).collect::<String>());
    }
    let mut after = 0;
    loop {
        let page = block_on(store::quarantined(&which.store, after, which.cluster.as_deref(), PAGE))?;
        let Some(last) = page.last() else { return Ok(Done::Well) };
        after = last.seq;
        print(&page.iter().map(line).collect::<String>())?;
    }
}

fn line(kept: &Kept) -> String {
    let time = Timestamp::from_millisecond(kept.stored_at).map(|time| time.to_string());
    let document = serde_json::json!({
        "number": kept.seq,
        "stored_at": time.unwrap_or_default(),
        "cluster": kept.quarantined.cluster,
        "source": kept.quarantined.source,
        "reason": kept.quarantined.reason,
        "bytes": kept.quarantined.record.len(),
    });
    format!("{document}\n")
}

async fn replay(config: &Config, evaluator: &Evaluator, cluster: Option<&str>) -> Result<Done, Stopped> {
    let location: Location = config.store.parse().map_err(|error| Stopped::failed(&error))?;
    let store = Store::open(&location, outputs::routes(&config.outputs)).await;
    let store = store.map_err(|error| Stopped::failed(&error))?;
    let (mut after, mut alerts, mut released, mut left) = (0, 0, 0, 0);
    loop {
        let page = store::quarantined(&location, after, cluster, PAGE).await;
        let page = page.map_err(|error| Stopped::failed(&error))?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for Kept { seq, quarantined, .. } in page {
            let name = Some(quarantined.cluster.as_str()).filter(|name| !name.is_empty());
            let outcome = evaluator.evaluate(&payload::text(&quarantined.record), name, usize::MAX);
            match outcome {
                Ok(outcome) if outcome.evaluated > 0 && outcome.evaluated == outcome.received => {
                    let batch = Batch {
                        alerts: outcome.alerts,
                        activity: outcome.activity,
                        released: vec![seq],
                        ..Batch::default()
                    };
                    let recorded = store.record(batch).await.map_err(|error| Stopped::failed(&error))?;
                    alerts += recorded.new.iter().filter(|new| **new).count();
                    released += 1;
                }
                _ => left += 1,
            }
        }
    }
    store.close().await;
    tell(&format!("evaluated {released}, alerts {alerts}, left {left}"));
    Ok(Done::Well)
}

//! `quarantine`: records that could not be evaluated.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;

use audit_event::payload;
use audit_service::config;
use clap::{Args, Subcommand};
use jiff::Timestamp;

use super::{Done, Stopped, block_on, print, tell};
use crate::config::{Auth, Config};
use crate::evaluate::Evaluator;
use crate::rules::Rules;
use crate::store::{self, Batch, Kept, Listed, Location, Store};
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
        /// Take records of which no cluster is known for records of this one, whatever they name. Without it they are of the
        /// cluster that they name, but stay where a sender is bound to several: it may not speak for that one
        #[arg(long = "as", value_name = "NAME")]
        unknown: Option<String>,
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
            Self::Replay { config, cluster, unknown } => {
                let config: Config = config::load(Config::default(), config.as_deref(), ())
                    .map_err(|mistakes| Stopped::Usage(mistakes.to_string()))?;
                let rules = Rules::load(&config.rules, &config).map_err(|error| Stopped::failed(&error))?;
                let evaluator = Evaluator::new(rules, serve::hostname())
                    .with_zone(serve::zone(super::tell))
                    .with_native(config.native)
                    .with_ids(config.clusters.clone())
                    .with_lag()
                    .with_redaction(config.redact.clone());
                let replayed = replay(&config, &evaluator, cluster.as_deref(), unknown.as_deref());
                tell(&block_on(async { Ok::<_, Fault>(replayed.await) })??.to_string());
                Ok(Done::Well)
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
        let page = block_on(store::quarantine_list(&which.store, after, which.cluster.as_deref(), PAGE))?;
        let Some(last) = page.last() else { return Ok(Done::Well) };
        after = last.seq;
        print(&page.iter().map(line).collect::<String>())?;
    }
}

fn line(listed: &Listed) -> String {
    let time = Timestamp::from_millisecond(listed.stored_at).map(|time| time.to_string());
    let document = serde_json::json!({
        "number": listed.seq,
        "stored_at": time.unwrap_or_default(),
        "cluster": listed.cluster,
        "source": listed.source,
        "reason": listed.reason,
        "bytes": listed.bytes,
    });
    format!("{document}\n")
}

/// What came of a replay.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Replayed {
    /// Records that were events and are let go of.
    evaluated: usize,
    /// Alerts that were not known before.
    alerts: usize,
    /// Records that stay.
    left: usize,
    /// Those of them that may be from a sender that doesn't speak for the cluster that they name.
    unknown: usize,
}

impl fmt::Display for Replayed {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { evaluated, alerts, left, unknown } = self;
        write!(to, "evaluated {evaluated}, alerts {alerts}, left {left}")?;
        if *unknown > 0 {
            write!(
                to,
                ", {unknown} of them because no cluster is known and a sender bound to several may have sent \
                 them: look at `quarantine list --cluster ''` and name their cluster with `--as`"
            )?;
        }
        Ok(())
    }
}

/// Whether a record without a cluster may be from a sender that is bound: to several, so that it isn't known to which.
fn binds_to_several(config: &Config) -> bool {
    let tokens = match &config.auth {
        Some(Auth::Tokens(files)) => files.as_slice(),
        Some(Auth::None) | None => &[],
    };
    let certificates = config.certificates.iter().map(|certificate| &certificate.cluster);
    tokens.iter().map(|file| &file.cluster).chain(certificates).any(|names| names.0.len() > 1)
}

/// Records without a cluster are from the cluster `unknown`, if given.
async fn replay(
    config: &Config,
    evaluator: &Evaluator,
    cluster: Option<&str>,
    unknown: Option<&str>,
) -> Result<Replayed, Stopped> {
    let location: Location = config.store.parse().map_err(|error| Stopped::failed(&error))?;
    let store = Store::open(&location, outputs::routes(&config.outputs)).await;
    let store = store.map_err(|error| Stopped::failed(&error))?;
    let binds_to_several = binds_to_several(config);
    let (mut after, mut replayed) = (0, Replayed::default());
    loop {
        let page = store::quarantined(&location, after, cluster, PAGE).await;
        let page = page.map_err(|error| Stopped::failed(&error))?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for Kept { seq, quarantined, .. } in page {
            let name = Some(quarantined.cluster.as_str()).filter(|name| !name.is_empty()).or(unknown);
            if name.is_none() && binds_to_several {
                replayed.left += 1;
                replayed.unknown += 1;
                continue;
            }
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
                    replayed.alerts += recorded.new.iter().filter(|new| **new).count();
                    replayed.evaluated += 1;
                }
                _ => replayed.left += 1,
            }
        }
    }
    store.close().await;
    Ok(replayed)
}

#[cfg(test)]
mod tests {
    use audit_rules::Matching;

    use super::*;
    use crate::store::Quarantined;

    #[tokio::test]
    async fn a_replay_lets_nobody_speak_for_a_cluster_that_it_is_not_bound_to() {
        let folder = tempfile::tempdir().unwrap();
        let store = format!("sqlite:{}", folder.path().join("alerts.db").display());
        let event = r#"{"kind":"Event","auditID":"1","stage":"Panic","verb":"get","stageTimestamp":"2026-01-02T03:04:05Z","annotations":{"cluster_name":"prod","audit.k8s.io/truncated":"true"}}"#;
        let record = |cluster: &str| Quarantined {
            reason: "the event names the cluster `prod`, and its sender is bound to others".to_owned(),
            cluster: cluster.to_owned(),
            source: "intake".to_owned(),
            record: event.as_bytes().to_vec(),
        };
        let opened = Store::open(&store.parse().unwrap(), Vec::new()).await.unwrap();
        let quarantined = vec![record(""), record("edge")];
        opened.record(Batch { quarantined, ..Batch::default() }).await.unwrap();
        opened.close().await;
        let config = |auth: &str| {
            let config = format!(r#"{{"store":"{store}","outputs":{{"stdout":false}}{auth}}}"#);
            serde_json::from_str::<Config>(&config).unwrap()
        };
        let several = config(r#","auth":{"tokens":[{"file":"t","cluster":["a","b"]}]}"#);
        let evaluator = Evaluator::new(Rules::load(&[], Matching::All).unwrap(), String::new());
        let evaluator = evaluator.with_native(true);
        let replayed = replay(&several, &evaluator, None, None).await.unwrap();
        assert_eq!((replayed.evaluated, replayed.left, replayed.unknown), (1, 1, 1));
        assert!(replayed.to_string().contains("--as"), "{replayed}");
        let replayed = replay(&several, &evaluator, None, Some("a")).await.unwrap();
        assert_eq!((replayed.evaluated, replayed.left), (1, 0));
        let mut clusters = Vec::new();
        let each = |document: String| {
            let alert: serde_json::Value = serde_json::from_str(&document).unwrap();
            clusters.push(alert["cluster"].as_str().unwrap().to_owned());
            true
        };
        store::read_alerts(&several.store.parse().unwrap(), &store::Filter::default(), each).await.unwrap();
        clusters.dedup();
        assert_eq!(clusters, ["edge", "a"]);
        assert!(!binds_to_several(&config("")));
        assert!(!binds_to_several(&config(
            r#","auth":{"tokens":[{"file":"t","cluster":"a"},{"file":"u"}]}"#
        )));
        assert!(binds_to_several(&config(r#","certificates":[{"name":"x","cluster":["a","b"]}]"#)));
    }
}

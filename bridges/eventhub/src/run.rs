//! `run`: one reading unit a partition, shared with the other replicas.

mod start;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use audit_bridge::checkpoint::{self, CheckpointStore};
use audit_bridge::daemon::{Daemon, source_condition};
use audit_bridge::deliver::{Backoff, HttpReceiver};
use audit_bridge::metrics::SourceTroubled;
use audit_bridge::share;
use audit_bridge::unit::Stopped;
use audit_service::exit::Failure;
use audit_service::health::{Condition, Health};
use audit_service::metrics::Occurrence;
use audit_service::shutdown::Shutdown;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::amqp::Reaction;
use crate::config::{Config, Target};
use crate::convert::Diagnostics;
use crate::hub::{Hub, Settings};
use crate::source::{HubMetrics, Partition, Position, Reading};
use crate::{NAME, VERSION};

/// How often the hub is asked whether it has more partitions: in the premium and dedicated tiers it may gain some.
const ASK_EVERY: Duration = Duration::from_secs(180);

/// Reads all partitions until shutdown; `once` only up to now.
///
/// # Errors
/// When the process can't start, or a unit has stopped before its end.
pub async fn run(
    config: Config,
    receiver: HttpReceiver,
    once: bool,
    shutdown: Shutdown,
) -> Result<(), Failure> {
    let store = checkpoint::open(&config.checkpoint)?;
    run_with(config, receiver, store, once, shutdown, None).await
}

/// As [`run`], with a store of checkpoints that is at hand; `look_every` is how often other replicas and new partitions are
/// looked for.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    config: Config,
    receiver: HttpReceiver,
    store: Arc<dyn CheckpointStore>,
    once: bool,
    shutdown: Shutdown,
    look_every: Option<Duration>,
) -> Result<(), Failure> {
    let target = config.target()?;
    let daemon =
        Daemon::new(NAME, VERSION, shutdown.clone(), Arc::clone(&store), receiver, config.quarantine.clone());
    if !once {
        daemon.serve_admin(&config.admin).await?;
    }
    let hub = Arc::new(Hub::new(settings(&config, &target), target.credentials.clone()));
    let condition = daemon.health.condition("event hub");
    let partitions = tokio::select! {
        partitions = partitions(&hub, &daemon, &condition, once) => partitions?,
        () = shutdown.requested() => return Ok(()),
    };
    let named = |id: String| (unit(&target, &config.consumer_group, &id), id);
    let mut units: Vec<(String, String)> = partitions.into_iter().map(named).collect();
    let start = tokio::select! {
        start = start::positions(&config, &target, &store, &units, &condition, once) => start?,
        () = shutdown.requested() => return Ok(()),
    };
    condition.ready();

    let reading = Reading {
        hub: Arc::clone(&hub),
        from: config.from,
        once,
        budget: config.buffer.len(),
        sharing: Arc::new(AtomicUsize::new(0)),
        metrics: daemon.metrics.clone(),
        hub_metrics: HubMetrics::new(&daemon.registry),
    };
    let outcome = if once {
        let source = Arc::new(source(&reading, &daemon.health, &units, start));
        let mut running = JoinSet::new();
        for (unit, _) in units {
            let (daemon, source, name) = (daemon.clone(), Arc::clone(&source), unit.clone());
            let read = daemon
                .keep(unit.clone(), once, Arc::new(Diagnostics), move |position| source(&name, position));
            running.spawn(async move { (unit, read.await) });
        }
        daemon.wait(running).await
    } else {
        let spread = |units: &[(String, String)], start| {
            let names = units.iter().map(|(unit, _)| unit.clone()).collect();
            let source = source(&reading, &daemon.health, units, start);
            share::spread(daemon.clone(), names, Arc::new(Diagnostics), source, look_every)
        };
        let mut shares = JoinSet::from_iter([spread(&units, start)]);
        let mut outcome = Ok(());
        loop {
            tokio::select! {
                ended = shares.join_next() => match ended {
                    Some(ended) => outcome = outcome.and(ended?),
                    None => break outcome,
                },
                // They are shared like the others, apart from them.
                gained = gained(&hub, &units, look_every.unwrap_or(ASK_EVERY)) => {
                    tracing::info!(partitions = ?gained, "the event hub has more partitions; reading them from their beginning");
                    let start = gained.iter().map(|id| (id.clone(), Position::default())).collect();
                    let gained: Vec<_> = gained.into_iter().map(named).collect();
                    shares.spawn(spread(&gained, start));
                    units.extend(gained);
                }
            }
        }
    };
    hub.close().await;
    outcome
}

/// What makes the sources of these units; `start` is where those begin that have no position, by the ids of their partitions.
fn source(
    reading: &Reading,
    health: &Health,
    units: &[(String, String)],
    start: HashMap<String, Position>,
) -> impl Fn(&str, Option<&Value>) -> Result<Partition, Stopped> + Send + Sync + use<> {
    let (reading, health) = (reading.clone(), health.clone());
    let ids: HashMap<String, String> = units.iter().cloned().collect();
    move |unit, committed| {
        let id = ids.get(unit).map(String::as_str).unwrap_or_default();
        let position = match committed {
            Some(position) => Some(position_of(position)?),
            None => start.get(id).cloned(),
        };
        let condition = health.condition(source_condition(unit));
        Ok(Partition::new(&reading, unit, id, position, condition))
    }
}

/// What the hub is read with.
pub(crate) fn settings(config: &Config, target: &Target) -> Settings {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    Settings {
        endpoint: target.endpoint.clone(),
        hub: target.hub.clone(),
        group: config.consumer_group.clone(),
        epoch: config.epoch,
        reader: format!("{NAME}-{}", host.trim()),
    }
}

/// A partition's name in checkpoints, logs and metrics.
pub(crate) fn unit(target: &Target, group: &str, id: &str) -> String {
    let namespace = &target.endpoint.namespace;
    let namespace = namespace.strip_suffix(".servicebus.windows.net").unwrap_or(namespace);
    format!("eventhub:{namespace}/{}/{}/{id}", target.hub, group).to_lowercase()
}

fn position_of(position: &Value) -> Result<Position, Stopped> {
    serde_json::from_value(position.clone()).map_err(|error| {
        Stopped::Source(format!(
            "the checkpoint's position is none of this bridge's: {error}; see `checkpoint set`"
        ))
    })
}

/// The hub's partitions, sooner or later.
async fn partitions(
    hub: &Hub,
    daemon: &Daemon,
    condition: &Condition,
    once: bool,
) -> Result<Vec<String>, Failure> {
    let mut backoff = Backoff::default();
    loop {
        let problem = match hub.partitions().await {
            Ok(partitions) => return Ok(partitions),
            Err(problem) => problem,
        };
        SourceTroubled { unit: "event hub", kind: problem.kind(), problem: &problem.to_string() }
            .emit(&daemon.metrics);
        if once && matches!(problem.reaction(), Reaction::Mend | Reaction::Authorize) {
            return Err(problem.into());
        }
        condition.not_ready(problem.to_string());
        let asked = match problem.reaction() {
            Reaction::Rest(span) => Some(span),
            _ => None,
        };
        sleep(backoff.next(asked)).await;
    }
}

/// The ids of partitions that are not among `units`, once the hub has such.
async fn gained(hub: &Hub, units: &[(String, String)], ask_every: Duration) -> Vec<String> {
    loop {
        sleep(ask_every).await;
        // If it does not answer, those that read it say so.
        let mut gained = hub.partitions().await.unwrap_or_default();
        gained.retain(|id| units.iter().all(|(_, known)| known != id));
        if !gained.is_empty() {
            return gained;
        }
    }
}

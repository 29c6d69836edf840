//! `run`: one reading unit a partition, shared with the other replicas.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use audit_bridge::checkpoint::{self, CheckpointStore};
use audit_bridge::daemon::Daemon;
use audit_bridge::deliver::{Backoff, HttpReceiver};
use audit_bridge::metrics::SourceTroubled;
use audit_bridge::share;
use audit_bridge::unit::Stopped;
use audit_service::exit::{Failure, chain};
use audit_service::health::Condition;
use audit_service::metrics::Occurrence;
use audit_service::shutdown::Shutdown;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::amqp::Reaction;
use crate::blob::{Container, Unreadable};
use crate::config::{Config, Target};
use crate::convert::Diagnostics;
use crate::hub::{Hub, Settings};
use crate::source::{HubMetrics, Partition, Position, Reading};
use crate::{NAME, VERSION};

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

/// As [`run`], with a store of checkpoints that is at hand; `look_every` is how often other replicas are looked at.
///
/// # Errors
/// As [`run`].
pub async fn run_with(
    config: Config,
    receiver: HttpReceiver,
    store: Arc<dyn CheckpointStore>,
    once: bool,
    shutdown: Shutdown,
    look_every: Option<std::time::Duration>,
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
    let units: Vec<(String, String)> =
        partitions.into_iter().map(|id| (unit(&target, &config.consumer_group, &id), id)).collect();
    let start = tokio::select! {
        start = start_positions(&config, &target, &store, &units, &condition, once) => start?,
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
    let ids: HashMap<String, String> = units.iter().cloned().collect();
    let health = daemon.health.clone();
    let source = move |unit: &str, committed: Option<&Value>| {
        let id = ids.get(unit).map(String::as_str).unwrap_or_default();
        let position = match committed {
            Some(position) => Some(position_of(position)?),
            None => start.get(id).cloned(),
        };
        let condition = health.condition(format!("source of {unit}"));
        Ok(Partition::new(&reading, unit, id, position, condition))
    };
    let names = units.into_iter().map(|(unit, _)| unit);
    let outcome = if once {
        let source = Arc::new(source);
        let mut running = JoinSet::new();
        for unit in names {
            let (daemon, source, name) = (daemon.clone(), Arc::clone(&source), unit.clone());
            let read = daemon
                .keep(unit.clone(), once, Arc::new(Diagnostics), move |position| source(&name, position));
            running.spawn(async move { (unit, read.await) });
        }
        daemon.wait(running).await
    } else {
        share::spread(daemon, names.collect(), Arc::new(Diagnostics), source, look_every).await
    };
    hub.close().await;
    outcome
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

/// Positions of an earlier reader for the partitions that have none of ours. Without them a partition would begin elsewhere,
/// so nothing is read until they are there.
async fn start_positions(
    config: &Config,
    target: &Target,
    store: &Arc<dyn CheckpointStore>,
    units: &[(String, String)],
    condition: &Condition,
    once: bool,
) -> Result<HashMap<String, Position>, Failure> {
    let Some(options) = &config.start_checkpoints else { return Ok(HashMap::new()) };
    let mut fresh = Vec::new();
    for (unit, id) in units {
        if store.load(unit).await?.is_none_or(|(document, _)| document.position.is_null()) {
            fresh.push(id.as_str());
        }
    }
    if fresh.is_empty() {
        return Ok(HashMap::new());
    }
    let container = Container::open(config, options, target)?;
    let mut backoff = Backoff::default();
    loop {
        match container.positions(target, &config.consumer_group, &fresh).await {
            Ok(positions) => {
                tracing::info!(
                    container = %container, found = positions.len(), of = fresh.len(),
                    "going on where the earlier reader was"
                );
                return Ok(positions);
            }
            Err(problem @ Unreadable::Refused { .. }) if once => return Err(problem.into()),
            Err(problem) => {
                let problem = chain(&problem);
                tracing::warn!(problem, "the positions of the earlier reader cannot be read yet");
                condition.not_ready(problem);
            }
        }
        sleep(backoff.next(None)).await;
    }
}

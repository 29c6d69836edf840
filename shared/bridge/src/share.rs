//! Spreading many units over several replicas.
//!
//! Nobody commands. Each replica looks at the checkpoints, which say who owns what; it takes what is free up to its share,
//! and a replica with less than its share takes from those with more. Two that reach for one unit are told apart by the
//! store's compare-and-swap; who lost a unit finds its next write refused and stops reading it. So replicas may come and go
//! as they like, and every unit is read by one of them, from its last committed position on.

mod balance;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use audit_service::exit::{Failure, chain};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::checkpoint::{CommitFailed, Lease, Standing, StoreFailed, Watch};
use crate::daemon::Daemon;
use crate::record::{Convert, Source};
use crate::unit::Stopped;
pub use balance::{Holder, wanted};

/// How often to look at the units of others, at least; more often where owners expire sooner. It takes one read of the store
/// each.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How long a unit that failed is left alone by this replica.
const LEAVE_ALONE: Duration = Duration::from_secs(60);

/// One unit that this replica does not read at present.
#[derive(Debug, Default)]
struct Idle {
    watch: Watch,
    not_before: Option<Instant>,
}

/// Reads `units` together with the other replicas until shutdown. `source` builds a unit's source from its committed
/// position.
///
/// # Errors
/// When a unit has stopped before its end, or could not be stored at the end; the person was told.
pub async fn spread<S: Source, C: Convert>(
    daemon: Daemon,
    units: Vec<String>,
    convert: Arc<C>,
    source: impl Fn(&str, Option<&Value>) -> Result<S, Stopped>,
    look_every: Option<Duration>,
) -> Result<(), Failure> {
    let look_every = look_every.unwrap_or_else(|| LOOK_EVERY.min(daemon.store.expiry() / 3));
    let total = units.len();
    let mut idle: HashMap<String, Idle> = units.into_iter().map(|unit| (unit, Idle::default())).collect();
    let mut running = JoinSet::new();
    let mut names = HashMap::new();
    let mut failed = false;
    loop {
        if !daemon.shutdown.is_requested() {
            for (unit, lease) in take_share(&daemon, &idle_seen(&daemon, &mut idle).await, &idle, total).await
            {
                idle.remove(&unit);
                let built = source(&unit, lease.position());
                let (daemon, convert, name) = (daemon.clone(), Arc::clone(&convert), unit.clone());
                let task = running.spawn(async move {
                    match built {
                        Ok(source) => daemon.hold(&unit, lease, convert, source).await,
                        Err(stopped) => Err(stopped),
                    }
                });
                names.insert(task.id(), name);
            }
        } else if running.is_empty() {
            return if failed { Err(Failure::told()) } else { Ok(()) };
        }
        let pause = look_every.mul_f64(0.75 + fastrand::f64() / 2.0);
        let look = Instant::now() + pause;
        loop {
            let ended = tokio::select! {
                Some(ended) = running.join_next_with_id() => ended,
                () = sleep(look.saturating_duration_since(Instant::now())) => break,
                () = daemon.shutdown.requested(), if running.is_empty() => break,
            };
            let (task, outcome) = match ended {
                Ok(ended) => ended,
                // A panic. The unit is read again later, from what was committed.
                Err(error) => (error.id(), Err(Stopped::Task(error.to_string()))),
            };
            let Some(unit) = names.remove(&task) else { continue };
            failed |= told(&daemon, &unit, &outcome);
            let left = matches!(outcome, Err(Stopped::Commit(CommitFailed::Deposed { .. })));
            let not_before = (!left).then(|| Instant::now() + LEAVE_ALONE);
            idle.insert(unit, Idle { watch: Watch::default(), not_before });
        }
    }
}

/// Who holds the units that this replica does not read.
async fn idle_seen(daemon: &Daemon, idle: &mut HashMap<String, Idle>) -> Vec<(String, Standing)> {
    let mut seen = Vec::new();
    for (unit, idle) in
        idle.iter_mut().filter(|(_, idle)| idle.not_before.is_none_or(|at| at <= Instant::now()))
    {
        let condition = daemon.health.condition(format!("checkpoint of {unit}"));
        match idle.watch.look(&daemon.store, unit, &daemon.owner).await {
            Ok(standing) => {
                condition.ready();
                seen.push((unit.clone(), standing));
            }
            Err(failed) => condition.not_ready(failed.to_string()),
        }
    }
    seen
}

/// Takes what this replica should have and does not.
async fn take_share(
    daemon: &Daemon,
    seen: &[(String, Standing)],
    idle: &HashMap<String, Idle>,
    total: usize,
) -> Vec<(String, Lease)> {
    let mine = total - idle.len();
    let holders: Vec<Holder<'_>> = seen
        .iter()
        .map(|(unit, standing)| Holder {
            unit,
            owner: match standing {
                Standing::Free => None,
                Standing::Held { by, .. } => Some(by),
            },
        })
        .collect();
    let mut taken = Vec::new();
    for unit in wanted(total, mine, &holders, fastrand::shuffle) {
        let Some(idle) = idle.get(unit) else { continue };
        match Lease::take(&daemon.store, unit, &daemon.owner, &idle.watch).await {
            Ok(lease) => taken.push((unit.to_owned(), lease)),
            // Somebody was faster.
            Err(StoreFailed::Conflict(_) | StoreFailed::InUse { .. }) => {}
            Err(failed) => {
                daemon.health.condition(format!("checkpoint of {unit}")).not_ready(failed.to_string());
            }
        }
    }
    taken
}

/// Tells how a unit ended; whether that is a failure.
fn told(daemon: &Daemon, unit: &str, outcome: &Result<(), Stopped>) -> bool {
    let condition = daemon.health.condition(format!("checkpoint of {unit}"));
    match outcome {
        Ok(()) => condition.ready(),
        Err(Stopped::Commit(deposed @ CommitFailed::Deposed { .. })) => {
            condition.ready();
            tracing::info!(unit, "{deposed}");
        }
        Err(stopped) => {
            let reason = chain(stopped);
            tracing::error!(unit, reason, "stopped");
            condition.not_ready(reason);
            return true;
        }
    }
    false
}

//! `run`: one reading unit a log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use audit_bridge::checkpoint;
use audit_bridge::daemon::{Daemon, source_condition};
use audit_bridge::deliver::{Backoff, HttpReceiver};
use audit_bridge::sweep::driver::{Budget, ReadFailed, Swept};
use audit_bridge::unit::Stopped;
use audit_service::exit::Failure;
use audit_service::shutdown::Shutdown;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::config::{Config, Log};
use crate::convert::Cluster;
use crate::source::{self, AuditLog};
use crate::{NAME, VERSION};

/// Reads all logs until shutdown; `once` only up to now.
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
    let quarantine = config.quarantine.clone();
    let daemon = Daemon::new(NAME, VERSION, shutdown.clone(), store, receiver, quarantine);
    if !once {
        daemon.serve_admin(&config.admin).await?;
    }
    let mut budgets: HashMap<(Option<String>, String), Budget> = HashMap::new();
    let config = Arc::new(config);
    let mut units = JoinSet::new();
    for log in config.logs() {
        // A quota is an account's and region's; what is not said to be another account is ours.
        let owner = log.role.as_ref().and_then(|(role, _)| role.split(':').nth(4)).map(str::to_owned);
        let budget = budgets
            .entry((owner, log.region.clone()))
            .or_insert_with(|| Budget::new(config.requests_per_second));
        let work =
            read(daemon.clone(), Arc::clone(&config), log.clone(), budget.clone(), once, shutdown.clone());
        units.spawn(async move { (log.unit.clone(), work.await) });
    }
    daemon.wait(units).await
}

async fn read(
    daemon: Daemon,
    config: Arc<Config>,
    log: Log,
    budget: Budget,
    once: bool,
    shutdown: Shutdown,
) -> Result<(), Stopped> {
    let condition = daemon.health.condition(source_condition(&log.unit));
    let account = tokio::select! {
        account = account(&log, &config, once, |reason| condition.not_ready(reason)) => account?,
        () = shutdown.requested() => return Ok(()),
    };
    let log = Log { account: Some(account), ..log };
    let cluster = Arc::new(Cluster::of(&log, None));
    let reader = Arc::new(AuditLog::open(log.clone(), config.endpoint_url.clone()).await);
    let metrics = daemon.metrics.clone();
    let plan = config.plan(once);
    condition.ready();
    daemon
        .keep(log.unit.clone(), once, cluster, |position| {
            let machine = plan.machine(position)?;
            let (reader, condition, metrics) = (Arc::clone(&reader), condition.clone(), metrics.clone());
            Ok(Swept::new(&log.unit, reader, machine, budget.clone(), once, condition, metrics))
        })
        .await
}

/// The cluster's account, which is part of its identity: an event must have one identity, not two.
async fn account(
    log: &Log,
    config: &Config,
    once: bool,
    not_ready: impl Fn(String),
) -> Result<String, Stopped> {
    if let Some(account) = &log.account {
        return Ok(account.clone());
    }
    let mut backoff = Backoff::default();
    loop {
        let failed = match source::identity(log, config.endpoint_url.as_deref()).await {
            Ok(identity) => return Ok(identity.account),
            Err(failed) => failed,
        };
        let delay = backoff.next(None).max(Duration::from_millis(250));
        let reason = format!("the cluster's account is not known: {failed} (or set `sources[].account`)");
        if once && matches!(failed, ReadFailed::Refused(_)) {
            return Err(Stopped::Source(reason));
        }
        not_ready(reason);
        sleep(delay).await;
    }
}

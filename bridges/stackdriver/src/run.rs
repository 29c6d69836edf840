//! `run`: one reading unit a cluster's log, and one a subscription.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError};

use audit_bridge::Convert;
use audit_bridge::checkpoint;
use audit_bridge::daemon::{Daemon, source_condition};
use audit_bridge::deliver::{Backoff, HttpReceiver};
use audit_bridge::sweep::driver::{Budget, Swept};
use audit_bridge::unit::Stopped;
use audit_service::exit::{Failure, chain};
use audit_service::shutdown::Shutdown;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::config::{Config, Source, Subscription};
use crate::source::{Google, pubsub};
use crate::{NAME, VERSION};

/// What all units share.
struct Shared<C> {
    config: Config,
    google: Google,
    convert: Arc<C>,
    daemon: Daemon,
    once: bool,
    shutdown: Shutdown,
    /// Of each project.
    budgets: std::sync::Mutex<HashMap<String, Budget>>,
    /// Logs that are read, once all is known of them.
    read: std::sync::Mutex<HashSet<String>>,
}

/// Makes the daemon: units to run, ports to serve.
///
/// # Errors
/// When the store of checkpoints can't be opened.
pub fn daemon(config: &Config, receiver: HttpReceiver, shutdown: &Shutdown) -> Result<Daemon, Failure> {
    let store = checkpoint::open(&config.checkpoint)?;
    Ok(Daemon::new(NAME, VERSION, shutdown.clone(), store, receiver, config.quarantine.clone()))
}

/// Reads everything until shutdown; `once` only up to now.
///
/// # Errors
/// When the process can't start, or a unit has stopped before its end.
pub async fn run<C: Convert>(
    config: Config,
    google: Google,
    convert: C,
    daemon: Daemon,
    once: bool,
    shutdown: Shutdown,
) -> Result<(), Failure> {
    let (budgets, read) = Default::default();
    let shared = Arc::new(Shared {
        config,
        google,
        convert: Arc::new(convert),
        daemon,
        once,
        shutdown,
        budgets,
        read,
    });
    let mut units = JoinSet::new();
    for source in shared.config.sources() {
        let (unit, work) = (source.unit(), Arc::clone(&shared).read_log(source));
        units.spawn(async move { (unit, work.await) });
    }
    for subscription in shared.config.subscriptions.clone() {
        let (unit, work) = (subscription.name.clone(), Arc::clone(&shared).read_subscription(subscription));
        units.spawn(async move { (unit, work.await) });
    }
    shared.daemon.wait(units).await
}

impl<C: Convert> Shared<C> {
    async fn read_log(self: Arc<Self>, source: Source) -> Result<(), Stopped> {
        let source = tokio::select! {
            source = self.complete(source) => source?,
            () = self.shutdown.requested() => return Ok(()),
        };
        let unit = source.unit();
        if !self.read.lock().unwrap_or_else(PoisonError::into_inner).insert(unit.clone()) {
            let twice = format!("two of `sources` turned out to be `{unit}`: leave one of them out");
            return Err(Stopped::Source(twice));
        }
        let condition = self.daemon.health.condition(source_condition(&unit));
        let log = Arc::new(self.google.log(&source));
        let budget = self.budget(source.project.as_deref().unwrap_or_default());
        let metrics = self.daemon.metrics.clone();
        let plan = self.config.plan(self.once);
        condition.ready();
        self.daemon
            .clone()
            .keep(unit.clone(), self.once, Arc::clone(&self.convert), |position| {
                let machine = plan.machine(position)?;
                let (log, condition, metrics) = (Arc::clone(&log), condition.clone(), metrics.clone());
                Ok(Swept::new(&unit, log, machine, budget.clone(), self.once, condition, metrics))
            })
            .await
    }

    /// Asks the metadata server for what is not said; it may not be there yet when a pod starts.
    async fn complete(&self, source: Source) -> Result<Source, Stopped> {
        const ATTEMPTS_ONCE: u32 = 3;
        let condition = self.daemon.health.condition(format!("whereabouts of {}", source.unit()));
        let mut backoff = Backoff::default();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let unknown = match self.google.metadata.complete(source.clone()).await {
                Ok(source) => {
                    condition.ready();
                    return Ok(source);
                }
                Err(unknown) => unknown,
            };
            let reason = format!("{}; or name `project`, `location` and `cluster`", chain(&unknown));
            if unknown.is_final() || (self.once && attempts >= ATTEMPTS_ONCE) {
                return Err(Stopped::Source(reason));
            }
            condition.not_ready(reason);
            sleep(backoff.next(None)).await;
        }
    }

    /// The budget of a project, which all its sources share.
    fn budget(&self, project: &str) -> Budget {
        let mut budgets = self.budgets.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Budget::new(self.config.requests_per_minute / 60.0);
        budgets.entry(project.to_owned()).or_insert_with(new).clone()
    }

    async fn read_subscription(self: Arc<Self>, subscription: Subscription) -> Result<(), Stopped> {
        let unit = subscription.name.clone();
        let condition = self.daemon.health.condition(source_condition(&unit));
        let endpoint = self.config.pubsub_endpoint_url.as_deref();
        let client = pubsub::Client::new(endpoint, &self.google.credentials).await;
        let client = client.map_err(|failed| Stopped::Source(failed.to_string()))?;
        let outstanding = pubsub::Outstanding::default();
        let options = pubsub::Options {
            name: unit.clone(),
            ack_deadline: subscription.ack_deadline.0,
            outstanding: subscription.outstanding,
            once: self.once,
        };
        let daemon = self.daemon.clone().with_store(Arc::new(outstanding.clone()));
        let outcome = daemon
            .keep(unit, self.once, Arc::clone(&self.convert), |_| {
                let (client, condition, metrics) =
                    (client.clone(), condition.clone(), self.daemon.metrics.clone());
                Ok(pubsub::Subscription::read(
                    self.google.clone(),
                    client,
                    options.clone(),
                    outstanding.clone(),
                    condition,
                    metrics,
                ))
            })
            .await;
        outstanding.close().await;
        outcome
    }
}

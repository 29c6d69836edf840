//! What the binaries of all bridges do alike: flags, units that wait for their turn, the end of all of them.

use std::sync::Arc;

use audit_service::admin;
use audit_service::config::Listen;
use audit_service::exit::{Failure, chain};
use audit_service::health::Health;
use audit_service::shutdown::Shutdown;
use audit_service::{listen, metrics as registry};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::checkpoint::{CheckpointStore, CommitFailed, Lease, Patience};
use crate::deliver::{Deliverer, HttpReceiver, Keep};
use crate::metrics::Metrics;
use crate::record::{Convert, Source};
use crate::unit::{Stopped, Unit};

/// The admin port: `/healthz`, `/readyz`, `/metrics`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdminOptions {
    /// Where it listens.
    pub listen: Listen,
}

impl Default for AdminOptions {
    fn default() -> Self {
        Self { listen: Listen::everywhere(8080) }
    }
}

/// What all units of a process share.
#[derive(Clone, Debug)]
pub struct Daemon {
    /// Conditions of readiness.
    pub health: Health,
    /// What is counted.
    pub metrics: Metrics,
    /// Where a bridge registers what only it counts.
    pub registry: registry::Metrics,
    pub(crate) shutdown: Shutdown,
    pub(crate) store: Arc<dyn CheckpointStore>,
    receiver: HttpReceiver,
    quarantine: Keep,
    pub(crate) owner: String,
}

impl Daemon {
    /// `binary` prefixes the metrics.
    pub fn new(
        binary: &str,
        version: &str,
        shutdown: Shutdown,
        store: Arc<dyn CheckpointStore>,
        receiver: HttpReceiver,
        quarantine: Keep,
    ) -> Self {
        let registry = registry::Metrics::new(binary, version);
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let owner = format!("{}/{}/{:08x}", host.trim(), std::process::id(), fastrand::u32(..));
        let metrics = Metrics::new(&registry);
        Self { health: Health::new(), metrics, registry, shutdown, store, receiver, quarantine, owner }
    }

    /// The same, but with positions kept elsewhere: for sources that keep them by themselves.
    #[must_use]
    pub fn with_store(self, store: Arc<dyn CheckpointStore>) -> Self {
        Self { store, ..self }
    }

    /// All that is counted, as a scrape reads it.
    #[must_use]
    pub fn registry(&self) -> registry::Metrics {
        self.registry.clone()
    }

    /// Binds the admin port and serves it until shutdown.
    ///
    /// # Errors
    /// When it can't be bound.
    pub async fn serve_admin(&self, options: &AdminOptions) -> Result<(), Failure> {
        let listener = listen::bind("admin", options.listen).await?;
        let (health, registry) = (self.health.clone(), self.registry.clone());
        tokio::spawn(admin::serve(listener, health, registry, axum::Router::new(), self.shutdown.clone()));
        Ok(())
    }

    /// Runs one unit for as long as it is ours; when another process takes it over, waits until it is free again.
    /// `source` is built anew each time, from the committed position. With `once` nobody waits: neither for a store that does
    /// not work nor for another process to end.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn keep<S: Source, C: Convert>(
        self,
        name: String,
        once: bool,
        convert: Arc<C>,
        mut source: impl FnMut(Option<&Value>) -> Result<S, Stopped>,
    ) -> Result<(), Stopped> {
        loop {
            let condition = self.health.condition(format!("checkpoint of {name}"));
            // Who waits for its turn is as it should be: a standby that counted as unready would block roll-outs and drains.
            condition.ready();
            let patience = if once { Patience::Once } else { Patience::Endless(&condition) };
            let lease = tokio::select! {
                lease = Lease::acquire(Arc::clone(&self.store), &name, &self.owner, patience) => lease.map_err(CommitFailed::from)?,
                () = self.shutdown.requested() => return Ok(()),
            };
            let source = source(lease.position())?;
            match self.hold(&name, lease, Arc::clone(&convert), source).await {
                Err(Stopped::Commit(deposed @ CommitFailed::Deposed { .. })) => {
                    tracing::warn!(unit = name, "{deposed}");
                }
                outcome => return outcome,
            }
        }
    }

    /// Runs one unit whose lease is at hand.
    pub(crate) async fn hold<S: Source, C: Convert>(
        &self,
        name: &str,
        lease: Lease,
        convert: Arc<C>,
        source: S,
    ) -> Result<(), Stopped> {
        let condition = self.health.condition(format!("checkpoint of {name}"));
        let receiver = self.health.condition(receiver_condition(name));
        let deliverer = Deliverer::new(
            self.receiver.clone(),
            self.quarantine.clone(),
            name,
            receiver,
            self.metrics.clone(),
        );
        let unit = Unit {
            name: name.to_owned(),
            source,
            convert,
            deliverer: Arc::new(deliverer),
            lease,
            condition,
            metrics: self.metrics.clone(),
        };
        tracing::info!(unit = name, "reading");
        let ended = unit.run(&self.shutdown).await;
        // They were about this reading; whoever reads the unit next, here or elsewhere, finds out anew.
        for condition in [source_condition(name), receiver_condition(name)] {
            self.health.forget(&condition);
        }
        ended
    }

    /// Waits for all units. One that stops does not take the others along, but shows in readiness and in the exit code.
    ///
    /// # Errors
    /// When any has stopped before its end; the person was told.
    pub async fn wait(&self, mut units: JoinSet<(String, Result<(), Stopped>)>) -> Result<(), Failure> {
        let mut failed = false;
        while let Some(ended) = units.join_next().await {
            let (unit, stopped) = match ended {
                Ok((_, Ok(()))) => continue,
                Ok((unit, Err(stopped))) => (unit, chain(&stopped)),
                Err(error) => ("a unit".to_owned(), error.to_string()),
            };
            failed = true;
            tracing::error!(unit, reason = stopped, "stopped");
            self.health.condition(unit).not_ready(stopped);
        }
        if failed { Err(Failure::told()) } else { Ok(()) }
    }
}

/// The name of the condition that a unit's source can be read.
pub fn source_condition(unit: &str) -> String {
    format!("source of {unit}")
}

fn receiver_condition(unit: &str) -> String {
    format!("receiver of {unit}")
}

#[cfg(test)]
mod tests;

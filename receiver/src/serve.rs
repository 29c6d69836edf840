//! The daemon: bind, open, run, drain.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use audit_service::exit::Failure;
use audit_service::health::{Condition, Health};
use audit_service::metrics::Metrics;
use audit_service::shutdown::Shutdown;
use audit_service::{admin, http, listen, tls};
use jiff::tz::TimeZone;
use tokio::sync::Semaphore;

use crate::api::{self, Api};
use crate::config::{Auth, Config};
use crate::evaluate::Evaluator;
use crate::freshness::{self, Freshness};
use crate::intake::{self, Access, Admission, Intake, Limits, Pace, Worker};
use crate::metrics::Counters;
use crate::outputs;
use crate::retention::Retention;
use crate::rules::reload::Reload;
use crate::store::{Location, Store, StoreError};

/// How often an idle store is tried.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long answered reviews may be evaluated once the intake has drained. Nobody sends them again.
const LAST_REVIEWS: Duration = Duration::from_secs(10);

/// How long outputs may write what waits once the intake has drained. The rest waits in the store.
const LAST_OUTPUT: Duration = Duration::from_secs(5);

/// Runs until `shutdown` is requested and what was under way has ended.
///
/// # Errors
/// When the rules don't load, the store can't be written, or a port can't be bound.
pub async fn run(config: Config, shutdown: Shutdown) -> Result<(), Failure> {
    let metrics = Metrics::new(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"));
    let health = Health::new();
    let counters = Arc::new(Counters::new(&metrics));
    let (reload, rules) = Reload::open(config.rules.clone(), &config, config.kept_rules(), &counters)?;
    let location: Location = config.store.parse()?;
    let routes = outputs::routes(&config.outputs);
    for route in &routes {
        for unknown in route.only.rules.iter().filter_map(|name| rules.unknown(name)) {
            tracing::warn!(output = %route.output, "in `only.rules`: {unknown}");
        }
    }
    let store = Store::open(&location, routes).await?;
    let store = store.with_redaction(config.redact.clone());
    let tls = config.tls.clone().map(tls::Acceptor::new).transpose()?;
    if let Some(tls) = &tls {
        metrics.register(|registry| registry.register_collector(Box::new(tls.expiry())));
    }
    let evaluator = Arc::new(
        Evaluator::new(rules, hostname())
            .with_zone(zone(|told| tracing::warn!("{told}")))
            .with_native(config.native)
            .with_ids(config.clusters.clone())
            .with_lag()
            .with_redaction(config.redact.clone()),
    );
    tokio::spawn(reload.follow(evaluator.clone(), store.clone(), hostname(), counters.clone()));
    let workers = Arc::new(Semaphore::new(available_parallelism().map_or(1, usize::from)));
    let fresh = Arc::new(Freshness::new(config.bound_clusters()));
    let worker = Worker {
        fresh: fresh.clone(),
        evaluator: evaluator.clone(),
        workers: workers.clone(),
        store: store.clone(),
        counters: counters.clone(),
    };
    let admission = config.admission.as_ref();
    let admission =
        admission.map(|options| Admission::new(options, &config.clusters, &worker)).transpose()?;
    drop(worker);
    let (admission, mut reviewers) =
        admission.map_or_else(Default::default, |(door, workers)| (Some(door), workers));
    let intake = Arc::new(Intake {
        fresh: fresh.clone(),
        access: access(&config)?,
        ids: config.clusters.clone(),
        pace: config.body.rate.map(Pace::new),
        limits: Limits::new(config.body.limit.len(), config.body.budget.len(), config.body.timeout.0),
        evaluator: evaluator.clone(),
        workers,
        store: store.clone(),
        counters: counters.clone(),
        admission,
    });
    let intake_port = listen::bind("intake", config.listen).await?;
    let admin_port = listen::bind("admin", config.admin.listen).await?;
    let outputs: Vec<_> = outputs::routes(&config.outputs).into_iter().map(|route| route.output).collect();
    let api = Api {
        store: store.clone(),
        evaluator,
        fresh: fresh.clone(),
        outputs: outputs.clone(),
        token: config.admin.token_file.clone(),
        listen: admin_port.local_addr()?,
    };

    // Those that end after the intake has drained.
    let late = Shutdown::new();
    let admin =
        tokio::spawn(admin::serve(admin_port, health.clone(), metrics, api::router(api), late.clone()));
    tokio::spawn(follow(store.clone(), health.condition("store")));
    tokio::spawn(store.clone().watch_health(HEARTBEAT));
    tokio::spawn(watch_backlogs(outputs, store.clone(), counters.clone()));
    tokio::spawn(ignore_hangup());
    let retention = Retention {
        options: config.retention.clone(),
        store: store.clone(),
        hostname: hostname(),
        counters: counters.clone(),
    };
    tokio::spawn(retention.run(location));
    tokio::spawn(freshness::watch(fresh, config.silent_after.0, store.clone(), hostname(), counters.clone()));
    // Also when nothing is grouped any more: what was must go out.
    tokio::spawn(close_groups(store.clone()));
    let mut outputs = outputs::start(&config.outputs, &store, &counters, &late)?;

    http::serve(intake_port, tls, intake::router(intake), config.connections, shutdown).await;
    let evaluated = async { while reviewers.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_REVIEWS, evaluated).await.is_err() {
        tracing::warn!("some admission reviews were answered and not evaluated: there was no time left");
    }
    late.request();
    let ended = async { while outputs.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_OUTPUT, ended).await.is_err() {
        tracing::warn!("an output does not take alerts; what waits will be written after the next start");
    }
    let _ = admin.await;
    store.close().await;
    Ok(())
}

fn access(config: &Config) -> Result<Access, intake::access::Unusable> {
    let tokens = match &config.auth {
        Some(Auth::Tokens(files)) => files.clone(),
        None if config.asks_for_certificates() => Vec::new(),
        Some(Auth::None) | None => return Ok(Access::Open),
    };
    Access::bound(tokens, &config.certificates, &config.clusters)
}

/// Ready while the store takes writes.
async fn follow(store: Store, condition: Condition) {
    let mut health = store.health();
    drop(store);
    loop {
        match &*health.borrow_and_update() {
            Ok(()) => condition.ready(),
            Err(error) => condition.not_ready(error.to_string()),
        }
        if health.changed().await.is_err() {
            return;
        }
    }
}

/// Sends what was grouped, a second after its time at the latest.
async fn close_groups(store: Store) {
    while store.close_groups().await != Err(StoreError::Closed) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Who moves files away tells by this signal, which would end the process otherwise. Files are opened for each batch, so
/// there is nothing else to do.
async fn ignore_hangup() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::hangup()) {
        Ok(mut hangup) => while hangup.recv().await.is_some() {},
        Err(error) => tracing::warn!(%error, "a hangup will end the receiver"),
    }
}

/// Counts what waits for outputs, as long as there is a store.
async fn watch_backlogs(outputs: Vec<Arc<str>>, store: Store, counters: Arc<Counters>) {
    loop {
        match outputs::standing(&outputs, &store).await {
            Ok(backlogs) => counters.backlogs(&backlogs),
            Err(StoreError::Closed) => return,
            Err(error) => tracing::warn!(%error, "what waits for outputs is not known"),
        }
        tokio::time::sleep(HEARTBEAT).await;
    }
}

/// The zone of local times: that of `TZ`, else the machine's, else UTC. When `TZ` is of no use, `warn` is told.
pub(crate) fn zone(warn: impl FnOnce(&str)) -> TimeZone {
    TimeZone::try_system().unwrap_or_else(|error| {
        if let Some(name) = std::env::var_os("TZ").filter(|name| !name.is_empty()) {
            warn(&format!(
                "`TZ` is `{}`, a zone not known here, so local times are UTC: {error}",
                name.display()
            ));
        }
        TimeZone::UTC
    })
}

/// The name that alerts give as that of the machine.
pub(crate) fn hostname() -> String {
    std::env::var("FALCO_HOSTNAME")
        .ok()
        .or_else(|| std::fs::read_to_string("/proc/sys/kernel/hostname").ok())
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

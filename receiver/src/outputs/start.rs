use std::sync::Arc;

use audit_service::shutdown::Shutdown;
use audit_service::tls;
use tokio::task::JoinSet;

use super::config::Outputs;
use super::{File, Http, Output, Stdout, feed};
use crate::metrics::Counters;
use crate::store::{Route, Store, Waiting};

/// Which alerts wait for which output.
pub fn routes(config: &Outputs) -> Vec<Route> {
    let stdout = config.stdout.then(|| Route {
        output: Stdout.name().into(),
        only: config.stdout_only.clone(),
        group: config.group(config.stdout_group),
    });
    let files = config.file.iter().map(|(name, file)| Route {
        output: of("file", name),
        only: file.only.clone(),
        group: config.group(file.group),
    });
    let https = config.http.iter().map(|(name, http)| Route {
        output: of("http", name),
        only: http.only.clone(),
        group: config.group(http.group),
    });
    stdout.into_iter().chain(files).chain(https).collect()
}

fn of(kind: &str, name: &str) -> Arc<str> {
    format!("{kind}/{name}").into()
}

/// Starts feeding all outputs, until `shutdown` is requested and each has ended.
///
/// # Errors
/// When a certificate file can't be used.
pub fn start(
    config: &Outputs,
    store: &Store,
    counters: &Arc<Counters>,
    shutdown: &Shutdown,
) -> Result<JoinSet<()>, tls::Unusable> {
    let mut running = JoinSet::new();
    let with = || (store.clone(), counters.clone(), shutdown.clone());
    if config.stdout {
        let (store, counters, shutdown) = with();
        running.spawn(feed(Stdout, store, counters, shutdown));
    }
    for (name, file) in &config.file {
        let (store, counters, shutdown) = with();
        running.spawn(feed(File::new(of("file", name), file), store, counters, shutdown));
    }
    for (name, http) in &config.http {
        let (store, counters, shutdown) = with();
        running.spawn(feed(Http::new(of("http", name), http.clone())?, store, counters, shutdown));
    }
    Ok(running)
}

/// Writes `alert` to every output once, past filters and the store: for each its name and why it failed, if it did.
///
/// # Errors
/// When a certificate file can't be used.
pub async fn test(config: &Outputs, alert: Waiting) -> Result<Vec<(String, Option<String>)>, tls::Unusable> {
    let mut told = Vec::new();
    if config.stdout {
        told.push(once(Stdout, &alert).await);
    }
    for (name, file) in &config.file {
        told.push(once(File::new(of("file", name), file), &alert).await);
    }
    for (name, http) in &config.http {
        told.push(once(Http::new(of("http", name), http.clone())?, &alert).await);
    }
    Ok(told)
}

async fn once(mut output: impl Output, alert: &Waiting) -> (String, Option<String>) {
    let mut progress = output.write(std::slice::from_ref(alert)).await;
    let refused = progress.refused.pop().map(|(_, reason)| format!("refused: {reason}"));
    (output.name().to_owned(), progress.failed.map(|(reason, _)| reason).or(refused))
}

//! Where alerts go. Each output is fed from the store and has a state per alert there: an alert waits for an output until
//! that has written it, through restarts. A crash between writing and noting it repeats the last few, never an entry of
//! the store. An alert that an output refuses is set aside for that output, so that it delays no other.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use audit_service::shutdown::Shutdown;

use crate::metrics::{AlertRefused, Counters, Occurrence as _, OutputFailed, Written};
use crate::store::{Backlog, LEASE, Store, StoreError, Waiting};

pub mod config;
mod file;
mod form;
pub(crate) mod group;
mod http;
mod only;
mod start;
mod stdout;

pub use file::File;
pub use form::Form;
pub use http::Http;
pub use only::{Least, Only};
pub use start::{routes, start, test};
pub use stdout::Stdout;

/// Most alerts written before that is noted: how many a crash may repeat.
const AT_ONCE: u32 = 1024;

/// The pause after a first failure; doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// The longest pause between two attempts, unless a server asks for more.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How often the store is asked without being told of a commit.
const LOOK: Duration = Duration::from_secs(1);

/// A place that takes alerts.
pub trait Output: Send + 'static {
    /// Its name, unique among the outputs: alerts wait under it.
    fn name(&self) -> &str;

    /// Most alerts to be given at once.
    fn at_once(&self) -> u32 {
        AT_ONCE
    }

    /// Most alerts a second.
    fn rate(&self) -> Option<u32> {
        None
    }

    /// Writes `alerts`, oldest first, as far as it gets. What is neither written nor refused will come again.
    fn write(&mut self, alerts: &[Waiting]) -> impl Future<Output = Progress> + Send;
}

/// How far an output got, by [`Waiting::seq`].
#[derive(Default, Debug)]
pub struct Progress {
    /// It has these.
    pub written: Vec<i64>,
    /// It will never take these, and why.
    pub refused: Vec<(i64, String)>,
    /// Why it stopped, and how long to leave it alone if it said so.
    pub failed: Option<(String, Option<Duration>)>,
}

impl Progress {
    /// For a place where all are written or, as far as can be told, none.
    fn all_or_none(alerts: &[Waiting], written: io::Result<()>) -> Self {
        let mut progress = Self::default();
        match written {
            Ok(()) => progress.written.extend(alerts.iter().map(|alert| alert.seq)),
            Err(error) => progress.fail(error.to_string(), None),
        }
        progress
    }

    fn fail(&mut self, reason: String, wait: Option<Duration>) {
        self.failed = Some((reason, wait));
    }

    fn add(&mut self, other: Self) {
        self.written.extend(other.written);
        self.refused.extend(other.refused);
        self.failed = other.failed.or(self.failed.take());
    }
}

/// Feeds `output` with what waits for it, for ever; once a shutdown is requested, until nothing waits or it fails.
pub async fn feed(mut output: impl Output, store: Store, counters: Arc<Counters>, shutdown: Shutdown) {
    let mut commits = store.commits();
    let mut pause = FIRST_PAUSE;
    let mut led = None;
    loop {
        commits.mark_unchanged();
        let (settled, failed) = match write_some(&mut output, &store, &counters, &mut led).await {
            Ok(progress) => (progress.written.len() + progress.refused.len(), progress.failed),
            Err(error) => (0, Some((error.to_string(), None))),
        };
        if settled > 0 {
            pause = FIRST_PAUSE;
        }
        let wait = match failed {
            Some((reason, asked)) => {
                OutputFailed { output: output.name(), reason: &reason }.emit(&counters);
                let wait = asked.unwrap_or(Duration::ZERO).max(pause);
                pause = (pause * 2).min(LONGEST_PAUSE);
                wait
            }
            None if settled == 0 => {
                tokio::select! {
                    changed = commits.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(LOOK) => {}
                    () = shutdown.requested() => return,
                }
                continue;
            }
            None => match output.rate() {
                Some(rate) => Duration::from_secs_f64(settled as f64 / f64::from(rate.max(1))),
                None => continue,
            },
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = shutdown.requested() => return,
        }
    }
}

/// How outputs stand: those of these names, and others for which anything waits or was refused.
///
/// # Errors
/// When the store can't be read.
pub async fn standing(names: &[Arc<str>], store: &Store) -> Result<Vec<Backlog>, StoreError> {
    let mut all = store.backlogs().await?;
    for name in names {
        if !all.iter().any(|backlog| *backlog.output == **name) {
            all.push(Backlog { output: name.to_string(), ..Backlog::default() });
        }
    }
    all.sort_by(|one, other| one.output.cmp(&other.output));
    Ok(all)
}

async fn write_some(
    output: &mut impl Output,
    store: &Store,
    counters: &Counters,
    led: &mut Option<Instant>,
) -> Result<Progress, StoreError> {
    if led.is_none_or(|since| since.elapsed() > LEASE / 3) {
        *led = store.lead(output.name()).await?.then(Instant::now);
    }
    if led.is_none() {
        return Ok(Progress::default());
    }
    let waiting = store.waiting(output.name(), output.at_once()).await?;
    if waiting.is_empty() {
        return Ok(Progress::default());
    }
    let mut progress = output.write(&waiting).await;
    let name = output.name();
    for (seq, reason) in &progress.refused {
        let alert = waiting.iter().find(|alert| alert.seq == *seq).map(|alert| alert.id).unwrap_or_default();
        AlertRefused { output: name, alert, reason }.emit(counters);
    }
    let written = progress.written.len();
    if written > 0 || !progress.refused.is_empty() {
        let noted = store.settled(name, progress.written.clone(), progress.refused.clone()).await;
        if let Err(error) = noted {
            progress = Progress { failed: Some((error.to_string(), None)), ..Progress::default() };
        }
        Written { output: name, alerts: written }.emit(counters);
    }
    Ok(progress)
}

#[cfg(test)]
mod tests;

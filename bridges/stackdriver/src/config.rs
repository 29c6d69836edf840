//! What this bridge reads, and where it brings it.

pub mod swb;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use audit_bridge::config::{self, Settings};
use audit_bridge::daemon::AdminOptions;
use audit_bridge::deliver::{Keep, Options as ReceiverOptions};
use audit_bridge::sweep::{Ages, Plan};
use audit_bridge::time;
use audit_service::config::{Bytes, Check, Mistakes, Span};
use audit_service::logging;
use serde::{Deserialize, Serialize};

/// The configuration of a process; [`Config::default`] is what holds where nothing is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The clusters whose logs are read from Cloud Logging. With no subscription either it is the cluster that this
    /// process runs in.
    pub sources: Vec<Source>,
    /// The subscriptions of sinks to read from Pub/Sub.
    pub subscriptions: Vec<Subscription>,
    /// Where Cloud Logging is, when not where it always is: for emulators and private endpoints.
    pub endpoint_url: Option<String>,
    /// Where Pub/Sub is, likewise.
    pub pubsub_endpoint_url: Option<String>,
    /// Where the metadata server is, likewise; else `GCE_METADATA_HOST` says.
    pub metadata_url: Option<String>,
    /// Who asks.
    pub credentials: Credentials,
    /// Where events go.
    pub receiver: ReceiverOptions,
    /// Where records go that are no events: `receiver`, or `file:PATH` for a receiver without a quarantine.
    pub quarantine: Keep,
    /// The store of checkpoints: `file:FOLDER`. Subscriptions need none.
    pub checkpoint: String,
    /// The admin port.
    pub admin: AdminOptions,
    /// What is logged, and how.
    pub log: logging::Options,
    /// Where a source without a checkpoint begins.
    pub from: time::From,
    /// How often to look for new entries.
    pub poll_interval: Span,
    /// The ages at which each slice of time is read.
    pub sweeps: Ages,
    /// Read requests a minute, for all sources of one project together. A project has 60, for all its readers.
    pub requests_per_minute: f64,
    /// How many entries to remember, so that copies are left out.
    pub remember: usize,
    /// After a restart leave out what was surely sent before, all but about the last twelve minutes: for receivers that
    /// raise an alert for each copy.
    pub spare_copies: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            subscriptions: Vec::new(),
            endpoint_url: None,
            pubsub_endpoint_url: None,
            metadata_url: None,
            credentials: Credentials::default(),
            receiver: ReceiverOptions::default(),
            quarantine: Keep::default(),
            checkpoint: "file:/var/lib/stackdriver-bridge".to_owned(),
            admin: AdminOptions::default(),
            log: logging::Options::default(),
            from: time::From::default(),
            poll_interval: Span::secs(5),
            sweeps: Ages::default(),
            requests_per_minute: 50.0,
            remember: 1_000_000,
            spare_copies: false,
        }
    }
}

/// Who asks Google Cloud.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Credentials {
    /// The file in `GOOGLE_APPLICATION_CREDENTIALS` (a key, or workload identity federation), else the metadata server.
    #[default]
    Default,
    /// Nobody: for emulators.
    Anonymous,
}

/// One cluster's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Source {
    /// The project; asked of the metadata server when absent.
    pub project: Option<String>,
    /// The zone or region; `*`, or nothing beside a named cluster, is every one.
    pub location: Option<String>,
    /// The cluster's name; `*` is every one. Asked of the metadata server, with the location, when absent.
    pub cluster: Option<String>,
    /// The logs to read: `activity`, `data_access`, or in full as `externalaudit.googleapis.com/activity`.
    pub logs: Vec<String>,
    /// What to leave out, as expressions of the Logging query language, or `leases`.
    pub excludes: Vec<String>,
}

impl Default for Source {
    fn default() -> Self {
        let logs = vec!["activity".to_owned(), "data_access".to_owned()];
        Self { project: None, location: None, cluster: None, logs, excludes: Vec::new() }
    }
}

/// One subscription of a sink.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Subscription {
    /// `projects/PROJECT/subscriptions/NAME`.
    pub name: String,
    /// How long Pub/Sub waits for a bridge that says nothing any more before it delivers again, 10 s to 10 min.
    pub ack_deadline: Span,
    /// How much may be under way.
    pub outstanding: Bytes,
}

impl Default for Subscription {
    fn default() -> Self {
        Self { name: String::new(), ack_deadline: Span::secs(60), outstanding: Bytes(64 << 20) }
    }
}

impl Source {
    /// The name in checkpoints, logs and metrics, once everything is known.
    pub fn unit(&self) -> String {
        let part = |part: &Option<String>| part.clone().unwrap_or_else(|| "*".to_owned());
        format!("stackdriver:{}:{}:{}", part(&self.project), part(&self.location), part(&self.cluster))
    }

    fn check(&self, mistakes: &mut Mistakes) {
        for (key, value) in
            [("project", &self.project), ("location", &self.location), ("cluster", &self.cluster)]
        {
            if value.as_deref().is_some_and(str::is_empty) {
                mistakes.add(key, "must not be empty");
            }
        }
        if self.logs.is_empty() {
            mistakes.add("logs", "must name at least one log, such as `activity`");
        }
        if self.location.is_some() && self.cluster.is_none() {
            mistakes.add("cluster", "must be given beside a `location` (`*` is every one)");
        }
    }
}

impl Config {
    /// The sources to read.
    pub fn sources(&self) -> Vec<Source> {
        match self.sources.is_empty() && self.subscriptions.is_empty() {
            true => vec![Source::default()],
            false => self.sources.clone(),
        }
    }

    /// How logs are read; `once` only up to the present.
    pub fn plan(&self, once: bool) -> Plan {
        Plan {
            ages: self.sweeps.clone(),
            poll: self.poll_interval.0,
            from: self.from,
            remember: self.remember,
            spare_copies: self.spare_copies,
            once,
        }
    }
}

impl Settings for Config {
    fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    fn check_reading(&self, mistakes: &mut Mistakes) {
        let mut units = HashSet::new();
        let mut once = |unit: String, mistakes: &mut Mistakes| {
            if !units.insert(unit.clone()) {
                mistakes.add("", format!("`{unit}` is read twice"));
            }
        };
        for (index, source) in self.sources.iter().enumerate() {
            mistakes.within(&format!("sources[{index}]"), |mistakes| {
                source.check(mistakes);
                once(source.unit(), mistakes);
            });
        }
        for (index, subscription) in self.subscriptions.iter().enumerate() {
            mistakes.within(&format!("subscriptions[{index}]"), |mistakes| {
                subscription.check(mistakes);
                once(subscription.name.clone(), mistakes);
            });
        }
    }
}

impl Check for Config {
    fn check(&self, mistakes: &mut Mistakes) {
        config::check(self, &self.receiver, mistakes);
        if !(1.0..=6000.0).contains(&self.requests_per_minute) {
            mistakes.add("requests_per_minute", "must lie between 1 and 6000");
        }
        config::check_sweeping(&self.plan(false), &self.quarantine, mistakes);
    }
}

impl Check for Subscription {
    fn check(&self, mistakes: &mut Mistakes) {
        if !matches!(self.name.split('/').collect::<Vec<_>>()[..], ["projects", _, "subscriptions", _]) {
            mistakes.add("name", "must be written as `projects/PROJECT/subscriptions/NAME`");
        }
        if !(Span::secs(10)..=Span::secs(600)).contains(&self.ack_deadline) {
            mistakes.add("ack_deadline", "must lie between `10s` and `10m`");
        }
        if self.outstanding < Bytes::mib(1) {
            mistakes.add("outstanding", "must be at least `1MiB`");
        }
    }
}

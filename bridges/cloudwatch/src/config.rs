//! What this bridge reads, and where it brings it.

#[cfg(test)]
mod tests;

use audit_bridge::config::{self, Settings};
use audit_bridge::daemon::AdminOptions;
use audit_bridge::deliver::{Keep, Options as ReceiverOptions};
use audit_bridge::sweep::{Ages, Plan};
use audit_bridge::time;
use audit_service::config::{Check, Mistakes, Span};
use audit_service::logging;
use serde::{Deserialize, Serialize};

/// The configuration of a process; [`Config::default`] is what holds where nothing is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The clusters whose logs are read.
    pub sources: Vec<Source>,
    /// The region of sources that name none; else `AWS_REGION`.
    pub region: Option<String>,
    /// Where AWS is, when not where the SDK finds it: for tests and private endpoints.
    pub endpoint_url: Option<String>,
    /// Where events go.
    pub receiver: ReceiverOptions,
    /// Where records go that are no events: `receiver`, or `file:PATH` for a receiver without a quarantine.
    pub quarantine: Keep,
    /// The store of checkpoints: `file:FOLDER`.
    pub checkpoint: String,
    /// The admin port.
    pub admin: AdminOptions,
    /// What is logged, and how.
    pub log: logging::Options,
    /// Where a source without a checkpoint begins.
    pub from: time::From,
    /// How often to look for new events.
    pub poll_interval: Span,
    /// The ages at which each slice of time is read.
    pub sweeps: Ages,
    /// Requests a second, for all sources of one account and region together.
    pub requests_per_second: f64,
    /// How many records to remember, so that copies are left out.
    pub remember: usize,
    /// After a restart leave out what was surely sent before, all but about the last twelve minutes: for receivers that
    /// raise an alert for each copy.
    pub spare_copies: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            sources: Vec::new(),
            region: None,
            endpoint_url: None,
            receiver: ReceiverOptions::default(),
            quarantine: Keep::default(),
            checkpoint: "file:/var/lib/cloudwatch-bridge".to_owned(),
            admin: AdminOptions::default(),
            log: logging::Options::default(),
            from: time::From::default(),
            poll_interval: Span::secs(5),
            sweeps: Ages::default(),
            requests_per_second: 2.0,
            remember: 1_000_000,
            spare_copies: false,
        }
    }
}

/// One cluster's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Source {
    /// The cluster's name.
    pub cluster: Option<String>,
    /// The log group, by name or ARN; `/aws/eks/CLUSTER/cluster` unless it was moved.
    pub log_group: Option<String>,
    /// The region of both.
    pub region: Option<String>,
    /// The account that owns the cluster; asked of STS when absent.
    pub account: Option<String>,
    /// A role to assume for reading.
    pub role: Option<String>,
    /// The external ID that the role wants to hear.
    pub external_id: Option<String>,
}

/// One log to read, everything settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Its name in checkpoints, logs and metrics.
    pub unit: String,
    /// The cluster's name.
    pub cluster: String,
    /// The log group's name or ARN.
    pub group: String,
    /// The region.
    pub region: String,
    /// The cluster's account, as far as the configuration tells.
    pub account: Option<String>,
    /// A role to assume, and the external ID that it wants.
    pub role: Option<(String, Option<String>)>,
}

impl Source {
    /// The cluster's name, from the log group's name if that is EKS's own.
    fn cluster(&self) -> Option<&str> {
        let of_group = || {
            let group = self.log_group.as_deref()?;
            let name = group.split_once(":log-group:").map_or(group, |(_, name)| name).trim_end_matches(":*");
            name.strip_prefix("/aws/eks/")?.strip_suffix("/cluster")
        };
        self.cluster.as_deref().or_else(of_group).filter(|name| !name.is_empty())
    }

    fn group(&self) -> Option<String> {
        let own = || Some(format!("/aws/eks/{}/cluster", self.cluster.as_deref()?));
        self.log_group.as_deref().map(|group| group.trim_end_matches(":*").to_owned()).or_else(own)
    }

    fn log(&self, config: &Config) -> Option<Log> {
        let region = self.region.clone().or_else(|| config.region.clone()).or_else(region_of_environment)?;
        let (cluster, group) = (self.cluster()?.to_owned(), self.group()?);
        let of_role = self.role.as_deref().and_then(account_of);
        let unit = match of_role {
            Some(account) => format!("cloudwatch:{account}:{region}:{group}"),
            None => format!("cloudwatch:{region}:{group}"),
        };
        let account = self.account.as_deref().or_else(|| account_of(&group)).or(of_role).map(str::to_owned);
        let role = self.role.clone().map(|role| (role, self.external_id.clone()));
        Some(Log { unit, cluster, group, region, account, role })
    }
}

impl Config {
    /// The logs to read. Sources that [`Check`] complains of are left out.
    pub fn logs(&self) -> Vec<Log> {
        self.sources.iter().filter_map(|source| source.log(self)).collect()
    }
}

impl Config {
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

/// The account in an ARN.
fn account_of(arn: &str) -> Option<&str> {
    let account = arn.strip_prefix("arn:")?.split(':').nth(3)?;
    is_account(account).then_some(account)
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|digit| digit.is_ascii_digit())
}

fn region_of_environment() -> Option<String> {
    ["AWS_REGION", "AWS_DEFAULT_REGION"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|region| !region.is_empty()))
}

impl Settings for Config {
    fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    fn check_reading(&self, mistakes: &mut Mistakes) {
        if self.sources.is_empty() {
            mistakes.add("sources", "must name at least one cluster (or give `--cluster`)");
        }
        for (index, source) in self.sources.iter().enumerate() {
            mistakes.within(&format!("sources[{index}]"), |mistakes| {
                source.check(mistakes);
                if source.region.is_none() && self.region.is_none() && region_of_environment().is_none() {
                    mistakes.add("region", "must be given here, as `region`, or as AWS_REGION");
                }
            });
        }
        let mut units: Vec<String> = self.logs().into_iter().map(|log| log.unit).collect();
        units.sort_unstable();
        let twice = units.iter().zip(units.iter().skip(1)).find(|(one, next)| one == next);
        if let Some((unit, _)) = twice {
            mistakes.add("sources", format!("`{unit}` is read twice"));
        }
    }
}

impl Check for Config {
    fn check(&self, mistakes: &mut Mistakes) {
        config::check(self, &self.receiver, mistakes);
        if !(0.05..=100.0).contains(&self.requests_per_second) {
            mistakes.add("requests_per_second", "must lie between 0.05 and 100");
        }
        config::check_sweeping(&self.plan(false), &self.quarantine, mistakes);
    }
}

impl Check for Source {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.cluster().is_none() {
            mistakes.add("cluster", "must be given unless `log_group` is `/aws/eks/CLUSTER/cluster`");
        }
        if self.account.as_deref().is_some_and(|account| !is_account(account)) {
            mistakes.add("account", "must be twelve digits");
        }
        if self.role.as_deref().is_some_and(|role| account_of(role).is_none()) {
            mistakes.add("role", "must be the ARN of a role such as `arn:aws:iam::111122223333:role/NAME`");
        }
        if self.external_id.is_some() && self.role.is_none() {
            mistakes.add("external_id", "is only for a `role` to assume");
        }
    }
}

//! What stands between a configuration and a running bridge.

mod pubsub;

use std::io::Write;

use audit_bridge::check::{self, Finding, Outcome, Report};
use audit_bridge::deliver::HttpReceiver;
use audit_bridge::sweep::driver::ReadFailed;
use audit_bridge::time::Time;
use audit_service::config::Span;
use audit_service::exit::chain;

use crate::NAME;
use crate::config::{Config, Source};
use crate::source::{Google, REQUESTS_A_MINUTE};

/// How far back to look for entries.
const LOOK_BACK: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// Checks everything, printing as it goes; the worst of it.
///
/// # Errors
/// When the report can't be printed.
pub async fn run<W: Write>(
    config: &Config,
    google: &Google,
    receiver: &HttpReceiver,
    offline: bool,
    report: &mut Report<W>,
) -> std::io::Result<Outcome> {
    let (sources, subscriptions) = (config.sources(), &config.subscriptions);
    let found = format!("{} source(s) and {} subscription(s) to read", sources.len(), subscriptions.len());
    report.add(&Finding::ok("configuration", found))?;
    if !sources.is_empty() {
        report.add(&quota(config, &sources))?;
    }
    if let Some(unusable) = check::place(&config.checkpoint) {
        report.add(&unusable)?;
    }
    if offline {
        return Ok(report.worst());
    }
    report.add(&credentials(google).await)?;
    let mut units = Vec::new();
    for source in sources {
        match google.metadata.complete(source).await {
            Ok(source) => {
                units.push(source.unit());
                for log in &source.logs {
                    report.add(&log_entries(google, &source, log).await)?;
                }
            }
            Err(unknown) => {
                let hint = "name `project`, `location` and `cluster` of the source";
                report.add(&Finding::fail("source", chain(&unknown), hint))?;
            }
        }
    }
    for subscription in subscriptions {
        for finding in pubsub::findings(google, &subscription.name).await {
            report.add(&finding)?;
        }
    }
    if !units.is_empty() {
        let units = units.iter().map(String::as_str);
        report.add(&check::checkpoints(&config.checkpoint, units, config.from).await)?;
    }
    report.add(&check::receiver("receiver", receiver, &check::canary(NAME, Time::of_machine())).await)?;
    Ok(report.worst())
}

/// What polling costs while there is nothing to read.
fn quota(config: &Config, sources: &[Source]) -> Finding {
    let mut projects: Vec<Option<&str>> = sources.iter().map(|source| source.project.as_deref()).collect();
    projects.sort_unstable();
    let busiest = projects.chunk_by(|one, other| one == other).map(<[_]>::len).max().unwrap_or(0);
    let each = 60.0 * config.sweeps.requests_per_second(config.poll_interval.0);
    let idle = each * busiest as f64;
    let found =
        format!("about {idle:.0} of a project's {REQUESTS_A_MINUTE:.0} read requests a minute when idle");
    if idle <= config.requests_per_minute {
        return Finding::ok("quota", found);
    }
    let hint = "raise `poll_interval`, or read all clusters of a project as one source with `cluster: \"*\"`";
    Finding::warn("quota", found, hint)
}

async fn credentials(google: &Google) -> Finding {
    match google.credentials.token().await {
        Ok(Some(_)) => Finding::ok("credentials", "an access token was issued"),
        Ok(None) => Finding::warn("credentials", "anonymous", "this is for emulators only"),
        Err(error) => {
            let hint = "bind the Kubernetes service account to one of Google Cloud (Workload Identity), or name a file \
                        in GOOGLE_APPLICATION_CREDENTIALS";
            Finding::fail("credentials", chain(&error), hint)
        }
    }
}

/// Whether there are entries in one log of the source, and how old the newest is.
async fn log_entries(google: &Google, source: &Source, log: &str) -> Finding {
    let source = Source { logs: vec![log.to_owned()], excludes: Vec::new(), ..source.clone() };
    let name = format!("{} {log}", source.unit());
    let now = Time::of_machine();
    match google.log(&source).newest(now.minus(LOOK_BACK)).await {
        Ok(Some(time)) => {
            let age = Span(std::time::Duration::from_secs(now.since(time).as_secs()));
            Finding::ok(name, format!("the newest entry is {age} old"))
        }
        Ok(None) if log == "data_access" => Finding::warn(
            name,
            "no entry within a day: nobody sees who reads secrets",
            "turn on Data Access audit logs of `k8s.io` for the project (they are billed), and grant \
             `roles/logging.privateLogViewer`; or leave `data_access` out of `logs`",
        ),
        Ok(None) => Finding::fail(
            name,
            "no entry within a day",
            "check project, location and cluster: a running cluster writes all the time",
        ),
        Err(ReadFailed::Throttled(reason)) => {
            Finding::warn(name, reason, "other readers use the project's quota; raise `poll_interval`")
        }
        Err(ReadFailed::Refused(reason)) => {
            let grant = format!(
                "gcloud projects add-iam-policy-binding {} --role roles/logging.privateLogViewer --member ...",
                source.project.as_deref().unwrap_or("PROJECT")
            );
            Finding::fail(name, reason, grant)
        }
        Err(failed) => Finding::fail(name, failed.to_string(), "check the network and `endpoint_url`"),
    }
}

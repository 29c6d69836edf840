//! `check`: what stands between this configuration and a running bridge.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use audit_bridge::check::{self, Finding, Outcome, Report};
use audit_bridge::deliver::HttpReceiver;
use audit_bridge::sweep::Request;
use audit_bridge::sweep::driver::{Page, ReadFailed, TimedLog};
use audit_bridge::time::Time;
use audit_bridge::{Convert, Converted, Record};
use audit_service::config::Span;
use tokio::time::sleep;

use crate::NAME;
use crate::config::{Config, Log};
use crate::convert::Cluster;
use crate::source::{self, AuditLog};

/// How far back to look for the newest event, in seconds: what happened just now may not be readable yet.
const LOOK_BACK: [u64; 5] = [15, 60, 300, 3600, 24 * 3600];

/// Checks everything, printing as it goes; the worst of it.
///
/// # Errors
/// When the report can't be printed.
pub async fn run<W: Write>(
    config: &Config,
    receiver: &HttpReceiver,
    offline: bool,
    report: &mut Report<W>,
) -> std::io::Result<Outcome> {
    let logs = config.logs();
    report.add(&Finding::ok("configuration", format!("{} log(s) to read", logs.len())))?;
    for quota in quotas(config, &logs) {
        report.add(&quota)?;
    }
    if let Some(unusable) = check::place(&config.checkpoint) {
        report.add(&unusable)?;
    }
    if offline {
        return Ok(report.worst());
    }
    for log in &logs {
        check_log(config, log, receiver, report).await?;
    }
    let units = logs.iter().map(|log| log.unit.as_str());
    report.add(&check::checkpoints(&config.checkpoint, units, config.from).await)?;
    Ok(report.worst())
}

/// What an account gives in a region to all readers of its logs together; not raisable (CloudWatch Logs quotas).
const ACCOUNT_QUOTA: f64 = 5.0;

/// For each account and region, as far as the configuration tells them apart, what idle logs take of its quota.
fn quotas(config: &Config, logs: &[Log]) -> Vec<Finding> {
    let mut readers: BTreeMap<String, usize> = BTreeMap::new();
    for log in logs {
        let place = match (&log.account, &log.role) {
            (Some(account), _) => format!("{account} {}", log.region),
            (None, Some((role, _))) => format!("{} {}", role.split(':').nth(4).unwrap_or(role), log.region),
            (None, None) => log.region.clone(),
        };
        *readers.entry(place).or_default() += 1;
    }
    let each = config.sweeps.requests_per_second(config.poll_interval.0);
    let finding = |(place, count): (String, usize)| {
        let (name, needed) = (format!("quota of {place}"), each * count as f64);
        let budget = config.requests_per_second;
        let found = format!(
            "{count} idle log(s) take {needed:.2} of {budget} requests/s that this bridge may make; \
             the account has {ACCOUNT_QUOTA} for all readers"
        );
        if budget > ACCOUNT_QUOTA {
            Finding::warn(
                name,
                found,
                "lower `requests_per_second`: other readers would be throttled with this one",
            )
        } else if needed > budget {
            Finding::fail(
                name,
                found,
                "raise `poll_interval`, or `requests_per_second` if nobody else reads there",
            )
        } else if needed > budget / 2.0 {
            Finding::warn(name, found, "little is left for a backlog: raise `poll_interval`")
        } else {
            Finding::ok(name, found)
        }
    };
    readers.into_iter().map(finding).collect()
}

async fn check_log<W: Write>(
    config: &Config,
    log: &Log,
    receiver: &HttpReceiver,
    report: &mut Report<W>,
) -> std::io::Result<()> {
    let endpoint_url = config.endpoint_url.as_deref();
    let name = format!("{}: credentials", log.unit);
    let mut log = log.clone();
    match source::identity(&log, endpoint_url).await {
        Ok(identity) => {
            report.add(&Finding::ok(name, identity.arn))?;
            log.account.get_or_insert(identity.account);
            let reader = AuditLog::open(log.clone(), config.endpoint_url.clone()).await;
            for finding in check_log_group(&log, &reader).await {
                report.add(&finding)?;
            }
        }
        Err(failed) => report.add(&fail(name, &failed))?,
    }
    report.add(&check_receiver(&log, receiver).await)
}

/// The newest events of the last seconds, else of the last minute, and so on to the last day; and the clock, if it is off.
async fn check_log_group(log: &Log, reader: &AuditLog) -> Vec<Finding> {
    let name = format!("{}: audit log", log.unit);
    let mut findings = Vec::new();
    let mut now = Time::of_machine();
    let mut spans = LOOK_BACK.map(Duration::from_secs).into_iter().peekable();
    while let Some(back) = spans.peek().copied() {
        let page = match first_page(reader, now.minus(back), now).await {
            Ok(page) => page,
            Err(failed) => {
                findings.push(fail(name, &failed));
                return findings;
            }
        };
        if let Some(served) = page.served
            && findings.is_empty()
            && let Some(off) = clock(log, now, served)
        {
            findings.push(off);
            now = served;
            continue;
        }
        spans.next();
        if let Some(found) = newest(&page, now.minus(back), back, now) {
            findings.push(Finding::ok(name, found));
            return findings;
        }
    }
    findings.push(silent(name, log));
    findings
}

/// That this machine's clock, which says `here`, is off.
fn clock(log: &Log, here: Time, served: Time) -> Option<Finding> {
    const SLACK: Duration = Duration::from_secs(60);
    let (off, side) =
        if served > here { (served.since(here), "behind") } else { (here.since(served), "ahead of") };
    let minutes = Span(Duration::from_secs((off.as_secs() + 30) / 60 * 60));
    (off > SLACK).then(|| {
        Finding::warn(
            format!("{}: clock", log.unit),
            format!("this machine's clock is {minutes} {side} CloudWatch's"),
            "set it, by NTP: the bridge reads by CloudWatch's clock, but judges by this one when credentials expire",
        )
    })
}

/// What a first page says about the log.
fn newest(page: &Page, from: Time, back: Duration, now: Time) -> Option<String> {
    let audit =
        page.found.iter().filter(|found| found.record.origin.starts_with(crate::convert::AUDIT_STREAMS));
    let (mut count, mut bytes, mut newest) = (0_u64, 0_u64, None);
    for found in audit {
        count += 1;
        bytes += found.record.text.len() as u64;
        newest = newest.max(Some(found.time));
    }
    let newest = newest?;
    // The page may be the first of many, and the last events of the span not be readable yet.
    let over = if page.token.is_some() { newest.since(from) } else { newest.since(from).max(back / 2) };
    let seconds = over.as_secs_f64().max(1.0);
    let rate = count as f64 / seconds;
    let per_day = bytes as f64 / seconds * 86_400.0 / 1e9;
    let age = Span(Duration::from_secs(now.since(newest).as_secs()));
    let most = if page.token.is_some() { "at most " } else { "" };
    Some(format!(
        "logs:FilterLogEvents is permitted; newest audit event {most}{age} old, about {rate:.1} events/s, {per_day:.2} GB/day"
    ))
}

/// That there is nothing: an API server with an audit log writes something every second.
fn silent(name: String, log: &Log) -> Finding {
    Finding::fail(
        name,
        "readable, but without an audit event in the last day: audit logging is off, or was turned on just now",
        format!("turn it on: {}", source::audit_logging(log)),
    )
}

/// The first page of a slice that holds a record, or its last page.
async fn first_page(reader: &AuditLog, from: Time, to: Time) -> Result<Page, ReadFailed> {
    const MOST_PAGES: u32 = 20;
    let mut request = Request::of_slice(from, to);
    for _ in 0..MOST_PAGES {
        let page = read_patiently(reader, &request).await?;
        if !page.found.is_empty() || page.token.is_none() {
            return Ok(page);
        }
        request.token = page.token;
    }
    Ok(Page { found: Vec::new(), token: None, served: None })
}

/// Tries again what may pass by itself: another reader's burst, or a signature made by a clock that is off.
async fn read_patiently(reader: &AuditLog, request: &Request) -> Result<Page, ReadFailed> {
    for _ in 0..2 {
        match reader.read(request).await {
            Err(ReadFailed::Throttled(_) | ReadFailed::Unavailable(_)) => sleep(Duration::from_secs(1)).await,
            answer => return answer,
        }
    }
    reader.read(request).await
}

/// Sends an event of our own, as the cluster whose log this is.
async fn check_receiver(log: &Log, receiver: &HttpReceiver) -> Finding {
    let name = format!("{}: receiver", log.unit);
    let canary = Record::bare(check::canary(NAME, Time::of_machine()));
    match Cluster::of(log, None).convert(&canary).pop() {
        Some(Converted::Event(event)) => check::receiver(name, receiver, &event).await,
        _ => Finding::fail(name, "no canary event", "this is a bug"),
    }
}

/// The text of a failure is what was found and, behind the last semicolon, what mends it.
fn fail(name: String, failed: &ReadFailed) -> Finding {
    let text = failed.to_string();
    match text.split_once("; ") {
        Some((found, hint)) => Finding::fail(name, found, hint),
        None => Finding::fail(name, text, "try again; if it stays so, check the network and the endpoint"),
    }
}

#[cfg(test)]
mod tests {
    use audit_bridge::check::Outcome;

    use super::*;
    use crate::config::Source;

    #[test]
    fn quotas_are_told_by_account_and_region() {
        let source = |region: &str, account: &str| Source {
            cluster: Some(format!("{account}-{region}")),
            region: Some(region.to_owned()),
            account: Some(account.to_owned()),
            ..Source::default()
        };
        let mut config = Config { sources: vec![source("r1", "1"), source("r2", "1")], ..Config::default() };
        let outcomes = |config: &Config| -> Vec<Outcome> {
            quotas(config, &config.logs()).iter().map(|finding| finding.outcome).collect()
        };
        assert_eq!(outcomes(&config), [Outcome::Ok, Outcome::Ok]);
        config
            .sources
            .extend((0..5).map(|number| Source { cluster: Some(format!("c{number}")), ..source("r1", "1") }));
        assert_eq!(outcomes(&config), [Outcome::Warn, Outcome::Ok]);
        config.requests_per_second = 1.0;
        assert_eq!(outcomes(&config), [Outcome::Fail, Outcome::Ok]);
        config.requests_per_second = 10.0;
        assert_eq!(outcomes(&config), [Outcome::Warn, Outcome::Warn]);
    }
}

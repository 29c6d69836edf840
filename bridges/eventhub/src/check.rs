//! `check`: what stands between this configuration and a running bridge.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::time::Duration;

use audit_bridge::check::{self as probes, Finding, Outcome, Report};
use audit_bridge::checkpoint;
use audit_bridge::deliver::HttpReceiver;
use audit_bridge::time::Time;
use audit_bridge::{Convert, Converted, Record};
use audit_service::config::Span;
use audit_service::exit::chain;

use crate::amqp::{Condition, PartitionProperties, Received, Start};
use crate::config::{Config, Target};
use crate::convert::{self, Diagnostics};
use crate::hub::{Hub, Settings, Unavailable};
use crate::source::Position;
use crate::{NAME, run};

mod categories;

/// So many messages of a partition are looked into, from the newest back.
const SAMPLE: i64 = 20;
/// In so many partitions.
const PARTITIONS: usize = 4;
/// How long to wait for them.
const PATIENCE: Duration = Duration::from_secs(10);

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
    let target = match config.target() {
        Ok(target) => target,
        Err(unusable) => {
            report.add(&Finding::fail("configuration", chain(&unusable), "mend the file or the variable"))?;
            return Ok(report.worst());
        }
    };
    let group = &config.consumer_group;
    let found =
        format!("event hub `{}` of `{}`, consumer group `{group}`", target.hub, target.endpoint.namespace);
    report.add(&Finding::ok("configuration", found))?;
    if let Some(unusable) = probes::place(&config.checkpoint) {
        report.add(&unusable)?;
    }
    if offline {
        return Ok(report.worst());
    }
    // Without an owner level nobody's links are taken, those of a running bridge least of all.
    let settings = Settings { epoch: None, ..run::settings(config, &target) };
    let hub = Hub::new(settings, target.credentials.clone());
    let resource = check_hub(config, &target, &hub, report).await?;
    hub.close().await;
    report.add(&check_receiver(receiver, resource.as_deref()).await)?;
    Ok(report.worst())
}

/// Credentials, the hub and what is in it; the resource id of a cluster that was seen.
async fn check_hub<W: Write>(
    config: &Config,
    target: &Target,
    hub: &Hub,
    report: &mut Report<W>,
) -> std::io::Result<Option<String>> {
    match target.credentials.token(&format!("amqps://{}/{}", target.endpoint.namespace, target.hub)).await {
        Ok(_) => report.add(&Finding::ok("credentials", target.credentials.who()))?,
        Err(problem) => {
            report.add(&Finding::fail(
                "credentials",
                chain(&problem),
                "see what the answer says about it",
            ))?;
            return Ok(None);
        }
    }
    let ids = match hub.partitions().await {
        Ok(ids) => ids,
        Err(problem) => {
            report.add(&fail("event hub", hub, &problem))?;
            return Ok(None);
        }
    };
    let mut partitions = Vec::new();
    for id in ids {
        match hub.partition(&id).await {
            Ok(properties) => partitions.push((id, properties)),
            Err(problem) => {
                report.add(&fail("event hub", hub, &problem))?;
                return Ok(None);
            }
        }
    }
    report.add(&check_newest(&partitions))?;
    check_lag(config, target, &partitions, report).await?;
    check_categories(hub, &partitions, report).await
}

fn check_newest(partitions: &[(String, PartitionProperties)]) -> Finding {
    let found = format!("{} partitions", partitions.len());
    let filled = partitions.iter().filter(|(_, properties)| !properties.is_empty);
    match filled.filter_map(|(_, properties)| properties.last_enqueued).max() {
        Some(newest) => {
            let age = Time::of_machine().since(Time::from_millis(newest.as_milliseconds()));
            let age = Duration::from_secs(age.as_secs());
            let found = format!("{found}, the newest message is {} old", Span(age));
            if age < Duration::from_secs(3600) {
                Finding::ok("event hub", found)
            } else {
                Finding::warn("event hub", found, "is the cluster's diagnostic setting still there?")
            }
        }
        None => Finding::warn(
            "event hub",
            format!("{found}, all empty"),
            "send the cluster's audit log here: az monitor diagnostic-settings create --resource CLUSTER_ID --name audit \
             --event-hub NAME --event-hub-rule RULE_ID --logs '[{\"category\":\"kube-audit\",\"enabled\":true}]'",
        ),
    }
}

/// How far this bridge is behind, by its checkpoints.
async fn check_lag<W: Write>(
    config: &Config,
    target: &Target,
    partitions: &[(String, PartitionProperties)],
    report: &mut Report<W>,
) -> std::io::Result<()> {
    let name = |id: &String| run::unit(target, &config.consumer_group, id);
    let units: Vec<String> = partitions.iter().map(|(id, _)| name(id)).collect();
    report
        .add(&probes::checkpoints(&config.checkpoint, units.iter().map(String::as_str), config.from).await)?;
    let Ok(store) = checkpoint::open(&config.checkpoint) else { return Ok(()) };
    let (mut lag, mut known, mut behind) = (0, false, Vec::new());
    for (id, properties) in partitions {
        let Ok(Some((document, _))) = store.load(&name(id)).await else { continue };
        let position: Position = serde_json::from_value(document.position).unwrap_or_default();
        let Some(sequence) = position.sequence else { continue };
        let wait = (properties.last - sequence.max(properties.first - 1)).max(0);
        lag += wait;
        known = true;
        if wait > 0 {
            behind.push(format!("{wait} in partition {id}"));
        }
    }
    if known {
        let each = if behind.is_empty() { String::new() } else { format!(": {}", behind.join(", ")) };
        report.add(&Finding::ok("lag", format!("{lag} messages wait to be read{each}")))?;
    }
    Ok(())
}

/// What the newest messages are about.
#[derive(Debug, Default)]
struct Seen {
    categories: BTreeMap<String, usize>,
    clusters: BTreeSet<String>,
    resource: Option<String>,
}

async fn check_categories<W: Write>(
    hub: &Hub,
    partitions: &[(String, PartitionProperties)],
    report: &mut Report<W>,
) -> std::io::Result<Option<String>> {
    let mut filled: Vec<_> = partitions.iter().filter(|(_, properties)| !properties.is_empty).collect();
    if filled.is_empty()
        && let Some((id, _)) = partitions.first()
    {
        // Nothing to look into; that the consumer group may be read can be seen all the same.
        match hub.attach(id, &Start::Latest).await {
            Ok((link, _)) => link.close().await,
            Err(problem) => report.add(&fail("consumer group", hub, &problem))?,
        }
    }
    filled.sort_by_key(|(_, properties)| std::cmp::Reverse(properties.last_enqueued));
    let mut seen = Seen::default();
    for (id, properties) in filled.into_iter().take(PARTITIONS) {
        let read = sample(hub, id, properties, &mut seen).await;
        match read {
            Ok(()) => {}
            Err(problem) if problem.kind() == Condition::Stolen.as_str() => {
                let group = &hub.settings().group;
                report.add(&Finding::warn(
                    "categories",
                    format!("the consumer group `{group}` is being read, so nothing was looked into"),
                    "if that is not this bridge, give each tool a consumer group of its own",
                ))?;
                return Ok(None);
            }
            Err(problem) => {
                report.add(&fail("consumer group", hub, &problem))?;
                return Ok(None);
            }
        }
    }
    if !seen.categories.is_empty() {
        let clusters: Vec<&str> = seen.clusters.iter().map(String::as_str).collect();
        let clusters = if clusters.is_empty() { "of no cluster".to_owned() } else { clusters.join(", ") };
        report.add(&categories::finding(&seen.categories, &clusters))?;
    }
    Ok(seen.resource)
}

/// Looks into the newest messages of a partition.
async fn sample(
    hub: &Hub,
    id: &str,
    properties: &PartitionProperties,
    seen: &mut Seen,
) -> Result<(), Unavailable> {
    let before = (properties.last - SAMPLE).max(properties.first - 1);
    let start = if before < 0 { Start::Earliest } else { Start::BehindSequence(before) };
    let (mut link, _) = hub.attach(id, &start).await?;
    link.allow(u32::try_from(SAMPLE).unwrap_or(1)).await?;
    let read = async {
        loop {
            let Received::Message(message) = link.next().await? else { continue };
            for record in convert::look(&audit_event::payload::text(&message.body)) {
                *seen.categories.entry(record.category).or_default() += 1;
                if let Some(cluster) = record.cluster {
                    seen.clusters.insert(cluster.name);
                    seen.resource.get_or_insert(cluster.id);
                }
            }
            if message.sequence >= properties.last {
                return Ok(());
            }
        }
    };
    // A partition that is slow says nothing about its categories.
    let read = tokio::time::timeout(PATIENCE, read).await.unwrap_or(Ok(()));
    link.close().await;
    read
}

/// Sends an event of our own, as a cluster that was seen.
async fn check_receiver(receiver: &HttpReceiver, resource: Option<&str>) -> Finding {
    let canary = probes::canary(NAME, Time::of_machine());
    let record = serde_json::json!({
        "category": "kube-audit",
        "resourceId": resource,
        "properties": {"log": canary},
    });
    match Diagnostics.convert(&Record::bare(record.to_string())).pop() {
        Some(Converted::Event(event)) => probes::receiver("receiver", receiver, &event).await,
        _ => Finding::fail("receiver", "no canary event", "this is a bug"),
    }
}

fn fail(name: &str, hub: &Hub, problem: &Unavailable) -> Finding {
    let hint = hub.hint(problem);
    let usual = "check the network: AMQP needs port 5671 open, or set `transport: websocket` for port 443";
    Finding::fail(name, problem.to_string(), hint.as_deref().unwrap_or(usual))
}

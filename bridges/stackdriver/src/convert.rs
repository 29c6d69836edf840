//! From a log entry to the event that the API server would have sent. Pure: bytes in, bytes out.

use std::borrow::Cow;

use audit_bridge::{Convert, Record};
use audit_event::Timestamp;
use audit_event::json::{Kind, Malformed, Raw};

use entry::{Entry, Payload, text};
use status::Status;
use target::Target;
use write::Object;

mod entry;
mod status;
mod target;
#[cfg(test)]
mod tests;
mod uri;
mod write;

/// The annotation with the cluster's name, which `ka.cluster.name` reads.
pub const CLUSTER_NAME: &str = "cluster_name";
/// The annotation with the cluster's identity: `project/location/name`.
pub const CLUSTER_ID: &str = "cluster_id";
/// The annotation that lists the fields which are rebuilt rather than observed, separated by commas.
pub const INFERRED: &str = "kube-audit-bridge/inferred";
/// The annotation with the time at which Cloud Logging received the entry.
pub const RECEIVED: &str = "kube-audit-bridge/receive-timestamp";
/// The annotation `part/parts` of an entry that Cloud Logging has split for its size: the event is incomplete.
pub const SPLIT: &str = "kube-audit-bridge/split";

const OURS: [&str; 5] = [CLUSTER_NAME, CLUSTER_ID, INFERRED, RECEIVED, SPLIT];

/// What a record turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Converted {
    /// One `audit.k8s.io/v1` event as JSON, on one line.
    Event(String),
    /// No entry of a Kubernetes audit log: to be counted.
    Ignored(NotAudit),
}

/// Why a log entry is none of ours.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAudit {
    /// An audit log entry of another service, as `container.googleapis.com` for the cluster's management.
    #[error("audit log of another service, `{0}`")]
    OtherService(String),
    /// An entry of a log that is no audit log.
    #[error("no audit log entry")]
    OtherLog,
}

/// Why an entry of a Kubernetes audit log can't become an event: to be quarantined with the reason.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unconvertible {
    /// The record is no JSON value, or more than one.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The record is JSON, but no object.
    #[error("a log entry must be a JSON object")]
    NotAnObject,
    /// The string `AuditPayload` of a `logfile` line holds no JSON.
    #[error("`AuditPayload` must hold JSON: {0}")]
    SavedPayload(Malformed),
    /// An audit log entry without its payload.
    #[error("an audit log entry must have an object `protoPayload`")]
    NoPayload,
    /// Without a method there is no verb and no service.
    #[error("`protoPayload` must have a `{0}`")]
    NoField(&'static str),
    /// An event's time is its `timestamp`; without one it can't be placed.
    #[error("`timestamp` must be an RFC 3339 time, found `{0}`")]
    Timestamp(String),
}

/// Log entries as records: what [`convert()`] makes of each.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogEntries;

impl Convert for LogEntries {
    /// In the answer of `entries:list`.
    const LIST: &str = "entries";

    fn convert(&self, record: &Record) -> Vec<audit_bridge::Converted> {
        vec![match convert(&record.text) {
            Ok(Converted::Event(event)) => audit_bridge::Converted::Event(event),
            Ok(Converted::Ignored(reason)) => audit_bridge::Converted::Ignored(reason.to_string()),
            Err(reason) => audit_bridge::Converted::Quarantined {
                reason: reason.to_string(),
                record: record.text.clone(),
            },
        }]
    }
}

/// Converts one record: a `LogEntry` as `entries:list` and Pub/Sub give it, or a line of the `logfile` that
/// stackdriver-webhook-bridge writes.
pub fn convert(record: &str) -> Result<Converted, Unconvertible> {
    let record = Raw::parse(record)?;
    if record.kind() != Kind::Object {
        return Err(Unconvertible::NotAnObject);
    }
    let entry = Entry::read(record);
    let (Some(saved), Some(payload)) = entry.saved else { return convert_entry(&entry) };
    let payload = payload.string().unwrap_or_default();
    let payload = Raw::parse(&payload).map_err(Unconvertible::SavedPayload)?;
    convert_entry(&Entry { payload: Some(payload), ..Entry::read(saved) })
}

fn convert_entry(entry: &Entry<'_>) -> Result<Converted, Unconvertible> {
    let Some(payload) = entry.payload.filter(|payload| payload.kind() == Kind::Object) else {
        return match entry.is_audit_log() {
            true => Err(Unconvertible::NoPayload),
            false => Ok(Converted::Ignored(NotAudit::OtherLog)),
        };
    };
    let payload = Payload::read(payload);
    let service = text(payload.service).ok_or(Unconvertible::NoField("serviceName"))?;
    if service != "k8s.io" {
        return Ok(Converted::Ignored(NotAudit::OtherService(service.into_owned())));
    }
    let method = text(payload.method).ok_or(Unconvertible::NoField("methodName"))?;
    let resource = text(payload.resource).unwrap_or_default();
    let time = time(entry)?;
    Ok(Converted::Event(write(entry, &payload, &Target::read(&method, &resource), &time)))
}

fn time<'a>(entry: &Entry<'a>) -> Result<Cow<'a, str>, Unconvertible> {
    let time = text(entry.timestamp).unwrap_or_default();
    match Timestamp::parse(&time) {
        Some(_) => Ok(time),
        None => Err(Unconvertible::Timestamp(time.chars().take(64).collect())),
    }
}

fn write(entry: &Entry<'_>, payload: &Payload<'_>, target: &Target<'_>, time: &str) -> String {
    let mut out = String::with_capacity(4096);
    let mut event = Object::open(&mut out);
    let mut inferred = vec!["level", "requestReceivedTimestamp"];
    event.text("kind", "Event");
    event.text("apiVersion", "audit.k8s.io/v1");
    event.text("level", level(payload));
    event.text_if("auditID", entry.audit_id());
    event.text("stage", if entry.bounds() == (true, false) { "ResponseStarted" } else { "ResponseComplete" });
    if !target.path.is_empty() {
        let command = entry.label("command.gke.io/command");
        let dry_run = matches!(entry.label("command.gke.io/dryRun").as_deref(), Some("All" | "true"));
        let query = target.query(command.as_deref(), dry_run);
        event.text("requestURI", &format!("{}{}", target.path, query.as_str()));
        inferred.push("requestURI");
    }
    event.text("verb", target.verb);
    event.object("user").text_if("username", payload.user());
    if let Some(name) = payload.impersonated_user() {
        event.object("impersonatedUser").text("username", &name);
    }
    if let Some(metadata) = payload.metadata {
        if let Some(address) = text(metadata.get("callerIp")) {
            event.texts("sourceIPs", &[&address]);
        }
        event.text_if("userAgent", text(metadata.get("callerSuppliedUserAgent")));
    }
    if let Some(object) = &target.object {
        let mut reference = event.object("objectRef");
        reference.text("resource", object.resource);
        reference.text_if("namespace", object.namespace);
        reference.text_if("name", object.name);
        reference.text_if("apiGroup", object.group);
        reference.text("apiVersion", object.version);
        reference.text_if("subresource", object.subresource);
    }
    let forbidden = entry.label("authorization.k8s.io/decision").as_deref() == Some("forbid");
    Status::read(payload, target, forbidden).write(&mut event.object("responseStatus"), &mut inferred);
    for (key, body) in [("requestObject", payload.request), ("responseObject", payload.response)] {
        if let Some(body) = body {
            write_body(&mut event, key, body);
        }
    }
    event.text("requestReceivedTimestamp", time);
    event.text("stageTimestamp", time);
    write_annotations(&mut event.object("annotations"), entry, &inferred);
    if !payload.rest.is_empty() {
        let mut rest = event.object("protoPayload");
        payload.rest.iter().for_each(|(key, value)| rest.member(*key, *value));
    }
    drop(event);
    out
}

/// The least level at which the API server records what is there.
fn level(payload: &Payload<'_>) -> &'static str {
    match (payload.request, payload.response) {
        (_, Some(_)) => "RequestResponse",
        (Some(_), None) => "Request",
        (None, None) => "Metadata",
    }
}

/// A body without the type that protobuf has put into it.
fn write_body(event: &mut Object<'_>, key: &str, body: Raw<'_>) {
    if body.kind() != Kind::Object {
        return event.raw(key, body);
    }
    let mut object = event.object(key);
    body.members().filter(|(key, _)| !key.is("@type")).for_each(|(key, value)| object.member(key, value));
}

fn write_annotations(annotations: &mut Object<'_>, entry: &Entry<'_>, inferred: &[&str]) {
    for (key, value) in entry.labels() {
        if !OURS.iter().any(|ours| key.is(ours)) {
            annotations.member(key, value);
        }
    }
    let label = |key| text(entry.resource_labels.and_then(|labels| labels.get(key)));
    if let Some(name) = label("cluster_name") {
        annotations.text(CLUSTER_NAME, &name);
        if let (Some(project), Some(location)) = (label("project_id"), label("location")) {
            annotations.text(CLUSTER_ID, &format!("{project}/{location}/{name}"));
        }
    }
    annotations.text_if(RECEIVED, text(entry.receive_timestamp));
    if let Some(split) = entry.split {
        let number = |key| split.get(key).map_or("0", |value| value.text().trim_matches('"'));
        annotations.text(SPLIT, &format!("{}/{}", number("index"), number("totalSplits")));
    }
    annotations.text(INFERRED, &inferred.join(","));
}

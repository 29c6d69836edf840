//! From a message of a diagnostic setting to audit events. Pure; every record of a message becomes exactly one
//! [`Outcome`], so none is lost and none harms its neighbours.
//!
//! A message is `{"records":[...]}` (Azure Monitor) or one bare record. A record's `category` says which log it is of,
//! `properties.log` is a string that holds the audit event as kube-apiserver wrote it, with a newline, and `resourceId`
//! names the cluster.

use audit_bridge::time::Time;
use audit_bridge::{Convert, Converted, Record};
use audit_event::json::{Documents, Kind, Malformed, Raw};
use audit_event::salvage::elements_before_break;
use audit_event::{Cut, Event, Field, TRUNCATED, Timestamp, Unsalvageable, Unusable, salvage};

mod cluster;
#[cfg(test)]
mod tests;

pub use cluster::Cluster;

/// What stands in place of a body that comes near the column limit of Log Analytics, as a JSON string (since AKS release
/// 2022-08-14, Azure/AKS #3137).
const SKIPPED_BODY: &str = "\"skipped-too-big-size-object\"";

/// AKS cuts `properties.log` without a mark: at 16 KiB, the container runtime's longest line (Azure/AKS #4635), and
/// short of 32 KiB (Azure/AKS #4750).
const CUT: Cut = Cut { suffixes: &[], lengths: &[16_368..=16_385, 32_640..=32_769] };

/// What one record turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome<'a> {
    /// An audit event as JSON, annotated with its cluster.
    Event(String),
    /// No audit event: another log of the cluster, or of another resource that shares the hub.
    Ignored(NotAudit),
    /// Should have been an audit event: the record as it came, and why it is none.
    Quarantined(&'a str, Unreadable),
}

/// Why a record is none of ours.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotAudit {
    /// Another category of the same or of another resource.
    #[error("category `{0}` is no audit log")]
    Category(String),
    /// Metrics carry no category.
    #[error("no `category`")]
    NoCategory,
    /// An audit category with an object that is none of `audit.k8s.io`.
    #[error("`properties.log`: {0}")]
    Object(Unusable),
}

/// Why a record that should hold an audit event can't be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unreadable {
    /// The message is no JSON from there on.
    #[error(transparent)]
    Message(#[from] Malformed),
    /// A record is something else than an object.
    #[error("a record must be a JSON object")]
    NotAnObject,
    /// An audit category without the text of an event.
    #[error("`properties.log` must be a string")]
    NoLog,
    /// The text is no event, and no head of one.
    #[error("`properties.log`: {event}; not salvaged: {salvage}")]
    Log {
        /// Why it is no event.
        event: Unusable,
        /// Why it is no head of one.
        salvage: Unsalvageable,
    },
    /// The text was cut, and neither the record nor the message has a time to give its event.
    #[error("`properties.log` is cut, and the record has no readable `time`")]
    NoTime,
}

/// The conversion as the loop of all bridges takes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Diagnostics;

impl Convert for Diagnostics {
    const LIST: &str = "records";

    fn convert(&self, record: &Record) -> Vec<Converted> {
        let nanoseconds = |time: Time| i128::from(time.as_millis()) * 1_000_000;
        let enqueued = record.time.map(|time| Timestamp::from_nanoseconds(nanoseconds(time)));
        let converted = convert(&record.text, enqueued).into_iter().map(|outcome| match outcome {
            Outcome::Event(event) => Converted::Event(event),
            Outcome::Ignored(reason) => Converted::Ignored(reason.to_string()),
            Outcome::Quarantined(record, reason) => {
                Converted::Quarantined { reason: reason.to_string(), record: record.to_owned() }
            }
        });
        converted.collect()
    }
}

/// Converts one message. `enqueued` is when the hub took it: the time of a cut event whose record says none.
pub fn convert(message: &str, enqueued: Option<Timestamp>) -> Vec<Outcome<'_>> {
    let mut outcomes = Vec::new();
    for document in Documents::new(message) {
        match document {
            Ok(document) => match document.get("records") {
                Some(records) if records.kind() == Kind::Array => {
                    outcomes.extend(records.elements().map(|raw| record(raw, enqueued)));
                }
                _ => outcomes.push(record(document, enqueued)),
            },
            Err(malformed) => {
                let text = message.trim_start_matches('\u{feff}');
                let whole = elements_before_break(text, "records");
                outcomes.extend(whole.into_iter().map(|raw| record(raw, enqueued)));
                outcomes.push(Outcome::Quarantined(message, malformed.into()));
            }
        }
    }
    outcomes
}

/// Converts one record.
fn record(record: Raw<'_>, enqueued: Option<Timestamp>) -> Outcome<'_> {
    if record.kind() != Kind::Object {
        return Outcome::Quarantined(record.text(), Unreadable::NotAnObject);
    }
    match record.get("category").and_then(Raw::string) {
        Some(category) if is_audit(&category) => {}
        Some(category) => return Outcome::Ignored(NotAudit::Category(category.into_owned())),
        None => return Outcome::Ignored(NotAudit::NoCategory),
    }
    let Some(log) = record.at(&["properties", "log"]).and_then(Raw::string) else {
        return Outcome::Quarantined(record.text(), Unreadable::NoLog);
    };
    let cluster = record.get("resourceId").and_then(Raw::string).and_then(|id| Cluster::of(&id));
    let event = match Event::parse(&log) {
        Ok(event) => Ok(finished(&event, cluster.as_ref())),
        Err(reason @ Unusable::OtherKind { .. }) => return Outcome::Ignored(NotAudit::Object(reason)),
        Err(reason) => head(&log, record, enqueued, reason).and_then(|head| match Event::parse(&head) {
            Ok(event) => Ok(finished(&event, cluster.as_ref())),
            Err(event) => Err(Unreadable::Log { salvage: event.clone().into(), event }),
        }),
    };
    match event {
        Ok(event) => Outcome::Event(event),
        Err(reason) => Outcome::Quarantined(record.text(), reason),
    }
}

/// What a record is about, whatever its category.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct About {
    /// Its category, empty when it has none.
    pub category: String,
    /// The cluster, or other resource, that it is from.
    pub cluster: Option<Cluster>,
}

/// What the records of a message are about, as far as they can be read.
pub fn look(message: &str) -> Vec<About> {
    let about = |record: Raw<'_>| About {
        category: record.get("category").and_then(Raw::string).unwrap_or_default().into_owned(),
        cluster: record.get("resourceId").and_then(Raw::string).and_then(|id| Cluster::of(&id)),
    };
    let mut seen = Vec::new();
    for document in Documents::new(message).map_while(Result::ok) {
        match document.get("records") {
            Some(records) if records.kind() == Kind::Array => seen.extend(records.elements().map(about)),
            _ => seen.push(about(document)),
        }
    }
    seen
}

/// Whether the category is one of the two that carry audit events; `kube-audit-admin` is the one without get and list.
pub fn is_audit(category: &str) -> bool {
    matches!(category, "kube-audit" | "kube-audit-admin")
}

/// What is left of a cut event.
fn head(
    log: &str,
    record: Raw<'_>,
    enqueued: Option<Timestamp>,
    event: Unusable,
) -> Result<String, Unreadable> {
    let time = record.get("time").and_then(Raw::string).and_then(|time| Timestamp::parse(&time)).or(enqueued);
    let salvaged = salvage(log, &CUT, time.unwrap_or(Timestamp::from_nanoseconds(0)));
    match (salvaged, time) {
        (Ok(head), Some(_)) => Ok(head),
        (Ok(_), None) => Err(Unreadable::NoTime),
        (Err(salvage), _) => Err(Unreadable::Log { event, salvage }),
    }
}

/// The event with its cluster, and without the strings that stand for skipped bodies: a rule that walks into a body
/// would see an empty one, and take it for harmless.
fn finished(event: &Event<'_>, cluster: Option<&Cluster>) -> String {
    let mut annotations: Vec<(&str, &str)> = Vec::with_capacity(3);
    if let Some(cluster) = cluster {
        annotations.extend([("cluster_name", cluster.name.as_str()), ("cluster_id", cluster.id.as_str())]);
    }
    let mut out = String::with_capacity(event.raw().text().len() + 256);
    let skipped = |field| event.get(field).is_some_and(|body| body.text() == SKIPPED_BODY);
    if !skipped(Field::RequestObject) && !skipped(Field::ResponseObject) {
        event.write_annotated(&mut out, &annotations);
        return out;
    }
    annotations.push((TRUNCATED, "true"));
    let bodiless = without_skipped(event.raw());
    match Event::parse(&bodiless) {
        Ok(event) => event.write_annotated(&mut out, &annotations),
        Err(_) => event.write_annotated(&mut out, &annotations),
    }
    out
}

/// The object without the bodies that are only the mark of their absence.
fn without_skipped(event: Raw<'_>) -> String {
    let mut out = String::with_capacity(event.text().len());
    let mut separator = '{';
    for (key, value) in event.members() {
        let body = key.is("requestObject") || key.is("responseObject");
        if body && value.text() == SKIPPED_BODY {
            continue;
        }
        out.push(separator);
        separator = ',';
        out.extend(["\"", key.text(), "\":", value.text()]);
    }
    out.push('}');
    out
}

//! From a log record to an audit event. Pure.
//!
//! In the streams `kube-apiserver-audit-*` a record's message is one `audit.k8s.io/v1` Event, nothing around it. What is
//! longer than CloudWatch Logs allows arrives in pieces: a head that ends in `[Truncated...]`, and tails that begin in the
//! middle of something. A head is salvaged: who did what to which object stands in front.

#[cfg(test)]
mod tests;

use audit_bridge::time::Time;
use audit_bridge::{Convert, Converted, Record};
use audit_event::json::{Kind, Raw};
use audit_event::{Cut, Event, TRUNCATED, Timestamp, Unsalvageable, Unusable};

use crate::config::Log;

/// What the streams of the audit log begin with. `kube-apiserver-` alone is the API server's own log.
pub const AUDIT_STREAMS: &str = "kube-apiserver-audit-";

/// What the CloudWatch agent writes over the end of a message that is too long (aws/amazon-cloudwatch-agent
/// `plugins/inputs/logfile`, `defaultTruncateSuffix`).
pub const CUT_SUFFIX: &str = "[Truncated...]";

/// The signs of a cut: the agent's suffix, or a length at a limit of CloudWatch Logs for one event (256 KiB until April 2025,
/// then 1 MiB), of which the message has up to 200 bytes less.
const CUT: Cut =
    Cut { suffixes: &[CUT_SUFFIX], lengths: &[262_144 - 200..=262_144, 1_048_576 - 200..=1_048_576] };

/// The cluster whose events these are.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Cluster {
    /// The annotations that every event gets.
    annotations: Vec<(&'static str, String)>,
}

impl Cluster {
    /// A cluster of that name in that account and region.
    pub fn new(name: &str, region: &str, account: Option<&str>) -> Self {
        let mut annotations = vec![("cluster_name", name.to_owned())];
        if let Some(account) = account {
            let partition = partition(region);
            annotations
                .push(("cluster_id", format!("arn:{partition}:eks:{region}:{account}:cluster/{name}")));
        }
        Self { annotations }
    }

    /// The cluster of a configured log, its account known or not.
    pub fn of(log: &Log, account: Option<&str>) -> Self {
        Self::new(&log.cluster, &log.region, account.or(log.account.as_deref()))
    }

    fn event(&self, event: &Event<'_>) -> String {
        self.annotated(event, &[])
    }

    /// The same, marked as an event that may not be what it seems.
    fn marked(&self, event: &Event<'_>) -> String {
        self.annotated(event, &[(TRUNCATED, "true")])
    }

    fn annotated(&self, event: &Event<'_>, more: &[(&str, &str)]) -> String {
        let ours = self.annotations.iter().map(|(key, value)| (*key, value.as_str()));
        let annotations: Vec<(&str, &str)> = ours.chain(more.iter().copied()).collect();
        let mut text = String::with_capacity(event.raw().text().len() + 128);
        event.write_annotated(&mut text, &annotations);
        text
    }
}

/// The partition that a region belongs to.
pub fn partition(region: &str) -> &'static str {
    match region.split('-').next() {
        Some("cn") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ if region.starts_with("us-isob-") => "aws-iso-b",
        _ if region.starts_with("us-iso-") => "aws-iso",
        _ => "aws",
    }
}

impl Convert for Cluster {
    /// In the answers of `FilterLogEvents` and `GetLogEvents`.
    const LIST: &str = "events";

    /// A `FilteredLogEvent` as the API and `aws logs filter-log-events` give it, or a bare message.
    fn read(&self, line: &str) -> Record {
        filtered(line).unwrap_or_else(|| Record::bare(line))
    }

    fn convert(&self, record: &Record) -> Vec<Converted> {
        // Emulators ignore the filter by stream; an origin begins with the stream's name.
        if !record.origin.is_empty() && !record.origin.starts_with(AUDIT_STREAMS) {
            return vec![Converted::Ignored(format!("not of the audit log: `{}`", record.origin))];
        }
        let text = record.text.trim();
        let unusable = match Event::parse(text) {
            // Whoever sends what is longer than two pieces may make one of them, whole and in nobody's sight but ours.
            Ok(event) if CUT.has_length(&record.text) => return vec![Converted::Event(self.marked(&event))],
            Ok(event) => return vec![Converted::Event(self.event(&event))],
            Err(reason @ Unusable::OtherKind { .. }) => return vec![Converted::Ignored(reason.to_string())],
            Err(reason) => reason,
        };
        // Blanks count where the length is the evidence.
        vec![match self.salvaged(&record.text, record.time) {
            Ok(event) => Converted::Event(event),
            Err(lost) => Converted::Quarantined {
                reason: unreadable(record, &unusable, &lost),
                record: record.text.clone(),
            },
        }]
    }
}

impl Cluster {
    /// What is left of an event that was cut, marked as such.
    fn salvaged(&self, text: &str, time: Option<Time>) -> Result<String, Unsalvageable> {
        let time = time.ok_or(Unsalvageable::NoEvidence)?;
        let time = Timestamp::from_nanoseconds(i128::from(time.as_millis()) * 1_000_000);
        let head = audit_event::salvage(text, &CUT, time)?;
        Ok(self.event(&Event::parse(&head)?))
    }
}

/// Why a message of the audit log is no event: pieces of a cut one are told apart from everything else.
fn unreadable(record: &Record, reason: &Unusable, lost: &Unsalvageable) -> String {
    let text = record.text.trim();
    if record.time.is_some() && !text.starts_with('{') {
        "tail of an event that CloudWatch Logs cut: it does not begin with `{`".to_owned()
    } else if matches!(reason, Unusable::Malformed(at) if at.is_surplus()) {
        format!("tail of an event that CloudWatch Logs cut, at an object that stands within it: {reason}")
    } else if *lost == Unsalvageable::NoEvidence && !text.ends_with(CUT_SUFFIX) {
        reason.to_string()
    } else {
        format!("piece of an event that CloudWatch Logs cut: {lost}")
    }
}

fn filtered(line: &str) -> Option<Record> {
    let raw = Raw::parse(line).ok()?;
    if raw.kind() != Kind::Object || raw.get("kind").is_some() {
        return None;
    }
    let text = raw.get("message")?.string()?.into_owned();
    let field = |name| raw.get(name).and_then(Raw::string).unwrap_or_default();
    // `get-log-events` names no stream: what was asked for is known to be the audit log.
    let stream = field("logStreamName");
    let origin = if stream.is_empty() { String::new() } else { origin(&stream, &field("eventId")) };
    let time = raw.get("timestamp").and_then(|time| time.text().parse().ok()).map(Time::from_millis);
    Some(Record { origin, time, ..Record::bare(text) })
}

/// Where a record stood.
pub fn origin(stream: &str, id: &str) -> String {
    format!("{stream} {id}").trim().to_owned()
}

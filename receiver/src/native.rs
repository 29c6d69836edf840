//! Alerts that are the receiver's own: raised whatever rules are loaded, because they say where rules can't look.

use std::borrow::Cow;

use audit_event::{Field, TRUNCATED};
use audit_rules::Priority;
use jiff::Timestamp;
use serde_json::{Value as Json, json};
use uuid::Uuid;

use crate::evaluate::{Located, nanoseconds};
use crate::freshness::Known;
use crate::identity;
use crate::redact::Redact;
use crate::rules::{cut, subject};
use crate::store::{Alert, Quarantined, Subject};

/// An event lost its bodies or its end on its way, so rules that look there are blind.
pub const CUT_SHORT: &str = "Audit event cut short";

/// An entry can't be evaluated at all.
pub const UNREADABLE: &str = "Unreadable audit event";

/// More admission reviews came than could be evaluated.
pub const REVIEWS_LOST: &str = "Admission reviews lost";

/// A cluster has sent nothing for some time.
pub const SILENT: &str = "Cluster silent";

/// The disk of the store fills up.
pub const DISK_LOW: &str = "Disk low";

/// The rules files are unusable, and earlier rules stay in use.
pub const RULES_KEPT: &str = "Rules not loaded";

/// Somebody wants to know whether alerts arrive.
pub const TEST: &str = "Test of outputs";

/// The tag that all of them bear.
const TAG: &str = "audit_receiver";

/// All names that these alerts bear in the place of a rule's.
pub const NAMES: [&str; 7] = [CUT_SHORT, UNREADABLE, REVIEWS_LOST, SILENT, DISK_LOW, RULES_KEPT, TEST];

/// What an alert says, before it is one.
pub(crate) struct Saying<'a> {
    pub(crate) id: Uuid,
    /// Nanoseconds since 1970.
    pub(crate) time: i64,
    pub(crate) rule: &'a str,
    pub(crate) priority: Priority,
    pub(crate) cluster: &'a str,
    /// The name in the text, the key in `output_fields`, the value.
    pub(crate) fields: &'a [(&'static str, &'static str, Json)],
    pub(crate) audit_id: Option<Cow<'a, str>>,
    pub(crate) stage: Option<Cow<'a, str>>,
}

/// The alert for an event that is marked as cut, if it is: by the API server or by a bridge that salvaged it.
pub fn cut_short(event: &Located<'_>, hostname: &str, redact: &Redact) -> Option<Alert> {
    if event.event.annotation(TRUNCATED)? != "true" {
        return None;
    }
    let alert = redact.event(event.event, |kept| {
        let text = |field| kept.text(field);
        let user = kept.get(Field::User).and_then(|user| user.get("username")).and_then(|name| name.string());
        let saying = Saying {
            id: identity::native(event.id().as_bytes(), CUT_SHORT),
            time: nanoseconds(event.event),
            rule: CUT_SHORT,
            priority: Priority::Warning,
            cluster: &event.cluster,
            fields: &[
                ("user", "ka.user.name", user.into()),
                ("verb", "ka.verb", text(Field::Verb).into()),
                ("uri", "ka.uri", text(Field::RequestUri).into()),
                ("cluster", "ka.cluster.name", event.cluster.as_ref().into()),
            ],
            audit_id: text(Field::AuditId),
            stage: text(Field::Stage),
        };
        saying.alert(hostname)
    });
    Some(Alert { subject: subject(event.event), ..alert })
}

/// The alert for a record that is set aside, at the time `now`.
pub fn unreadable(record: &Quarantined, hostname: &str, now: Timestamp) -> Alert {
    let Quarantined { reason, cluster, source, record } = record;
    let saying = Saying {
        id: identity::native(identity::quarantined(cluster, record).as_bytes(), UNREADABLE),
        time: i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX),
        rule: UNREADABLE,
        priority: Priority::Warning,
        cluster,
        fields: &[
            ("reason", "quarantine.reason", reason.as_str().into()),
            ("source", "quarantine.source", source.as_str().into()),
            ("cluster", "ka.cluster.name", cluster.as_str().into()),
        ],
        audit_id: None,
        stage: None,
    };
    saying.alert(hostname)
}

/// The alert that so many admission reviews of a cluster were answered and not evaluated.
pub fn reviews_lost(cluster: &str, count: u64, hostname: &str, now: Timestamp) -> Alert {
    let time = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
    let about = [cluster.as_bytes(), &[0], &time.to_be_bytes(), REVIEWS_LOST.as_bytes()].concat();
    let saying = Saying {
        id: Uuid::new_v5(&identity::NATIVE, &about),
        time,
        rule: REVIEWS_LOST,
        priority: Priority::Critical,
        cluster,
        fields: &[("count", "reviews.lost", count.into()), ("cluster", "ka.cluster.name", cluster.into())],
        audit_id: None,
        stage: None,
    };
    saying.alert(hostname)
}

/// The alert that nothing is newer than what is known of a cluster: one for each silence.
pub fn silent(known: &Known, hostname: &str, now: Timestamp) -> Alert {
    let Known { id, name, newest, .. } = known;
    let about = [id.as_bytes(), &[0], &newest.unwrap_or_default().to_be_bytes(), SILENT.as_bytes()].concat();
    let last = newest.map(|newest| Timestamp::from_nanosecond(newest.into()).unwrap_or_default());
    let last = last.map(|last| last.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let saying = Saying {
        id: Uuid::new_v5(&identity::NATIVE, &about),
        time: i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX),
        rule: SILENT,
        priority: Priority::Warning,
        cluster: name,
        fields: &[
            ("newest", "cluster.newest", last.unwrap_or_else(|| "never".to_owned()).into()),
            ("cluster", "ka.cluster.name", name.as_str().into()),
            ("cluster_id", "cluster.id", id.as_str().into()),
        ],
        audit_id: None,
        stage: None,
    };
    saying.alert(hostname)
}

/// The alert that the store's disk has only `free` bytes left: one an hour.
pub fn disk_low(free: u64, hostname: &str, now: Timestamp) -> Alert {
    let hour = now.as_second().div_euclid(3600);
    let about = [hostname.as_bytes(), &[0], &hour.to_be_bytes(), DISK_LOW.as_bytes()].concat();
    let saying = Saying {
        id: Uuid::new_v5(&identity::NATIVE, &about),
        time: i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX),
        rule: DISK_LOW,
        priority: Priority::Critical,
        cluster: "",
        fields: &[("free", "disk.free", free.into()), ("host", "host", hostname.into())],
        audit_id: None,
        stage: None,
    };
    saying.alert(hostname)
}

/// The alert that the rules files can't be used, and `why`: one a day for each reason.
pub fn rules_kept(why: &str, hostname: &str, now: Timestamp) -> Alert {
    let day = now.as_second().div_euclid(86_400);
    let about = [hostname.as_bytes(), &[0], why.as_bytes(), &[0], &day.to_be_bytes(), RULES_KEPT.as_bytes()];
    let saying = Saying {
        id: Uuid::new_v5(&identity::NATIVE, &about.concat()),
        time: i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX),
        rule: RULES_KEPT,
        priority: Priority::Critical,
        cluster: "",
        fields: &[("reason", "rules.reason", why.into()), ("host", "host", hostname.into())],
        audit_id: None,
        stage: None,
    };
    saying.alert(hostname)
}

/// An alert that says nothing but that alerts arrive.
pub fn test(hostname: &str, now: Timestamp) -> Alert {
    let time = i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX);
    let saying = Saying {
        id: Uuid::new_v5(&identity::NATIVE, &[hostname.as_bytes(), &time.to_be_bytes()].concat()),
        time,
        rule: TEST,
        priority: Priority::Warning,
        cluster: "",
        fields: &[("host", "host", hostname.into())],
        audit_id: None,
        stage: None,
    };
    saying.alert(hostname)
}

impl Saying<'_> {
    /// The alert in the form of those that rules raise.
    pub(crate) fn alert(self, hostname: &str) -> Alert {
        let Self { id, time, rule, priority, cluster, fields, audit_id, stage } = self;
        let at = |format| {
            let time = Timestamp::from_nanosecond(time.into()).unwrap_or_default();
            time.strftime(format).to_string()
        };
        let said: Vec<_> = fields
            .iter()
            .map(|(name, _, value)| match value {
                Json::String(text) => format!("{name}={text}"),
                Json::Null => format!("{name}=<NA>"),
                other => format!("{name}={other}"),
            })
            .collect();
        let mut output_fields: serde_json::Map<_, _> =
            fields.iter().map(|(_, key, value)| ((*key).to_owned(), value.clone())).collect();
        output_fields.insert("evt.time".to_owned(), time.into());
        let mut document = json!({
            "hostname": hostname,
            "priority": priority.as_str(),
            "rule": rule,
            "source": "k8s_audit",
            "time": at("%Y-%m-%dT%H:%M:%S.%9fZ"),
            "output": format!("{}: {priority} {rule} ({})", at("%H:%M:%S.%9f"), said.join(" ")),
            "output_fields": output_fields,
            "tags": [TAG],
            "uuid": id.to_string(),
            "audit_id": audit_id,
            "stage": stage,
            "cluster": cluster,
        });
        cut(&mut document);
        Alert {
            id,
            time,
            rule: rule.to_owned(),
            priority,
            tags: vec![TAG.to_owned()],
            cluster: cluster.to_owned(),
            subject: Subject::default(),
            document: document.to_string(),
        }
    }
}

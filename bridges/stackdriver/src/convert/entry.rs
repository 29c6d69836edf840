//! A log entry as each of its writers leaves it: `entries:list` and Pub/Sub (REST JSON), and the Go client's struct in
//! the `logfile` of stackdriver-webhook-bridge.

use std::borrow::Cow;

use audit_event::json::{Key, Kind, Raw};

/// The members of a `LogEntry` that an audit event is made of.
#[derive(Default)]
pub(super) struct Entry<'a> {
    pub(super) log_name: Option<Raw<'a>>,
    pub(super) resource_labels: Option<Raw<'a>>,
    pub(super) insert_id: Option<Raw<'a>>,
    pub(super) timestamp: Option<Raw<'a>>,
    pub(super) receive_timestamp: Option<Raw<'a>>,
    pub(super) operation: Option<Raw<'a>>,
    pub(super) labels: Option<Raw<'a>>,
    pub(super) split: Option<Raw<'a>>,
    pub(super) payload: Option<Raw<'a>>,
    /// `Entry` and `AuditPayload` of a `logfile` line.
    pub(super) saved: (Option<Raw<'a>>, Option<Raw<'a>>),
}

impl<'a> Entry<'a> {
    pub(super) fn read(entry: Raw<'a>) -> Self {
        let mut read = Self::default();
        for (key, value) in entry.members() {
            let slot = match &*key.name() {
                "logName" | "LogName" => &mut read.log_name,
                "resource" | "Resource" => {
                    keep(&mut read.resource_labels, value.get("labels"));
                    continue;
                }
                "insertId" | "InsertID" => &mut read.insert_id,
                "timestamp" | "Timestamp" => &mut read.timestamp,
                "receiveTimestamp" => &mut read.receive_timestamp,
                "operation" | "Operation" => &mut read.operation,
                "labels" | "Labels" => &mut read.labels,
                "split" => &mut read.split,
                "protoPayload" => &mut read.payload,
                "Entry" => &mut read.saved.0,
                "AuditPayload" => &mut read.saved.1,
                _ => continue,
            };
            keep(slot, Some(value));
        }
        read
    }

    /// Whether the entry stands in an audit log, of Google Cloud or of a cluster outside it.
    pub(super) fn is_audit_log(&self) -> bool {
        text(self.log_name).is_some_and(|name| {
            name.contains("/cloudaudit.googleapis.com") || name.contains("/externalaudit.googleapis.com")
        })
    }

    /// The audit ID of the request: GKE 1.10 had an `insertId` of its own, later ones repeat the operation's.
    pub(super) fn audit_id(&self) -> Option<Cow<'a, str>> {
        let operation = self.operation.filter(|it| text(it.get("producer")).as_deref() == Some("k8s.io"));
        text(operation.and_then(|it| it.get("id"))).or_else(|| text(self.insert_id))
    }

    /// `operation.first` and `operation.last`; the API leaves out what is false.
    pub(super) fn bounds(&self) -> (bool, bool) {
        let flag = |key| self.operation.and_then(|it| it.get(key)).is_some_and(|flag| flag.text() == "true");
        (flag("first"), flag("last"))
    }

    pub(super) fn label(&self, key: &str) -> Option<Cow<'a, str>> {
        text(self.labels?.get(key))
    }

    /// The labels that are strings, which all should be.
    pub(super) fn labels(&self) -> impl Iterator<Item = (Key<'a>, Raw<'a>)> {
        self.labels.into_iter().flat_map(Raw::members).filter(|(_, value)| value.kind() == Kind::String)
    }
}

/// The members of a `google.cloud.audit.AuditLog` that an audit event is made of.
#[derive(Default)]
pub(super) struct Payload<'a> {
    pub(super) service: Option<Raw<'a>>,
    pub(super) method: Option<Raw<'a>>,
    pub(super) resource: Option<Raw<'a>>,
    pub(super) status: Option<Raw<'a>>,
    pub(super) authentication: Option<Raw<'a>>,
    pub(super) metadata: Option<Raw<'a>>,
    pub(super) request: Option<Raw<'a>>,
    pub(super) response: Option<Raw<'a>>,
    /// What an audit event has no place for.
    pub(super) rest: Vec<(Key<'a>, Raw<'a>)>,
}

impl<'a> Payload<'a> {
    pub(super) fn read(payload: Raw<'a>) -> Self {
        let mut read = Self::default();
        for (key, value) in payload.members() {
            let slot = match &*key.name() {
                "serviceName" => &mut read.service,
                "methodName" => &mut read.method,
                "resourceName" => &mut read.resource,
                "status" => &mut read.status,
                "authenticationInfo" => &mut read.authentication,
                "requestMetadata" => &mut read.metadata,
                "request" => &mut read.request,
                "response" => &mut read.response,
                // Says again what the method, the resource and the decision label say.
                "@type" | "authorizationInfo" => continue,
                _ => {
                    read.rest.push((key, value));
                    continue;
                }
            };
            keep(slot, Some(value));
        }
        read
    }

    /// The user who was authenticated, by Kubernetes name; nobody on a 401.
    pub(super) fn user(&self) -> Option<Cow<'a, str>> {
        let info = self.authentication?;
        text(info.get("principalEmail")).or_else(|| text(info.get("principalSubject")))
    }

    /// The user somebody asked to act as.
    pub(super) fn impersonated_user(&self) -> Option<Cow<'a, str>> {
        text(self.authentication?.get("authoritySelector"))
    }
}

/// Of equal keys the first counts; `null` is absent.
fn keep<'a>(slot: &mut Option<Raw<'a>>, value: Option<Raw<'a>>) {
    if slot.is_none() {
        *slot = value.filter(|value| value.kind() != Kind::Null);
    }
}

/// The content of a string that isn't empty: protobuf knows no difference between empty and absent.
pub(super) fn text(value: Option<Raw<'_>>) -> Option<Cow<'_, str>> {
    value?.string().filter(|text| !text.is_empty())
}

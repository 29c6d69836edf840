//! From a request and its answer to the lines that the apiserver writes about it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::Line;
use super::people::Caller;
use crate::Random;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Target {
    pub(super) group: &'static str,
    pub(super) resource: &'static str,
    pub(super) subresource: Option<&'static str>,
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    /// Appended to the URI, with its question mark.
    pub(super) query: String,
}

/// A request and its answer.
#[derive(Debug, Clone)]
pub(super) struct Exchange {
    pub(super) caller: Caller,
    pub(super) verb: &'static str,
    pub(super) target: Target,
    pub(super) code: u16,
    pub(super) request: Option<Value>,
    pub(super) response: Option<Value>,
    /// How long it stays open, in milliseconds, if it makes a line of its own when it begins.
    pub(super) open_ms: Option<i64>,
    /// The rule that it must alert under: on its first line if it stays open, else on its only one.
    pub(super) rule: Option<&'static str>,
}

/// The event, its members in the order in which the apiserver writes them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    kind: &'static str,
    api_version: &'static str,
    level: &'static str,
    #[serde(rename = "auditID")]
    audit_id: &'a str,
    stage: &'static str,
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: &'static str,
    user: &'a Value,
    #[serde(rename = "sourceIPs")]
    source_ips: [&'a str; 1],
    user_agent: &'a str,
    object_ref: Value,
    response_status: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_object: Option<&'a Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_object: Option<&'a Value>,
    request_received_timestamp: String,
    stage_timestamp: String,
    annotations: Value,
}

impl Exchange {
    /// A request without bodies that was granted.
    pub(super) fn new(caller: Caller, verb: &'static str, target: Target) -> Self {
        let code = if verb == "create" { 201 } else { 200 };
        Self { caller, verb, target, code, request: None, response: None, open_ms: None, rule: None }
    }

    pub(super) fn code(self, code: u16) -> Self {
        Self { code, ..self }
    }

    pub(super) fn request(self, body: Value) -> Self {
        Self { request: Some(body), ..self }
    }

    pub(super) fn response(self, body: Value) -> Self {
        Self { response: Some(body), ..self }
    }

    pub(super) fn open_ms(self, open_ms: i64) -> Self {
        Self { open_ms: Some(open_ms), ..self }
    }

    pub(super) fn rule(self, rule: &'static str) -> Self {
        Self { rule: Some(rule), ..self }
    }

    /// The lines, the first written at `at_ms`.
    pub(super) fn lines(&self, random: &mut Random, at_ms: i64) -> Vec<Line> {
        let audit_id = random.uuid();
        let stage_us = at_ms * 1000 + random.below(1000) as i64;
        let received_us = stage_us - 400 - random.below(30_000) as i64;
        let Some(open_ms) = self.open_ms else {
            return vec![self.line("ResponseComplete", &audit_id, received_us, stage_us)];
        };
        let started = self.line("ResponseStarted", &audit_id, received_us, stage_us);
        let complete = self.line("ResponseComplete", &audit_id, received_us, stage_us + open_ms * 1000);
        vec![started, Line { rule: None, ..complete }]
    }

    fn line(&self, stage: &'static str, audit_id: &str, received_us: i64, stage_us: i64) -> Line {
        let (decision, reason) = match &self.caller.granted_by {
            _ if self.code == 403 => ("forbid", ""),
            reason => ("allow", reason.as_str()),
        };
        let level = match (&self.request, &self.response) {
            (_, Some(_)) => "RequestResponse",
            (Some(_), None) => "Request",
            (None, None) => "Metadata",
        };
        let event = Event {
            kind: "Event",
            api_version: "audit.k8s.io/v1",
            level,
            audit_id,
            stage,
            request_uri: self.target.uri(self.verb),
            verb: self.verb,
            user: &self.caller.user,
            source_ips: [&self.caller.address],
            user_agent: &self.caller.agent,
            object_ref: self.target.object_ref(),
            response_status: self.status(),
            request_object: self.request.as_ref(),
            response_object: self.response.as_ref(),
            request_received_timestamp: time(received_us),
            stage_timestamp: time(stage_us),
            annotations: json!({"authorization.k8s.io/decision": decision, "authorization.k8s.io/reason": reason}),
        };
        let text = serde_json::to_string(&event).expect("an event is JSON");
        // As Go writes JSON.
        let text = text.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
        Line { at_ms: stage_us / 1000, audit_id: audit_id.to_owned(), text, rule: self.rule }
    }

    fn status(&self) -> Value {
        let reason = match self.code {
            403 => "Forbidden",
            404 => "NotFound",
            409 => "Conflict",
            code => return json!({"metadata": {}, "code": code}),
        };
        let Target { resource, name, .. } = &self.target;
        let message = format!("{resource} \"{}\": {reason}", name.as_deref().unwrap_or_default());
        json!({"metadata": {}, "status": "Failure", "message": message, "reason": reason, "code": self.code})
    }
}

impl Target {
    /// A resource, or with a name an object, in a namespace.
    pub(super) fn in_namespace(
        group: &'static str,
        resource: &'static str,
        namespace: impl Into<String>,
        name: Option<String>,
    ) -> Self {
        Self { group, resource, namespace: Some(namespace.into()), name, ..Self::default() }
    }

    /// A resource, or with a name an object, that has no namespace.
    pub(super) fn cluster_wide(group: &'static str, resource: &'static str, name: Option<String>) -> Self {
        Self { group, resource, name, ..Self::default() }
    }

    pub(super) fn sub(self, subresource: &'static str) -> Self {
        Self { subresource: Some(subresource), ..self }
    }

    pub(super) fn query(self, query: impl Into<String>) -> Self {
        Self { query: query.into(), ..self }
    }

    fn uri(&self, verb: &str) -> String {
        let mut uri =
            if self.group.is_empty() { "/api/v1".to_owned() } else { format!("/apis/{}/v1", self.group) };
        let mut push = |part: &str| {
            uri.push('/');
            uri.push_str(part);
        };
        if let Some(namespace) = &self.namespace {
            push("namespaces");
            push(namespace);
        }
        push(self.resource);
        // What is created has no name in the URI, unless it is a part of something that is there.
        if verb != "create" || self.subresource.is_some() {
            self.name.as_deref().into_iter().for_each(&mut push);
        }
        self.subresource.into_iter().for_each(&mut push);
        uri + &self.query
    }

    fn object_ref(&self) -> Value {
        let mut object = json!({"resource": self.resource, "apiVersion": "v1"});
        let members = [
            ("apiGroup", (!self.group.is_empty()).then_some(self.group)),
            ("namespace", self.namespace.as_deref()),
            ("name", self.name.as_deref()),
            ("subresource", self.subresource),
        ];
        for (key, value) in members {
            if let Some(value) = value {
                object[key] = value.into();
            }
        }
        object
    }
}

/// RFC 3339 with six digits after the point, as the apiserver writes times.
fn time(micros: i64) -> String {
    let time = Timestamp::from_microsecond(micros).expect("a time in the calendar");
    format!("{time:.6}")
}

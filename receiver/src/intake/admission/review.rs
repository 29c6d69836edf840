//! From an AdmissionReview to the audit event that stands for it: pure.
//!
//! A review says who wants what with which object, before it happens. It does not say from where, by which client, in whose
//! name really (impersonation), or what came of it. What an event must have and a review lacks is inferred, and named in
//! the annotation [`INFERRED`].

use std::borrow::Cow;

use audit_event::json::{Kind, Malformed, Raw, write_string};

use super::uri;
use crate::clusters::CLUSTER_NAME;

/// The annotation that lists what was inferred.
const INFERRED: &str = "kube-audit-bridge/inferred";

/// What is inferred in every event.
const ALWAYS: &str = "requestReceivedTimestamp,requestURI,responseStatus,stage,stageTimestamp,verb";

/// A review of `admission.k8s.io/v1`.
#[derive(Clone, Debug)]
pub struct Review<'a> {
    uid: Cow<'a, str>,
    request: Raw<'a>,
    operation: Operation,
    group: Cow<'a, str>,
    version: Cow<'a, str>,
    resource: Cow<'a, str>,
    subresource: Option<Cow<'a, str>>,
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Operation {
    Create,
    Update,
    Delete,
    Connect,
}

/// A body that is no review.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoReview {
    /// Broken.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Something else.
    #[error("expected an AdmissionReview of admission.k8s.io/v1: {0}")]
    Other(&'static str),
}

impl<'a> Review<'a> {
    /// Reads a request body.
    ///
    /// # Errors
    /// When it holds no review.
    pub fn parse(text: &'a str) -> Result<Self, NoReview> {
        let body = Raw::parse(text)?;
        let says = |key, value| body.get(key).and_then(Raw::string).as_deref() == Some(value);
        if !(says("kind", "AdmissionReview") && says("apiVersion", "admission.k8s.io/v1")) {
            return Err(NoReview::Other("another kind or version"));
        }
        let request = body.get("request").ok_or(NoReview::Other("it has no request"))?;
        let text = |path: &[&str]| request.at(path).and_then(Raw::string).filter(|text| !text.is_empty());
        let operation = match text(&["operation"]).as_deref() {
            Some("CREATE") => Operation::Create,
            Some("UPDATE") => Operation::Update,
            Some("DELETE") => Operation::Delete,
            Some("CONNECT") => Operation::Connect,
            _ => return Err(NoReview::Other("its operation is unknown")),
        };
        // What was asked for; `resource` is what the webhook's rules made of it.
        let asked = if request.get("requestResource").is_some() { "requestResource" } else { "resource" };
        let sub = if asked == "resource" { "subResource" } else { "requestSubResource" };
        Ok(Self {
            uid: text(&["uid"]).ok_or(NoReview::Other("its request has no uid"))?,
            request,
            operation,
            group: text(&[asked, "group"]).unwrap_or_default(),
            version: text(&[asked, "version"]).unwrap_or_default(),
            resource: text(&[asked, "resource"]).ok_or(NoReview::Other("it names no resource"))?,
            subresource: text(&[sub]),
        })
    }

    /// The answer: yes, always.
    pub fn allowed(&self) -> String {
        let mut out = String::from(
            r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"allowed":true,"uid":"#,
        );
        write_string(&mut out, &self.uid);
        out.push_str("}}");
        out
    }

    /// Whether one of `patterns` (`RESOURCE`, `RESOURCE/SUBRESOURCE`, `*/SUBRESOURCE`) fits what is asked for.
    pub fn is_one_of(&self, patterns: &[String]) -> bool {
        let sub = self.subresource.as_deref();
        patterns.iter().any(|pattern| match pattern.split_once('/') {
            None => *pattern == *self.resource,
            Some((resource, wanted)) => (resource == "*" || resource == self.resource) && sub == Some(wanted),
        })
    }

    /// The event of a review that came from `cluster` at `time` (RFC 3339).
    pub fn event(&self, cluster: &str, time: &str) -> String {
        let object = self.body();
        let mut out = String::with_capacity(object.map_or(0, |object| object.text().len()) + 2048);
        let mut event = Object::open(&mut out);
        event.text("kind", "Event");
        event.text("apiVersion", "audit.k8s.io/v1");
        event.text("level", if object.is_some() { "Request" } else { "Metadata" });
        event.text("auditID", &self.uid);
        event.text(
            "stage",
            if self.operation == Operation::Connect { "ResponseStarted" } else { "ResponseComplete" },
        );
        event.text("requestURI", &self.uri());
        event.text("verb", self.verb());
        if let Some(user) = self.request.get("userInfo") {
            event.raw("user", user.text());
        }
        self.reference(&mut event);
        event.raw("responseStatus", &format!(r#"{{"metadata":{{}},"code":{}}}"#, self.code()));
        if let Some(object) = object {
            event.raw("requestObject", object.text());
        }
        event.text("requestReceivedTimestamp", time);
        event.text("stageTimestamp", time);
        let mut annotations = event.object("annotations");
        annotations.text(CLUSTER_NAME, cluster);
        annotations.text(INFERRED, ALWAYS);
        annotations.close();
        event.close();
        out
    }

    fn reference(&self, event: &mut Object<'_>) {
        let mut reference = event.object("objectRef");
        reference.text("resource", &self.resource);
        let inside = |path: &[&str]| {
            let object =
                ["object", "oldObject"].iter().find_map(|key| self.request.get(key)?.at(path)?.string());
            object.filter(|_| self.operation != Operation::Create)
        };
        // The API server names a namespace as its own namespace, but for its creation.
        let namespace = self.text("namespace");
        let namespace = namespace.filter(|_| !(self.is_namespace() && self.operation == Operation::Create));
        for (key, value) in [
            ("namespace", namespace),
            ("name", self.text("name")),
            ("uid", inside(&["metadata", "uid"])),
            ("apiGroup", Some(self.group.clone()).filter(|group| !group.is_empty())),
            ("apiVersion", Some(self.version.clone())),
            ("subresource", self.subresource.clone()),
        ] {
            if let Some(value) = value {
                reference.text(key, &value);
            }
        }
        reference.close();
    }

    /// The request's body, as far as the API server would log one: no secrets, and for a connection the URI says it all.
    fn body(&self) -> Option<Raw<'a>> {
        let key = match self.operation {
            _ if self.resource == "secrets" => return None,
            Operation::Connect => return None,
            Operation::Delete => "options",
            Operation::Create | Operation::Update => "object",
        };
        self.request.get(key).filter(|body| body.kind() == Kind::Object)
    }

    /// The verb of today's clients where the operation leaves it open: exec, attach and port-forward are `create` or `get` by
    /// protocol, and rules that know one of them only know `create`. A patch is shown as the update that it comes to, its
    /// options too.
    fn verb(&self) -> &'static str {
        match self.operation {
            Operation::Create => "create",
            Operation::Update => "update",
            Operation::Delete if self.text("name").is_none() => "deletecollection",
            Operation::Delete => "delete",
            Operation::Connect if self.subresource.as_deref() == Some("proxy") => "get",
            Operation::Connect => "create",
        }
    }

    /// The code of a request that succeeds, as nearly all do that come this far.
    fn code(&self) -> u16 {
        match self.operation {
            Operation::Create => 201,
            Operation::Connect if self.subresource.as_deref() != Some("proxy") => 101,
            _ => 200,
        }
    }

    fn uri(&self) -> String {
        let mut out = String::new();
        match &*self.group {
            "" => uri::segments(&mut out, &["api", &self.version]),
            group => uri::segments(&mut out, &["apis", group, &self.version]),
        }
        if let Some(namespace) = self.text("namespace").filter(|_| !self.is_namespace()) {
            uri::segments(&mut out, &["namespaces", &namespace]);
        }
        uri::segments(&mut out, &[&self.resource]);
        // What is created is posted to the collection, what is made under an object to the object.
        let name =
            self.text("name").filter(|_| self.operation != Operation::Create || self.subresource.is_some());
        if let Some(name) = name {
            uri::segments(&mut out, &[&name]);
        }
        if let Some(subresource) = &self.subresource {
            uri::segments(&mut out, &[subresource]);
        }
        match self.operation {
            Operation::Connect => {
                if let Some(options) = self.request.get("object") {
                    uri::options(&mut out, options);
                }
            }
            _ if self.request.get("dryRun").is_some_and(|dry| dry.text() == "true") => {
                out.push_str("?dryRun=All")
            }
            _ => {}
        }
        out
    }

    fn is_namespace(&self) -> bool {
        self.group.is_empty() && self.resource == "namespaces"
    }

    fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        self.request.get(key).and_then(Raw::string).filter(|text| !text.is_empty())
    }
}

/// A JSON object being written.
struct Object<'a> {
    out: &'a mut String,
    empty: bool,
}

impl<'a> Object<'a> {
    fn open(out: &'a mut String) -> Self {
        out.push('{');
        Self { out, empty: true }
    }

    fn raw(&mut self, key: &str, value: &str) {
        self.key(key);
        self.out.push_str(value);
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        write_string(self.out, value);
    }

    fn object(&mut self, key: &str) -> Object<'_> {
        self.key(key);
        Object::open(self.out)
    }

    fn close(self) {
        self.out.push('}');
    }

    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.empty) {
            self.out.push(',');
        }
        write_string(self.out, key);
        self.out.push(':');
    }
}

#[cfg(test)]
mod tests;

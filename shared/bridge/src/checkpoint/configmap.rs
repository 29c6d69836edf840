//! Checkpoints in a ConfigMap of the cluster that the bridge runs in: nothing to set up, and a right to one object.
//!
//! Each unit is a key. The object's `resourceVersion` guards all of them, so a writer whose object has changed reads it again
//! and looks whether its own key did: only that is a conflict.

use std::collections::HashSet;
use std::time::Duration;

use audit_service::exit::chain;
use audit_service::kubernetes::{Answer, ApiServer};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{CheckpointStore, Document, Expected, Pending, StoreFailed, Version, slug};

/// How often a write is tried again that others have come before.
const ATTEMPTS: usize = 10;

/// A ConfigMap of checkpoints.
#[derive(Debug)]
pub struct ConfigMapStore {
    namespace: String,
    name: String,
    expiry: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    server: Option<ApiServer>,
    /// The object as it was last seen.
    seen: Option<Value>,
    /// Units that had a document once: one that is gone then is not the same as one that never was.
    known: HashSet<String>,
}

/// What was wrong, and with what.
struct Problem {
    what: &'static str,
    reason: String,
}

impl ConfigMapStore {
    /// Checkpoints in that ConfigMap, made when it is first written to.
    pub fn new(namespace: &str, name: &str, expiry: Duration) -> Self {
        Self { namespace: namespace.to_owned(), name: name.to_owned(), expiry, state: Mutex::default() }
    }

    /// The same at an API server of one's own choice.
    #[must_use]
    pub fn at(mut self, server: ApiServer) -> Self {
        self.state.get_mut().server = Some(server);
        self
    }

    async fn load_now(&self, unit: &str) -> Result<Option<(Document, Version)>, StoreFailed> {
        let mut state = self.state.lock().await;
        self.read(&mut state).await.map_err(|problem| self.unavailable(unit, problem))?;
        let Some(text) = state.text(unit).map(str::to_owned) else {
            return if state.known.contains(unit) {
                Err(StoreFailed::Gone(self.place(unit)))
            } else {
                Ok(None)
            };
        };
        state.known.insert(unit.to_owned());
        Ok(Some((Document::parse(text.as_bytes(), &self.place(unit))?, Version(text))))
    }

    async fn store_now(&self, document: &Document, expected: &Expected) -> Result<Version, StoreFailed> {
        let unit = &document.unit;
        let text = document.text();
        let mut state = self.state.lock().await;
        let mut fresh = false;
        for _ in 0..ATTEMPTS {
            if state.seen.is_none() {
                self.read(&mut state).await.map_err(|problem| self.unavailable(unit, problem))?;
                fresh = true;
            }
            let as_expected = match (expected, state.text(unit)) {
                (Expected::Anything, _) | (Expected::Absent, None) => true,
                (Expected::Version(version), Some(found)) => version.0 == found,
                _ => false,
            };
            if !as_expected && fresh {
                return Err(StoreFailed::Conflict(self.place(unit)));
            }
            if as_expected
                && self
                    .write(&mut state, unit, &text)
                    .await
                    .map_err(|problem| self.unavailable(unit, problem))?
            {
                state.known.insert(unit.clone());
                return Ok(Version(text));
            }
            // Somebody else has written since the object was seen.
            state.seen = None;
        }
        let reason = format!("others have come before {ATTEMPTS} times");
        Err(self.unavailable(unit, Problem { what: "written", reason }))
    }

    /// Reads the object; `seen` is null where there is none.
    async fn read(&self, state: &mut State) -> Result<(), Problem> {
        state.seen = None;
        let path = format!("{}/{}", self.collection(), self.name);
        let answer = state.call("read", Method::GET, &path, None).await?;
        state.seen = match answer.status {
            200 => Some(answer.body),
            404 => Some(Value::Null),
            _ => return Err(Problem { what: "read", reason: answer.problem() }),
        };
        Ok(())
    }

    /// Writes the object as it was seen with the unit's new text. False when it was not as seen any more.
    async fn write(&self, state: &mut State, unit: &str, text: &str) -> Result<bool, Problem> {
        let mut object = match state.seen.take() {
            Some(object @ Value::Object(_)) => object,
            _ => json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": self.name, "namespace": self.namespace,
                    "labels": {"app.kubernetes.io/part-of": "kube-audit-bridge"}},
            }),
        };
        let is_new = object.pointer("/metadata/resourceVersion").is_none();
        if let Some(object) = object.as_object_mut() {
            let data = object.entry("data").or_insert(Value::Null);
            if !data.is_object() {
                *data = json!({});
            }
            if let Some(data) = data.as_object_mut() {
                data.insert(slug(unit), text.into());
            }
        }
        let collection = self.collection();
        let answer = if is_new {
            state.call("written", Method::POST, &collection, Some(&object)).await?
        } else {
            state.call("written", Method::PUT, &format!("{collection}/{}", self.name), Some(&object)).await?
        };
        match answer.status {
            200 | 201 => state.seen = Some(answer.body),
            // It has changed, was made, or was deleted meanwhile.
            409 => return Ok(false),
            404 if !is_new => return Ok(false),
            _ => return Err(Problem { what: "written", reason: answer.problem() }),
        }
        Ok(true)
    }

    fn collection(&self) -> String {
        format!("/api/v1/namespaces/{}/configmaps", self.namespace)
    }

    fn place(&self, unit: &str) -> String {
        format!("configmap:{}/{}[{}]", self.namespace, self.name, slug(unit))
    }

    fn unavailable(&self, unit: &str, Problem { what, reason }: Problem) -> StoreFailed {
        StoreFailed::Unavailable { place: self.place(unit), what, reason }
    }
}

impl State {
    async fn call(
        &mut self,
        what: &'static str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, Problem> {
        let problem = |error| Problem { what, reason: chain(&error) };
        let server = match &self.server {
            Some(server) => server,
            None => self.server.insert(ApiServer::of_cluster().map_err(problem)?),
        };
        let body = body.map(|body| ("application/json", body));
        server.call(method, path, body).await.map_err(problem)
    }

    fn text(&self, unit: &str) -> Option<&str> {
        self.seen.as_ref()?.get("data")?.get(slug(unit))?.as_str()
    }
}

impl CheckpointStore for ConfigMapStore {
    fn expiry(&self) -> Duration {
        self.expiry
    }

    fn hold<'a>(&'a self, _: &'a str) -> Pending<'a, bool> {
        Box::pin(async { Ok(false) })
    }

    fn load<'a>(&'a self, unit: &'a str) -> Pending<'a, Option<(Document, Version)>> {
        Box::pin(self.load_now(unit))
    }

    fn store<'a>(&'a self, document: &'a Document, expected: Expected) -> Pending<'a, Version> {
        Box::pin(async move { self.store_now(document, &expected).await })
    }
}

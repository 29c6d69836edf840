//! An API server that keeps objects with their resource versions, and permits what it is told to.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::{Method, Request, Response};
use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::Answer;
use crate::http::Server;

/// The token that its callers must show.
pub const TOKEN: &str = "fake.service-account.token";

/// A running API server.
#[derive(Debug)]
pub struct Kubernetes {
    state: Arc<Mutex<State>>,
    server: Server,
}

/// A rule of a role. Creation knows no names.
#[derive(Debug, Clone, Default)]
pub struct Permission {
    /// `get`, `create`, `update`, `patch`.
    pub verbs: Vec<String>,
    /// Such as `configmaps`.
    pub resources: Vec<String>,
    /// Empty for all.
    pub names: Vec<String>,
}

/// A call, as an audit log would note it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The verb of the API.
    pub verb: &'static str,
    /// Such as `configmaps/NAME`.
    pub object: String,
    /// The status of the answer.
    pub status: u16,
}

/// How a call's answer gets lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Before anything is done.
    Before,
    /// After it is done.
    After,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Value>,
    version: u64,
    permissions: Option<Vec<Permission>>,
    losses: VecDeque<Loss>,
    calls: Vec<Call>,
}

impl Kubernetes {
    /// Starts one on a free port of 127.0.0.1, over TLS if it is configured.
    pub fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let tls = tls.map(TlsAcceptor::from);
        let state = Arc::new(Mutex::new(State::default()));
        let served = Arc::clone(&state);
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = Server::start_tls(address, tls, move |request| lock(&served).answer(&request))
            .expect("a port of 127.0.0.1");
        Self { state, server }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Permits these, and nothing else from now on.
    pub fn permit(&self, permissions: Vec<Permission>) {
        lock(&self.state).permissions = Some(permissions);
    }

    /// Closes the connection of the next calls that change something, in this order.
    pub fn lose(&self, losses: impl IntoIterator<Item = Loss>) {
        lock(&self.state).losses.extend(losses);
    }

    /// The object at a path such as `/api/v1/namespaces/a/configmaps/b`.
    pub fn object(&self, path: &str) -> Option<Value> {
        lock(&self.state).objects.get(path).cloned()
    }

    /// Puts an object there, as somebody else would.
    pub fn put(&self, path: &str, object: Value) {
        lock(&self.state).keep(path, object);
    }

    /// Removes the object there, as somebody else would.
    pub fn remove(&self, path: &str) -> Option<Value> {
        lock(&self.state).objects.remove(path)
    }

    /// What was called so far.
    pub fn calls(&self) -> Vec<Call> {
        lock(&self.state).calls.clone()
    }
}

impl State {
    fn answer(&mut self, request: &Request<Bytes>) -> Answer {
        let changes = request.method() != Method::GET;
        let loss = if changes { self.losses.pop_front() } else { None };
        if loss == Some(Loss::Before) {
            return Answer::Close;
        }
        let path = request.uri().path().trim_end_matches('/').to_owned();
        let (status, body) = self.serve(request, &path);
        if loss == Some(Loss::After) {
            return Answer::Close;
        }
        let response = Response::builder().status(status).header("content-type", "application/json");
        Answer::Reply(response.body(body.to_string().into()).expect("a response"))
    }

    fn serve(&mut self, request: &Request<Bytes>, path: &str) -> (u16, Value) {
        let authorization = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        if authorization.and_then(|value| value.strip_prefix("Bearer ")) != Some(TOKEN) {
            return status(401, "Unauthorized");
        }
        let (verb, name) = match *request.method() {
            Method::GET => ("get", true),
            Method::POST => ("create", false),
            Method::PUT => ("update", true),
            Method::PATCH => ("patch", true),
            _ => return status(405, "the server does not allow this method"),
        };
        let mut parts = path.rsplit('/');
        let name = if name { parts.next().unwrap_or_default() } else { "" };
        let resource = parts.next().unwrap_or_default();
        let permitted = self.permissions.as_ref().is_none_or(|permissions| {
            permissions.iter().any(|rule| {
                rule.verbs.iter().any(|allowed| allowed == verb)
                    && rule.resources.iter().any(|allowed| allowed == resource)
                    && (rule.names.is_empty() || rule.names.iter().any(|allowed| allowed == name))
            })
        });
        let (status, body) = if permitted {
            self.act(verb, path, request.body())
        } else {
            status(
                403,
                &format!("{resource} \"{name}\" is forbidden: User cannot {verb} resource \"{resource}\""),
            )
        };
        self.calls.push(Call { verb, object: format!("{resource}/{name}"), status });
        (status, body)
    }

    fn act(&mut self, verb: &str, path: &str, body: &[u8]) -> (u16, Value) {
        let found = self.objects.get(path).cloned();
        if verb == "get" {
            return found.map_or_else(|| status(404, "not found"), |found| (200, found));
        }
        let Ok(sent) = serde_json::from_slice::<Value>(body) else {
            return status(400, "the body is no JSON");
        };
        match (verb, found) {
            ("create", _) => {
                let Some(name) = sent["metadata"]["name"].as_str() else { return status(422, "no name") };
                let path = format!("{path}/{name}");
                if self.objects.contains_key(&path) {
                    return status(409, "already exists");
                }
                (201, self.keep(&path, sent))
            }
            (_, None) => status(404, "not found"),
            ("update", Some(found)) => {
                let version = &sent["metadata"]["resourceVersion"];
                if !version.is_null() && *version != found["metadata"]["resourceVersion"] {
                    return status(
                        409,
                        "the object has been modified; please apply your changes to the latest version",
                    );
                }
                (200, self.keep(path, sent))
            }
            (_, Some(mut found)) => {
                // A JSON patch of additions, or a merge patch.
                match sent.as_array() {
                    Some(operations) => {
                        for operation in operations {
                            let path = operation["path"].as_str().unwrap_or_default();
                            let (parent, key) = path.rsplit_once('/').unwrap_or_default();
                            let Some(Value::Object(parent)) = found.pointer_mut(parent) else {
                                return status(422, "the path does not exist");
                            };
                            parent.insert(key.to_owned(), operation["value"].clone());
                        }
                    }
                    None => merge(&mut found, &sent),
                }
                (200, self.keep(path, found))
            }
        }
    }

    fn keep(&mut self, path: &str, mut object: Value) -> Value {
        // What is written plainly is read in base64.
        if let Some(Value::Object(plain)) =
            object.as_object_mut().and_then(|object| object.remove("stringData"))
        {
            for (key, value) in plain {
                object["data"][key] = STANDARD.encode(value.as_str().unwrap_or_default()).into();
            }
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(path.to_owned(), object.clone());
        object
    }
}

fn merge(target: &mut Value, patch: &Value) {
    let Some(members) = patch.as_object() else {
        *target = patch.clone();
        return;
    };
    for (key, value) in members {
        merge(&mut target[key.as_str()], value);
    }
}

fn status(code: u16, message: &str) -> (u16, Value) {
    (
        code,
        json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}),
    )
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

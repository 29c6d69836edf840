//! Entra ID, as a workload in a cluster sees it: the token endpoint and the metadata service of a node.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::{Request, Response};
use serde_json::{Value, json};

use super::{Shared, form};
use crate::Answer;
use crate::http::Server;

/// The tenant of the fake.
pub const TENANT: &str = "11111111-2222-3333-4444-555555555555";
/// The application of the fake.
pub const CLIENT: &str = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
/// Its secret.
pub const SECRET: &str = "a secret of the fake";
/// What a federated token file must hold.
pub const FEDERATED: &str = "a token of the cluster";

/// The handle to a running Entra ID; its tokens are good for its namespace.
#[derive(Debug)]
pub struct Entra {
    server: Server,
    wishes: Arc<Mutex<Wishes>>,
}

#[derive(Debug)]
struct Wishes {
    life: Duration,
    issued: usize,
}

impl Entra {
    pub(super) fn start(shared: Arc<Shared>) -> Self {
        let wishes = Arc::new(Mutex::new(Wishes { life: Duration::from_secs(3600), issued: 0 }));
        let served = Arc::clone(&wishes);
        let handler = move |request: Request<Bytes>| {
            let mut wishes = served.lock().unwrap_or_else(PoisonError::into_inner);
            answer(&request, &mut wishes, &shared)
        };
        let server = Server::start(SocketAddr::from(([127, 0, 0, 1], 0)), handler).expect("a free port");
        Self { server, wishes }
    }

    /// What `AZURE_AUTHORITY_HOST` is to be, and the host of the metadata service.
    pub fn url(&self) -> String {
        format!("http://{}/", self.server.address())
    }

    /// How long tokens are good from now on.
    pub fn set_life(&self, life: Duration) {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner).life = life;
    }

    /// How many tokens were issued.
    pub fn issued(&self) -> usize {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner).issued
    }
}

fn answer(request: &Request<Bytes>, wishes: &mut Wishes, shared: &Shared) -> Answer {
    match check(request) {
        Ok(()) => {
            wishes.issued += 1;
            let token = format!("fake.token.{}", wishes.issued);
            shared.lock().issued.add(&token, wishes.life);
            // The token endpoint says it as a number, the metadata service as a text.
            let seconds = wishes.life.as_secs();
            let metadata = request.uri().path().starts_with("/metadata");
            let expires = if metadata { json!(seconds.to_string()) } else { json!(seconds) };
            json_answer(200, &json!({"token_type": "Bearer", "expires_in": expires, "access_token": token}))
        }
        Err((status, code, description)) => {
            json_answer(status, &json!({"error": code, "error_description": description}))
        }
    }
}

fn check(request: &Request<Bytes>) -> Result<(), (u16, &'static str, &'static str)> {
    let path = request.uri().path();
    if path == "/metadata/identity/oauth2/token" {
        let query = form(request.uri().query().unwrap_or_default().as_bytes());
        let marked = request.headers().get("metadata").is_some_and(|value| value == "true");
        let complete = query.contains_key("resource") && query.contains_key("api-version");
        return if marked && complete {
            Ok(())
        } else {
            Err((400, "invalid_request", "Required metadata header not specified"))
        };
    }
    if path != format!("/{TENANT}/oauth2/v2.0/token") {
        return Err((400, "invalid_request", "AADSTS90002: Tenant not found"));
    }
    let fields = form(request.body());
    let get = |name: &str| fields.get(name).map(String::as_str);
    if get("client_id") != Some(CLIENT) {
        return Err((400, "unauthorized_client", "AADSTS700016: Application was not found in the directory"));
    }
    if get("scope").is_none_or(|scope| !scope.ends_with("/.default")) {
        return Err((400, "invalid_scope", "AADSTS70011: The provided value for scope is not valid"));
    }
    match (get("client_secret"), get("client_assertion")) {
        (Some(SECRET), None) | (None, Some(FEDERATED)) => Ok(()),
        (Some(_), _) => Err((401, "invalid_client", "AADSTS7000215: Invalid client secret provided")),
        _ => Err((401, "invalid_client", "AADSTS70021: No matching federated identity record found")),
    }
}

fn json_answer(status: u16, body: &Value) -> Answer {
    let response = Response::builder().status(status).header("content-type", "application/json");
    Answer::Reply(response.body(Bytes::from(body.to_string())).expect("a valid response"))
}

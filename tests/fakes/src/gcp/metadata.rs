//! The metadata server and the token endpoints: who a workload is, and the access tokens it gets.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use hyper::header::AUTHORIZATION;
use serde_json::json;

use super::{GcpError, Reply, State};

/// What the metadata server knows of the node it runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// `project/project-id`.
    pub project: String,
    /// `instance/attributes/cluster-location`; `None` on a machine that is no GKE node.
    pub location: Option<String>,
    /// `instance/attributes/cluster-name`.
    pub cluster: Option<String>,
}

impl Default for Node {
    fn default() -> Self {
        let (location, cluster) = (Some(super::LOCATION.to_owned()), Some(super::CLUSTER.to_owned()));
        Self { project: super::PROJECT.to_owned(), location, cluster }
    }
}

/// The access tokens issued so far.
#[derive(Debug)]
pub(super) struct Tokens {
    pub(super) required: bool,
    pub(super) life: Duration,
    issued: HashMap<String, i64>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { required: false, life: Duration::from_secs(3600), issued: HashMap::new() }
    }
}

impl Tokens {
    pub(super) fn expire_all(&mut self) {
        self.issued.clear();
    }

    /// Whether the request may be answered.
    pub(super) fn admit(&self, request: &Request<Bytes>, now: i64) -> bool {
        let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let token = given.and_then(|value| value.strip_prefix("Bearer "));
        !self.required || token.and_then(|token| self.issued.get(token)).is_some_and(|expires| now < *expires)
    }

    fn issue(&mut self, now: i64) -> Reply {
        let token = format!("ya29.fake-{:08}", self.issued.len() + 1);
        self.issued.insert(token.clone(), now + self.life.as_millis() as i64);
        let answer = json!({"access_token": token, "expires_in": self.life.as_secs(), "token_type": "Bearer",
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"});
        Reply::json(answer.to_string(), 0)
    }
}

/// `POST /token`: an access token for a signed assertion (RFC 7523) or a foreign token (RFC 8693).
pub(super) fn exchange(state: &mut State, request: &Request<Bytes>, now: i64) -> Result<Reply, GcpError> {
    let form: HashMap<String, String> = form_urlencoded::parse(request.body()).into_owned().collect();
    let given = match form.get("grant_type").map(String::as_str) {
        Some("urn:ietf:params:oauth:grant-type:jwt-bearer") => form.get("assertion"),
        Some("urn:ietf:params:oauth:grant-type:token-exchange") => form.get("subject_token"),
        _ => None,
    };
    match given {
        Some(given) if !given.is_empty() => Ok(state.tokens.issue(now)),
        _ => Err(GcpError::invalid("invalid_grant")),
    }
}

pub(super) fn answer(state: &mut State, request: &Request<Bytes>, now: i64) -> Result<Reply, GcpError> {
    if request.headers().get("metadata-flavor").is_none_or(|flavor| flavor != "Google") {
        return Err(GcpError::new(403, "PERMISSION_DENIED", "Missing Metadata-Flavor:Google header."));
    }
    let path = request.uri().path().strip_prefix("/computeMetadata/v1/").unwrap_or_default();
    let text = match path {
        "project/project-id" => Some(state.node.project.clone()),
        "instance/attributes/cluster-location" => state.node.location.clone(),
        "instance/attributes/cluster-name" => state.node.cluster.clone(),
        "instance/service-accounts/default/email" => {
            Some(format!("audit-reader@{}.iam.gserviceaccount.com", state.node.project))
        }
        "universe/universe-domain" => Some("googleapis.com".to_owned()),
        "instance/service-accounts/default/token" => return Ok(state.tokens.issue(now)),
        _ => None,
    };
    text.map(Reply::text).ok_or_else(|| GcpError::new(404, "NOT_FOUND", "Not Found"))
}

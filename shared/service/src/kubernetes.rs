//! The API server of the cluster that this process runs in.
//!
//! Three calls on one kind of object need no framework: a pod's address, authority and token are where Kubernetes puts
//! them in every pod, and the token's file is read for each call because it is replaced every hour.

use std::path::Path;

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::Value;

use crate::client::{Client, Options};
use crate::config::{SecretFile, Span, Unread};
use crate::exit::chain;
use crate::tls::{ClientFiles, Unusable};

/// Where a pod finds what its service account is known by.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// How long an answer may take.
const TIMEOUT: Span = Span::secs(10);

/// The API server. Clones share connections.
#[derive(Clone, Debug)]
pub struct ApiServer {
    client: Client,
    url: String,
    token: SecretFile,
}

/// What the API server answered.
#[derive(Clone, PartialEq, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The object, or a `Status`; null when it was no JSON.
    pub body: Value,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// Not in a pod.
    #[error("this process runs in no cluster: `KUBERNETES_SERVICE_HOST` is not set")]
    NoCluster,
    /// The cluster's authority can't be used.
    #[error(transparent)]
    Authority(#[from] Unusable),
    /// There is no token: the pod was made without one (`automountServiceAccountToken`).
    #[error("no service account token")]
    Token(#[from] Unread),
    /// The network.
    #[error("the API server `{url}` does not answer: {reason}")]
    Unreachable {
        /// Its address.
        url: String,
        /// What went wrong.
        reason: String,
    },
}

impl ApiServer {
    /// The one of the cluster that this process runs in.
    ///
    /// # Errors
    /// Outside of a pod.
    pub fn of_cluster() -> Result<Self, NoAnswer> {
        let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let host = variable("KUBERNETES_SERVICE_HOST").ok_or(NoAnswer::NoCluster)?;
        let port = variable("KUBERNETES_SERVICE_PORT").unwrap_or_else(|| "443".to_owned());
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        // Elsewhere only in tests.
        let folder = variable("KUBERNETES_SERVICE_ACCOUNT").unwrap_or_else(|| SERVICE_ACCOUNT.to_owned());
        Self::at(&format!("https://{host}:{port}"), Path::new(&folder))
    }

    /// The one at `url`; `folder` holds `ca.crt` and `token`.
    ///
    /// # Errors
    /// When `ca.crt` can't be used.
    pub fn at(url: &str, folder: &Path) -> Result<Self, NoAnswer> {
        let tls = ClientFiles { ca_file: Some(folder.join("ca.crt")), ..ClientFiles::default() };
        let options = Options { timeout: TIMEOUT, tls, ..Options::default() };
        let client = Client::new(concat!("kube-audit-bridge/", env!("CARGO_PKG_VERSION")), &options)?;
        Ok(Self { client, url: url.to_owned(), token: SecretFile::from(folder.join("token")) })
    }

    /// Makes a call: `path` as `/api/v1/namespaces/NAMESPACE/configmaps`, `content_type` that of `body`.
    ///
    /// # Errors
    /// When there is no answer; whether something has changed is not known then.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Value)>,
    ) -> Result<Answer, NoAnswer> {
        let token = self.token.read()?;
        let mut request = self.client.get().request(method, format!("{}{path}", self.url));
        request = request.bearer_auth(token.expose());
        if let Some((content_type, body)) = body {
            request = request.header(CONTENT_TYPE, content_type).body(body.to_string());
        }
        let unreachable = |error: reqwest::Error| NoAnswer::Unreachable {
            url: self.url.clone(),
            reason: chain(&error.without_url()),
        };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status().as_u16();
        let text = answer.text().await.map_err(unreachable)?;
        Ok(Answer { status, body: serde_json::from_str(&text).unwrap_or_default() })
    }
}

impl Answer {
    /// What a refusal says, for a person.
    pub fn problem(&self) -> String {
        match self.body.get("message").and_then(Value::as_str) {
            Some(message) => format!("{message} (HTTP {})", self.status),
            None => format!("HTTP {}", self.status),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::{HeaderMap, StatusCode};
    use axum::routing::any;

    use super::*;
    use crate::http::{Limits, serve};
    use crate::shutdown::Shutdown;
    use crate::tls::Acceptor;
    use crate::tls::tests::{Authority, listener};

    #[tokio::test]
    async fn speaks_over_its_authority_with_the_token_of_the_moment() {
        let authority = Authority::new();
        authority.issue("server");
        std::fs::copy(authority.path("ca.pem"), authority.path("ca.crt")).unwrap();
        let echo = any(async |headers: HeaderMap, body: String| {
            let said = |name| {
                headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("nothing").to_owned()
            };
            let said = format!("{} {} {body}", said("authorization"), said("content-type"));
            (StatusCode::FORBIDDEN, serde_json::json!({"message": said}).to_string())
        });
        let (listener, shutdown) = (listener().await, Shutdown::new());
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let tls = Some(Acceptor::new(authority.server()).unwrap());
        let router = Router::new().route("/api/v1/x", echo);
        let serving = tokio::spawn(serve(listener, tls, router, Limits::default(), shutdown.clone()));

        crate::tls::install();
        let server = ApiServer::at(&url, authority.folder.path()).unwrap();
        let call = async || server.call(Method::GET, "/api/v1/x", None).await;
        assert!(matches!(call().await, Err(NoAnswer::Token(_))));
        for token in ["one", "two"] {
            std::fs::write(authority.path("token"), token).unwrap();
            assert_eq!(call().await.unwrap().problem(), format!("Bearer {token} nothing  (HTTP 403)"));
        }
        let body = Value::from(1);
        let answer = server.call(Method::PATCH, "/api/v1/x", Some(("application/x", &body))).await.unwrap();
        assert_eq!(answer.body["message"], "Bearer two application/x 1");
        assert_eq!(server.call(Method::GET, "/none", None).await.unwrap().problem(), "HTTP 404");

        shutdown.request();
        serving.await.unwrap();
        let gone = server.call(Method::GET, "/api/v1/x", None).await.unwrap_err().to_string();
        assert!(gone.starts_with(&format!("the API server `{url}` does not answer: ")), "{gone}");
    }
}

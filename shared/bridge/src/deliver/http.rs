//! The way to a receiver by HTTP.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use audit_service::client::{self, Client};
use audit_service::config::SecretFile;
use audit_service::tls::Unusable;
use audit_service::{config, exit};
use bytes::Bytes;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use serde::{Deserialize, Serialize};

use super::{Answer, NoAnswer, Target, Transport};
use crate::time::Time;

/// The receiver's address. Without a path it is `/k8s_audit`; the quarantine is `/quarantine` on the same host.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReceiverUrl(Url);

/// A text that is no receiver's address.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected the receiver's URL such as `https://audit-receiver:6443/k8s_audit`")]
pub struct WrongUrl;

impl FromStr for ReceiverUrl {
    type Err = WrongUrl;

    fn from_str(text: &str) -> Result<Self, WrongUrl> {
        let mut url: Url = text.parse().map_err(|_| WrongUrl)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(WrongUrl);
        }
        if url.path() == "/" {
            url.set_path("/k8s_audit");
        }
        Ok(Self(url))
    }
}

impl TryFrom<String> for ReceiverUrl {
    type Error = WrongUrl;

    fn try_from(text: String) -> Result<Self, WrongUrl> {
        text.parse()
    }
}

impl From<ReceiverUrl> for String {
    fn from(url: ReceiverUrl) -> Self {
        url.to_string()
    }
}

impl fmt::Display for ReceiverUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ReceiverUrl {
    fn target(&self, target: Target) -> Url {
        let mut url = self.0.clone();
        if target == Target::Quarantine {
            url.set_path("/quarantine");
            url.set_query(None);
        }
        url
    }
}

/// How to reach a receiver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Its address.
    pub url: Option<ReceiverUrl>,
    /// A file that holds a bearer token; read for each request.
    pub token_file: Option<SecretFile>,
    /// How long a connection may take to stand.
    pub connect_timeout: config::Span,
    /// How long a request may take with its answer.
    pub timeout: config::Span,
    /// Certificates.
    pub tls: audit_service::tls::ClientFiles,
}

impl Default for Options {
    fn default() -> Self {
        let client::Options { connect_timeout, timeout, tls } = client::Options::default();
        Self { url: None, token_file: None, connect_timeout, timeout, tls }
    }
}

/// A receiver spoken to by HTTP. Clones share connections.
#[derive(Clone, Debug)]
pub struct HttpReceiver {
    client: Client,
    url: ReceiverUrl,
    token: Option<SecretFile>,
}

impl HttpReceiver {
    /// `user_agent` is what the receiver's access log shows.
    ///
    /// # Errors
    /// [`Unusable`] names the certificate file.
    pub fn new(user_agent: &str, url: ReceiverUrl, options: &Options) -> Result<Self, Unusable> {
        let Options { connect_timeout, timeout, tls, token_file, .. } = options.clone();
        let client = Client::new(user_agent, &client::Options { connect_timeout, timeout, tls })?;
        Ok(Self { client, url, token: token_file })
    }

    /// The receiver that a configuration names, spoken to as `binary/version`.
    ///
    /// # Errors
    /// When it names none, or a certificate can't be used.
    pub fn open(binary: &str, version: &str, options: &Options) -> Result<Self, exit::Failure> {
        let url = options.url.clone().ok_or_else(|| exit::Failure::usage("`receiver.url` must be given"))?;
        Ok(Self::new(&format!("{binary}/{version}"), url, options)?)
    }

    /// Its address.
    pub fn url(&self) -> &ReceiverUrl {
        &self.url
    }
}

impl Transport for HttpReceiver {
    async fn post(&self, target: Target, body: Bytes) -> Result<Answer, NoAnswer> {
        let mut request = self
            .client
            .get()
            .post(self.url.target(target))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        if let Some(token) = &self.token {
            let token = token.read().map_err(|error| {
                NoAnswer::Unmade(format!("`receiver.token_file`: {}", exit::chain(&error)))
            })?;
            request = request.bearer_auth(token.expose());
        }
        let response = request.send().await.map_err(|error| unreachable(&self.url, &error.without_url()))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| wait(value.to_str().ok()?));
        let body = head(response).await.map_err(|error| unreachable(&self.url, &error.without_url()))?;
        Ok(Answer { status, retry_after, body })
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
fn wait(value: &str) -> Option<Duration> {
    let value = value.trim();
    value
        .parse()
        .ok()
        .map(Duration::from_secs)
        .or_else(|| Some(Time::of_http(value)?.since(Time::of_machine())))
}

/// The body up to a bound: a refusal of every event in a full body stays below it.
async fn head(mut response: reqwest::Response) -> reqwest::Result<String> {
    const MOST: usize = 1 << 20;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk);
        if body.len() > MOST {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

fn unreachable(url: &ReceiverUrl, error: &reqwest::Error) -> NoAnswer {
    NoAnswer::Unreachable(format!("`{url}` does not answer: {}", exit::chain(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_for_seconds_or_until_a_date() {
        assert_eq!(wait(" 7 "), Some(Duration::from_secs(7)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert!(
            wait("Sun, 06 Nov 2994 08:49:37 GMT").is_some_and(|wait| wait > Duration::from_secs(1 << 30))
        );
        assert_eq!(wait("soon"), None);
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_read_is_for_somebody_to_mend() {
        let token_file = "/absent/token".parse().ok();
        let options = Options { token_file, ..Options::default() };
        let receiver = HttpReceiver::new("test", "http://127.0.0.1:9".parse().unwrap(), &options).unwrap();
        let NoAnswer::Unmade(told) = receiver.post(Target::Events, Bytes::new()).await.unwrap_err() else {
            panic!("it can't pass by itself");
        };
        assert!(told.contains("receiver.token_file") && told.contains("/absent/token"), "{told}");
    }

    #[test]
    fn addresses() {
        for (text, events, quarantine) in [
            ("http://r:6443", "http://r:6443/k8s_audit", "http://r:6443/quarantine"),
            ("https://r/k8s_audit/prod?x=1", "https://r/k8s_audit/prod?x=1", "https://r/quarantine"),
        ] {
            let url: ReceiverUrl = text.parse().unwrap();
            assert_eq!(url.target(Target::Events).as_str(), events);
            assert_eq!(url.target(Target::Quarantine).as_str(), quarantine);
        }
        for text in ["", "receiver:6443", "ftp://r/", "/k8s_audit"] {
            assert!(text.parse::<ReceiverUrl>().is_err(), "{text}");
        }
    }
}

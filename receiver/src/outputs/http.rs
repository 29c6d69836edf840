//! A server that takes alerts by POST.

use std::sync::Arc;
use std::time::Duration;

use audit_service::client::Client;
use audit_service::config::Unread;
use audit_service::tls;
use futures_util::future::join_all;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};

use super::form::{self, Form};
use super::{Output, Progress, Waiting, config};

/// The longest wait that a server may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// About as much of an answer is read, in bytes.
const LONGEST_ANSWER: usize = 64 << 10;

/// How much of an answer is repeated in a reason.
const EXCERPT: usize = 200;

/// A server that takes alerts.
#[derive(Debug)]
pub struct Http {
    name: Arc<str>,
    config: config::Http,
    client: Client,
}

/// What became of a request.
enum Verdict {
    Taken,
    Refused(String),
    Failed(String, Option<Duration>),
}

impl Http {
    /// The server of that configuration; `name` is the output's.
    ///
    /// # Errors
    /// When a certificate file can't be used.
    pub fn new(name: Arc<str>, config: config::Http) -> Result<Self, tls::Unusable> {
        let user_agent = concat!("audit-receiver/", env!("CARGO_PKG_VERSION"));
        let client = Client::new(user_agent, &config.client())?;
        Ok(Self { name, config, client })
    }

    fn headers(&self) -> Result<HeaderMap, Unread> {
        let mut headers =
            HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let mut put = |name: &str, value: &str| {
            if let (Ok(name), Ok(mut value)) =
                (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
            {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        };
        for (name, value) in &self.config.headers {
            put(name, value);
        }
        for (name, file) in &self.config.header_files {
            put(name, file.read()?.expose());
        }
        if let Some(file) = &self.config.token_file {
            put(AUTHORIZATION.as_str(), &format!("Bearer {}", file.read()?.expose()));
        }
        Ok(headers)
    }

    async fn post(&self, client: &reqwest::Client, headers: &HeaderMap, alerts: &[Waiting]) -> Verdict {
        let mut body = self.config.form.body(alerts.iter().map(|alert| alert.document.as_str()));
        if self.config.identify {
            body = form::identified(&body);
        }
        let sent = client.post(&self.config.url).headers(headers.clone()).body(body).send();
        let mut answer = match sent.await {
            Ok(answer) => answer,
            // The URL may hold a secret.
            Err(error) => return Verdict::Failed(audit_service::exit::chain(&error.without_url()), None),
        };
        let status = answer.status();
        let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let wait = wait.map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
        let mut said = Vec::new();
        while said.len() < LONGEST_ANSWER
            && let Ok(Some(chunk)) = answer.chunk().await
        {
            said.extend_from_slice(&chunk);
        }
        verdict(self.config.form, status, &String::from_utf8_lossy(&said), wait)
    }

    /// One request; what is refused among several is found by sending each alone.
    async fn settle(&self, client: &reqwest::Client, headers: &HeaderMap, alerts: &[Waiting]) -> Progress {
        let mut progress = Progress::default();
        match self.post(client, headers, alerts).await {
            Verdict::Taken => progress.written.extend(alerts.iter().map(|alert| alert.seq)),
            Verdict::Failed(reason, wait) => progress.fail(reason, wait),
            Verdict::Refused(reason) => match alerts {
                [alone] => progress.refused.push((alone.seq, reason)),
                _ => {
                    for alert in alerts {
                        let alone = std::slice::from_ref(alert);
                        match self.post(client, headers, alone).await {
                            Verdict::Taken => progress.written.push(alert.seq),
                            Verdict::Refused(reason) => progress.refused.push((alert.seq, reason)),
                            Verdict::Failed(reason, wait) => {
                                progress.fail(reason, wait);
                                break;
                            }
                        }
                    }
                }
            },
        }
        progress
    }
}

impl Output for Http {
    fn name(&self) -> &str {
        &self.name
    }

    fn at_once(&self) -> u32 {
        let most = self.config.form.at_once() * self.config.in_flight * 32;
        u32::try_from(most).unwrap_or(u32::MAX).min(self.config.rate.unwrap_or(u32::MAX))
    }

    fn rate(&self) -> Option<u32> {
        self.config.rate
    }

    async fn write(&mut self, alerts: &[Waiting]) -> Progress {
        let mut progress = Progress::default();
        let headers = match self.headers() {
            Ok(headers) => headers,
            Err(error) => {
                progress.fail(audit_service::exit::chain(&error), None);
                return progress;
            }
        };
        let client = self.client.get();
        let requests: Vec<_> = alerts.chunks(self.config.form.at_once()).collect();
        for round in requests.chunks(self.config.in_flight) {
            let settled = join_all(round.iter().map(|alerts| self.settle(&client, &headers, alerts))).await;
            settled.into_iter().for_each(|settled| progress.add(settled));
            if progress.failed.is_some() {
                break;
            }
        }
        progress
    }
}

/// A refusal is about the alert; everything else is about the server or the configuration, and passes.
fn verdict(form: Form, status: StatusCode, said: &str, wait: Option<Duration>) -> Verdict {
    let excerpt: String = said.trim().chars().take(EXCERPT).collect();
    let reason = || format!("answer {}: {}", status.as_u16(), excerpt.escape_debug());
    match status.as_u16() {
        200..300 => form.refusal(said).map_or(Verdict::Taken, Verdict::Refused),
        401 | 403 | 404 | 405 | 407 | 408 | 421 | 425 | 429 => Verdict::Failed(reason(), wait),
        400..500 => Verdict::Refused(reason()),
        _ => Verdict::Failed(reason(), wait),
    }
}

//! The way to Cloud Logging (`entries:list` by REST, so that entries stay as they were sent) and to Pub/Sub.

use std::time::Duration;

use audit_bridge::sweep::Request;
use audit_bridge::sweep::driver::{Page, ReadFailed, TimedLog};
use audit_bridge::time::Time;
use audit_service::exit::chain;
use reqwest::header::DATE;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

pub use credentials::{Credentials, NoCredentials};
pub use metadata::{Metadata, Unknown};

use crate::config::{Config, Source};

mod credentials;
mod entry;
mod filter;
mod metadata;
mod page;
pub mod pubsub;

const LOGGING: &str = "https://logging.googleapis.com";
const PUBSUB: &str = "https://pubsub.googleapis.com";
/// The most entries a page may hold.
const PAGE_SIZE: u32 = 1000;
/// Read requests a minute that a project has; it can't be raised.
pub const REQUESTS_A_MINUTE: f64 = 60.0;

/// Google Cloud as this bridge sees it. Clones share connections and credentials.
#[derive(Clone, Debug)]
pub struct Google {
    /// Who asks.
    pub credentials: Credentials,
    /// Where this process runs.
    pub metadata: Metadata,
    client: reqwest::Client,
    logging: String,
    pubsub: String,
}

/// Something was asked, and not answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// What came instead.
    pub problem: String,
    /// The HTTP status, if there was one.
    pub status: Option<u16>,
}

/// The audit log of one cluster.
#[derive(Clone, Debug)]
pub struct ClusterLog {
    google: Google,
    project: String,
    filter: String,
}

impl Google {
    /// As the configuration says; nothing is asked of anybody yet.
    ///
    /// # Errors
    /// When credentials can't be used.
    pub fn new(config: &Config, client: reqwest::Client) -> Result<Self, NoCredentials> {
        let url = |given: &Option<String>, usual: &str| {
            given.as_deref().unwrap_or(usual).trim_end_matches('/').to_owned()
        };
        Ok(Self {
            credentials: Credentials::new(config.credentials, config.metadata_url.as_deref())?,
            metadata: Metadata::new(client.clone(), config.metadata_url.as_deref()),
            client,
            logging: url(&config.endpoint_url, LOGGING),
            pubsub: url(&config.pubsub_endpoint_url, PUBSUB),
        })
    }

    /// The log that `source` describes, whose project is known.
    pub fn log(&self, source: &Source) -> ClusterLog {
        let project = source.project.clone().unwrap_or_default();
        let filter = filter::fixed(source, &project);
        ClusterLog { google: self.clone(), project, filter }
    }

    /// What Pub/Sub knows of a subscription or topic (`projects/...`).
    ///
    /// # Errors
    /// [`Asked`].
    pub async fn pubsub(&self, name: &str) -> Result<Value, Asked> {
        self.get(&format!("{}/v1/{name}", self.pubsub)).await
    }

    /// Whether we may read a subscription. Anybody may ask this, so it also tells whether Pub/Sub answers at all.
    ///
    /// # Errors
    /// [`Asked`].
    pub async fn may_consume(&self, subscription: &str) -> Result<bool, Asked> {
        let permission = "pubsub.subscriptions.consume";
        let question = json!({"permissions": [permission]});
        let url = format!("{}/v1/{subscription}:testIamPermissions", self.pubsub);
        let answer = self.ask(self.client.post(url).json(&question)).await?;
        let granted = answer.get("permissions").and_then(Value::as_array);
        Ok(granted.is_some_and(|granted| granted.iter().any(|name| name.as_str() == Some(permission))))
    }

    /// The IAM policy of a topic.
    ///
    /// # Errors
    /// [`Asked`].
    pub async fn policy(&self, topic: &str) -> Result<Value, Asked> {
        self.get(&format!("{}/v1/{topic}:getIamPolicy", self.pubsub)).await
    }

    /// The log sinks of a project.
    ///
    /// # Errors
    /// [`Asked`].
    pub async fn sinks(&self, project: &str) -> Result<Value, Asked> {
        self.get(&format!("{}/v2/projects/{project}/sinks?pageSize=1000", self.logging)).await
    }

    async fn get(&self, url: &str) -> Result<Value, Asked> {
        self.ask(self.client.get(url)).await
    }

    async fn ask(&self, request: RequestBuilder) -> Result<Value, Asked> {
        let unanswered = |problem| Asked { problem, status: None };
        let response = self.send(request).await.map_err(|failed| unanswered(failed.to_string()))?;
        let status = response.status();
        let body = response.bytes().await.map_err(|error| unanswered(unavailable(error).to_string()))?;
        match status.is_success() {
            true => serde_json::from_slice(&body).map_err(|error| unanswered(error.to_string())),
            false => Err(Asked { problem: said(status, &body), status: Some(status.as_u16()) }),
        }
    }

    async fn send(&self, request: RequestBuilder) -> Result<Response, ReadFailed> {
        let token = self.credentials.token().await.map_err(|error| match error.passes() {
            true => ReadFailed::Unavailable(chain(&error)),
            false => ReadFailed::Refused(chain(&error)),
        })?;
        let request = request.timeout(Duration::from_secs(60));
        let request = match token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        request.send().await.map_err(unavailable)
    }
}

/// What an error answer says.
fn said(status: StatusCode, body: &[u8]) -> String {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = said.pointer("/error/message").and_then(Value::as_str).unwrap_or("no reason given");
    format!("Google Cloud answers {}: {message}", status.as_u16())
}

impl ClusterLog {
    /// Asks for one page; `from` is the earliest time it may hold.
    async fn page(&self, query: Value, from: Time) -> Result<Page, ReadFailed> {
        let paging = query.get("pageToken").is_some();
        let request =
            self.google.client.post(format!("{}/v2/entries:list", self.google.logging)).json(&query);
        let response = self.google.send(request).await?;
        let status = response.status();
        let served = response.headers().get(DATE).and_then(|date| Time::of_http(date.to_str().ok()?));
        let body = response.bytes().await.map_err(unavailable)?;
        if !status.is_success() {
            return Err(self.refusal(status, &said(status, &body), paging));
        }
        page::read(&audit_event::payload::text(&body), served, from).map_err(|error| {
            ReadFailed::Unavailable(format!("Cloud Logging answers with no page of entries: {error}"))
        })
    }

    fn query(&self, filter: String, order: &str, most: u32, token: Option<&str>) -> Value {
        let mut query = json!({
            "resourceNames": [format!("projects/{}", self.project)],
            "filter": filter,
            "orderBy": order,
            "pageSize": most,
        });
        if let (Some(token), Some(query)) = (token, query.as_object_mut()) {
            query.insert("pageToken".to_owned(), token.into());
        }
        query
    }

    fn refusal(&self, status: StatusCode, said: &str, paging: bool) -> ReadFailed {
        let problem = format!("entries of project `{}`: {said}", self.project);
        match status.as_u16() {
            429 => ReadFailed::Throttled(problem),
            400 if paging && said.to_lowercase().replace(['_', ' '], "").contains("pagetoken") => {
                ReadFailed::TokenExpired(problem)
            }
            403 => ReadFailed::Refused(format!(
                "{problem}; grant `roles/logging.viewer`, or `roles/logging.privateLogViewer` for `data_access`, on the \
                 project"
            )),
            408 | 500.. => ReadFailed::Unavailable(problem),
            _ => ReadFailed::Refused(problem),
        }
    }

    /// The time of the newest entry since `since`.
    ///
    /// # Errors
    /// [`ReadFailed`] says whether it may work later.
    pub async fn newest(&self, since: Time) -> Result<Option<Time>, ReadFailed> {
        const MOST_PAGES: u32 = 10;
        let filter = filter::within(&self.filter, since, Time::of_machine().plus(Duration::from_secs(3600)));
        let mut token: Option<String> = None;
        for _ in 0..MOST_PAGES {
            let query = self.query(filter.clone(), "timestamp desc", 1, token.as_deref());
            let page = self.page(query, since).await?;
            match (page.found.first(), page.token) {
                (Some(found), _) => return Ok(Some(found.time)),
                (None, None) => return Ok(None),
                (None, more) => token = more,
            }
        }
        Ok(None)
    }
}

impl TimedLog for ClusterLog {
    async fn read(&self, request: &Request) -> Result<Page, ReadFailed> {
        let filter = filter::within(&self.filter, request.from, request.to);
        let query = self.query(filter, "timestamp asc", PAGE_SIZE, request.token.as_deref());
        self.page(query, request.from).await
    }
}

fn unavailable(error: reqwest::Error) -> ReadFailed {
    ReadFailed::Unavailable(format!("Google Cloud does not answer: {}", chain(&error.without_url())))
}

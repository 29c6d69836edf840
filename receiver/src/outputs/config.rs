//! What is configured about outputs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use audit_service::config::{Bytes, Check, Mistakes, SecretFile, Span};
use audit_service::{client, tls};
use serde::{Deserialize, Serialize};

use super::form::Form;
use super::only::Only;

/// Where alerts go. Each output has a name: `stdout`, `file/NAME`, `http/NAME`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outputs {
    /// JSON lines on standard output.
    pub stdout: bool,
    /// Which alerts standard output takes.
    pub stdout_only: Only,
    /// See [`Outputs::group`], for standard output.
    pub stdout_group: Option<Span>,
    /// Of alerts alike within this time (rule, cluster, user, target) an output gets the first at once and those after it as
    /// one. Every output may have a time of its own, or `0s`: all of them, as when none is given.
    pub group: Option<Span>,
    /// JSON lines in files, by name.
    pub file: BTreeMap<String, File>,
    /// Servers that take alerts over HTTP, by name.
    pub http: BTreeMap<String, Http>,
}

/// A file of JSON lines. When it is moved away, another is begun under its name.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// The file.
    pub path: PathBuf,
    /// At this size it is moved to `PATH.1`, that to `PATH.2` and so on; left alone without it.
    #[serde(default)]
    pub rotate_at: Option<Bytes>,
    /// How many of those moved away are kept.
    #[serde(default = "default_keep")]
    pub keep: u32,
    /// See [`Outputs::group`].
    #[serde(default)]
    pub group: Option<Span>,
    /// Which alerts it takes.
    #[serde(default)]
    pub only: Only,
}

/// A server that takes alerts by POST.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// All of it: `http://falcosidekick:2801/`, `http://alertmanager:9093/api/v2/alerts`, `http://collector:4318/v1/logs`.
    pub url: String,
    /// What is posted.
    #[serde(default)]
    pub form: Form,
    /// Whether `output_fields` has `alert.uuid`, `alert.audit_id` and `alert.cluster` as well: falcosidekick passes on no other
    /// key of a document, and puts a `uuid` of its own in the place of ours. Of the form `falco` alone.
    #[serde(default)]
    pub identify: bool,
    /// Headers to send.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Headers to send whose values are in files, read for each request.
    #[serde(default)]
    pub header_files: BTreeMap<String, SecretFile>,
    /// A file with a bearer token, read for each request.
    #[serde(default)]
    pub token_file: Option<SecretFile>,
    /// Certificates to present and to trust.
    #[serde(default)]
    pub tls: tls::ClientFiles,
    /// Requests under way at once.
    #[serde(default = "default_in_flight")]
    pub in_flight: usize,
    /// Most alerts a second; without bound when not given.
    #[serde(default)]
    pub rate: Option<u32>,
    /// See [`Outputs::group`].
    #[serde(default)]
    pub group: Option<Span>,
    /// Which alerts it takes.
    #[serde(default)]
    pub only: Only,
}

fn default_keep() -> u32 {
    5
}

fn default_in_flight() -> usize {
    4
}

impl Default for Outputs {
    fn default() -> Self {
        Self {
            stdout: true,
            stdout_only: Only::default(),
            stdout_group: None,
            group: None,
            file: BTreeMap::new(),
            http: BTreeMap::new(),
        }
    }
}

impl Outputs {
    /// The time for an output that has `own`.
    pub fn group(&self, own: Option<Span>) -> Option<Duration> {
        own.or(self.group).map(|span| span.0).filter(|time| !time.is_zero())
    }
}

impl Http {
    /// How the server is reached.
    pub fn client(&self) -> client::Options {
        client::Options { tls: self.tls.clone(), ..client::Options::default() }
    }
}

impl Check for Outputs {
    fn check(&self, mistakes: &mut Mistakes) {
        for (name, http) in &self.http {
            let mut wrong =
                |key: &str, reason: &str| mistakes.add(format!("outputs.http.{name}.{key}"), reason);
            match reqwest::Url::parse(&http.url) {
                Ok(url) if matches!(url.scheme(), "http" | "https") => {}
                _ => wrong("url", "must be a whole URL, beginning with `http://` or `https://`"),
            }
            if http.identify && http.form != Form::Falco {
                wrong("identify", "is for the form `falco`; the others carry it anyway");
            }
            if http.in_flight == 0 || http.in_flight > 64 {
                wrong("in_flight", "must be 1 to 64");
            }
            if http.rate == Some(0) {
                wrong("rate", "must be at least 1; leave the output out to send nothing");
            }
            for (header, value) in &http.headers {
                let known = reqwest::header::HeaderName::from_bytes(header.as_bytes()).is_ok();
                if !known || reqwest::header::HeaderValue::from_str(value).is_err() {
                    wrong("headers", &format!("`{header}` or its value can't stand in a request"));
                }
            }
            for header in http.header_files.keys() {
                if reqwest::header::HeaderName::from_bytes(header.as_bytes()).is_err() {
                    wrong("header_files", &format!("`{header}` can't be a header"));
                }
            }
        }
    }
}

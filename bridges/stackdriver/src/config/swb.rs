//! The configuration file of stackdriver-webhook-bridge, `swb-config.yaml`, with its defaults.

use std::path::{Path, PathBuf};

use audit_bridge::deliver::Keep;
use audit_service::config::{Check, Listen, Mistakes, Span, load_from};
use serde::{Deserialize, Serialize};

use super::{Config, Source};

/// Where the old bridge sent events to when nothing was said.
const AGENT: &str = "http://sysdig-agent.sysdig-agent.svc.cluster.local:7765/k8s_audit";
/// It kept nothing; what must be kept goes where every container can write.
const FOLDER: &str = "/tmp/stackdriver-bridge";

/// The old file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the names are the old file's; `notes` says what each became")]
pub struct Swb {
    pub url: String,
    pub project: Option<String>,
    pub cluster: Option<String>,
    pub outfile: Option<PathBuf>,
    pub logfile: Option<PathBuf>,
    pub poll_interval: Span,
    pub lag_interval: Span,
    #[serde(rename = "max-audit-events-batch")]
    pub max_audit_events_batch: u32,
    pub prometheus: Port,
    pub api: Port,
    pub log_level: String,
    #[serde(rename = "supress_object_conversion_errors")]
    pub suppress_object_conversion_errors: bool,
}

/// A port on every address.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Port {
    /// Its number; the old default when absent.
    pub port: Option<u16>,
}

impl Default for Swb {
    fn default() -> Self {
        Self {
            url: AGENT.to_owned(),
            project: None,
            cluster: None,
            outfile: None,
            logfile: None,
            poll_interval: Span::secs(5),
            lag_interval: Span::secs(30),
            max_audit_events_batch: 100,
            prometheus: Port::default(),
            api: Port::default(),
            log_level: "info".to_owned(),
            suppress_object_conversion_errors: true,
        }
    }
}

impl Swb {
    /// Reads the file.
    ///
    /// # Errors
    /// All mistakes in it. Keys that the old bridge did not know it ignored, and so does this one.
    pub fn load(path: &Path) -> Result<Self, Mistakes> {
        load_from(Self::default(), Some(path), std::iter::empty(), ())
    }

    /// Where `/metrics` is served.
    pub fn metrics_listen(&self) -> Listen {
        Listen::everywhere(self.prometheus.port.unwrap_or(25000))
    }

    /// Where `/health` is served.
    pub fn health_listen(&self) -> Listen {
        Listen::everywhere(self.api.port.unwrap_or(8182))
    }

    /// What it says, in the words of this bridge.
    pub fn config(&self) -> Config {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let mut config = Config {
            sources: vec![Source {
                project: given(&self.project),
                cluster: given(&self.cluster),
                logs: vec!["activity".to_owned()],
                ..Source::default()
            }],
            quarantine: Keep::File(Path::new(FOLDER).join("quarantine.jsonl")),
            checkpoint: format!("file:{FOLDER}"),
            poll_interval: self.poll_interval,
            spare_copies: true,
            ..Config::default()
        };
        config.receiver.url = self.url.parse().ok();
        config.log.level = level(&self.log_level).parse().unwrap_or_default();
        config
    }

    /// What each key became, one line each.
    pub fn notes(&self) -> Vec<String> {
        let place = |path: &Option<PathBuf>| {
            path.as_ref().map_or("none".to_owned(), |path| path.display().to_string())
        };
        let name =
            |text: &Option<String>| text.clone().unwrap_or_else(|| "asked of the metadata server".to_owned());
        vec![
            format!("url -> receiver.url: {}", self.url),
            format!("project -> sources[0].project: {}", name(&self.project)),
            format!("cluster -> sources[0].cluster: {}", name(&self.cluster)),
            format!("logfile -> every entry as Cloud Logging gives it, one a line: {}", place(&self.logfile)),
            format!("outfile -> every event, one a line: {}", place(&self.outfile)),
            format!("poll_interval -> poll_interval: {}", self.poll_interval),
            format!(
                "lag_interval ({}) -> not needed: entries are looked for again at the ages of `sweeps`",
                self.lag_interval
            ),
            format!(
                "max-audit-events-batch ({}) -> not needed: bodies are bounded by events and bytes",
                self.max_audit_events_batch
            ),
            format!("prometheus.port -> /metrics on {}, with the swb_poller_* names", self.metrics_listen()),
            format!("api.port -> /health on {}", self.health_listen()),
            format!("log_level ({}) -> log.level: {}", self.log_level, level(&self.log_level)),
            format!(
                "supress_object_conversion_errors ({}) -> not needed: every shape is converted, and what can't be is \
                 quarantined with its reason",
                self.suppress_object_conversion_errors
            ),
            format!(
                "(new) checkpoint: file:{FOLDER}; put it on a volume to go on after the pod was replaced"
            ),
        ]
    }
}

/// The level that a level of logrus is here.
fn level(logrus: &str) -> &'static str {
    match logrus.to_ascii_lowercase().as_str() {
        "panic" | "fatal" | "error" => "error",
        "warn" | "warning" => "warn",
        "debug" => "debug",
        "trace" => "trace",
        _ => "info",
    }
}

impl Check for Swb {
    fn check(&self, mistakes: &mut Mistakes) {
        if self.url.parse::<audit_bridge::deliver::ReceiverUrl>().is_err() {
            mistakes.add("url", audit_bridge::deliver::WrongUrl.to_string());
        }
    }
}

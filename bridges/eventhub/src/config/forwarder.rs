//! The environment of the forwarder of sysdiglabs/aks-audit-log, which this bridge takes over as it is.

use audit_bridge::deliver::WrongUrl;
use audit_service::config::Mistakes;

use super::{Config, StartCheckpoints};

/// Where the forwarder sends events.
const SINK: &str = "WebSinkURL";

/// What of that environment is set, with what has taken its place.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Forwarder {
    /// One line a variable.
    pub notes: Vec<String>,
    /// The receiver's address and why it is none.
    wrong_url: Option<(String, WrongUrl)>,
}

impl Forwarder {
    /// Puts what `environment` says into `config`, below files, flags and variables of our own.
    pub fn adopt(config: &mut Config, environment: impl Fn(&str) -> Option<String>) -> Self {
        let mut notes = Vec::new();
        let mut wrong_url = None;
        let mut note = |name: &str, new: &str| notes.push(format!("`{name}` is {new}"));
        if environment("EhubNamespaceConnectionString").is_some() {
            config.connection_string_variable = Some("EhubNamespaceConnectionString".to_owned());
            note(
                "EhubNamespaceConnectionString",
                "now `connection_string_file`, a file rather than a variable",
            );
        }
        if let Some(hub) = environment("EventHubName") {
            config.event_hub = Some(hub);
            note("EventHubName", "now `event_hub`");
        }
        if let (Some(container), Some(_)) =
            (environment("BlobContainerName"), environment("BlobStorageConnectionString"))
        {
            config.start_checkpoints = Some(StartCheckpoints {
                container,
                connection_string_file: None,
                connection_string_variable: Some("BlobStorageConnectionString".to_owned()),
            });
            note(
                "BlobContainerName",
                "now `start_checkpoints.container`, read once to go on where the forwarder was",
            );
            note("BlobStorageConnectionString", "now `start_checkpoints.connection_string_file`");
        }
        if let Some(url) = environment(SINK) {
            note(SINK, "now `receiver.url`");
            match url.parse() {
                Ok(url) => config.receiver.url = Some(url),
                Err(wrong) => wrong_url = Some((url, wrong)),
            }
        }
        if let Some(level) = environment("VerboseLevel") {
            let level = match level.trim() {
                "0" | "1" => "warn",
                "2" => "info",
                _ => "debug",
            };
            config.log.level = level.parse().unwrap_or_default();
            note("VerboseLevel", "now `log.level`");
        }
        for name in ["PostMaxRetries", "PostRetryIncrementalDelay"] {
            if environment(name).is_some() {
                note(name, "of no use any more: what the receiver does not take is sent again until it does");
            }
        }
        Self { notes, wrong_url }
    }

    /// Mistakes in a configuration, with those that are really such of a variable told so.
    pub fn explain(&self, mut mistakes: Mistakes) -> Mistakes {
        if let Some((url, wrong)) = &self.wrong_url {
            mistakes.blame("receiver.url", SINK, url, wrong);
        }
        mistakes
    }
}

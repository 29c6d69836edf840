//! The command line, as far as it is this bridge's own.

use std::path::PathBuf;

use audit_bridge::cli::{self, Sweeping};
use clap::Args;
use serde_json::{Value, json};

/// The command line.
pub type Cli = cli::Cli<Flags>;

/// Flags that say what is read.
#[derive(Clone, Debug, Default, Args)]
pub struct Flags {
    /// The configuration file of stackdriver-webhook-bridge, with its ports
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "config")]
    pub swb_config: Option<PathBuf>,
    /// The project to read: with `--location` and `--cluster`, `sources` with one entry; what is not given is asked of the
    /// metadata server
    #[arg(long, global = true, value_name = "ID")]
    project: Option<String>,
    /// The zone or region of the cluster
    #[arg(long, global = true, value_name = "NAME")]
    location: Option<String>,
    /// The cluster to read; `*` is every one
    #[arg(long, global = true, value_name = "NAME")]
    cluster: Option<String>,
    /// The subscription to read from Pub/Sub instead: `projects/PROJECT/subscriptions/NAME`
    #[arg(long, global = true, value_name = "NAME")]
    subscription: Option<String>,
    /// Where Cloud Logging is, for emulators and private endpoints (`endpoint_url`)
    #[arg(long, global = true, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Where Pub/Sub is (`pubsub_endpoint_url`)
    #[arg(long, global = true, value_name = "URL")]
    pubsub_endpoint_url: Option<String>,
    /// Where the metadata server is (`metadata_url`; else `GCE_METADATA_HOST`)
    #[arg(long, global = true, value_name = "URL")]
    metadata_url: Option<String>,
    /// Who asks (`credentials`): `default` or `anonymous`
    #[arg(long, global = true, value_name = "KIND")]
    credentials: Option<String>,
    #[command(flatten)]
    sweeping: Sweeping,
}

impl cli::Flags for Flags {
    const NAME: &str = crate::NAME;
    const VERSION: &str = crate::VERSION;
    const ABOUT: &str = env!("CARGO_PKG_DESCRIPTION");
    const CONVERT: &str = "Convert log entries (REST JSON, Pub/Sub data, `logfile` of stackdriver-webhook-bridge) to audit events";

    fn keys(&self) -> Value {
        let named = [&self.project, &self.location, &self.cluster].into_iter().any(Option::is_some);
        let source = named
            .then(|| json!({"project": self.project, "location": self.location, "cluster": self.cluster}));
        let subscription = self.subscription.as_ref().map(|name| json!({"name": name}));
        self.sweeping.beside(json!({
            "sources": source.into_iter().collect::<Vec<_>>(),
            "subscriptions": subscription.into_iter().collect::<Vec<_>>(),
            "endpoint_url": self.endpoint_url,
            "pubsub_endpoint_url": self.pubsub_endpoint_url,
            "metadata_url": self.metadata_url,
            "credentials": self.credentials,
        }))
    }
}

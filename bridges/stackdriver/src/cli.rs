//! The command line.

use std::path::PathBuf;

use audit_bridge::{check, checkpoint, command};
use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};

/// Carries the audit log of GKE clusters from Cloud Logging or Pub/Sub to a receiver. No event is lost.
#[derive(Clone, Debug, Parser)]
#[command(version, about)]
pub struct Cli {
    /// What to do; `run` when left out
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Settings that every first try needs
    #[command(flatten)]
    pub settings: Settings,
    /// With `run`: read up to now, deliver, commit, and end
    #[arg(long, global = true)]
    pub once: bool,
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Read and deliver until told to stop
    Run,
    /// Say whether it would work, and if not, what mends it
    Check(check::Args),
    /// Convert log entries (REST JSON, Pub/Sub data, `logfile` of stackdriver-webhook-bridge) to audit events
    Convert(command::ConvertArgs),
    /// Show or set checkpoints
    Checkpoint {
        /// Which
        #[command(subcommand)]
        command: checkpoint::Command,
    },
}

/// Flags that stand for keys of the configuration and win over it.
#[derive(Clone, Debug, Default, Args)]
pub struct Settings {
    /// The configuration file (YAML)
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
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
    /// Where events go (`receiver.url`); `/k8s_audit` unless it has a path
    #[arg(long, global = true, value_name = "URL")]
    receiver_url: Option<String>,
    /// The store of checkpoints (`checkpoint`), such as `file:FOLDER`
    #[arg(long, global = true, value_name = "URL")]
    checkpoint: Option<String>,
    /// The admin port (`admin.listen`)
    #[arg(long, global = true, value_name = "ADDR")]
    admin_listen: Option<String>,
    /// Where to begin without a checkpoint (`from`): a time, a span ago as `-1h`, or `beginning`
    #[arg(long, global = true, value_name = "WHEN", allow_hyphen_values = true)]
    from: Option<String>,
    /// How often to look for new entries (`poll_interval`)
    #[arg(long, global = true, value_name = "SPAN")]
    poll_interval: Option<String>,
    /// The ages at which each slice of time is read (`sweeps`), such as `5s,1m,10m,1h`
    #[arg(long, global = true, value_name = "SPANS")]
    sweeps: Option<String>,
}

impl Settings {
    /// The same as keys of the configuration; what was not given is null or empty.
    pub fn keys(&self) -> Value {
        let named = [&self.project, &self.location, &self.cluster].into_iter().any(Option::is_some);
        let source = named
            .then(|| json!({"project": self.project, "location": self.location, "cluster": self.cluster}));
        let subscription = self.subscription.as_ref().map(|name| json!({"name": name}));
        json!({
            "sources": source.into_iter().collect::<Vec<_>>(),
            "subscriptions": subscription.into_iter().collect::<Vec<_>>(),
            "endpoint_url": self.endpoint_url,
            "pubsub_endpoint_url": self.pubsub_endpoint_url,
            "metadata_url": self.metadata_url,
            "credentials": self.credentials,
            "receiver": {"url": self.receiver_url},
            "checkpoint": self.checkpoint,
            "admin": {"listen": self.admin_listen},
            "from": self.from,
            "poll_interval": self.poll_interval,
            "sweeps": self.sweeps,
        })
    }
}

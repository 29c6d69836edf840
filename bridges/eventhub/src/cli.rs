//! The command line.

use std::path::PathBuf;

use audit_bridge::{check, checkpoint, command};
use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};

/// Carries the audit log of AKS clusters from Event Hubs to a receiver. No event is lost.
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
    /// Convert raw records (`{"records":[...]}` or single ones) to audit events
    Convert(command::ConvertArgs),
    /// Show or set checkpoints, one a partition
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
    /// A file that holds a connection string of the namespace or the event hub (`connection_string_file`)
    #[arg(long, global = true, value_name = "FILE")]
    connection_string_file: Option<PathBuf>,
    /// The namespace, when an identity reads it rather than a connection string (`namespace`)
    #[arg(long, global = true, value_name = "NAME")]
    namespace: Option<String>,
    /// The event hub (`event_hub`), unless the connection string names it
    #[arg(long, global = true, value_name = "NAME")]
    event_hub: Option<String>,
    /// The consumer group (`consumer_group`), which no other tool should use
    #[arg(long, global = true, value_name = "NAME")]
    consumer_group: Option<String>,
    /// Where the namespace is, for tests and private endpoints (`endpoint_url`), such as `amqp://localhost:5672`
    #[arg(long, global = true, value_name = "URL")]
    endpoint_url: Option<String>,
    /// Where events go (`receiver.url`); `/k8s_audit` unless it has a path
    #[arg(long, global = true, value_name = "URL")]
    receiver_url: Option<String>,
    /// The store of checkpoints (`checkpoint`), such as `file:FOLDER`
    #[arg(long, global = true, value_name = "URL")]
    checkpoint: Option<String>,
    /// The admin port (`admin.listen`)
    #[arg(long, global = true, value_name = "ADDR")]
    admin_listen: Option<String>,
    /// Where to begin without a checkpoint (`from`): `earliest`, `latest`, a time, or a span ago as `-1h`
    #[arg(long, global = true, value_name = "WHEN", allow_hyphen_values = true)]
    from: Option<String>,
}

impl Settings {
    /// The same as keys of the configuration; what was not given is null.
    pub fn keys(&self) -> Value {
        json!({
            "connection_string_file": self.connection_string_file,
            "namespace": self.namespace,
            "event_hub": self.event_hub,
            "consumer_group": self.consumer_group,
            "endpoint_url": self.endpoint_url,
            "receiver": {"url": self.receiver_url},
            "checkpoint": self.checkpoint,
            "admin": {"listen": self.admin_listen},
            "from": self.from,
        })
    }
}

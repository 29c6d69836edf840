//! The command line.

use std::path::PathBuf;

use audit_bridge::{check, checkpoint, command};
use clap::{Args, Parser, Subcommand};
use serde_json::{Value, json};

/// Carries the audit log of EKS clusters from CloudWatch Logs to a receiver. No event is lost.
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
    /// Convert raw records (`FilteredLogEvent` objects or bare messages) to audit events
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
    /// The cluster to read: `sources` with one entry
    #[arg(long, global = true, value_name = "NAME")]
    cluster: Option<String>,
    /// The log group, by name or ARN, when it is not `/aws/eks/CLUSTER/cluster`
    #[arg(long, global = true, value_name = "NAME")]
    log_group: Option<String>,
    /// The AWS region (`region`; else `AWS_REGION`)
    #[arg(long, global = true)]
    region: Option<String>,
    /// Where AWS is, for tests and private endpoints (`endpoint_url`; STS for web identities goes by `AWS_ENDPOINT_URL`)
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
    /// Where to begin without a checkpoint (`from`): a time, a span ago as `-1h`, or `beginning`
    #[arg(long, global = true, value_name = "WHEN", allow_hyphen_values = true)]
    from: Option<String>,
    /// How often to look for new events (`poll_interval`)
    #[arg(long, global = true, value_name = "SPAN")]
    poll_interval: Option<String>,
    /// The ages at which each slice of time is read (`sweeps`), such as `5s,1m,10m,1h`
    #[arg(long, global = true, value_name = "SPANS")]
    sweeps: Option<String>,
}

impl Settings {
    /// The same as keys of the configuration; what was not given is null or empty.
    pub fn keys(&self) -> Value {
        let source = (self.cluster.is_some() || self.log_group.is_some())
            .then(|| json!({"cluster": self.cluster, "log_group": self.log_group}));
        json!({
            "sources": source.into_iter().collect::<Vec<_>>(),
            "region": self.region,
            "endpoint_url": self.endpoint_url,
            "receiver": {"url": self.receiver_url},
            "checkpoint": self.checkpoint,
            "admin": {"listen": self.admin_listen},
            "from": self.from,
            "poll_interval": self.poll_interval,
            "sweeps": self.sweeps,
        })
    }
}

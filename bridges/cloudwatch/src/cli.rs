//! The command line, as far as it is this bridge's own.

use audit_bridge::cli::{self, Sweeping};
use clap::Args;
use serde_json::{Value, json};

/// The command line.
pub type Cli = cli::Cli<Flags>;

/// Flags that say what is read.
#[derive(Clone, Debug, Default, Args)]
pub struct Flags {
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
    #[command(flatten)]
    sweeping: Sweeping,
}

impl cli::Flags for Flags {
    const NAME: &str = crate::NAME;
    const VERSION: &str = crate::VERSION;
    const ABOUT: &str = env!("CARGO_PKG_DESCRIPTION");
    const CONVERT: &str = "Convert raw records (`FilteredLogEvent` objects or bare messages) to audit events";

    fn keys(&self) -> Value {
        let source = (self.cluster.is_some() || self.log_group.is_some())
            .then(|| json!({"cluster": self.cluster, "log_group": self.log_group}));
        self.sweeping.beside(json!({
            "sources": source.into_iter().collect::<Vec<_>>(),
            "region": self.region,
            "endpoint_url": self.endpoint_url,
        }))
    }
}

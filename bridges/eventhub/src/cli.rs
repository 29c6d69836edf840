//! The command line, as far as it is this bridge's own.

use std::path::PathBuf;

use audit_bridge::cli::{self};
use clap::Args;
use serde_json::{Value, json};

/// The command line.
pub type Cli = cli::Cli<Flags>;

/// Flags that say what is read.
#[derive(Clone, Debug, Default, Args)]
pub struct Flags {
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
}

impl cli::Flags for Flags {
    const NAME: &str = crate::NAME;
    const VERSION: &str = crate::VERSION;
    const ABOUT: &str = env!("CARGO_PKG_DESCRIPTION");
    const CONVERT: &str = r#"Convert raw records (`{"records":[...]}` or single ones) to audit events"#;
    const CHECKPOINT: &str = "Show or set checkpoints, one a partition";
    const FROM: &str =
        "Where to begin without a checkpoint (`from`): `earliest`, `latest`, a time, or a span ago as `-1h`";

    fn keys(&self) -> Value {
        json!({
            "connection_string_file": self.connection_string_file,
            "namespace": self.namespace,
            "event_hub": self.event_hub,
            "consumer_group": self.consumer_group,
            "endpoint_url": self.endpoint_url,
        })
    }
}

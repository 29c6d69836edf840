//! What this bridge reads, and where it brings it.

use audit_bridge::config::{self, Settings};
use audit_bridge::daemon::AdminOptions;
use audit_bridge::deliver::{Keep, Options as ReceiverOptions};
use audit_bridge::time;
use audit_service::config::{Bytes, Check, Mistakes, SecretFile, Span};
use audit_service::tls::ClientFiles;
use audit_service::{client, logging};
use serde::{Deserialize, Serialize};

mod forwarder;
mod identity;
mod target;
#[cfg(test)]
mod tests;

pub use forwarder::Forwarder;
pub use identity::IdentityOptions;
pub(crate) use target::variable;
pub use target::{Target, Unusable};

/// The configuration of a process; [`Config::default`] is what holds where nothing is said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The namespace that an identity reads: `shop`, or a full name such as `shop.servicebus.usgovcloudapi.net`.
    pub namespace: Option<String>,
    /// A file that holds a connection string, in place of a namespace and an identity; read for each token.
    pub connection_string_file: Option<SecretFile>,
    /// The environment variable that holds a connection string.
    pub connection_string_variable: Option<String>,
    /// The event hub, unless the connection string names it.
    pub event_hub: Option<String>,
    /// The consumer group, which no other tool should use.
    pub consumer_group: String,
    /// The owner level to read with; without one, readers of the group share what they read, and each gets all of it.
    pub epoch: Option<i64>,
    /// Who reads the namespace.
    pub identity: IdentityOptions,
    /// Where the namespace is, when not where its name says: `amqps://HOST[:PORT]`, `amqp://` for emulators.
    pub endpoint_url: Option<String>,
    /// How it is spoken to.
    pub transport: Transport,
    /// Certificates for the namespace and for Entra ID.
    pub tls: ClientFiles,
    /// How long the namespace may take for an answer.
    pub answer_timeout: Span,
    /// What all partitions together may have under way, from the namespace to the receiver; at least 2 MiB each.
    pub buffer: Bytes,
    /// Where positions of an earlier reader are, for partitions without a checkpoint.
    pub start_checkpoints: Option<StartCheckpoints>,
    /// Where events go.
    pub receiver: ReceiverOptions,
    /// Where records go that are no events: `receiver`, or `file:PATH` for a receiver without a quarantine.
    pub quarantine: Keep,
    /// The store of checkpoints: `file:FOLDER`, `configmap:NAMESPACE/NAME` or `az://ACCOUNT/CONTAINER/PREFIX`.
    pub checkpoint: String,
    /// The admin port.
    pub admin: AdminOptions,
    /// What is logged, and how.
    pub log: logging::Options,
    /// Where a partition without a checkpoint begins.
    pub from: time::From,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            namespace: None,
            connection_string_file: None,
            connection_string_variable: None,
            event_hub: None,
            consumer_group: "$Default".to_owned(),
            epoch: Some(0),
            identity: IdentityOptions::default(),
            endpoint_url: None,
            transport: Transport::default(),
            tls: ClientFiles::default(),
            answer_timeout: Span::secs(30),
            buffer: Bytes::mib(64),
            start_checkpoints: None,
            receiver: ReceiverOptions::default(),
            quarantine: Keep::default(),
            checkpoint: "file:/var/lib/eventhub-bridge".to_owned(),
            admin: AdminOptions::default(),
            log: logging::Options::default(),
            from: time::From::default(),
        }
    }
}

/// How a namespace is spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// AMQP on port 5671.
    #[default]
    Amqp,
    /// The same through a WebSocket on port 443, for networks that let nothing else out.
    Websocket,
}

/// The Blob container in which Microsoft's event processors keep their positions. It is read once, for a start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StartCheckpoints {
    /// The container: `https://ACCOUNT.blob.core.windows.net/CONTAINER` for an identity, its name with a connection string.
    pub container: String,
    /// A file that holds a connection string of the storage account.
    pub connection_string_file: Option<SecretFile>,
    /// The environment variable that holds one.
    pub connection_string_variable: Option<String>,
}

impl Config {
    /// The options of the HTTP client for everything of Azure's that is not AMQP.
    pub(crate) fn azure_client(&self) -> client::Options {
        client::Options { timeout: self.answer_timeout, tls: self.tls.clone(), ..client::Options::default() }
    }
}

impl Settings for Config {
    fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    fn check_reading(&self, mistakes: &mut Mistakes) {
        let string = self.connection_string_file.is_some() || self.connection_string_variable.is_some();
        match (&self.namespace, string) {
            (None, false) => {
                mistakes.add("namespace", "must be given, or `connection_string_file` (or by their flags)");
            }
            (Some(_), true) => {
                mistakes.add("namespace", "is in the connection string already; give one of the two");
            }
            _ => {}
        }
        if self.namespace.is_some() && self.event_hub.is_none() {
            mistakes.add("event_hub", "must be given (or `--event-hub`)");
        }
        if self.consumer_group.is_empty() {
            mistakes.add("consumer_group", "must be given; every event hub has `$Default`");
        }
        if self.endpoint_url.as_deref().is_some_and(|url| target::endpoint(url).is_none()) {
            mistakes
                .add("endpoint_url", "expected a URL such as `amqps://10.0.0.5` or `amqp://localhost:5672`");
        }
        if self.answer_timeout.0.is_zero() {
            mistakes.add("answer_timeout", "must be longer than nothing");
        }
        mistakes.within("identity", |mistakes| self.identity.check(mistakes));
        if let Some(start) = &self.start_checkpoints {
            mistakes.within("start_checkpoints", |mistakes| start.check(mistakes));
        }
    }
}

impl Check for Config {
    fn check(&self, mistakes: &mut Mistakes) {
        config::check(self, &self.receiver, mistakes);
        if self.buffer < Bytes::mib(1) {
            mistakes.add("buffer", "must be at least `1MiB`, the size of one message");
        }
    }
}

impl Check for StartCheckpoints {
    fn check(&self, mistakes: &mut Mistakes) {
        let string = self.connection_string_file.is_some() || self.connection_string_variable.is_some();
        if self.container.is_empty() {
            mistakes.add("container", "must be given");
        } else if !string && !self.container.starts_with("http") {
            mistakes.add(
                "container",
                "must be a URL such as `https://ACCOUNT.blob.core.windows.net/CONTAINER` without a connection string",
            );
        }
    }
}

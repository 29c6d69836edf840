use audit_service::client::Client;
use audit_service::config::Unread;
use audit_service::tls;

use super::{Config, Transport};
use crate::amqp::Endpoint;
use crate::credentials::{ConnectionString, Credentials, Malformed};

/// The event hub that a configuration means, and who reads it.
#[derive(Clone, Debug)]
pub struct Target {
    /// The namespace.
    pub endpoint: Endpoint,
    /// The event hub.
    pub hub: String,
    /// Who reads.
    pub credentials: Credentials,
    /// The HTTP client for Entra ID and Blob storage.
    pub client: Client,
}

/// Why a configuration that is in order means nothing.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The file of the connection string.
    #[error(transparent)]
    Unread(#[from] Unread),
    /// The variable of the connection string.
    #[error("the environment variable `{0}` must hold a connection string")]
    Unset(String),
    /// The connection string.
    #[error("the connection string cannot be used: {0}")]
    Malformed(#[from] Malformed),
    /// Neither says which hub.
    #[error("`event_hub` must be given, for the connection string is one of the whole namespace")]
    NoHub,
    /// The connection string is of another hub.
    #[error("`event_hub` is `{configured}`, but the connection string is for `{named}`")]
    OtherHub {
        /// By the configuration.
        configured: String,
        /// By the string.
        named: String,
    },
    /// Certificates.
    #[error(transparent)]
    Tls(#[from] tls::Unusable),
}

impl Config {
    /// The event hub, as files and the environment have it now.
    ///
    /// # Errors
    /// [`Unusable`].
    pub fn target(&self) -> Result<Target, Unusable> {
        let client = Client::new(&format!("{}/{}", crate::NAME, crate::VERSION), &self.azure_client())?;
        let string = self.connection_string()?;
        let (namespace, credentials) = match &string {
            Some((string, credentials)) => (string.host.clone(), credentials.clone()),
            None => {
                let entra = self.identity.entra(&self.identity.resource, client.clone(), variable);
                (full_name(self.namespace.as_deref().unwrap_or_default()), Credentials::Entra(entra))
            }
        };
        let string = string.as_ref().map(|(string, _)| string);
        let hub = match (&self.event_hub, string.and_then(|string| string.hub.as_ref())) {
            (Some(configured), Some(named)) if !configured.eq_ignore_ascii_case(named) => {
                return Err(Unusable::OtherHub { configured: configured.clone(), named: named.clone() });
            }
            (Some(hub), _) | (None, Some(hub)) => hub.clone(),
            (None, None) => return Err(Unusable::NoHub),
        };
        let (host, port, secure) = match self.endpoint_url.as_deref().and_then(endpoint) {
            Some(endpoint) => endpoint,
            None => {
                let secure = !string.is_some_and(|string| string.emulator);
                (namespace.clone(), string.and_then(|string| string.port), secure)
            }
        };
        let websocket = self.transport == Transport::Websocket;
        let port = port.unwrap_or(match (websocket, secure) {
            (true, true) => 443,
            (true, false) => 80,
            (false, true) => 5671,
            (false, false) => 5672,
        });
        let tls = if secure { Some(tls::client_config(&self.tls)?) } else { None };
        let answer_within = self.answer_timeout.0;
        let endpoint = Endpoint { namespace, host, port, websocket, tls, answer_within };
        Ok(Target { endpoint, hub, credentials, client })
    }

    fn connection_string(&self) -> Result<Option<(ConnectionString, Credentials)>, Unusable> {
        if let Some(file) = &self.connection_string_file {
            let string: ConnectionString = file.read()?.expose().parse()?;
            return Ok(Some((string, Credentials::PolicyFile(file.clone()))));
        }
        let Some(name) = &self.connection_string_variable else { return Ok(None) };
        let text = variable(name).ok_or_else(|| Unusable::Unset(name.clone()))?;
        let string: ConnectionString = text.parse()?;
        Ok(Some((string.clone(), Credentials::Policy(string))))
    }
}

/// A variable of the environment that is set and not empty.
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A namespace by its full name; a bare one is of the public cloud.
fn full_name(namespace: &str) -> String {
    let name = namespace.to_ascii_lowercase();
    if name.contains('.') { name } else { format!("{name}.servicebus.windows.net") }
}

/// Host, port if it is said, and whether TLS is spoken, of `amqps://HOST[:PORT]` or `amqp://...`.
pub(super) fn endpoint(url: &str) -> Option<(String, Option<u16>, bool)> {
    let (scheme, rest) = url.split_once("://")?;
    let secure = match scheme {
        "amqps" => true,
        "amqp" => false,
        _ => return None,
    };
    let authority = rest.trim_end_matches('/');
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') => (host, Some(port.parse().ok()?)),
        _ => (authority, None),
    };
    (!host.is_empty() && !host.contains('/')).then(|| (host.to_owned(), port, secure))
}

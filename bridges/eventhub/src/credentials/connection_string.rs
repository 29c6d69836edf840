use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Token, sign};

/// How long a signature is made good for.
const LIFE: Duration = Duration::from_secs(3600);

/// A connection string of an Event Hubs namespace, as the portal gives it.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionString {
    /// The namespace's full name: `shop.servicebus.windows.net`.
    pub host: String,
    /// A port that is not the usual one: emulators.
    pub port: Option<u16>,
    /// The event hub, if the string is for one.
    pub hub: Option<String>,
    /// `UseDevelopmentEmulator=true`: plain text.
    pub emulator: bool,
    /// What signs.
    pub key: Key,
}

/// What a connection string lets its holder present.
#[derive(Clone, PartialEq, Eq)]
pub enum Key {
    /// A policy and its key.
    Shared {
        /// The policy.
        name: String,
        /// Its key, a secret.
        key: String,
    },
    /// A signature that somebody made before, a secret; it ends when it ends.
    Signature(String),
}

/// What is wrong with a connection string. Never its content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// No endpoint, or none of that form.
    #[error("`Endpoint=sb://NAMESPACE.servicebus.windows.net/` is missing or malformed")]
    Endpoint,
    /// Nothing to sign with.
    #[error("`SharedAccessKeyName` and `SharedAccessKey`, or `SharedAccessSignature`, are missing")]
    Key,
    /// A part without `=`.
    #[error("a part is not of the form `Name=Value`")]
    Part,
}

impl FromStr for ConnectionString {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (mut endpoint, mut name, mut key, mut signature, mut hub) = (None, None, None, None, None);
        let mut emulator = false;
        for part in text.trim().split(';').map(str::trim).filter(|part| !part.is_empty()) {
            let (field, value) = part.split_once('=').ok_or(Malformed::Part)?;
            match field.trim().to_ascii_lowercase().as_str() {
                "endpoint" => endpoint = Some(value),
                "sharedaccesskeyname" => name = Some(value.to_owned()),
                "sharedaccesskey" => key = Some(value.to_owned()),
                "sharedaccesssignature" => signature = Some(value.to_owned()),
                "entitypath" => hub = Some(value.to_owned()),
                "usedevelopmentemulator" => emulator = value.eq_ignore_ascii_case("true"),
                _ => {}
            }
        }
        let (host, port) = endpoint.and_then(authority).ok_or(Malformed::Endpoint)?;
        let key = match (name, key, signature) {
            (Some(name), Some(key), _) => Key::Shared { name, key },
            (_, _, Some(signature)) => Key::Signature(signature),
            _ => return Err(Malformed::Key),
        };
        Ok(Self { host, port, hub, emulator, key })
    }
}

/// Host and port of `sb://HOST[:PORT]/`.
fn authority(endpoint: &str) -> Option<(String, Option<u16>)> {
    let (scheme, rest) = endpoint.split_once("://")?;
    let authority = rest.split('/').next().filter(|authority| !authority.is_empty())?;
    if !matches!(scheme, "sb" | "amqp" | "amqps") {
        return None;
    }
    match authority.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() => Some((host.to_ascii_lowercase(), Some(port.parse().ok()?))),
        Some(_) => None,
        None => Some((authority.to_ascii_lowercase(), None)),
    }
}

impl ConnectionString {
    /// A token for `audience`.
    pub(super) fn token(&self, audience: &str) -> Token {
        let kind = "servicebus.windows.net:sastoken";
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        match &self.key {
            Key::Shared { name, key } => {
                let value = sign(audience, name, key, (now + LIFE).as_secs());
                Token { kind, value, life: LIFE }
            }
            Key::Signature(signature) => {
                let field = signature.split('&').find_map(|field| field.strip_prefix("se="));
                let end = field.and_then(|end| end.parse().ok()).map(Duration::from_secs);
                let life = end.map_or(LIFE, |end| end.saturating_sub(now));
                Token { kind, value: signature.clone(), life }
            }
        }
    }

    /// Who it lets its holder be.
    pub fn who(&self) -> String {
        match &self.key {
            Key::Shared { name, .. } => format!("shared access policy `{name}`"),
            Key::Signature(_) => "the holder of a shared access signature".to_owned(),
        }
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConnectionString({}, {})", self.host, self.who())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTAL: &str = "Endpoint=sb://Shop.servicebus.windows.net/;SharedAccessKeyName=listen;SharedAccessKey=a2V5==;EntityPath=audit";

    #[test]
    fn as_the_portal_writes_it() {
        let string: ConnectionString = PORTAL.parse().unwrap();
        assert_eq!(string.host, "shop.servicebus.windows.net");
        assert_eq!((string.port, string.emulator, string.hub.as_deref()), (None, false, Some("audit")));
        assert!(string.key == Key::Shared { name: "listen".to_owned(), key: "a2V5==".to_owned() });
        let shown = format!("{string:?} {}", string.who());
        assert!(!shown.contains("a2V5"), "{shown}");
    }

    #[test]
    fn emulators_and_signatures() {
        let string: ConnectionString =
            " endpoint=sb://localhost:5672;SharedAccessSignature=SharedAccessSignature sr=x&sig=y&se=1&skn=z;UseDevelopmentEmulator=true;\n"
                .parse()
                .unwrap();
        assert_eq!((string.host.as_str(), string.port, string.emulator), ("localhost", Some(5672), true));
        assert_eq!(string.token("amqps://localhost/audit").life, Duration::ZERO);
        assert!(string.token("").value.starts_with("SharedAccessSignature sr=x"));
    }

    #[test]
    fn what_is_missing_is_said() {
        for (text, reason) in [
            ("", Malformed::Endpoint),
            ("Endpoint=https://a/;SharedAccessKeyName=a;SharedAccessKey=b", Malformed::Endpoint),
            ("Endpoint=sb://;SharedAccessKeyName=a;SharedAccessKey=b", Malformed::Endpoint),
            ("Endpoint=sb://a:b/;SharedAccessKeyName=a;SharedAccessKey=b", Malformed::Endpoint),
            ("Endpoint=sb://a/;SharedAccessKeyName=a", Malformed::Key),
            ("Endpoint=sb://a/;SharedAccessKey", Malformed::Part),
        ] {
            assert_eq!(text.parse::<ConnectionString>().unwrap_err(), reason, "{text}");
        }
    }
}

//! Who reads: a shared access policy by its connection string, or an identity of Entra ID.

use std::fmt;
use std::time::Duration;

use audit_service::config::Unread;

mod connection_string;
mod entra;
mod signature;

pub use connection_string::{ConnectionString, Key, Malformed};
pub use entra::{Entra, Identity};
pub use signature::sign;

/// What `$cbs` is given.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What kind of token it is, in the words of `$cbs`.
    pub kind: &'static str,
    /// The token, a secret.
    pub value: String,
    /// How long it is good from now.
    pub life: Duration,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, {:?})", self.kind, self.life)
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum NoToken {
    /// A secret's file.
    #[error(transparent)]
    Unread(#[from] Unread),
    /// What stands in it.
    #[error("the connection string cannot be used: {0}")]
    Malformed(#[from] Malformed),
    /// Entra ID, or the metadata service of the node, can't be asked.
    #[error("`{url}` does not answer: {reason}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// What went wrong.
        reason: String,
    },
    /// Entra ID says no.
    #[error("{who} is refused a token: {reason}")]
    Refused {
        /// Who asked.
        who: String,
        /// The answer.
        reason: String,
    },
}

/// Where tokens come from.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// The key of a shared access policy; its holder may do what the policy says.
    Policy(ConnectionString),
    /// The same in a file, read for each token.
    PolicyFile(audit_service::config::SecretFile),
    /// Somebody whom Entra ID knows.
    Entra(Entra),
}

impl Credentials {
    /// A token for `audience`, `amqps://NAMESPACE/HUB`.
    ///
    /// # Errors
    /// [`NoToken`]; no secret is in it.
    pub async fn token(&self, audience: &str) -> Result<Token, NoToken> {
        match self {
            Self::Policy(policy) => Ok(policy.token(audience)),
            Self::PolicyFile(file) => {
                let policy: ConnectionString = file.read()?.expose().parse()?;
                Ok(policy.token(audience))
            }
            Self::Entra(entra) => entra.token().await,
        }
    }

    /// Who that is, for a person to read.
    pub fn who(&self) -> String {
        match self {
            Self::Policy(policy) => policy.who(),
            Self::PolicyFile(file) => format!("the connection string in `{file}`"),
            Self::Entra(entra) => entra.who(),
        }
    }
}

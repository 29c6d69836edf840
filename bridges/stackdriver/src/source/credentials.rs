//! Who asks: access tokens of Google Cloud.

use google_cloud_auth::credentials::{AccessTokenCredentials, Builder, mds};
use google_cloud_auth::{build_errors, errors};

use crate::config::Credentials as Kind;

/// What tokens are good for: reading logs, and reading subscriptions.
const SCOPES: [&str; 2] =
    ["https://www.googleapis.com/auth/logging.read", "https://www.googleapis.com/auth/pubsub"];

/// A source of access tokens, which renews them by itself. Clones share it.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// None are sent: for emulators.
    Anonymous,
    /// Those of the key file, the federation file or the metadata server.
    Google(AccessTokenCredentials),
}

/// Why there are no credentials.
#[derive(Debug, thiserror::Error)]
pub enum NoCredentials {
    /// The file is none.
    #[error(
        "credentials cannot be used; check `GOOGLE_APPLICATION_CREDENTIALS`, or run with Workload Identity: {0}"
    )]
    Unusable(#[from] build_errors::Error),
    /// Google does not give a token for them.
    #[error("no access token: {0}")]
    NoToken(#[from] errors::CredentialsError),
}

impl NoCredentials {
    /// Whether it may work later, by itself.
    pub fn passes(&self) -> bool {
        matches!(self, Self::NoToken(error) if error.is_transient())
    }
}

impl Credentials {
    /// The credentials of this process: the file named by `GOOGLE_APPLICATION_CREDENTIALS` (a key, or an
    /// `external_account` of workload identity federation), else those of gcloud, else the metadata server.
    ///
    /// # Errors
    /// When a file can't be used. Nothing is asked of anybody yet.
    pub fn new(kind: Kind, metadata_url: Option<&str>) -> Result<Self, NoCredentials> {
        Ok(match (kind, metadata_url) {
            (Kind::Anonymous, _) => Self::Anonymous,
            (Kind::Default, None) => {
                Self::Google(Builder::default().with_scopes(SCOPES).build_access_token_credentials()?)
            }
            (Kind::Default, Some(url)) => {
                let builder = mds::Builder::default().with_endpoint(url).with_scopes(SCOPES);
                Self::Google(builder.build_access_token_credentials()?)
            }
        })
    }

    /// A token for the next request; `None` when none is to be sent.
    ///
    /// # Errors
    /// When Google gives none.
    pub async fn token(&self) -> Result<Option<String>, NoCredentials> {
        match self {
            Self::Anonymous => Ok(None),
            Self::Google(credentials) => Ok(Some(credentials.access_token().await?.token)),
        }
    }
}

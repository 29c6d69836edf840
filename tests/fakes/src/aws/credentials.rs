//! Who is calling: credentials that this fake issued, and others.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;

use super::{ACCOUNT, AwsError, Place, REGION};

#[derive(Debug)]
pub(super) struct Credentials {
    /// Take only credentials issued here.
    pub(super) required: bool,
    pub(super) life: Duration,
    /// The only token that is exchanged for credentials, if set.
    pub(super) token: Option<String>,
    issued: HashMap<String, Issued>,
}

/// Temporary credentials.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) access_key: String,
    pub(super) secret_key: String,
    pub(super) session_token: String,
    pub(super) expires_ms: i64,
    /// The assumed role's ARN as STS words it.
    pub(super) arn: String,
    expired: bool,
}

/// The caller of a request.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) place: Place,
    pub(super) arn: String,
    pub(super) user_id: String,
    /// Why it may not call anything, if so.
    pub(super) refused: Option<AwsError>,
}

impl Default for Credentials {
    fn default() -> Self {
        Self { required: false, life: Duration::from_secs(3600), token: None, issued: HashMap::new() }
    }
}

impl Credentials {
    /// Issues credentials for `role`, an ARN.
    pub(super) fn issue(&mut self, role: &str, session: &str, now: i64) -> Issued {
        let number = self.issued.len();
        let account = role.split(':').nth(4).filter(|account| !account.is_empty()).unwrap_or(ACCOUNT);
        let name = role.rsplit('/').next().unwrap_or_default();
        let issued = Issued {
            access_key: format!("ASIAFAKE{number:012}"),
            secret_key: format!("fake-secret-key-{number}"),
            session_token: format!("fake-session-token-{number}"),
            expires_ms: now + self.life.as_millis() as i64,
            arn: format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
            expired: false,
        };
        self.issued.insert(issued.access_key.clone(), issued.clone());
        issued
    }

    pub(super) fn expire_all(&mut self) {
        self.issued.values_mut().for_each(|issued| issued.expired = true);
    }

    /// Reads the caller out of the signature's credential scope, `KEY/DATE/REGION/SERVICE/aws4_request`.
    /// The signature itself is not checked.
    pub(super) fn caller(&self, request: &Request<Bytes>, now: i64) -> Caller {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let scope =
            header("authorization").and_then(|text| text.split_once("Credential=")).map(|(_, rest)| rest);
        let mut parts = scope.unwrap_or_default().split('/');
        let key = parts.next().unwrap_or_default();
        let region = parts.nth(1).unwrap_or(REGION).to_owned();
        let issued = self.issued.get(key);
        let refused = match issued {
            Some(issued) if issued.expired || issued.expires_ms <= now => Some(AwsError::expired_token()),
            Some(issued) if header("x-amz-security-token") != Some(&issued.session_token) => {
                Some(AwsError::unrecognized_client())
            }
            None if self.required => Some(AwsError::unrecognized_client()),
            _ => None,
        };
        let arn = issued
            .map_or_else(|| format!("arn:aws:iam::{ACCOUNT}:user/audit-reader"), |issued| issued.arn.clone());
        let account = arn.split(':').nth(4).unwrap_or(ACCOUNT).to_owned();
        Caller { place: Place { account, region }, arn, user_id: format!("AROAFAKE:{key}"), refused }
    }
}

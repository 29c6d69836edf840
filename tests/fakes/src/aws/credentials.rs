//! Who is calling: credentials that this fake issued, and others.

use std::collections::HashMap;
use std::time::Duration;

use bytes::Bytes;
use hyper::Request;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::{ACCOUNT, AwsError, Operation, Place, REGION};

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
    /// Of the signature only its time is checked.
    pub(super) fn caller(&self, request: &Request<Bytes>, operation: Operation, now: i64) -> Caller {
        let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
        let scope =
            header("authorization").and_then(|text| text.split_once("Credential=")).map(|(_, rest)| rest);
        let mut parts = scope.unwrap_or_default().split('/');
        let key = parts.next().unwrap_or_default();
        let region = parts.nth(1).unwrap_or(REGION).to_owned();
        let issued = self.issued.get(key);
        let skewed = header("x-amz-date").and_then(signed_at).and_then(|at| skewed(operation, at, now));
        let refused = match issued {
            _ if skewed.is_some() => skewed,
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

/// How far the time of a signature may be from ours, in milliseconds.
const MOST_SKEW_MS: i64 = 5 * 60 * 1000;

/// The time of a signature, `20260102T030405Z`, in milliseconds since 1970.
fn signed_at(date: &str) -> Option<i64> {
    let time = DateTime::strptime("%Y%m%dT%H%M%SZ", date).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp().as_millisecond())
}

/// What is said of a signature whose time is too far from `now`.
fn skewed(operation: Operation, signed: i64, now: i64) -> Option<AwsError> {
    let stamp =
        |at: i64| Timestamp::from_millisecond(at).ok().map(|at| at.strftime("%Y%m%dT%H%M%SZ").to_string());
    let (signed_at, now_is) = (stamp(signed)?, stamp(now)?);
    let (message, bound) = if signed < now - MOST_SKEW_MS {
        (format!("Signature expired: {signed_at} is now earlier than"), stamp(now - MOST_SKEW_MS)?)
    } else if signed > now + MOST_SKEW_MS {
        (format!("Signature not yet current: {signed_at} is still later than"), stamp(now + MOST_SKEW_MS)?)
    } else {
        return None;
    };
    let (status, code) =
        if operation.is_sts() { (403, "SignatureDoesNotMatch") } else { (400, "InvalidSignatureException") };
    Some(AwsError::new(status, code, format!("{message} {bound} ({now_is} +/- 5 min.)")))
}

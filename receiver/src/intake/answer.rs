//! What the intake answers.

use audit_event::json::Malformed;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::admission::NoReview;
use super::body::Unread;
use crate::store::StoreError;

/// The body of a 200: everything in the request is evaluated, ignored or quarantined, and durable.
/// `received` is the sum of the three.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Answer {
    /// Entries in the body.
    pub received: usize,
    /// Audit events held against the rules.
    pub evaluated: usize,
    /// Entries that are no audit events.
    pub ignored: usize,
    /// Entries that are kept because they can't be evaluated.
    pub quarantined: Vec<Set>,
    /// Alerts that were not known before.
    pub alerts: usize,
}

/// An entry that was set aside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Set {
    /// Its place in the body, from 0.
    pub index: usize,
    /// Why.
    pub reason: String,
}

/// Why a request was not taken. Nothing of it is stored: the sender must keep it, mend it or give it up.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// 401
    #[error("send a known bearer token or client certificate")]
    Unauthenticated,
    /// 403
    #[error("this sender is bound to another cluster than the path names")]
    OtherCluster,
    /// 400
    #[error("a cluster name in the path must have 1 to 256 bytes")]
    ClusterName,
    /// 404
    #[error("no such path; audit events go to `/k8s_audit` or `/k8s_audit/CLUSTER`")]
    NoSuchPath,
    /// 405
    #[error("send it by POST")]
    Method,
    /// 429
    #[error("this client asks too often")]
    TooOften,
    /// 400: a proxy that turns a POST into something else loses the body.
    #[error("the body is empty")]
    Empty,
    /// 400
    #[error(transparent)]
    Malformed(Malformed),
    /// 400: neither an audit event nor a review.
    #[error("expected an AdmissionReview of admission.k8s.io/v1: {0}")]
    NoReview(&'static str),
    /// 400
    #[error("record {index}: {expected}")]
    Record {
        /// Its place, from 0.
        index: usize,
        /// What it must be.
        expected: &'static str,
    },
    /// 408, 413, 415, 429 or 400
    #[error(transparent)]
    Body(#[from] Unread),
    /// 503
    #[error("{0}")]
    Store(StoreError),
    /// 503
    #[error("the receiver can't evaluate now")]
    Stopping,
}

/// After how many seconds a sender should try again. kube-apiserver tries ten times more inside each of its five attempts
/// when it is told so, as long as that takes no more than 30 s.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("2");

#[derive(Serialize)]
struct Problem {
    error: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<usize>,
}

impl Refusal {
    /// The status that says so.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::OtherCluster => StatusCode::FORBIDDEN,
            Self::NoSuchPath => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Self::ClusterName
            | Self::Empty
            | Self::Malformed(_)
            | Self::NoReview(_)
            | Self::Record { .. } => StatusCode::BAD_REQUEST,
            Self::Body(unread) => match unread {
                Unread::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
                Unread::Busy => StatusCode::TOO_MANY_REQUESTS,
                Unread::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
                Unread::Encoding(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Unread::Broken(_) => StatusCode::BAD_REQUEST,
            },
            Self::Store(_) | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// One word for metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "unauthenticated",
            Self::OtherCluster => "other_cluster",
            Self::NoSuchPath => "no_such_path",
            Self::Method => "method",
            Self::TooOften => "too_often",
            Self::ClusterName => "cluster_name",
            Self::Empty => "empty",
            Self::Malformed(_) | Self::NoReview(_) | Self::Record { .. } => "malformed",
            Self::Body(Unread::TooLarge { .. }) => "too_large",
            Self::Body(Unread::Busy) => "busy",
            Self::Body(Unread::Slow { .. }) => "slow",
            Self::Body(Unread::Encoding(_)) => "encoding",
            Self::Body(Unread::Broken(_)) => "broken",
            Self::Store(_) => "store",
            Self::Stopping => "stopping",
        }
    }
}

impl From<NoReview> for Refusal {
    fn from(no: NoReview) -> Self {
        match no {
            NoReview::Malformed(malformed) => Self::Malformed(malformed),
            NoReview::Other(problem) => Self::NoReview(problem),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        let offset = match &self {
            Self::Malformed(malformed) => Some(malformed.offset),
            Self::Empty => Some(0),
            _ => None,
        };
        let mut response = (status, Json(Problem { error: self.to_string(), offset })).into_response();
        let headers = response.headers_mut();
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

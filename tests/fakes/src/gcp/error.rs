//! Errors as Google's REST APIs answer them.

use bytes::Bytes;
use hyper::Response;
use serde_json::json;

/// An error of `google.rpc.Status` in its HTTP form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GcpError {
    /// The HTTP status.
    pub code: u16,
    /// The name of the `google.rpc.Code`, such as `RESOURCE_EXHAUSTED`.
    pub status: &'static str,
    /// What a person reads.
    pub message: String,
}

impl GcpError {
    /// An error of that HTTP status and code name.
    pub fn new(code: u16, status: &'static str, message: impl Into<String>) -> Self {
        Self { code, status, message: message.into() }
    }

    /// 400.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }

    /// 401.
    pub fn unauthenticated() -> Self {
        let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or \
                       other valid authentication credential.";
        Self::new(401, "UNAUTHENTICATED", message)
    }

    /// 403.
    pub fn permission_denied() -> Self {
        Self::new(403, "PERMISSION_DENIED", "Permission denied for all log views")
    }

    /// 429: the requests of a project in a minute are used up.
    pub fn quota_exceeded(project: &str) -> Self {
        let message = format!(
            "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute' of service \
             'logging.googleapis.com' for consumer 'project_number:{project}'."
        );
        Self::new(429, "RESOURCE_EXHAUSTED", message)
    }

    /// 503.
    pub fn unavailable() -> Self {
        Self::new(503, "UNAVAILABLE", "The service is currently unavailable.")
    }

    pub(crate) fn response(&self) -> Response<Bytes> {
        let error = json!({"code": self.code, "message": self.message, "status": self.status});
        super::respond(self.code, "application/json; charset=UTF-8", json!({"error": error}).to_string())
    }
}

//! Errors as AWS words and wraps them.

use bytes::Bytes;
use hyper::Response;
use serde_json::json;

use super::{Operation, respond};

/// An error answer of AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    /// The HTTP status; throttling is 400, not 429.
    pub status: u16,
    /// The name, such as `ThrottlingException`.
    pub code: &'static str,
    /// The text for people.
    pub message: String,
}

impl AwsError {
    /// An error of that status, name and text.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// More requests than the quota of the account allows.
    pub fn throttling() -> Self {
        Self::new(400, "ThrottlingException", "Rate exceeded")
    }

    /// The service is down for the moment.
    pub fn unavailable() -> Self {
        Self::new(503, "ServiceUnavailableException", "Service Unavailable")
    }

    /// The service broke.
    pub fn internal() -> Self {
        Self::new(500, "InternalFailure", "The request processing has failed because of an unknown error")
    }

    /// The credentials were valid once.
    pub fn expired_token() -> Self {
        Self::new(400, "ExpiredTokenException", "The security token included in the request is expired")
    }

    /// The credentials are not known.
    pub fn unrecognized_client() -> Self {
        Self::new(
            400,
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        )
    }

    /// No policy permits `operation` to `caller`, an ARN, on `resource`, an ARN.
    pub fn access_denied(operation: Operation, caller: &str, resource: &str) -> Self {
        let action = operation.action();
        Self::new(
            400,
            "AccessDeniedException",
            format!(
                "User: {caller} is not authorized to perform: {action} on resource: {resource} because no \
                 identity-based policy allows the {action} action"
            ),
        )
    }

    /// The trust policy of the role does not take this web identity.
    pub fn web_identity_denied() -> Self {
        Self::new(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
    }

    pub(super) fn no_such_group() -> Self {
        Self::new(400, "ResourceNotFoundException", "The specified log group does not exist.")
    }

    pub(super) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterException", message)
    }

    pub(super) fn unknown_operation() -> Self {
        Self::new(400, "UnknownOperationException", "")
    }

    /// The answer: XML for the query protocol of STS, else JSON.
    pub(super) fn response(&self, query_protocol: bool) -> Response<Bytes> {
        if query_protocol {
            let side = if self.status < 500 { "Sender" } else { "Receiver" };
            let body = format!(
                "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>{side}</Type>\
                 <Code>{}</Code><Message>{}</Message></Error>\
                 <RequestId>6f9e4c1a-0000-4000-8000-000000000000</RequestId></ErrorResponse>",
                self.code, self.message
            );
            return respond(self.status, "text/xml", body);
        }
        let body = json!({"__type": self.code, "message": self.message}).to_string();
        let mut response = respond(self.status, "application/x-amz-json-1.1", body);
        if let Ok(code) = self.code.parse() {
            response.headers_mut().insert("x-amzn-errortype", code);
        }
        response
    }
}

//! The endpoint of the EKS Pod Identity agent, reached through `AWS_CONTAINER_CREDENTIALS_FULL_URI`.

use bytes::Bytes;
use hyper::Request;
use serde_json::json;

use super::{ACCOUNT, AwsError, Reply, State, sts};

pub(super) fn answer(state: &mut State, request: &Request<Bytes>, now: i64) -> Result<Reply, AwsError> {
    let token =
        request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if token.is_empty() || state.credentials.token.as_deref().is_some_and(|wanted| wanted != token) {
        return Err(AwsError::new(
            400,
            "InvalidTokenException",
            "The token included in the request cannot be validated.",
        ));
    }
    let role = format!("arn:aws:iam::{ACCOUNT}:role/audit-reader");
    let issued = state.credentials.issue(&role, "eks-demo-audit-bridge", now);
    let body = json!({
        "AccessKeyId": issued.access_key,
        "SecretAccessKey": issued.secret_key,
        "Token": issued.session_token,
        "AccountId": ACCOUNT,
        "Expiration": sts::expiry(issued.expires_ms),
    });
    Ok(Reply { content_type: "application/json", body: body.to_string(), events: 0 })
}

//! STS: the query protocol, XML answers.

use std::collections::HashMap;

use super::credentials::{Caller, Issued};
use super::{AwsError, Operation, Reply, State};

pub(super) fn answer(
    state: &mut State,
    operation: Operation,
    caller: &Caller,
    form: &HashMap<String, String>,
    now: i64,
) -> Result<Reply, AwsError> {
    let field = |name: &str| {
        form.get(name).map(String::as_str).ok_or_else(|| {
            AwsError::new(
                400,
                "ValidationError",
                format!("1 validation error detected: Value null at '{name}' failed to satisfy constraint"),
            )
        })
    };
    let inner = if operation == Operation::GetCallerIdentity {
        signed(caller)?;
        let Caller { arn, user_id, place, .. } = caller;
        format!("<Arn>{arn}</Arn><UserId>{user_id}</UserId><Account>{}</Account>", place.account)
    } else {
        if operation == Operation::AssumeRole {
            signed(caller)?;
        } else {
            let token = field("WebIdentityToken")?;
            if state.credentials.token.as_deref().is_some_and(|wanted| wanted != token) {
                return Err(AwsError::new(
                    400,
                    "InvalidIdentityToken",
                    "No OpenIDConnect provider found in your account for https://oidc.example.com/id/FAKE",
                ));
            }
        }
        assumed(&state.credentials.issue(field("RoleArn")?, field("RoleSessionName")?, now))
    };
    let body = format!(
        "<{operation:?}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <{operation:?}Result>{inner}</{operation:?}Result><ResponseMetadata>\
         <RequestId>6f9e4c1a-0000-4000-8000-000000000000</RequestId></ResponseMetadata></{operation:?}Response>"
    );
    Ok(Reply { content_type: "text/xml", body, events: 0 })
}

/// STS words refused credentials otherwise than Logs does.
fn signed(caller: &Caller) -> Result<(), AwsError> {
    match &caller.refused {
        Some(error) if error.code == "ExpiredTokenException" => {
            Err(AwsError::new(403, "ExpiredToken", error.message.clone()))
        }
        Some(error) if error.code == "SignatureDoesNotMatch" => Err(error.clone()),
        Some(error) => Err(AwsError::new(403, "InvalidClientTokenId", error.message.clone())),
        None => Ok(()),
    }
}

fn assumed(issued: &Issued) -> String {
    let expiry = expiry(issued.expires_ms);
    let Issued { access_key, secret_key, session_token, arn, .. } = issued;
    format!(
        "<AssumedRoleUser><Arn>{arn}</Arn><AssumedRoleId>AROAFAKE:{access_key}</AssumedRoleId></AssumedRoleUser>\
         <Credentials><AccessKeyId>{access_key}</AccessKeyId><SecretAccessKey>{secret_key}</SecretAccessKey>\
         <SessionToken>{session_token}</SessionToken><Expiration>{expiry}</Expiration></Credentials>"
    )
}

/// RFC 3339, to the second as AWS gives it.
pub(super) fn expiry(at_ms: i64) -> String {
    jiff::Timestamp::from_second(at_ms / 1000).unwrap_or(jiff::Timestamp::MAX).to_string()
}

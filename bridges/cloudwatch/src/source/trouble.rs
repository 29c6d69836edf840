//! What the SDK's errors mean, and what to do about them.

use std::error::Error;

use audit_bridge::sweep::driver::ReadFailed;
use aws_sdk_cloudwatchlogs::config::http::HttpResponse;
use aws_sdk_cloudwatchlogs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;

use super::web_identity::WebIdentity;

use crate::config::Log;
use crate::convert::partition;

/// An error of any service, taken apart.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Trouble {
    /// The error's name, when the service answered with one.
    code: String,
    /// What it said; for errors without an answer, all causes.
    message: String,
    /// The HTTP status, when there was an answer.
    status: Option<u16>,
}

impl Trouble {
    pub(super) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + Error + Send + Sync + 'static,
    {
        let status = error.raw_response().map(|response| response.status().as_u16());
        match error {
            SdkError::ServiceError(answer) => Self {
                code: answer.err().code().unwrap_or_default().to_owned(),
                message: answer.err().message().map_or_else(|| answer.err().to_string(), str::to_owned),
                status,
            },
            other => Self { code: String::new(), message: causes(other), status },
        }
    }

    /// Whether other credentials may help, although the SDK believes these.
    pub(super) fn is_of_credentials(&self) -> bool {
        let named = matches!(
            self.code.as_str(),
            "ExpiredTokenException"
                | "ExpiredToken"
                | "UnrecognizedClientException"
                | "InvalidClientTokenId"
                | "InvalidSignatureException"
                | "SignatureDoesNotMatch"
                | "IncompleteSignature"
                | "MissingAuthenticationTokenException"
        );
        named && !self.is_of_clock()
    }

    /// The signature's time was too far from the service's. The client has learnt the difference from this very answer and
    /// signs the next request right.
    fn is_of_clock(&self) -> bool {
        self.message.contains("Signature expired") || self.message.contains("Signature not yet current")
    }

    /// What to do about it. `with_token`: the request carried on from a page before.
    pub(super) fn failure(&self, log: &Log, with_token: bool) -> ReadFailed {
        let said = self.said();
        match self.code.as_str() {
            "ThrottlingException" | "Throttling" | "RequestLimitExceeded" | "TooManyRequestsException" => {
                ReadFailed::Throttled(said)
            }
            "InvalidParameterException" if with_token => ReadFailed::TokenExpired(said),
            "ExpiredTokenException" | "ExpiredToken" if !said.contains("WebIdentity") => {
                ReadFailed::Unavailable(said)
            }
            "ResourceNotFoundException" => ReadFailed::Refused(missing(log, &said)),
            "AccessDeniedException" => ReadFailed::Refused(denied(log, &said)),
            _ if self.is_of_clock() => ReadFailed::Unavailable(said),
            "" => self.without_answer(),
            _ if self.status.is_some_and(|status| status >= 500) => ReadFailed::Unavailable(said),
            _ => ReadFailed::Refused(with_hint(&said)),
        }
    }

    /// No answer of the service itself: no connection, or no credentials to sign with.
    fn without_answer(&self) -> ReadFailed {
        match hint(&self.message) {
            Some(hint) => ReadFailed::Refused(format!("no credentials: {}; {hint}", self.message)),
            None => ReadFailed::Unavailable(self.said()),
        }
    }

    fn said(&self) -> String {
        match (self.code.as_str(), self.status) {
            ("", None) => self.message.clone(),
            ("", Some(status)) => format!("HTTP {status}: {}", self.message),
            (code, _) => format!("{code}: {}", self.message),
        }
    }
}

/// The grant that reading needs, as a command when the refusal names the role.
fn denied(log: &Log, said: &str) -> String {
    let group = match log.group.strip_prefix("arn:") {
        Some(_) => log.group.clone(),
        None => {
            let account = log.account.as_deref().unwrap_or("ACCOUNT");
            format!("arn:{}:logs:{}:{account}:log-group:{}", partition(&log.region), log.region, log.group)
        }
    };
    let statement = format!(r#"{{"Effect":"Allow","Action":"logs:FilterLogEvents","Resource":"{group}:*"}}"#);
    match said.split_once(":assumed-role/").and_then(|(_, rest)| rest.split('/').next()) {
        Some(role) => format!(
            "{said}; allow it: aws iam put-role-policy --role-name {role} --policy-name read-audit-log \
             --policy-document '{{\"Version\":\"2012-10-17\",\"Statement\":[{statement}]}}'"
        ),
        None => format!("{said}; allow it in the policy of this identity: {statement}"),
    }
}

fn missing(log: &Log, said: &str) -> String {
    format!(
        "{said}; the log group `{}` of region `{}` appears when audit logging is on (if the cluster's name is right): {}",
        log.group,
        log.region,
        audit_logging(log)
    )
}

/// The command that turns the audit log of a cluster on.
pub(crate) fn audit_logging(log: &Log) -> String {
    format!(
        "aws eks update-cluster-config --region {} --name {} --logging \
         '{{\"clusterLogging\":[{{\"types\":[\"audit\"],\"enabled\":true}}]}}'",
        log.region, log.cluster
    )
}

fn with_hint(said: &str) -> String {
    hint(said).map_or_else(|| said.to_owned(), |hint| format!("{said}; {hint}"))
}

/// What an error of the way to credentials means, by the words that STS and the SDK use.
fn hint(message: &str) -> Option<String> {
    let has = |words: &str| message.contains(words);
    let identity = WebIdentity::of_environment();
    Some(if has("sts:AssumeRoleWithWebIdentity") {
        identity.distrusted()
    } else if has("No OpenIDConnect provider") {
        identity.unregistered()
    } else if has("ncorrect token audience") {
        identity.unheard()
    } else if has("ExpiredToken") || has("Token expired") {
        identity.stale()
    } else if has("InvalidIdentityToken") {
        identity.unusable()
    } else if has("IDPCommunicationError") {
        return None;
    } else if has("sts:AssumeRole") {
        "the `role` to assume must trust this identity, and this identity be allowed `sts:AssumeRole` on it"
            .into()
    } else if has("UnrecognizedClient") || has("InvalidClientTokenId") || has("SignatureDoesNotMatch") {
        "the access key is not known to AWS; is it of another partition, or deleted?".into()
    } else if has("169.254.170.23") || has("fd00:ec2::23") || has("AWS_CONTAINER") {
        "EKS Pod Identity does not answer: is the add-on eks-pod-identity-agent running on this node, \
         and is the service account associated with a role?"
            .into()
    } else if has("AWS_WEB_IDENTITY_TOKEN_FILE") || has("WebIdentityToken") || has("token file") {
        identity.unusable()
    } else if has("no providers in chain")
        || has("credentials provider was not enabled")
        || has("credential provider was not enabled")
    {
        "give the pod a role by IRSA (annotation eks.amazonaws.com/role-arn on its service account) \
         or by EKS Pod Identity"
            .into()
    } else {
        return None;
    })
}

/// What STS answered on the way to credentials, else all causes.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let answered = error.downcast_ref::<AssumeRoleWithWebIdentityError>().map(ProvideErrorMetadata::meta);
        let answered =
            answered.or_else(|| error.downcast_ref::<AssumeRoleError>().map(ProvideErrorMetadata::meta));
        if let Some(meta) = answered {
            let (code, message) = (meta.code().unwrap_or_default(), meta.message().unwrap_or_default());
            return format!("STS answers {code}: {message}");
        }
        cause = error.source();
    }
    audit_service::exit::chain(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Log {
        Log {
            unit: "u".into(),
            cluster: "prod".into(),
            group: "/aws/eks/prod/cluster".into(),
            region: "eu-central-1".into(),
            account: Some("111122223333".into()),
            role: None,
        }
    }

    fn trouble(code: &str, message: &str, status: u16) -> Trouble {
        Trouble { code: code.into(), message: message.into(), status: (status > 0).then_some(status) }
    }

    #[test]
    fn names_decide_not_the_status() {
        let failure = |code: &str, status, with_token| trouble(code, "x", status).failure(&log(), with_token);
        assert!(matches!(failure("ThrottlingException", 400, false), ReadFailed::Throttled(_)));
        assert!(matches!(failure("InvalidParameterException", 400, true), ReadFailed::TokenExpired(_)));
        assert!(matches!(failure("InvalidParameterException", 400, false), ReadFailed::Refused(_)));
        assert!(matches!(failure("ExpiredTokenException", 400, false), ReadFailed::Unavailable(_)));
        assert!(matches!(failure("ServiceUnavailableException", 503, false), ReadFailed::Unavailable(_)));
        assert!(matches!(failure("InternalFailure", 500, true), ReadFailed::Unavailable(_)));
        assert!(matches!(failure("", 0, true), ReadFailed::Unavailable(_)));
    }

    #[test]
    fn a_clock_that_is_off_is_no_matter_of_credentials() {
        let said = "Signature expired: 20260102T030405Z is now earlier than 20260102T040005Z";
        let off = trouble("InvalidSignatureException", said, 400);
        assert!(!off.is_of_credentials());
        assert!(matches!(off.failure(&log(), false), ReadFailed::Unavailable(_)));
        assert!(trouble("InvalidSignatureException", "does not match", 400).is_of_credentials());
    }

    #[test]
    fn each_refusal_names_what_mends_it() {
        for (code, message, status, mend) in [
            (
                "AccessDeniedException",
                "User: a is not authorized to perform: logs:FilterLogEvents",
                400,
                r#""Resource":"arn:aws:logs:eu-central-1:111122223333:log-group:/aws/eks/prod/cluster:*""#,
            ),
            (
                "AccessDeniedException",
                "User: arn:aws:sts::1:assumed-role/reader/session is not authorized",
                400,
                "put-role-policy --role-name reader ",
            ),
            (
                "ResourceNotFoundException",
                "The specified log group does not exist.",
                400,
                "aws eks update-cluster-config",
            ),
            ("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity", 403, "trust policy"),
            (
                "",
                "No OpenIDConnect provider found in your account for https://x",
                0,
                "create-open-id-connect-provider",
            ),
            ("", "ExpiredTokenException: Token expired: WebIdentity", 0, "has expired"),
            ("", "STS answers InvalidIdentityToken: Incorrect token audience", 0, "add-client-id-to"),
            ("", "no providers in chain provided credentials", 0, "EKS Pod Identity"),
            ("UnrecognizedClientException", "UnrecognizedClientException", 400, "another partition"),
        ] {
            match trouble(code, message, status).failure(&log(), false) {
                ReadFailed::Refused(text) => assert!(text.contains(mend), "{text}"),
                other => panic!("{other:?}"),
            }
        }
    }
}

//! The service account token that STS exchanges for a role (IRSA): what it says, and what AWS must know to take it.

use audit_bridge::time::Time;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;

/// What the environment of a pod with a role has; each may be missing.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct WebIdentity {
    /// `AWS_ROLE_ARN`.
    role: Option<String>,
    /// `AWS_WEB_IDENTITY_TOKEN_FILE`.
    file: Option<String>,
    claims: Option<Claims>,
}

/// Of the claims of a token those that STS looks at. They are no secret; the signature is, and isn't kept.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    /// Seconds since 1970.
    exp: i64,
}

#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Claims {
    fn of(token: &str) -> Option<Self> {
        let payload = URL_SAFE_NO_PAD.decode(token.trim().split('.').nth(1)?).ok()?;
        serde_json::from_slice(&payload).ok()
    }

    fn audience(&self) -> &str {
        match &self.aud {
            Audience::One(name) => name,
            Audience::Many(names) => names.first().map_or("", String::as_str),
        }
    }

    /// As the ARN of its provider and the keys of conditions name the issuer.
    fn issuer(&self) -> &str {
        self.iss.trim_start_matches("https://")
    }
}

impl WebIdentity {
    pub(super) fn of_environment() -> Self {
        let given = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
        let file = given("AWS_WEB_IDENTITY_TOKEN_FILE");
        let token = file.as_ref().and_then(|path| std::fs::read_to_string(path).ok());
        Self { role: given("AWS_ROLE_ARN"), claims: token.and_then(|token| Claims::of(&token)), file }
    }

    /// The role must trust this service account.
    pub(super) fn distrusted(&self) -> String {
        let Some(claims) = &self.claims else {
            return "the role's trust policy does not take this service account: its conditions must be \
                    `sub` = `system:serviceaccount:NAMESPACE:NAME` and `aud` = `sts.amazonaws.com` of the cluster's OIDC provider"
                .to_owned();
        };
        let issuer = claims.issuer();
        let condition =
            json!({format!("{issuer}:aud"): claims.audience(), format!("{issuer}:sub"): claims.sub});
        let statement = json!({
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {"StringEquals": condition},
            "Effect": "Allow",
            "Principal": {"Federated": self.provider(issuer)},
        });
        let role = self.role.as_deref().unwrap_or("the role");
        format!("the trust policy of `{role}` does not take this service account; it must hold {statement}")
    }

    /// AWS must know the issuer of the token.
    pub(super) fn unregistered(&self) -> String {
        let known = self.claims.as_ref().map(|claims| (claims.iss.as_str(), claims.audience()));
        let (issuer, audience) = known.unwrap_or(("ISSUER", "sts.amazonaws.com"));
        format!(
            "the OIDC provider of the cluster that this runs in is not registered with IAM: \
             aws iam create-open-id-connect-provider --url {issuer} --client-id-list {audience}"
        )
    }

    /// The provider must take the audience of the token.
    pub(super) fn unheard(&self) -> String {
        let known = self.claims.as_ref().map(|claims| (claims.issuer(), claims.audience()));
        let (issuer, audience) = known.unwrap_or(("ISSUER", "sts.amazonaws.com"));
        format!(
            "the OIDC provider does not take the audience `{audience}` of the token: \
             aws iam add-client-id-to-open-id-connect-provider --open-id-connect-provider-arn {} --client-id {audience}",
            self.provider(issuer)
        )
    }

    /// The token is of yesterday.
    pub(super) fn stale(&self) -> String {
        let file = self.file.as_deref().unwrap_or("that AWS_WEB_IDENTITY_TOKEN_FILE names");
        let expired = self.claims.as_ref().map_or(String::new(), |claims| {
            format!(" at {}", Time::from_millis(claims.exp.saturating_mul(1000)))
        });
        format!(
            "the token in the file {file} has expired{expired}: kubelet renews those of running pods, so it must be \
             the projected volume itself, not a copy; start the pod again if it is"
        )
    }

    /// The file can't be used.
    pub(super) fn unusable(&self) -> String {
        let file = self.file.as_deref().unwrap_or("that AWS_WEB_IDENTITY_TOKEN_FILE names");
        format!(
            "the file {file} must hold the token of this pod's service account: has the service account the annotation \
             eks.amazonaws.com/role-arn, and was the pod started after it was set?"
        )
    }

    fn provider(&self, issuer: &str) -> String {
        let mut parts = self.role.as_deref().unwrap_or_default().split(':').skip(1);
        let partition = parts.next().unwrap_or("aws");
        let account = parts.nth(2).unwrap_or("ACCOUNT");
        format!("arn:{partition}:iam::{account}:oidc-provider/{issuer}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(payload: &str) -> WebIdentity {
        let token = format!("e30.{}.c2ln\n", URL_SAFE_NO_PAD.encode(payload));
        WebIdentity {
            role: Some("arn:aws-cn:iam::111122223333:role/reader".to_owned()),
            file: Some("/var/run/token".to_owned()),
            claims: Claims::of(&token),
        }
    }

    #[test]
    fn the_token_says_what_must_be_trusted() {
        let identity = identity(
            r#"{"iss":"https://oidc.example.com/id/A","sub":"system:serviceaccount:audit:bridge","aud":["sts.amazonaws.com"],"exp":1700000000,"iat":1}"#,
        );
        let statement = identity.distrusted();
        for part in [
            "`arn:aws-cn:iam::111122223333:role/reader`",
            r#""oidc.example.com/id/A:sub":"system:serviceaccount:audit:bridge""#,
            r#""oidc.example.com/id/A:aud":"sts.amazonaws.com""#,
            r#""Federated":"arn:aws-cn:iam::111122223333:oidc-provider/oidc.example.com/id/A""#,
        ] {
            assert!(statement.contains(part), "{statement}");
        }
        assert!(
            identity
                .unregistered()
                .ends_with("--url https://oidc.example.com/id/A --client-id-list sts.amazonaws.com")
        );
        assert!(
            identity.stale().contains("/var/run/token has expired at 2023-11-14T22:13:20"),
            "{}",
            identity.stale()
        );
    }

    #[test]
    fn without_a_token_it_is_told_in_general() {
        for identity in [WebIdentity::default(), identity("[]")] {
            assert!(identity.distrusted().contains("system:serviceaccount:NAMESPACE:NAME"));
            assert!(identity.unregistered().contains("--url ISSUER"));
        }
    }
}

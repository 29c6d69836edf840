use std::time::Duration;

use audit_service::client::Client;
use audit_service::config::SecretFile;
use audit_service::exit;
use serde_json::Value;

use super::{NoToken, Token};

/// An identity of Entra ID and the way to its tokens.
///
/// It takes one request to either of two services, so the two stand here: `azure_identity` would bring an HTTP pipeline of
/// its own that knows neither our certificate authorities nor our proxy settings.
#[derive(Clone, Debug)]
pub struct Entra {
    /// Who.
    pub identity: Identity,
    /// What the token is for: `https://eventhubs.azure.net`.
    pub resource: String,
    /// The HTTP client of the process.
    pub client: Client,
}

/// Whom Entra ID knows, and by what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Identity {
    /// A Kubernetes service account, federated (AKS workload identity).
    Workload {
        /// `https://login.microsoftonline.com/`, or another cloud's.
        authority: String,
        /// The tenant.
        tenant: String,
        /// The application.
        client: String,
        /// The file of the service account's token.
        token_file: SecretFile,
    },
    /// An application with a secret.
    Secret {
        /// `https://login.microsoftonline.com/`, or another cloud's.
        authority: String,
        /// The tenant.
        tenant: String,
        /// The application.
        client: String,
        /// The file of its secret.
        secret_file: SecretFile,
    },
    /// The identity of the machine.
    Managed {
        /// `http://169.254.169.254/`.
        endpoint: String,
        /// Which of its identities, when it has several.
        client: Option<String>,
    },
}

impl Entra {
    pub(crate) async fn token(&self) -> Result<Token, NoToken> {
        let client = self.client.get();
        let (url, request) = match &self.identity {
            Identity::Workload { authority, tenant, client: id, token_file } => {
                let url = token_url(authority, tenant);
                let assertion = token_file.read()?;
                let form = self.form(
                    id,
                    &[
                        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
                        ("client_assertion", assertion.expose()),
                    ],
                );
                (url.clone(), client.post(url).header("content-type", FORM).body(form))
            }
            Identity::Secret { authority, tenant, client: id, secret_file } => {
                let url = token_url(authority, tenant);
                let secret = secret_file.read()?;
                let form = self.form(id, &[("client_secret", secret.expose())]);
                (url.clone(), client.post(url).header("content-type", FORM).body(form))
            }
            Identity::Managed { endpoint, client: id } => {
                let endpoint = endpoint.trim_end_matches('/');
                let mut query = form_urlencoded::Serializer::new(String::new());
                query.append_pair("api-version", "2018-02-01").append_pair("resource", &self.resource);
                if let Some(id) = id {
                    query.append_pair("client_id", id);
                }
                let url = format!("{endpoint}/metadata/identity/oauth2/token?{}", query.finish());
                (format!("{endpoint}/metadata/identity"), client.get(url).header("Metadata", "true"))
            }
        };
        let unreachable = |error: reqwest::Error| NoToken::Unreachable {
            url: url.clone(),
            reason: exit::chain(&error.without_url()),
        };
        let answer = request.send().await.map_err(unreachable)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(unreachable)?;
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        match (status.is_success(), body.get("access_token").and_then(Value::as_str)) {
            (true, Some(token)) => {
                Ok(Token { kind: "jwt", value: token.to_owned(), life: seconds(body.get("expires_in")) })
            }
            _ => Err(NoToken::Refused { who: self.who(), reason: reason(status.as_u16(), &body) }),
        }
    }

    fn form(&self, client: &str, proof: &[(&str, &str)]) -> String {
        form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("client_id", client)
            .append_pair("scope", &format!("{}/.default", self.resource.trim_end_matches('/')))
            .extend_pairs(proof)
            .finish()
    }

    pub(super) fn who(&self) -> String {
        match &self.identity {
            Identity::Workload { client, .. } => format!("workload identity `{client}`"),
            Identity::Secret { client, .. } => format!("application `{client}`"),
            Identity::Managed { client: Some(client), .. } => format!("managed identity `{client}`"),
            Identity::Managed { client: None, .. } => "the machine's managed identity".to_owned(),
        }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn token_url(authority: &str, tenant: &str) -> String {
    format!("{}/{tenant}/oauth2/v2.0/token", authority.trim_end_matches('/'))
}

/// The token endpoint writes a number, the metadata service a text.
fn seconds(value: Option<&Value>) -> Duration {
    let seconds = value.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
    Duration::from_secs(seconds.unwrap_or(300))
}

/// The first line of what Entra ID says (the others are trace ids), with what mends the usual cases.
fn reason(status: u16, body: &Value) -> String {
    const LONGEST: usize = 300;
    let said = body.get("error_description").or_else(|| body.get("error")).and_then(Value::as_str);
    let said: String =
        said.unwrap_or_default().lines().next().unwrap_or_default().chars().take(LONGEST).collect();
    let hint = if said.contains("AADSTS70021") || said.contains("AADSTS700213") {
        " (the federated credential must name the cluster's OIDC issuer and this service account)"
    } else if said.contains("AADSTS700016") {
        " (check the client id and the tenant)"
    } else if said.contains("AADSTS7000215") || said.contains("AADSTS7000222") {
        " (the client secret is wrong or expired)"
    } else {
        ""
    };
    format!("status {status}: {said}{hint}")
}

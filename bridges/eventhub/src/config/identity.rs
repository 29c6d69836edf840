use audit_service::client::Client;
use audit_service::config::{Check, Mistakes, SecretFile};
use serde::{Deserialize, Serialize};

use crate::credentials::{Entra, Identity};

/// An identity of Entra ID. What is not said comes from the environment, as AKS sets it for workload identities; where that
/// says nothing either, the machine's managed identity is meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityOptions {
    /// The tenant; else `AZURE_TENANT_ID`.
    pub tenant_id: Option<String>,
    /// The application, or which managed identity; else `AZURE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// A file that holds the application's secret.
    pub client_secret_file: Option<SecretFile>,
    /// The service account's token; else `AZURE_FEDERATED_TOKEN_FILE`.
    pub federated_token_file: Option<SecretFile>,
    /// Entra ID; else `AZURE_AUTHORITY_HOST`, else that of the public cloud.
    pub authority: Option<String>,
    /// The metadata service of the machine.
    pub metadata_url: String,
    /// What tokens are for.
    pub resource: String,
}

impl Default for IdentityOptions {
    fn default() -> Self {
        Self {
            tenant_id: None,
            client_id: None,
            client_secret_file: None,
            federated_token_file: None,
            authority: None,
            metadata_url: "http://169.254.169.254/".to_owned(),
            resource: "https://eventhubs.azure.net".to_owned(),
        }
    }
}

impl IdentityOptions {
    /// The identity, with tokens for `resource`. `environment` gives a variable that is set and not empty.
    pub(crate) fn entra(
        &self,
        resource: &str,
        client: Client,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Entra {
        let or = |given: &Option<String>, name| given.clone().or_else(|| environment(name));
        let authority = or(&self.authority, "AZURE_AUTHORITY_HOST")
            .unwrap_or_else(|| "https://login.microsoftonline.com/".to_owned());
        let tenant = or(&self.tenant_id, "AZURE_TENANT_ID");
        let id = or(&self.client_id, "AZURE_CLIENT_ID");
        let token_file = self.federated_token_file.clone().or_else(|| {
            environment("AZURE_FEDERATED_TOKEN_FILE")
                .map(|path| SecretFile::from(std::path::PathBuf::from(path)))
        });
        let identity = match (tenant, id, &self.client_secret_file, token_file) {
            (Some(tenant), Some(client), Some(secret_file), _) => {
                Identity::Secret { authority, tenant, client, secret_file: secret_file.clone() }
            }
            (Some(tenant), Some(client), None, Some(token_file)) => {
                Identity::Workload { authority, tenant, client, token_file }
            }
            (_, client, _, _) => Identity::Managed { endpoint: self.metadata_url.clone(), client },
        };
        Entra { identity, resource: resource.to_owned(), client }
    }
}

impl Check for IdentityOptions {
    fn check(&self, mistakes: &mut Mistakes) {
        let set = |given: &Option<String>, name| given.is_some() || std::env::var_os(name).is_some();
        if self.client_secret_file.is_some() || self.federated_token_file.is_some() {
            if !set(&self.tenant_id, "AZURE_TENANT_ID") {
                mistakes
                    .add("tenant_id", "must be given with a secret or token file (or as AZURE_TENANT_ID)");
            }
            if !set(&self.client_id, "AZURE_CLIENT_ID") {
                mistakes
                    .add("client_id", "must be given with a secret or token file (or as AZURE_CLIENT_ID)");
            }
        }
        if self.client_secret_file.is_some() && self.federated_token_file.is_some() {
            mistakes
                .add("federated_token_file", "says otherwise than `client_secret_file`; give one of the two");
        }
    }
}

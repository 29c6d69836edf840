//! `provision`: makes, in the cluster that it runs in, what must stand in no values file: a certificate and a token.
//!
//! Only what is not there is made, so it may run again at any time. The key of the certificate's authority is never kept: nobody can
//! issue another certificate that senders would trust.

use std::fs::File;
use std::io::{self, Read};

use audit_service::kubernetes::{Answer, ApiServer, NoAnswer};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Done, Stopped, block_on, tell};

/// How long a certificate lasts. The metric of its end, and an alert on it, leave time for another.
const YEARS: i16 = 10;

/// Flags of the command.
#[derive(Clone, Debug, clap::Args)]
pub struct Provision {
    /// The namespace of the secrets
    #[arg(long, value_name = "NAME")]
    namespace: String,
    /// The secret that holds tls.crt, tls.key and ca.crt; made when it is missing and there is a --name
    #[arg(long, value_name = "NAME")]
    tls_secret: Option<String>,
    /// A host name or address that the certificate is for
    #[arg(long = "name", value_name = "HOST", requires = "tls_secret")]
    names: Vec<String>,
    /// The secret that holds a token, made when it is missing
    #[arg(long, value_name = "NAME")]
    token_secret: Option<String>,
    /// The `ValidatingWebhookConfiguration` that is to trust the certificate
    #[arg(long, value_name = "NAME", requires = "tls_secret")]
    webhook: Option<String>,
}

/// Why something could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Unprovided {
    /// The API server can't be asked.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// It says no.
    #[error("can't {what}: {problem}")]
    Refused {
        /// What was to be done.
        what: String,
        /// What it says.
        problem: String,
    },
    /// A name that no certificate can be for.
    #[error("can't make a certificate")]
    Certificate(#[from] rcgen::Error),
    /// The system has no random numbers.
    #[error("can't read random numbers")]
    Random(#[from] io::Error),
}

impl Provision {
    /// Makes what is missing, and says on stderr what it did.
    ///
    /// # Errors
    /// When the API server can't be asked or says no. What was made before stays.
    pub fn run(self) -> Result<Done, Stopped> {
        audit_service::tls::install();
        let server = ApiServer::of_cluster().map_err(|error| Stopped::failed(&error))?;
        block_on(self.run_at(&server))?;
        Ok(Done::Well)
    }

    async fn run_at(&self, server: &ApiServer) -> Result<(), Unprovided> {
        if let Some(secret) = self.tls_secret.as_ref().filter(|_| !self.names.is_empty()) {
            self.provide(server, secret, "kubernetes.io/tls", || certificate(&self.names)).await?;
        }
        if let Some(secret) = &self.token_secret {
            self.provide(server, secret, "Opaque", || Ok(json!({"token": token()?}))).await?;
        }
        if let (Some(webhook), Some(secret)) = (&self.webhook, &self.tls_secret) {
            self.introduce(server, webhook, secret).await?;
        }
        Ok(())
    }

    async fn provide(
        &self,
        server: &ApiServer,
        name: &str,
        kind: &str,
        content: impl Fn() -> Result<Value, Unprovided>,
    ) -> Result<(), Unprovided> {
        let collection = format!("/api/v1/namespaces/{}/secrets", self.namespace);
        let found = server.call(Method::GET, &format!("{collection}/{name}"), None).await?;
        match found.status {
            200 => tell(&format!("secret `{name}`: is there already")),
            404 => {
                let labels = json!({"app.kubernetes.io/part-of": "kube-audit-bridge"});
                let secret = json!({
                    "apiVersion": "v1", "kind": "Secret", "type": kind, "stringData": content()?,
                    "metadata": {"name": name, "namespace": self.namespace, "labels": labels},
                });
                let made =
                    server.call(Method::POST, &collection, Some(("application/json", &secret))).await?;
                match made.status {
                    201 => tell(&format!("secret `{name}`: made")),
                    409 => tell(&format!("secret `{name}`: made by another at the same time")),
                    _ => return Err(refused(&format!("make the secret `{name}`"), &made)),
                }
            }
            _ => return Err(refused(&format!("read the secret `{name}`"), &found)),
        }
        Ok(())
    }

    async fn introduce(&self, server: &ApiServer, webhook: &str, secret: &str) -> Result<(), Unprovided> {
        let path = format!("/api/v1/namespaces/{}/secrets/{secret}", self.namespace);
        let found = server.call(Method::GET, &path, None).await?;
        let authority = found.body.pointer("/data/ca.crt").filter(|_| found.status == 200);
        let authority =
            authority.ok_or_else(|| refused(&format!("read `ca.crt` of the secret `{secret}`"), &found))?;
        let patch = json!([{"op": "add", "path": "/webhooks/0/clientConfig/caBundle", "value": authority}]);
        let path = format!("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{webhook}");
        let patched =
            server.call(Method::PATCH, &path, Some(("application/json-patch+json", &patch))).await?;
        if patched.status != 200 {
            return Err(refused(&format!("tell the webhook `{webhook}` its authority"), &patched));
        }
        tell(&format!("webhook `{webhook}`: trusts the certificate"));
        Ok(())
    }
}

fn refused(what: &str, answer: &Answer) -> Unprovided {
    Unprovided::Refused { what: what.to_owned(), problem: answer.problem() }
}

/// A certificate for these names and its authority, as a TLS secret holds them.
fn certificate(names: &[String]) -> Result<Value, Unprovided> {
    let today = jiff::Zoned::now().date();
    let day = |year: i16| date_time_ymd(year.into(), today.month().unsigned_abs(), 1);
    let lasting = |names: Vec<String>, name: &str| -> Result<CertificateParams, rcgen::Error> {
        let mut params = CertificateParams::new(names)?;
        (params.not_before, params.not_after) = (day(today.year()), day(today.year().saturating_add(YEARS)));
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        Ok(params)
    };
    let mut authority = lasting(Vec::new(), "audit-receiver authority")?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
    let mut server = lasting(names.to_vec(), "audit-receiver")?;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let server = server.signed_by(&key, &authority)?;
    Ok(json!({"ca.crt": authority.pem(), "tls.crt": server.pem(), "tls.key": key.serialize_pem()}))
}

/// 256 random bits, in hexadecimal.
fn token() -> io::Result<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use audit_fakes::kubernetes::{Kubernetes, Permission, TOKEN};
    use audit_service::tls::{Acceptor, ServerFiles};

    use super::*;

    const SECRETS: &str = "/api/v1/namespaces/audit/secrets";
    const WEBHOOK: &str = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/hook";

    fn permission(verb: &str, resource: &str, names: &[&str]) -> Permission {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Permission { verbs: owned(&[verb]), resources: owned(&[resource]), names: owned(names) }
    }

    fn server(kubernetes: &Kubernetes, folder: &std::path::Path) -> ApiServer {
        audit_service::tls::install();
        let authority = certificate(&["localhost".to_owned()]).unwrap();
        std::fs::write(folder.join("ca.crt"), authority["ca.crt"].as_str().unwrap()).unwrap();
        std::fs::write(folder.join("token"), TOKEN).unwrap();
        ApiServer::at(&format!("http://{}", kubernetes.address()), folder).unwrap()
    }

    fn provision(webhook: bool) -> Provision {
        Provision {
            namespace: "audit".to_owned(),
            tls_secret: Some("tls".to_owned()),
            names: if webhook {
                Vec::new()
            } else {
                vec!["receiver.audit.svc".to_owned(), "10.0.0.7".to_owned()]
            },
            token_secret: (!webhook).then(|| "token".to_owned()),
            webhook: webhook.then(|| "hook".to_owned()),
        }
    }

    #[tokio::test]
    async fn makes_what_is_missing_once_with_the_rights_of_the_chart() {
        let (kubernetes, folder) = (Kubernetes::start(None), tempfile::tempdir().unwrap());
        let server = server(&kubernetes, folder.path());
        kubernetes.permit(vec![
            permission("create", "secrets", &[]),
            permission("get", "secrets", &["tls", "token"]),
            permission("patch", "validatingwebhookconfigurations", &["hook"]),
        ]);
        provision(false).run_at(&server).await.unwrap();
        let (tls, token) = (format!("{SECRETS}/tls"), format!("{SECRETS}/token"));
        let made = (kubernetes.object(&tls).unwrap(), kubernetes.object(&token).unwrap());
        provision(false).run_at(&server).await.unwrap();
        assert_eq!(made, (kubernetes.object(&tls).unwrap(), kubernetes.object(&token).unwrap()));

        kubernetes
            .put(WEBHOOK, json!({"webhooks": [{"name": "a", "clientConfig": {"service": {"name": "r"}}}]}));
        provision(true).run_at(&server).await.unwrap();
        let told = kubernetes.object(WEBHOOK).unwrap();
        assert_eq!(told["webhooks"][0]["clientConfig"]["caBundle"], made.0["data"]["ca.crt"]);
    }

    #[test]
    fn a_server_can_use_the_certificate_and_a_client_trusts_it() {
        audit_service::tls::install();
        let folder = tempfile::tempdir().unwrap();
        let made = certificate(&["receiver.audit.svc".to_owned()]).unwrap();
        for (name, content) in made.as_object().unwrap() {
            std::fs::write(folder.path().join(name), content.as_str().unwrap()).unwrap();
        }
        let files = ServerFiles {
            certificate_file: folder.path().join("tls.crt"),
            key_file: folder.path().join("tls.key"),
            client_ca_file: None,
            client_certificate: Default::default(),
        };
        assert!(Acceptor::new(files).is_ok());
        assert_ne!(token().unwrap(), token().unwrap());
        assert!(certificate(&["not a name\u{e9}".to_owned()]).is_err());
    }

    #[tokio::test]
    async fn says_what_is_forbidden() {
        let (kubernetes, folder) = (Kubernetes::start(None), tempfile::tempdir().unwrap());
        let server = server(&kubernetes, folder.path());
        kubernetes.permit(vec![permission("get", "secrets", &["tls"])]);
        let told = provision(false).run_at(&server).await.unwrap_err().to_string();
        assert!(
            told.starts_with("can't make the secret `tls`: ") && told.contains("cannot create"),
            "{told}"
        );
    }
}

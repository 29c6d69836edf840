//! TLS: rustls with the ring provider, files that may change, on both sides.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::reload::{Files, Reloaded};

mod expiry;

/// Makes ring the provider of the process, for crates that ask for a default one. Again does nothing.
pub fn install() {
    let _ = ring::default_provider().install_default();
}

/// What a client presents and trusts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientFiles {
    /// PEM file of certificate authorities that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// PEM file of the certificate to present, with its chain.
    pub certificate_file: Option<PathBuf>,
    /// PEM file of the key to that certificate.
    pub key_file: Option<PathBuf>,
}

/// What a server presents and trusts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerFiles {
    /// PEM file of the certificate to present, with its chain.
    pub certificate_file: PathBuf,
    /// PEM file of the key to that certificate.
    pub key_file: PathBuf,
    /// PEM file of the certificate authorities that client certificates must come from; without it none is
    /// asked for.
    #[serde(default)]
    pub client_ca_file: Option<PathBuf>,
    /// Whether a client without a certificate may speak.
    #[serde(default)]
    pub client_certificate: ClientCertificate,
}

/// Whether a client without a certificate may speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificate {
    /// It may not.
    #[default]
    Required,
    /// It may; a certificate that it does present must be valid.
    Optional,
}

/// Why files cannot serve TLS.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say what the fields are")]
pub enum Unusable {
    /// A file that cannot be read.
    #[error("cannot read `{path}`")]
    Unread { path: PathBuf, source: io::Error },
    /// A file without what should be in it.
    #[error("no usable PEM {what} in `{path}`")]
    Pem { what: &'static str, path: PathBuf, source: rustls::pki_types::pem::Error },
    /// A certificate authority that is no certificate.
    #[error("`{path}` holds a certificate authority that cannot be used")]
    Authority { path: PathBuf, source: rustls::Error },
    /// A certificate and a key that do not serve together.
    #[error("the certificate in `{certificate}` cannot be used with the key in `{key}`")]
    Pair { certificate: PathBuf, key: PathBuf, source: rustls::Error },
    /// One of certificate and key without the other.
    #[error("a certificate file needs a key file and the other way round")]
    Half,
    /// A verifier that cannot be built.
    #[error("client certificates cannot be verified with `{path}`")]
    Verifier { path: PathBuf, source: VerifierBuilderError },
    /// The provider lacks something.
    #[error("this build of TLS is incomplete")]
    Provider(#[source] rustls::Error),
    /// The HTTP client refuses the configuration.
    #[error("the HTTP client cannot be built")]
    Client(#[source] reqwest::Error),
}

/// A client's side of TLS: trusts the roots of the system (or those in `SSL_CERT_FILE`) and of `ca_file`. The
/// files are read now; [`crate::client::Client`] follows them.
///
/// # Errors
/// [`Unusable`] names the file.
pub fn client_config(options: &ClientFiles) -> Result<Arc<ClientConfig>, Unusable> {
    client(options, &mut Files::default()).map(Arc::new)
}

pub(crate) fn client(options: &ClientFiles, files: &mut Files) -> Result<ClientConfig, Unusable> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    let (added, _) = roots.add_parsable_certificates(native.certs);
    if added == 0 && options.ca_file.is_none() {
        tracing::warn!("the system has no trusted roots: https needs a `ca_file`");
    }
    if let Some(path) = &options.ca_file {
        add_authorities(&mut roots, path, files)?;
    }
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(Unusable::Provider)?
        .with_root_certificates(roots);
    match (&options.certificate_file, &options.key_file) {
        (None, None) => Ok(builder.with_no_client_auth()),
        (Some(certificate), Some(key)) => {
            let (chain, private) = (certificates(certificate, files)?, private_key(key, files)?);
            builder.with_client_auth_cert(chain, private).map_err(|source| pair(certificate, key, source))
        }
        _ => Err(Unusable::Half),
    }
}

/// A server's side of TLS, following its files. Clones share it.
#[derive(Clone, Debug)]
pub struct Acceptor(Arc<Reloaded<Serving, Unusable>>);

/// What a server presents at the moment.
#[derive(Clone, Debug)]
struct Serving {
    config: Arc<ServerConfig>,
    /// When the first of the chain ends, in seconds since 1970.
    not_after: Option<i64>,
}

impl Acceptor {
    /// Reads the files a first time.
    ///
    /// # Errors
    /// [`Unusable`] names the file.
    pub fn new(options: ServerFiles) -> Result<Self, Unusable> {
        let build = move |files: &mut Files| server(&options, files);
        Reloaded::new("server certificate", build).map(|config| Self(Arc::new(config)))
    }

    /// Shakes hands, within `timeout`.
    ///
    /// # Errors
    /// What the client did wrong, or that it was too slow.
    pub async fn accept(&self, stream: TcpStream, timeout: Duration) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(self.0.get().config);
        tokio::time::timeout(timeout, acceptor.accept(stream)).await?
    }

    /// A metric: `certificate_expiry_timestamp_seconds`, when the certificate of the moment ends, since 1970.
    pub fn expiry(&self) -> impl Collector + use<> {
        Expiry(self.clone())
    }
}

#[derive(Debug)]
struct Expiry(Acceptor);

impl Collector for Expiry {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> std::fmt::Result {
        let Some(not_after) = self.0.0.get().not_after else { return Ok(()) };
        let (name, help) = ("certificate_expiry_timestamp", "When the server's certificate ends, since 1970");
        let gauge = ConstGauge::new(not_after);
        gauge.encode(encoder.encode_descriptor(name, help, Some(&Unit::Seconds), gauge.metric_type())?)
    }
}

fn server(options: &ServerFiles, files: &mut Files) -> Result<Serving, Unusable> {
    let (certificate, key) = (&options.certificate_file, &options.key_file);
    let (chain, private) = (certificates(certificate, files)?, private_key(key, files)?);
    let not_after = chain.iter().filter_map(expiry::not_after).min();
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(Unusable::Provider)?;
    let builder = match &options.client_ca_file {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            add_authorities(&mut roots, path, files)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
            let verifier = match options.client_certificate {
                ClientCertificate::Required => verifier,
                ClientCertificate::Optional => verifier.allow_unauthenticated(),
            };
            let unverifiable = |source| Unusable::Verifier { path: path.clone(), source };
            builder.with_client_cert_verifier(verifier.build().map_err(unverifiable)?)
        }
    };
    let mut config =
        builder.with_single_cert(chain, private).map_err(|source| pair(certificate, key, source))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Serving { config: Arc::new(config), not_after })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn pair(certificate: &Path, key: &Path, source: rustls::Error) -> Unusable {
    Unusable::Pair { certificate: certificate.to_owned(), key: key.to_owned(), source }
}

fn read(path: &Path, files: &mut Files) -> Result<Vec<u8>, Unusable> {
    files.read(path).map_err(|source| Unusable::Unread { path: path.to_owned(), source })
}

fn certificates(path: &Path, files: &mut Files) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let bytes = read(path, files)?;
    let wrong = |source| Unusable::Pem { what: "certificate", path: path.to_owned(), source };
    let found = CertificateDer::pem_slice_iter(&bytes).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    if found.is_empty() { Err(wrong(rustls::pki_types::pem::Error::NoItemsFound)) } else { Ok(found) }
}

fn private_key(path: &Path, files: &mut Files) -> Result<PrivateKeyDer<'static>, Unusable> {
    let bytes = read(path, files)?;
    let wrong = |source| Unusable::Pem { what: "private key", path: path.to_owned(), source };
    PrivateKeyDer::from_pem_slice(&bytes).map_err(wrong)
}

fn add_authorities(roots: &mut RootCertStore, path: &Path, files: &mut Files) -> Result<(), Unusable> {
    for certificate in certificates(path, files)? {
        roots.add(certificate).map_err(|source| Unusable::Authority { path: path.to_owned(), source })?;
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests;

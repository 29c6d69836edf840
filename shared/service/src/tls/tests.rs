use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::routing::get;
use axum::{Extension, Router};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::ServerName;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::{Acceptor, ClientCertificate, ClientFiles, ServerFiles, Unusable, client_config};
use crate::client::{Client, Options};
use crate::http::{Limits, Peer, serve};
use crate::reload::Reloaded;
use crate::shutdown::Shutdown;

/// An authority of our own that writes what it issues into a folder.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    pub(crate) folder: tempfile::TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Issues a certificate for `localhost`, at once in place of an older one of the same name.
    pub(crate) fn issue(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        fs::write(self.path(&format!("{name}.pem")), certificate.pem()).unwrap();
    }

    pub(crate) fn server(&self) -> ServerFiles {
        ServerFiles {
            certificate_file: self.path("server.pem"),
            key_file: self.path("server.key"),
            client_ca_file: None,
            client_certificate: ClientCertificate::default(),
        }
    }

    pub(crate) fn client(&self) -> ClientFiles {
        ClientFiles { ca_file: Some(self.path("ca.pem")), certificate_file: None, key_file: None }
    }
}

fn always(files: ServerFiles) -> Acceptor {
    let config = Reloaded::new("server", move |read| super::server(&files, read)).unwrap();
    Acceptor(Arc::new(config.looking_always()))
}

pub(crate) async fn listener() -> TcpListener {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap()
}

/// The certificate that the server presents to a new connection.
async fn presented(address: SocketAddr, client: &ClientFiles) -> Vec<u8> {
    let connector = TlsConnector::from(client_config(client).unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await.unwrap();
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn the_end_of_the_certificate_is_a_metric() {
    let authority = Authority::new();
    authority.issue("server");
    let acceptor = Acceptor::new(authority.server()).unwrap();
    let metrics = crate::metrics::Metrics::new("a-b", "1");
    metrics.register(|registry| registry.register_collector(Box::new(acceptor.expiry())));
    let page = metrics.encode();
    assert!(page.contains("a_b_certificate_expiry_timestamp_seconds 67090118400\n"), "{page}");
}

fn der(path: &Path) -> Vec<u8> {
    use rustls::pki_types::pem::PemObject;
    rustls::pki_types::CertificateDer::from_pem_file(path).unwrap().to_vec()
}

#[tokio::test]
async fn a_renewed_certificate_is_presented_and_a_broken_one_is_not() {
    let authority = Authority::new();
    authority.issue("server");
    let (listener, shutdown) = (listener().await, Shutdown::new());
    let address = listener.local_addr().unwrap();
    let tls = Some(always(authority.server()));
    let serving = tokio::spawn(serve(listener, tls, Router::new(), Limits::default(), shutdown.clone()));

    let first = der(&authority.path("server.pem"));
    assert_eq!(presented(address, &authority.client()).await, first);
    authority.issue("server");
    let second = der(&authority.path("server.pem"));
    assert_ne!(first, second);
    assert_eq!(presented(address, &authority.client()).await, second);
    fs::write(authority.path("server.pem"), "nothing").unwrap();
    assert_eq!(presented(address, &authority.client()).await, second);
    // A key that does not belong to the certificate: what a reader sees between two writes.
    authority.issue("other");
    fs::copy(authority.path("other.pem"), authority.path("server.pem")).unwrap();
    assert_eq!(presented(address, &authority.client()).await, second);
    fs::copy(authority.path("other.key"), authority.path("server.key")).unwrap();
    assert_eq!(presented(address, &authority.client()).await, der(&authority.path("other.pem")));

    shutdown.request();
    serving.await.unwrap();
}

#[tokio::test]
async fn a_client_certificate_is_asked_for_verified_and_shown_to_handlers() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    authority.issue("server");
    authority.issue("bridge");
    stranger.issue("bridge");
    let with = |from: &Authority| {
        let tls = ClientFiles {
            certificate_file: Some(from.path("bridge.pem")),
            key_file: Some(from.path("bridge.key")),
            ..authority.client()
        };
        Client::new("test", &Options { tls, ..Options::default() }).unwrap().get()
    };
    let without =
        Client::new("test", &Options { tls: authority.client(), ..Options::default() }).unwrap().get();

    for mode in [ClientCertificate::Required, ClientCertificate::Optional] {
        let ca = Some(authority.path("ca.pem"));
        let files = ServerFiles { client_ca_file: ca, client_certificate: mode, ..authority.server() };
        let (listener, shutdown) = (listener().await, Shutdown::new());
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        let who = async |Extension(peer): Extension<Peer>| {
            peer.certificate.map(|der| der.to_vec()).unwrap_or_default()
        };
        let router = Router::new().route("/", get(who));
        let tls = Some(Acceptor::new(files).unwrap());
        let serving = tokio::spawn(serve(listener, tls, router, Limits::default(), shutdown.clone()));

        let seen = with(&authority).get(&url).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(seen, der(&authority.path("bridge.pem")));
        assert!(with(&stranger).get(&url).send().await.is_err());
        let anonymous = without.get(&url).send().await;
        match mode {
            ClientCertificate::Required => assert!(anonymous.is_err()),
            ClientCertificate::Optional => assert_eq!(anonymous.unwrap().bytes().await.unwrap(), ""),
        }
        shutdown.request();
        serving.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_of_an_unknown_authority_is_refused() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    authority.issue("server");
    let (listener, shutdown) = (listener().await, Shutdown::new());
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let tls = Some(Acceptor::new(authority.server()).unwrap());
    let serving = tokio::spawn(serve(listener, tls, Router::new(), Limits::default(), shutdown.clone()));
    let client = Client::new("test", &Options { tls: stranger.client(), ..Options::default() }).unwrap();
    let error = crate::exit::chain(&client.get().get(&url).send().await.unwrap_err());
    assert!(error.contains("invalid peer certificate"), "{error}");
    shutdown.request();
    serving.await.unwrap();
}

#[test]
fn unusable_files_are_named() {
    let authority = Authority::new();
    authority.issue("server");
    let problem = |files: ServerFiles| crate::exit::chain(&Acceptor::new(files).unwrap_err());
    let absent = problem(ServerFiles { key_file: "/nowhere".into(), ..authority.server() });
    assert!(absent.starts_with("cannot read `/nowhere`: "), "{absent}");
    let certificate = problem(ServerFiles { key_file: authority.path("server.pem"), ..authority.server() });
    assert!(certificate.starts_with("no usable PEM private key in `"), "{certificate}");
    let key = problem(ServerFiles { certificate_file: authority.path("server.key"), ..authority.server() });
    assert!(key.starts_with("no usable PEM certificate in `"), "{key}");
    authority.issue("other");
    let pair = problem(ServerFiles { key_file: authority.path("other.key"), ..authority.server() });
    assert!(pair.starts_with("the certificate in `") && pair.contains("other.key"), "{pair}");
    let half = ClientFiles { certificate_file: Some(authority.path("server.pem")), ..ClientFiles::default() };
    assert!(matches!(client_config(&half), Err(Unusable::Half)));
}

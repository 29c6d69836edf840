//! Who may post, and for which cluster.

use std::path::PathBuf;
use std::sync::Arc;

use audit_service::http::Peer;
use audit_service::reload::{Files, Reloaded};
use axum::http::{HeaderMap, header};
use rustls::client::verify_server_name;
use rustls::pki_types::ServerName;
use rustls::server::ParsedCertificate;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clusters::{Cluster, Ids, Names, Scope};

/// A file of bearer tokens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenFile {
    /// One token a line; all of them are valid, so that senders can change over one by one.
    pub file: PathBuf,
    /// The cluster that all events posted with these tokens are from, whatever they say themselves; or a list of clusters, of
    /// which each event names one. Any cluster when not given.
    #[serde(default)]
    pub cluster: Names,
}

/// A client certificate that speaks for clusters.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoundCertificate {
    /// The DNS name in it, as a subject alternative name.
    pub name: String,
    /// As that of a token.
    pub cluster: Names,
}

/// Why a file of tokens can't be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// Not to be read.
    #[error("cannot read the tokens in `{path}`")]
    Unread {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// No name that a certificate could have.
    #[error("`{name}` can't be the DNS name of a client certificate")]
    Name {
        /// As configured.
        name: String,
    },
    /// No token in it.
    #[error("there is no token in `{path}`: write one in it")]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

/// The SHA-256 of a token: comparing digests tells a guesser nothing by its time.
type Digested = [u8; 32];

type Known = Arc<Vec<(Digested, Sender)>>;

/// Whom the intake lets in.
#[derive(Debug)]
pub enum Access {
    /// Everybody.
    Open,
    /// Who presents a verified client certificate or one of these tokens. When certificates are bound, no other counts.
    Known(Reloaded<Known, Unusable>, Vec<(ServerName<'static>, Sender)>),
}

/// A sender that was let in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Sender {
    /// Speaks for any cluster.
    Free,
    /// Speaks for these, of which there is at least one.
    Bound(Arc<[Cluster]>),
}

impl Sender {
    fn of(names: &Names, ids: &Ids) -> Self {
        if names.0.is_empty() {
            return Self::Free;
        }
        Self::Bound(names.0.iter().map(|name| ids.cluster(name)).collect())
    }

    /// Whether the configuration says for which clusters it speaks.
    pub fn is_bound(&self) -> bool {
        matches!(self, Self::Bound(_))
    }

    /// Which clusters a body of it may be from, when the path names one; `None` when it doesn't speak for that.
    pub fn scope(&self, named: Option<Cluster>) -> Option<Scope> {
        match (self, named) {
            (Self::Free, None) => Some(Scope::Any),
            (Self::Free, Some(named)) => Some(Scope::One(named)),
            (Self::Bound(clusters), Some(named)) => clusters.contains(&named).then_some(Scope::One(named)),
            (Self::Bound(clusters), None) => Some(match &**clusters {
                [cluster] => Scope::One(cluster.clone()),
                _ => Scope::Several(clusters.clone()),
            }),
        }
    }
}

impl Access {
    /// Access by the tokens in `files`, which may change while the receiver runs, or by client certificate.
    ///
    /// # Errors
    /// When a file can't be read or has no token.
    pub fn known(files: Vec<TokenFile>) -> Result<Self, Unusable> {
        Self::bound(files, &[], &Ids::default())
    }

    /// The same, by no other client certificates than these, if there are any, and with clusters that have these ids.
    ///
    /// # Errors
    /// When a file can't be read or has no token, or the name of a certificate can't be one.
    pub fn bound(
        files: Vec<TokenFile>,
        certificates: &[BoundCertificate],
        ids: &Ids,
    ) -> Result<Self, Unusable> {
        let bind = |BoundCertificate { name, cluster }: &BoundCertificate| {
            let parsed =
                ServerName::try_from(name.clone()).map_err(|_| Unusable::Name { name: name.clone() })?;
            Ok((parsed, Sender::of(cluster, ids)))
        };
        let certificates = certificates.iter().map(bind).collect::<Result<_, _>>()?;
        let ids = ids.clone();
        let known = Reloaded::new("tokens", move |read| tokens(&files, &ids, read))?;
        Ok(Self::Known(known, certificates))
    }

    /// The sender of a request, `None` when it can't be told.
    pub fn admit(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Option<Sender> {
        let Self::Known(_, certificates) = self else { return Some(Sender::Free) };
        if let Some(token) = bearer(headers) {
            return self.admit_token(token);
        }
        let certificate = peer.and_then(|peer| peer.certificate.as_ref())?;
        if certificates.is_empty() {
            return Some(Sender::Free);
        }
        let parsed = ParsedCertificate::try_from(certificate).ok()?;
        let bound = certificates.iter().find(|(name, _)| verify_server_name(&parsed, name).is_ok());
        bound.map(|(_, sender)| sender.clone())
    }

    /// The sender that knows this token, `None` when nobody does.
    pub fn admit_token(&self, token: &[u8]) -> Option<Sender> {
        let Self::Known(known, _) = self else { return Some(Sender::Free) };
        let presented = digest(token);
        // All are compared, so that the time doesn't tell which one fits.
        known.get().iter().fold(
            None,
            |found, (digest, sender)| {
                if *digest == presented { Some(sender.clone()) } else { found }
            },
        )
    }
}

fn tokens(files: &[TokenFile], ids: &Ids, read: &mut Files) -> Result<Known, Unusable> {
    let mut known = Vec::new();
    for TokenFile { file, cluster } in files {
        let content = read.read(file).map_err(|source| Unusable::Unread { path: file.clone(), source })?;
        let before = known.len();
        let sender = Sender::of(cluster, ids);
        let lines = content.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        known.extend(lines.filter(|line| !line.is_empty()).map(|line| (digest(line), sender.clone())));
        if known.len() == before {
            return Err(Unusable::Empty { path: file.clone() });
        }
    }
    Ok(Arc::new(known))
}

fn digest(token: &[u8]) -> Digested {
    Sha256::digest(token).into()
}

fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use super::*;

    fn with(authorization: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, authorization.parse().unwrap());
        headers
    }

    #[test]
    fn a_token_lets_in_and_binds() {
        let folder = tempfile::tempdir().unwrap();
        let (free, bound) = (folder.path().join("free"), folder.path().join("bound"));
        std::fs::write(&free, "old\n\nnew\n").unwrap();
        std::fs::write(&bound, "secret").unwrap();
        let access = Access::known(vec![
            TokenFile { file: free, cluster: Names::default() },
            TokenFile { file: bound, cluster: "prod".into() },
        ])
        .unwrap();
        for token in ["Bearer old", "bearer  new"] {
            assert_eq!(access.admit(&with(token), None), Some(Sender::Free), "{token}");
        }
        let prod = Sender::Bound([Ids::default().cluster("prod")].into());
        assert_eq!(access.admit(&with("Bearer secret"), None), Some(prod));
        for wrong in ["Bearer ", "Bearer other", "Basic old", "old", "Bearer old new"] {
            assert_eq!(access.admit(&with(wrong), None), None, "{wrong}");
        }
        assert_eq!(access.admit(&HeaderMap::new(), None), None);
    }

    #[test]
    fn a_verified_certificate_lets_in_and_a_wrong_token_beside_it_does_not() {
        let access = Access::known(Vec::new()).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let certificate = Some(vec![1].into());
        let peer = |certificate| Peer { address, certificate };
        assert_eq!(access.admit(&HeaderMap::new(), Some(&peer(certificate.clone()))), Some(Sender::Free));
        assert_eq!(access.admit(&with("Bearer x"), Some(&peer(certificate))), None);
        assert_eq!(access.admit(&HeaderMap::new(), Some(&peer(None))), None);
    }

    #[test]
    fn a_bound_certificate_speaks_for_its_cluster_and_no_other_certificate_counts() {
        let bind =
            |name: &str, cluster: &str| BoundCertificate { name: name.to_owned(), cluster: cluster.into() };
        let certificates = [bind("bridge.prod.example", "prod"), bind("bridge.dev.example", "dev")];
        let access = Access::bound(Vec::new(), &certificates, &Ids::default()).unwrap();
        let admit = |names: &[&str]| {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let made = rcgen::generate_simple_self_signed(names).unwrap();
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
            let peer = Peer { address, certificate: Some(made.cert.der().clone()) };
            let sender = access.admit(&HeaderMap::new(), Some(&peer))?;
            sender.scope(None)?.name().map(str::to_owned)
        };
        assert_eq!(admit(&["bridge.dev.example"]).as_deref(), Some("dev"));
        assert_eq!(admit(&["x.example", "bridge.prod.example"]).as_deref(), Some("prod"));
        assert_eq!(admit(&["bridge.stage.example"]), None);
        assert!(Access::bound(Vec::new(), &[bind("no name", "x")], &Ids::default()).is_err());
    }

    #[test]
    fn a_bound_sender_speaks_for_no_other_cluster() {
        let cluster = |name: &str| Ids::default().cluster(name);
        let bound = |names: &[&str]| Sender::Bound(names.iter().map(|name| cluster(name)).collect());
        let one = |name| Some(Scope::One(cluster(name)));
        assert_eq!(Sender::Free.scope(None), Some(Scope::Any));
        assert_eq!(Sender::Free.scope(Some(cluster("a"))), one("a"));
        assert_eq!(bound(&["b"]).scope(None), one("b"));
        assert_eq!(bound(&["b", "c"]).scope(Some(cluster("c"))), one("c"));
        assert_eq!(bound(&["b", "c"]).scope(Some(cluster("a"))), None);
        assert!(matches!(bound(&["b", "c"]).scope(None), Some(Scope::Several(_))));
    }

    #[test]
    fn a_file_without_a_token_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let files = vec![TokenFile { file: file.path().to_owned(), cluster: Names::default() }];
        assert!(Access::known(files).unwrap_err().to_string().contains("no token"));
    }
}

//! What `serve` reads.

use std::path::PathBuf;

use audit_service::config::{Bytes, Check, Listen, Mistakes, SecretFile, Span};
use audit_service::{http, logging, tls};
use serde::{Deserialize, Serialize};

use crate::clusters::{Cluster, Ids};
use crate::intake::{AdmissionOptions, BoundCertificate, TokenFile};
use crate::outputs::Least;
use crate::outputs::config::Outputs;
use crate::redact::Redact;
use crate::retention;
use crate::store;

mod files;
pub mod rules;

pub use files::Startable;

/// The configuration of `serve`. A key that is not here is a mistake.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where audit events are posted to.
    pub listen: Listen,
    /// Serves the intake over TLS when given.
    pub tls: Option<tls::ServerFiles>,
    /// Who may post. Must be given when `listen` can be reached from other machines, unless client certificates
    /// are asked for.
    pub auth: Option<Auth>,
    /// What is taken of clusters that have no audit log.
    pub admission: Option<AdmissionOptions>,
    /// Client certificates and the clusters that they speak for. When there are any, no other certificate counts.
    pub certificates: Vec<BoundCertificate>,
    /// The ids of clusters by the names under which bindings and paths know them.
    pub clusters: Ids,
    /// Bounds on request bodies.
    pub body: Body,
    /// Bounds on connections.
    pub connections: http::Limits,
    /// Where probes and scrapes go.
    pub admin: Admin,
    /// Where alerts are kept: `sqlite:PATH` or `postgres://USER@HOST/DATABASE`.
    pub store: String,
    /// Rule files and folders of them, in order; the built-in rules when there are none.
    pub rules: Vec<PathBuf>,
    /// What switches rules on and off once they are loaded, in this order.
    pub rules_select: Vec<rules::Switch>,
    /// Rules that are less severe are not tried.
    pub priority: Option<Least>,
    /// What is added to the outputs of rules, in this order.
    pub append_output: Vec<rules::Append>,
    /// Which of the matching rules raise an alert.
    #[serde(rename = "match")]
    pub matching: Match,
    /// Whether events that were cut and entries that can't be read raise alerts of our own, whatever the rules.
    pub native: bool,
    /// A cluster whose newest event is older raises an alert of our own; never when 0.
    pub silent_after: Span,
    /// How long what is stored is kept.
    pub retention: retention::Options,
    /// What is left out of what is stored.
    pub redact: Redact,
    /// Where alerts go from the store.
    pub outputs: Outputs,
    /// Logs.
    pub log: logging::Options,
}

/// Who may post.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// Everybody who can connect.
    None,
    /// Who presents one of these tokens, or a client certificate if `tls.client_ca_file` is set.
    Tokens(Vec<TokenFile>),
}

/// Bounds on request bodies.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Body {
    /// Most bytes of one body, decompressed. kube-apiserver has no limit of its own.
    pub limit: Bytes,
    /// Most bytes of all bodies in memory at once.
    pub budget: Bytes,
    /// Most requests a second from one address; as many as come when not given.
    pub rate: Option<u32>,
    /// How long one may take to arrive. kube-apiserver gives up after 30 s.
    pub timeout: Span,
}

/// The admin port.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Where it listens.
    pub listen: Listen,
    /// A file with the bearer token that the API asks for. Without one it answers this machine alone, and nobody when other
    /// machines can reach the port.
    pub token_file: Option<SecretFile>,
}

/// Which of the matching rules raise an alert.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Match {
    /// The first one in the order of definition.
    #[default]
    First,
    /// Every one.
    All,
}

impl From<Match> for audit_rules::Matching {
    fn from(which: Match) -> Self {
        match which {
            Match::First => Self::First,
            Match::All => Self::All,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: Listen(([127, 0, 0, 1], 6443).into()),
            tls: None,
            auth: None,
            admission: None,
            certificates: Vec::new(),
            clusters: Ids::default(),
            body: Body::default(),
            connections: http::Limits::default(),
            admin: Admin::default(),
            store: "sqlite:audit-receiver.db".to_owned(),
            rules: Vec::new(),
            rules_select: Vec::new(),
            priority: None,
            append_output: Vec::new(),
            matching: Match::default(),
            native: true,
            silent_after: Span::secs(900),
            retention: retention::Options::default(),
            redact: Redact::default(),
            outputs: Outputs::default(),
            log: logging::Options::default(),
        }
    }
}

impl Default for Body {
    fn default() -> Self {
        Self { limit: Bytes::mib(64), budget: Bytes::mib(256), rate: None, timeout: Span::secs(30) }
    }
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: Listen(([127, 0, 0, 1], 8080).into()), token_file: None }
    }
}

impl Config {
    /// Where the last good rules are kept: beside the store, where that is a file.
    pub fn kept_rules(&self) -> Option<PathBuf> {
        let path = self.store.strip_prefix("sqlite:")?;
        Some(format!("{}.rules.json", path.strip_prefix("//").unwrap_or(path)).into())
    }

    /// The clusters that some sender is bound to.
    pub fn bound_clusters(&self) -> impl Iterator<Item = Cluster> {
        let tokens = match &self.auth {
            Some(Auth::Tokens(files)) => files.as_slice(),
            Some(Auth::None) | None => &[],
        };
        let secrets = self.admission.iter().flat_map(|admission| &admission.secrets);
        let bindings = tokens.iter().chain(secrets).map(|file| &file.cluster);
        let bindings = bindings.chain(self.certificates.iter().map(|certificate| &certificate.cluster));
        bindings.flat_map(|names| &names.0).map(|name| self.clusters.cluster(name))
    }

    /// Whether the intake asks for client certificates.
    pub fn asks_for_certificates(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some())
    }
}

impl Check for Config {
    fn check(&self, mistakes: &mut Mistakes) {
        if let Err(error) = self.store.parse::<store::Location>() {
            mistakes.add("store", error.to_string());
        }
        if self.auth.is_none() && !self.listen.is_loopback() && !self.asks_for_certificates() {
            mistakes.add(
                "listen",
                "other machines can reach this address: set `auth.tokens` or `tls.client_ca_file`, or write \
                 `auth: none` to let everybody post",
            );
        }
        if matches!(&self.auth, Some(Auth::Tokens(files)) if files.is_empty()) {
            mistakes.add("auth.tokens", "at least one file must be given");
        }
        if self.auth == Some(Auth::None) && !self.certificates.is_empty() {
            mistakes.add(
                "auth",
                "`none` lets everybody post, and `certificates` bind nobody: leave `auth` out, or `certificates`",
            );
        }
        if let Some(admission) = &self.admission {
            if admission.queue == Bytes(0) {
                mistakes.add("admission.queue", "must be more than 0: nothing could wait to be evaluated");
            }
            if admission.secrets.is_empty() {
                mistakes.add("admission.secrets", "at least one must be given");
            }
            if admission.secrets.iter().any(|secret| secret.cluster.0.len() != 1) {
                mistakes.add(
                    "admission.secrets",
                    "each needs one `cluster`: reviews don't say where they come from",
                );
            }
        }
        if !self.certificates.is_empty() && !self.asks_for_certificates() {
            mistakes.add("certificates", "none is asked for: set `tls.client_ca_file`");
        }
        if self.certificates.iter().any(|certificate| certificate.cluster.0.is_empty()) {
            mistakes.add("certificates", "each needs a `cluster`, or several");
        }
        self.clusters.check(mistakes);
        let select = self.rules_select.iter().enumerate();
        select.for_each(|(at, switch)| mistakes.within(&format!("rules_select[{at}]"), |m| switch.check(m)));
        let append = self.append_output.iter().enumerate();
        append.for_each(|(at, append)| mistakes.within(&format!("append_output[{at}]"), |m| append.check(m)));
        if self.body.limit > self.body.budget {
            mistakes.add("body.limit", "must not be more than `body.budget`");
        }
        if self.body.budget > Bytes::mib(1 << 20) {
            mistakes.add("body.budget", "must not be more than 1TiB");
        }
        self.redact.check(mistakes);
        self.outputs.check(mistakes);
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;

    fn load(yaml: &str) -> Result<Config, Mistakes> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), yaml).unwrap();
        let environment: [(OsString, OsString); 0] = [];
        audit_service::config::load_from(Config::default(), Some(file.path()), environment, ())
    }

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(load("").unwrap(), Config::default());
    }

    #[test]
    fn every_key_is_read() {
        let config = load(
            "listen: '[::]:0'\ntls: {certificate_file: a, key_file: b, client_ca_file: c}\n\
             auth:\n  tokens:\n    - {file: t, cluster: prod}\nbody: {limit: 1MiB, budget: 2MiB, timeout: 5s}\n\
             admin: {listen: '0.0.0.0:0'}\nstore: sqlite:x\nrules: [a.yaml]\nmatch: all\nnative: false\nadmission: {secrets: [{file: s, cluster: edge}], ignore: [], queue: 1MiB}\noutputs: {stdout: false}\n",
        )
        .unwrap();
        assert_eq!(config.matching, Match::All);
        assert!(matches!(&config.auth, Some(Auth::Tokens(files)) if files[0].cluster == "prod".into()));
        assert_eq!(config.bound_clusters().count(), 2);
        let fan_in = load(
            "clusters: {prod: 'arn:1', dev: 'arn:2'}\nauth: {tokens: [{file: t, cluster: [prod, dev, edge]}]}\n",
        );
        let ids: Vec<_> = fan_in.unwrap().bound_clusters().map(|cluster| cluster.id.to_string()).collect();
        assert_eq!(ids, ["arn:1", "arn:2", "edge"]);
    }

    #[test]
    fn rules_are_selected_and_added_to_as_in_falco() {
        use crate::rules::Settings;
        use audit_rules::load::ExtraValue;

        let config = load(
            "rules_select: [{disable: {rule: 'Read *'}}, {enable: {tag: pods}}]\npriority: error\nappend_output:\n  \
             - match: {source: k8s_audit, tags: [pods]}\n    extra_output: 'at %ka.uri'\n    extra_fields: [ka.verb, {who: '%ka.user.name'}]\n",
        )
        .unwrap();
        let settings = Settings::from(&config);
        assert_eq!((settings.select.len(), settings.least.as_str()), (2, "Error"));
        assert!(!settings.select[0].enable && settings.select[0].rule.as_deref() == Some("Read *"));
        let fields = &settings.options.append_output[0].fields;
        let template = ExtraValue::Template("%ka.user.name".to_owned());
        assert_eq!(*fields, [("ka.verb".to_owned(), ExtraValue::Raw), ("who".to_owned(), template)]);
        let wrong = load(
            "rules_select: [{disable: {}}, {disabel: {tag: x}}]\npriority: loud\nappend_output: [{match: {rule: r}}]",
        );
        assert_eq!(wrong.as_ref().unwrap_err().len(), 5, "{wrong:?}");
        let wrong = load(
            "append_output: [{extra_fields: [{a: '%ka.uri', b: '%ka.uri'}]}]\nrules_select: [{disable: {}}]",
        );
        assert_eq!(wrong.as_ref().unwrap_err().len(), 2, "{wrong:?}");
    }

    #[test]
    fn outputs_have_names_and_filters() {
        let config = load(
            "outputs:\n  stdout_only: {priority: Error}\n  file:\n    siem: {path: /x, rotate_at: 1MiB}\n  http:\n    \
             chat: {url: 'http://h/', form: alertmanager, headers: {x-a: b}, token_file: t, only: {tags: [exec]}}\n",
        );
        let outputs = config.unwrap().outputs;
        assert!(outputs.stdout && outputs.file["siem"].keep == 5);
        assert_eq!(outputs.http["chat"].only.tags, ["exec"]);
        let wrong =
            load("outputs: {http: {chat: {url: 'h:1', in_flight: 0, only: {priority: loud}}}}").unwrap_err();
        assert!(wrong.to_string().contains("loud"), "{wrong}");
        let wrong = load("outputs: {http: {chat: {url: 'h:1', in_flight: 0, rate: 0}}}").unwrap_err();
        assert_eq!(wrong.len(), 3, "{wrong}");
    }

    #[test]
    fn an_open_door_must_be_asked_for() {
        let refused = load("listen: 0.0.0.0:6443").unwrap_err().to_string();
        assert!(refused.contains("auth: none"), "{refused}");
        assert_eq!(load("listen: 0.0.0.0:6443\nauth: none").unwrap().auth, Some(Auth::None));
        assert!(load("listen: 0.0.0.0:6443\nauth: {tokens: []}").is_err());
        let certificates = "tls: {certificate_file: a, key_file: b, client_ca_file: c}";
        assert!(load(&format!("listen: 0.0.0.0:6443\n{certificates}")).is_ok());
    }

    #[test]
    fn certificates_are_bound_only_where_not_everybody_may_post() {
        let bound = "tls: {certificate_file: a, key_file: b, client_ca_file: c}\ncertificates: [{name: n, cluster: prod}]";
        assert!(load(bound).is_ok());
        let refused = load(&format!("{bound}\nauth: none")).unwrap_err();
        assert!(refused.len() == 1 && refused.to_string().contains("leave `auth` out"), "{refused}");
    }

    #[test]
    fn reviews_need_room_to_wait() {
        let refused = load("admission: {secrets: [{file: s, cluster: edge}], queue: 0}").unwrap_err();
        assert!(refused.len() == 1 && refused.to_string().contains("admission.queue"), "{refused}");
    }

    #[test]
    fn what_is_left_out_is_named_by_paths() {
        let config = load("redact: {paths: ['/requestObject/spec/*/pin', /annotations/x~1y]}").unwrap();
        assert!(config.redact.secrets && config.redact.paths.len() == 2);
        for wrong in ["redact: {paths: [/auditID]}", "redact: {paths: [spec]}"] {
            let wrong = load(wrong).unwrap_err().to_string();
            assert!(wrong.contains("redact.paths"), "{wrong}");
        }
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let mistakes = load("store: mysql://x\nbody: {limit: 1GiB}\nmatch: some").unwrap_err();
        assert_eq!(mistakes.len(), 3, "{mistakes}");
    }
}

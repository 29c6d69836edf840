//! What each kind of sender leaves out of its events, field by field.

use std::fmt;
use std::str::FromStr;

use super::Field;

/// Where events come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(missing_docs, reason = "named as on the command line")]
pub enum Provider {
    Gke,
    Eks,
    Aks,
    /// AKS with the category `kube-audit-admin` alone.
    AksAdminOnly,
    /// Admission reviews instead of an audit log.
    Admission,
}

impl Provider {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Gke, Self::Eks, Self::Aks, Self::AksAdminOnly, Self::Admission];

    /// The name on command lines: `aks-admin-only`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gke => "gke",
            Self::Eks => "eks",
            Self::Aks => "aks",
            Self::AksAdminOnly => "aks-admin-only",
            Self::Admission => "admission",
        }
    }

    /// How far events of this provider carry a field.
    pub fn carries(self, field: &Field) -> Carried {
        let name = field.name;
        if !name.starts_with("ka.") {
            return Carried::Fully;
        }
        match self {
            Self::Gke => gke(name),
            Self::Eks => eks(name),
            Self::Aks => aks(name),
            Self::AksAdminOnly if name == "ka.verb" => {
                Carried::Partly("`kube-audit-admin` leaves out the verbs get and list")
            }
            Self::AksAdminOnly => aks(name),
            Self::Admission => admission(name),
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// No provider of that name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is no provider; there are gke, eks, aks, aks-admin-only and admission")]
pub struct UnknownProvider(String);

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(name: &str) -> Result<Self, UnknownProvider> {
        Self::ALL
            .into_iter()
            .find(|provider| provider.as_str() == name)
            .ok_or_else(|| UnknownProvider(name.to_owned()))
    }
}

/// How far a field is carried, with the reason where it is not fully.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Carried {
    /// As kube-apiserver writes it.
    Fully,
    /// Not in every event, or not as it was.
    Partly(&'static str),
    /// Never: a check of it is blind.
    Never(&'static str),
}

fn reads_a_body(name: &str) -> bool {
    name.starts_with("ka.req.") && name != "ka.req.configmap.name"
        || matches!(name, "ka.resp.name" | "ka.target.pod.name")
}

fn gke(name: &str) -> Carried {
    match name {
        "ka.user.groups" | "ka.user.uid" | "ka.user.extra" | "ka.impuser.groups" | "ka.impuser.uid"
        | "ka.impuser.extra" => Carried::Never("Cloud Logging keeps the name of a user only"),
        "ka.req.configmap.obj" => Carried::Never("GKE logs no bodies of configmaps"),
        "ka.uri" => Carried::Partly("the URI is rebuilt from the resource name, without its query"),
        "ka.uri.param" => Carried::Partly("the query is lost; `command` and `dryRun` come back from labels"),
        "ka.impuser.name" => Carried::Partly("it is what was asked for, granted or not"),
        "ka.src.ips" => Carried::Partly("calls from within Google have `private` in place of an address"),
        "ka.response.code" => {
            Carried::Partly("rebuilt from a code of fewer kinds: 201 is told from 200 by the verb")
        }
        "ka.verb" => Carried::Partly("get, list and watch are logged only with Data Access logs switched on"),
        "ka.level" => Carried::Partly("inferred from the bodies that are there"),
        name if reads_a_body(name) => {
            Carried::Partly("bodies are missing above 512 KiB and where GKE's policy has none")
        }
        _ => Carried::Fully,
    }
}

fn eks(name: &str) -> Carried {
    match name {
        "ka.req.configmap.obj" => Carried::Partly("EKS logs the body of the configmap aws-auth only"),
        name if reads_a_body(name) => {
            Carried::Partly("CloudWatch cuts events that are too long in their bodies")
        }
        name if reads_an_annotation(name) => {
            Carried::Partly("events that CloudWatch cuts lose their annotations, which come last")
        }
        _ => Carried::Fully,
    }
}

fn aks(name: &str) -> Carried {
    match name {
        "ka.cluster.region" => Carried::Never("the resource id of a cluster names no region"),
        name if reads_a_body(name) => {
            Carried::Partly("bodies near 32 KiB are replaced by the text `skipped-too-big-size-object`")
        }
        _ => Carried::Fully,
    }
}

fn reads_an_annotation(name: &str) -> bool {
    name.starts_with("ka.auth.")
        || matches!(
            name,
            "ka.annotation" | "ka.security.pod.violations" | "ka.validations.admission.policy.failure"
        )
}

fn admission(name: &str) -> Carried {
    match name {
        "ka.useragent" | "ka.src.ips" => Carried::Never("a review does not say where the request came from"),
        "ka.response.reason" | "ka.response.message" | "ka.resp.name" | "ka.target.pod.name" => {
            Carried::Never("a review comes before the response")
        }
        "ka.response.code" | "ka.stage" => Carried::Partly("inferred: a review comes before the response"),
        "ka.verb" => Carried::Partly("reads are not reviewed, nor is what authorization refuses"),
        "ka.uri" | "ka.uri.param" => Carried::Partly("the URI is rebuilt from the object"),
        "ka.level" => Carried::Partly("always RequestResponse or Request, as the review has bodies"),
        name if name.starts_with("ka.impuser.") => {
            Carried::Never("a review names the impersonated user as the one who asks")
        }
        name if reads_an_annotation(name) => Carried::Never("a review has no audit annotations"),
        _ => Carried::Fully,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::{all, lookup};

    #[test]
    fn names_are_read_back() {
        for provider in Provider::ALL {
            assert_eq!(provider.to_string().parse(), Ok(provider));
        }
        assert!("iks".parse::<Provider>().is_err());
    }

    #[test]
    fn every_name_here_is_a_field() {
        let source = include_str!("providers.rs");
        let code = source.split("#[cfg(test)]").next().unwrap();
        for name in code.split('"').filter(|part| part.starts_with("ka.") && !part.ends_with('.')) {
            assert!(lookup(name).is_some(), "{name}");
        }
    }

    #[test]
    fn some_field_is_missing_everywhere_and_generic_ones_never() {
        for provider in Provider::ALL {
            assert!(all().iter().any(|field| provider.carries(field) != Carried::Fully));
        }
        for name in ["evt.time", "jevt.value", "ka.user.name", "ka.target.resource"] {
            let field = lookup(name).unwrap();
            assert!(Provider::ALL.iter().all(|provider| provider.carries(field) == Carried::Fully), "{name}");
        }
    }
}

use audit_rules::Priority;
use serde::{Deserialize, Serialize};

use crate::store::Alert;

/// Which alerts an output takes. What is not given leaves nothing out.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Only {
    /// As severe as this or more.
    pub priority: Option<Least>,
    /// Of one of these rules.
    pub rules: Vec<String>,
    /// With one of these tags.
    pub tags: Vec<String>,
    /// From one of these clusters.
    pub clusters: Vec<String>,
}

/// A priority as it is written in a configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Least(pub Priority);

impl TryFrom<String> for Least {
    type Error = audit_rules::UnknownPriority;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

impl From<Least> for String {
    fn from(least: Least) -> Self {
        least.0.as_str().to_owned()
    }
}

impl Only {
    /// Whether `alert` is one of those.
    pub fn takes(&self, alert: &Alert) -> bool {
        let one_of =
            |wanted: &[String], what: &str| wanted.is_empty() || wanted.iter().any(|one| one == what);
        self.priority.is_none_or(|least| alert.priority <= least.0)
            && one_of(&self.rules, &alert.rule)
            && one_of(&self.clusters, &alert.cluster)
            && (self.tags.is_empty() || self.tags.iter().any(|tag| alert.tags.contains(tag)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_given_must_fit() {
        let alert = Alert {
            rule: "r".to_owned(),
            priority: Priority::Warning,
            cluster: "prod".to_owned(),
            tags: vec!["k8s".to_owned(), "exec".to_owned()],
            ..Alert::default()
        };
        let list = |text: &str| vec!["other".to_owned(), text.to_owned()];
        let all = Only {
            priority: Some(Least(Priority::Warning)),
            rules: list("r"),
            tags: list("exec"),
            clusters: list("prod"),
        };
        assert!(Only::default().takes(&alert) && all.takes(&alert));
        for narrower in [
            Only { priority: Some(Least(Priority::Error)), ..all.clone() },
            Only { rules: list("R"), ..all.clone() },
            Only { tags: list("none"), ..all.clone() },
            Only { clusters: list("dev"), ..all.clone() },
        ] {
            assert!(!narrower.takes(&alert), "{narrower:?}");
        }
    }
}

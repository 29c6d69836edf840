//! Alerts, before and after they are stored.

use audit_rules::Priority;
use uuid::Uuid;

/// An alert ready to be kept.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Unique in the store, see [`crate::identity::alert`].
    pub id: Uuid,
    /// The event's time, nanoseconds since 1970.
    pub time: i64,
    /// Name of the rule that matched.
    pub rule: String,
    /// Of the rule.
    pub priority: Priority,
    /// Of the rule.
    pub tags: Vec<String>,
    /// Name of the cluster, empty when not known.
    pub cluster: String,
    /// Whom and what it is about.
    pub subject: Subject,
    /// The alert as outputs write it: one JSON object in one line.
    pub document: String,
}

/// Whom and what an alert is about; empty where that is not known.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Subject {
    /// The user's name.
    pub user: String,
    /// Namespace of the target.
    pub namespace: String,
    /// `RESOURCE/SUBRESOURCE/NAMESPACE/NAME`
    pub target: String,
}

impl Default for Alert {
    fn default() -> Self {
        Self {
            id: Uuid::nil(),
            time: 0,
            rule: String::new(),
            priority: Priority::Debug,
            tags: Vec::new(),
            cluster: String::new(),
            subject: Subject::default(),
            document: String::new(),
        }
    }
}

/// Which alerts somebody wants to see. What is not given fits everything.
#[derive(Clone, Default, Debug)]
pub struct AlertsWanted {
    /// Of this rule.
    pub rule: Option<String>,
    /// From this cluster.
    pub cluster: Option<String>,
    /// About this user.
    pub user: Option<String>,
}

/// An alert in the store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stored {
    /// Its place in the store's order.
    pub seq: i64,
    /// The silence that kept it from the outputs.
    pub silenced: Option<String>,
    /// See [`Alert::document`].
    pub document: String,
}

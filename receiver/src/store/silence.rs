//! Alerts that outputs don't get for a while.

use serde::Serialize;
use uuid::Uuid;

use super::Alert;
use crate::identity;

/// Keeps alerts that fit from the outputs; they are stored all the same. What is not given fits everything.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Silence {
    /// Names it.
    pub id: String,
    /// Of this rule.
    pub rule: Option<String>,
    /// From this cluster.
    pub cluster: Option<String>,
    /// About this user.
    pub user: Option<String>,
    /// In this namespace.
    pub namespace: Option<String>,
    /// Why.
    pub reason: String,
    /// Who says so.
    pub author: String,
    /// Since when, milliseconds since 1970.
    pub created_at: i64,
    /// Until when, milliseconds since 1970.
    pub expires_at: i64,
    /// When it was removed before its time, milliseconds since 1970.
    pub removed_at: Option<i64>,
    /// By whom.
    pub removed_by: Option<String>,
}

impl Silence {
    /// Whether it is about `alert`; not whether it is in force.
    pub fn covers(&self, alert: &Alert) -> bool {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
        fits(&self.rule, &alert.rule)
            && fits(&self.cluster, &alert.cluster)
            && fits(&self.user, &alert.subject.user)
            && fits(&self.namespace, &alert.subject.namespace)
    }

    /// Whether it narrows anything down.
    pub fn is_narrow(&self) -> bool {
        [&self.rule, &self.cluster, &self.user, &self.namespace].into_iter().any(Option::is_some)
    }

    /// Whether it is in force at `now`.
    pub fn is_in_force(&self, now: i64) -> bool {
        self.removed_at.is_none() && now < self.expires_at
    }

    /// A short name, from what it says and when.
    #[must_use]
    pub fn named(mut self) -> Self {
        let told = format!("{self:?} {}", jiff::Timestamp::now().as_nanosecond());
        let id = Uuid::new_v5(&identity::NATIVE, told.as_bytes()).simple().to_string();
        self.id = id.chars().take(10).collect();
        self
    }
}

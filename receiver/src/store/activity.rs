//! The activity, as it is asked for.

/// Which activity somebody wants. What is not given fits everything.
#[derive(Clone, Default, Debug)]
pub struct ActivityFilter {
    /// Begun at or after this, nanoseconds since 1970.
    pub since: i64,
    /// By this user.
    pub user: Option<String>,
    /// In this cluster.
    pub cluster: Option<String>,
    /// In this namespace.
    pub namespace: Option<String>,
}

/// An entry of the activity.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shown {
    /// Nanoseconds since 1970.
    pub started: i64,
    /// Nanoseconds since 1970, when it is known to have ended.
    pub ended: Option<i64>,
    /// The answer's status.
    pub code: Option<i64>,
    /// Name of the cluster, empty when not known.
    pub cluster: String,
    /// An [`crate::activity::Entry`] in JSON.
    pub document: String,
}

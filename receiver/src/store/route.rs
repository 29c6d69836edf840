//! Which alerts wait for which output.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::outputs::Only;

/// An alert that an output has yet to write.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Waiting {
    /// Its place in the store's order.
    pub seq: i64,
    /// Its identity.
    pub id: Uuid,
    /// See [`super::Alert::document`].
    pub document: String,
}

/// Which new alerts wait for an output.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Route {
    /// The output's name.
    pub output: Arc<str>,
    /// Those that it takes.
    pub only: Only,
    /// Of alerts alike within this time, those after the first are one.
    pub group: Option<Duration>,
}

impl From<&str> for Route {
    fn from(output: &str) -> Self {
        Self { output: output.into(), only: Only::default(), group: None }
    }
}

/// How an output stands.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Backlog {
    /// Its name.
    pub output: String,
    /// Alerts that wait for it.
    pub waiting: i64,
    /// Alerts that it refused.
    pub refused: i64,
    /// When the oldest of those that wait was stored, milliseconds since 1970.
    pub oldest: Option<i64>,
}

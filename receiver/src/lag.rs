//! Alerts of events that are long past say so: a first start, a replay and the end of an outage raise alerts of things that
//! nobody can stop any more.

use std::time::Duration;

use crate::store::Alert;

/// The key of an alert's document with the seconds between its event and its evaluation.
pub const KEY: &str = "lag_seconds";

/// Alerts that come sooner after their event are without it: every cloud delivers late by seconds.
const WORTH_TELLING: Duration = Duration::from_secs(60);

/// Says in an alert that is raised `now`, in nanoseconds since 1970, how long after its event that is, from a minute on.
pub fn tell(alert: &mut Alert, now: i64) {
    let lag = Duration::from_nanos(u64::try_from(now.saturating_sub(alert.time)).unwrap_or(0));
    if lag < WORTH_TELLING {
        return;
    }
    // A document is an object that has members: one more goes before its last brace.
    if let Some(members) = alert.document.strip_suffix('}') {
        alert.document = format!("{members},\"{KEY}\":{}}}", lag.as_secs());
    }
}

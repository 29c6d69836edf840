//! Records that could not be evaluated.

use uuid::Uuid;

use crate::identity;
use crate::redact::Redact;

/// A record that could not be evaluated, kept whole but for secrets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Quarantined {
    /// Why.
    pub reason: String,
    /// Name of the cluster, empty when not known.
    pub cluster: String,
    /// Where the record was read: `intake`, or what a bridge names.
    pub source: String,
    /// The record as it came.
    pub record: Vec<u8>,
}

/// A record in the quarantine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// Its place in the store's order.
    pub seq: i64,
    /// Milliseconds since 1970.
    pub stored_at: i64,
    /// What is kept.
    pub quarantined: Quarantined,
}

/// A record in the quarantine, without itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Listed {
    /// See [`Kept`].
    pub seq: i64,
    /// Milliseconds since 1970.
    pub stored_at: i64,
    /// See [`Quarantined`].
    pub cluster: String,
    /// See [`Quarantined`].
    pub source: String,
    /// See [`Quarantined`].
    pub reason: String,
    /// Length of the record.
    pub bytes: i64,
}

/// A record as it is stored.
#[derive(Clone, Debug)]
pub(super) struct SetAside {
    /// Of the record as it came.
    pub(super) id: Uuid,
    /// Without what is not to be kept.
    pub(super) quarantined: Quarantined,
}

impl SetAside {
    pub(super) fn new(mut quarantined: Quarantined, redact: &Redact) -> Self {
        let id = identity::quarantined(&quarantined.cluster, &quarantined.record);
        quarantined.record = redact.record(&quarantined.record).into_owned();
        Self { id, quarantined }
    }
}

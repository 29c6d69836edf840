//! Records that could not be evaluated.

/// A record that could not be evaluated, kept whole.
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

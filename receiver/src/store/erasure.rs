//! Removing what is stored about a person.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// That somebody had what is stored about a user removed. It is kept; the user's name is not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Erasure {
    /// When, milliseconds since 1970.
    pub at: i64,
    /// Who.
    pub author: String,
    /// SHA-256 of the user's name, in hex: who knows the name can tell that it was erased.
    pub user_digest: String,
    /// Alerts removed.
    pub alerts: u64,
    /// Entries of activity removed.
    pub activity: u64,
    /// Quarantined records removed.
    pub quarantined: u64,
}

/// See [`Erasure::user_digest`].
pub(super) fn digest(user: &str) -> String {
    Sha256::digest(user).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a record has the name as a string of JSON, also of JSON within a string. What can't be read must be searched.
pub(super) fn names(record: &[u8], user: &str) -> bool {
    let mut written = String::new();
    audit_event::json::write_string(&mut written, user);
    let mut nested = String::new();
    audit_event::json::write_string(&mut nested, &written);
    let nested = nested.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or_default();
    let has = |wanted: &str| {
        let begins = |at: usize| record.get(at.wrapping_sub(1)) != Some(&b'\\');
        let mut windows = record.windows(wanted.len().max(1)).enumerate();
        windows.any(|(at, window)| window == wanted.as_bytes() && begins(at))
    };
    has(&written) || has(nested)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_names_whom_it_holds_as_a_string() {
        let record = br#"{"user":{"username":"e\"ve"},"log":"{\"username\":\"bob\"}","x":"carol-2"#;
        assert!(names(record, "e\"ve") && names(record, "bob"));
        assert!(!names(record, "carol") && !names(record, "ve") && !names(record, "username2"));
        assert_eq!(digest("eve").len(), 64);
    }
}

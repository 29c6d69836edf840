//! Pagination tokens: opaque to the caller, bound to their query, good for a while.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::Paging;
use super::group::Key;
use crate::aws::AwsError;

/// Where a query goes on: after `after`, or at its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) after: Option<Key>,
}

impl Token {
    /// Writes a token for the query of that hash.
    pub(super) fn issue(self, paging: &Paging, query: u64, now: i64) -> String {
        let (timestamp, ingested, number) =
            self.after.map_or((0, 0, u64::MAX), |key| (key.timestamp, key.ingested, key.number));
        let text = format!(
            "{:016x}{now:016x}{query:016x}{timestamp:016x}{ingested:016x}{number:016x}",
            paging.generation
        );
        let sum = checksum(&text);
        format!("{text}{sum:016x}")
    }

    /// Reads a token back.
    ///
    /// # Errors
    /// As the service: one error, whether it is no token of ours, one of another query, or expired.
    pub(super) fn read(text: &str, paging: &Paging, query: u64, now: i64) -> Result<Self, AwsError> {
        let invalid = || AwsError::invalid_parameter("The specified nextToken is invalid.");
        let word = |at: usize| {
            text.get(at * 16..at * 16 + 16)
                .and_then(|word| u64::from_str_radix(word, 16).ok())
                .ok_or_else(invalid)
        };
        let fresh = word(0)? == paging.generation && now - word(1)? as i64 <= paging.token_life_ms;
        let told = text.get(..96).map(checksum);
        if text.len() != 112 || Some(word(6)?) != told || word(2)? != query || !fresh {
            return Err(invalid());
        }
        let key = Key { timestamp: word(3)? as i64, ingested: word(4)? as i64, number: word(5)? };
        Ok(Self { after: (key.number != u64::MAX).then_some(key) })
    }
}

fn checksum(value: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

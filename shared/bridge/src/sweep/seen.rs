//! Which records were already handed on.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use sha2::{Digest, Sha256};

use crate::time::Time;

/// What tells a record from every other of its log: 128 bits of the SHA-256 over its parts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RecordId(u128);

impl RecordId {
    /// The identity of a record with these parts (log stream, the cloud's own id, time, ...), each counted with its length.
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        Self(digest.iter().take(16).fold(0, |sum, byte| sum << 8 | u128::from(*byte)))
    }
}

impl fmt::Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecordId({:032x})", self.0)
    }
}

/// The identities of the records handed on, up to a bound. Past the bound those of the oldest times are forgotten: what
/// is forgotten may be sent again, never left out.
#[derive(Debug)]
pub struct Seen {
    buckets: BTreeMap<i64, HashSet<RecordId>>,
    len: usize,
    bound: usize,
    forgotten: u64,
}

/// Identities are kept by the ten seconds of their records, to be let go together.
const BUCKET_MILLIS: i64 = 10_000;

impl Seen {
    /// Holds at most `bound` identities, about 32 bytes each.
    pub fn new(bound: usize) -> Self {
        Self { buckets: BTreeMap::new(), len: 0, bound, forgotten: 0 }
    }

    /// Notes the record; false when it was there already.
    pub fn insert(&mut self, time: Time, id: RecordId) -> bool {
        let new = self.buckets.entry(bucket(time)).or_default().insert(id);
        self.len += usize::from(new);
        while self.len > self.bound {
            let Some((_, ids)) = self.buckets.pop_first() else { break };
            self.len -= ids.len();
            self.forgotten += ids.len() as u64;
        }
        new
    }

    /// Lets go what no sweep will read again: everything well before `mark`.
    pub fn prune(&mut self, mark: Time) {
        let kept = self.buckets.split_off(&bucket(mark));
        let gone = std::mem::replace(&mut self.buckets, kept);
        self.len -= gone.values().map(HashSet::len).sum::<usize>();
    }

    /// How many identities are held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is held.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many identities were let go because of the bound.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

fn bucket(time: Time) -> i64 {
    time.as_millis().div_euclid(BUCKET_MILLIS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u64) -> RecordId {
        RecordId::of(&[&number.to_be_bytes()])
    }

    #[test]
    fn parts_cannot_run_into_each_other() {
        assert_ne!(RecordId::of(&[b"ab", b"c"]), RecordId::of(&[b"a", b"bc"]));
    }

    #[test]
    fn forgets_the_oldest_beyond_the_bound_and_what_is_pruned() {
        let mut seen = Seen::new(2);
        assert!(seen.insert(Time::from_millis(0), id(1)));
        assert!(!seen.insert(Time::from_millis(0), id(1)));
        assert!(seen.insert(Time::from_millis(20_000), id(2)));
        assert!(seen.insert(Time::from_millis(40_000), id(3)));
        assert_eq!((seen.len(), seen.forgotten()), (2, 1));
        assert!(!seen.insert(Time::from_millis(40_000), id(3)));
        seen.prune(Time::from_millis(39_999));
        assert_eq!(seen.len(), 1);
    }
}

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The service's largest message on the standard tiers.
const LARGEST: usize = 1 << 20;
/// More messages than this under way bring nothing.
const MOST: usize = 300;

/// How many messages to allow a link, from a number of bytes for all partitions together. Credit counts messages, and
/// messages differ by three orders of magnitude, so the share of a partition is divided by what its larger ones have had
/// lately.
#[derive(Debug)]
pub struct Credit {
    budget: usize,
    sharing: Arc<AtomicUsize>,
    /// The size that messages are taken to have: falls slowly, rises at once.
    size: usize,
}

impl Credit {
    /// A share of `budget` bytes; `sharing` counts who shares.
    pub fn new(budget: usize, sharing: Arc<AtomicUsize>) -> Self {
        Self { budget, sharing, size: LARGEST / 4 }
    }

    /// A message had so many bytes.
    pub fn saw(&mut self, bytes: usize) {
        self.size = bytes.max(self.size - self.size / 64).max(256);
    }

    /// How many messages may be under way, never none.
    pub fn messages(&self) -> u32 {
        let share = self.budget / self.sharing.load(Ordering::Acquire).max(1);
        u32::try_from((share / self.size.max(1)).clamp(2, MOST)).unwrap_or(2)
    }

    /// The partition is not read any more.
    pub(super) fn leave(&self) {
        self.sharing.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_messages_get_more_credit_and_large_ones_less_at_once() {
        let sharing = Arc::new(AtomicUsize::new(32));
        let mut credit = Credit::new(64 << 20, Arc::clone(&sharing));
        assert_eq!(credit.messages(), 8);
        (0..1_000).for_each(|_| credit.saw(1_000));
        assert_eq!(credit.messages(), 300);
        credit.saw(1 << 20);
        assert_eq!(credit.messages(), 2);
        sharing.store(4, Ordering::Release);
        assert_eq!(credit.messages(), 16);
        (0..1_000).for_each(|_| credit.saw(0));
        assert_eq!(credit.messages(), 300);
    }
}

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use audit_bridge::Load;
use tokio::sync::watch;

/// The service's largest message on the standard tiers.
const LARGEST: usize = 1 << 20;
/// More messages than this under way bring nothing.
const MOST: usize = 300;

/// How many messages to allow a link, from a number of bytes for all partitions together. Each has an equal share, in
/// which what was read and is not delivered yet counts as it is, and what may still come as if every message were the
/// largest: credit counts messages, these differ by three orders of magnitude, and what is allowed can't be taken back.
#[derive(Debug)]
pub struct Credit {
    budget: usize,
    sharing: Arc<AtomicUsize>,
    largest: usize,
    /// Bytes that were read and are not delivered.
    undelivered: Arc<watch::Sender<usize>>,
    changed: watch::Receiver<usize>,
}

impl Credit {
    /// A share of `budget` bytes; `sharing` counts who shares.
    pub fn new(budget: usize, sharing: Arc<AtomicUsize>) -> Self {
        let (undelivered, changed) = watch::channel(0);
        Self { budget, sharing, largest: LARGEST, undelivered: Arc::new(undelivered), changed }
    }

    /// A message had so many bytes.
    pub fn saw(&mut self, bytes: usize) {
        self.largest = self.largest.max(bytes);
    }

    /// What a batch of so many bytes weighs until it is delivered.
    pub fn load(&self, bytes: usize) -> Load {
        Load::new(&self.undelivered, bytes)
    }

    /// How many messages may be under way. None only while others wait to be delivered.
    pub fn messages(&self) -> u32 {
        let share = self.budget / self.sharing.load(Ordering::Acquire).max(1);
        // One may come while another is on its way to the receiver.
        let share = share.max(2 * self.largest);
        let room = share.saturating_sub(*self.undelivered.borrow());
        u32::try_from((room / self.largest).min(MOST)).unwrap_or(0)
    }

    /// Waits until something was delivered or read.
    pub async fn changed(&mut self) {
        // The other end is held here, too.
        let _ = self.changed.changed().await;
    }

    /// The partition is not read any more.
    pub(super) fn leave(&self) {
        self.sharing.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn what_may_come_and_what_waits_fit_into_the_share_at_their_largest() {
        let sharing = Arc::new(AtomicUsize::new(16));
        let mut credit = Credit::new(64 * MIB, Arc::clone(&sharing));
        assert_eq!(credit.messages(), 4);
        let small = credit.load(1000);
        assert_eq!(credit.messages(), 3);
        let large = credit.load(3 * MIB);
        assert_eq!(credit.messages(), 0);
        drop(small);
        assert_eq!(credit.messages(), 1);
        drop(large);
        sharing.store(1, Ordering::Release);
        assert_eq!(credit.messages(), 64);
        sharing.store(1000, Ordering::Release);
        assert_eq!(credit.messages(), 2, "enough to go on with");
        sharing.store(16, Ordering::Release);
        credit.saw(2 * MIB);
        assert_eq!(credit.messages(), 2);
    }
}

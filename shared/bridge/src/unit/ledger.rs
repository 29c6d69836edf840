//! I1 as arithmetic: what was taken, packed and settled.

/// Counts of records since the unit started, each at most the one before.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Ledger {
    taken: u64,
    packed: u64,
    sent: u64,
    settled: u64,
}

impl Ledger {
    pub(super) fn took(&mut self, records: u64) {
        self.taken += records;
    }

    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// The last part of a record is in a body, or was ignored.
    pub(super) fn packed(&mut self, records: u64) {
        self.packed += records;
    }

    /// A body is on its way; how many records are whole with it that were not before, and how many are by now.
    pub(super) fn sent(&mut self) -> (u64, u64) {
        let records = self.packed - self.sent;
        self.sent = self.packed;
        (records, self.sent)
    }

    pub(super) fn settled(&mut self, records: u64) {
        self.settled += records;
    }

    /// Whether the first `records` records are all settled.
    pub(super) fn covers(&self, records: u64) -> bool {
        records <= self.settled
    }
}

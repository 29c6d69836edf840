//! What goes when there is too much: the oldest, of alerts, quarantined records and activity alike. Identities go long after
//! nobody can send their events again.

/// What is to be kept.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Keep {
    /// Alerts and activity stored at or after this, milliseconds since 1970.
    pub alerts_since: i64,
    /// Quarantined records stored at or after this, milliseconds since 1970.
    pub quarantine_since: i64,
    /// Identities of events seen at or after this, milliseconds since 1970.
    pub identities_since: i64,
    /// Identities of events seen at or after this whatever the room that they take, milliseconds since 1970.
    pub identities_surely: i64,
    /// The newest that are together no larger than this, in bytes.
    pub bytes: Option<i64>,
    /// So many bytes less than there are, at least.
    pub make_room: i64,
}

/// What one step of retention did.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Retained {
    /// Rows removed.
    pub rows: u64,
    /// How often one of them was an alert that an output had yet to write.
    pub unwritten: u64,
    /// Pages of the file given back.
    pub pages: u64,
}

/// What a store takes.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Usage {
    /// Bytes by kind (`alerts`, `quarantine`, `activity`, `identities`), about.
    pub kinds: Vec<(String, i64)>,
    /// Bytes of the file of SQLite, its log not counted.
    pub file: Option<i64>,
    /// Those of them that hold something.
    pub filled: Option<i64>,
}

impl Keep {
    /// Whether identities, which take so many bytes, leave too little to the rest.
    pub(super) fn has_too_many_identities(&self, bytes: i64) -> bool {
        self.bytes.is_some_and(|most| bytes > most / 2)
    }
}

/// A row that may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Old {
    /// Its place in the order of its kind.
    pub(super) seq: i64,
    pub(super) stored_at: i64,
    pub(super) size: i64,
}

/// Rows of one kind, the oldest of them, and since when they are kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind<'a> {
    pub(super) since: i64,
    pub(super) oldest: &'a [Old],
}

/// Rows that go: all up to a place.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(super) struct Cut {
    pub(super) upto: i64,
    pub(super) rows: i64,
    pub(super) bytes: i64,
}

impl Cut {
    fn add(&mut self, old: &Old) {
        *self = Self { upto: old.seq, rows: self.rows + 1, bytes: self.bytes + old.size };
    }
}

/// Of the oldest rows of each kind those that go; `used` is what all rows take.
pub(super) fn cut<const N: usize>(keep: &Keep, used: i64, kinds: [Kind<'_>; N]) -> [Cut; N] {
    let mut cuts = kinds.map(|kind| (kind.since, kind.oldest.iter().peekable(), Cut::default()));
    let mut excess = keep.bytes.map_or(0, |bytes| used.saturating_sub(bytes)).max(keep.make_room);
    loop {
        let oldest = cuts.iter_mut().filter_map(|(since, rows, cut)| {
            let old = **rows.peek()?;
            Some((old, *since, rows, cut))
        });
        let Some((old, since, rows, cut)) = oldest.min_by_key(|(old, ..)| old.stored_at) else { break };
        if old.stored_at < since || excess > 0 {
            excess -= old.size;
            cut.add(&old);
            rows.next();
        } else {
            // Nothing younger of its kind goes either.
            while rows.next().is_some() {}
        }
    }
    cuts.map(|(.., cut)| cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn olds(times: &[i64]) -> Vec<Old> {
        (1..).zip(times).map(|(seq, time)| Old { seq, stored_at: *time, size: 10 }).collect()
    }

    fn upto(keep: Keep, used: i64) -> (i64, i64) {
        let (alerts, quarantine) = (olds(&[1, 3, 5]), olds(&[2, 4, 6]));
        let kinds = [
            Kind { since: keep.alerts_since, oldest: &alerts },
            Kind { since: keep.quarantine_since, oldest: &quarantine },
        ];
        let [alerts, quarantine] = cut(&keep, used, kinds);
        assert_eq!((alerts.bytes, quarantine.bytes), (alerts.rows * 10, quarantine.rows * 10));
        (alerts.upto, quarantine.upto)
    }

    #[test]
    fn the_oldest_of_both_go_until_the_rest_fits() {
        let keep = Keep::default();
        assert_eq!(upto(keep, 1000), (0, 0));
        assert_eq!(upto(Keep { alerts_since: 4, ..keep }, 0), (2, 0));
        assert_eq!(upto(Keep { quarantine_since: 7, ..keep }, 0), (0, 3));
        assert_eq!(upto(Keep { bytes: Some(60), ..keep }, 60), (0, 0));
        assert_eq!(upto(Keep { bytes: Some(59), ..keep }, 60), (1, 0));
        assert_eq!(upto(Keep { bytes: Some(35), ..keep }, 60), (2, 1));
        // What goes by age makes room too.
        assert_eq!(upto(Keep { bytes: Some(50), quarantine_since: 3, ..keep }, 60), (1, 1));
        assert_eq!(upto(Keep { make_room: 25, ..keep }, 0), (2, 1));
        assert_eq!(upto(Keep { make_room: 1000, ..keep }, 0), (3, 3));
    }
}

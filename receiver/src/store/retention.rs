//! What goes when there is too much: the oldest, of alerts and quarantined records alike. Identities stay.

/// What is to be kept.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Keep {
    /// Alerts stored at or after this, milliseconds since 1970.
    pub alerts_since: i64,
    /// Quarantined records stored at or after this, milliseconds since 1970.
    pub quarantine_since: i64,
    /// The newest that are together no larger than this, in bytes, about.
    pub bytes: Option<i64>,
    /// None of the oldest, whatever else: there is no room.
    pub make_room: bool,
}

/// A row that may go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Old {
    pub(super) seq: i64,
    pub(super) stored_at: i64,
    pub(super) size: i64,
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

/// Of the oldest alerts and records, each in the order of their places, those that go; `used` is what all rows take.
pub(super) fn cut(keep: &Keep, used: i64, alerts: &[Old], quarantine: &[Old]) -> (Cut, Cut) {
    let (mut of_alerts, mut of_quarantine) = (Cut::default(), Cut::default());
    let (mut alerts, mut quarantine) = (alerts.iter().peekable(), quarantine.iter().peekable());
    let mut excess = keep.bytes.map_or(0, |bytes| used.saturating_sub(bytes));
    loop {
        let alert_first = match (alerts.peek(), quarantine.peek()) {
            (None, None) => break,
            (Some(alert), Some(record)) => alert.stored_at <= record.stored_at,
            (alert, _) => alert.is_some(),
        };
        let (from, cut, since) = if alert_first {
            (&mut alerts, &mut of_alerts, keep.alerts_since)
        } else {
            (&mut quarantine, &mut of_quarantine, keep.quarantine_since)
        };
        let Some(old) = from.peek() else { break };
        if old.stored_at < since || excess > 0 || keep.make_room {
            excess -= old.size;
            cut.add(old);
            from.next();
        } else {
            // Nothing younger of its kind goes either.
            while from.next().is_some() {}
        }
    }
    (of_alerts, of_quarantine)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn olds(times: &[i64]) -> Vec<Old> {
        (1..).zip(times).map(|(seq, time)| Old { seq, stored_at: *time, size: 10 }).collect()
    }

    fn upto(keep: Keep, used: i64) -> (i64, i64) {
        let (alerts, quarantine) = cut(&keep, used, &olds(&[1, 3, 5]), &olds(&[2, 4, 6]));
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
        assert_eq!(upto(Keep { make_room: true, ..keep }, 0), (3, 3));
    }
}

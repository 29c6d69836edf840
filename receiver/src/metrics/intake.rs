//! What happens at the intake.

use super::{Cluster, Counters, Occurrence, Reason};
use crate::evaluate::Outcome;
use crate::intake::Refusal;
use crate::store::{Quarantined, StoreError};

/// A body was split and its events held against the rules.
pub struct Evaluated<'a> {
    /// What came of it.
    pub outcome: &'a Outcome,
}

impl Occurrence for Evaluated<'_> {
    type Counters = Counters;

    fn log(&self) {
        let Outcome { received, evaluated, ignored, quarantined, alerts, .. } = self.outcome;
        tracing::debug!(
            received,
            evaluated,
            ignored,
            quarantined = quarantined.len(),
            alerts = alerts.len(),
            "body evaluated"
        );
    }

    fn count(&self, counters: &Counters) {
        let Outcome { received, evaluated, ignored, quarantined, .. } = self.outcome;
        debug_assert_eq!(*received, evaluated + ignored + quarantined.len(), "an entry was lost");
        counters.received.inc_by(*received as u64);
        counters.evaluated.inc_by(*evaluated as u64);
        counters.ignored.inc_by(*ignored as u64);
        counters.quarantined.inc_by(quarantined.len() as u64);
        for (index, record) in quarantined {
            if counters.tells("entry quarantined") {
                tracing::warn!(index, reason = record.reason, cluster = record.cluster, "entry quarantined");
            }
        }
    }
}

/// A review shows what is not to be evaluated.
pub struct ReviewIgnored;

impl Occurrence for ReviewIgnored {
    type Counters = Counters;

    fn log(&self) {}

    fn count(&self, counters: &Counters) {
        counters.received.inc();
        counters.ignored.inc();
    }
}

/// A review could not be read, or found no room among those that wait to be evaluated.
pub struct ReviewLost<'a> {
    /// Its cluster.
    pub cluster: &'a str,
}

impl Occurrence for ReviewLost<'_> {
    type Counters = Counters;

    fn log(&self) {
        tracing::debug!(cluster = self.cluster, "no room for an admission review");
    }

    fn count(&self, counters: &Counters) {
        counters.reviews_lost.get_or_create(&Cluster { cluster: self.cluster.to_owned() }).inc();
    }
}

/// A bridge handed in a record that it could not convert.
pub struct Quarantining<'a> {
    /// The record.
    pub record: &'a Quarantined,
}

impl Occurrence for Quarantining<'_> {
    type Counters = Counters;

    fn log(&self) {
        let Quarantined { reason, cluster, source, .. } = self.record;
        tracing::warn!(reason, cluster, source, "record quarantined by its bridge");
    }

    fn count(&self, counters: &Counters) {
        counters.received.inc();
        counters.quarantined.inc();
    }

    fn emit(&self, counters: &Counters) {
        if counters.tells("record quarantined") {
            self.log();
        }
        self.count(counters);
    }
}

/// A request was not taken.
pub struct BodyRefused<'a> {
    /// Why.
    pub refusal: &'a Refusal,
}

impl Occurrence for BodyRefused<'_> {
    type Counters = Counters;

    fn log(&self) {
        tracing::warn!(status = self.refusal.status().as_u16(), reason = %self.refusal, "request refused");
    }

    fn count(&self, counters: &Counters) {
        counters.refused.get_or_create(&Reason { reason: self.refusal.name() }).inc();
    }

    fn emit(&self, counters: &Counters) {
        if counters.tells(self.refusal.name()) {
            self.log();
        }
        self.count(counters);
    }
}

/// What came of a body could not be stored; its sender was told to send it again.
pub struct NotStored<'a> {
    /// Why.
    pub error: &'a StoreError,
}

impl Occurrence for NotStored<'_> {
    type Counters = Counters;

    fn log(&self) {
        tracing::error!(error = %self.error, "alerts not stored, the sender keeps the events");
    }

    fn count(&self, counters: &Counters) {
        counters.store_failures.inc();
    }
}

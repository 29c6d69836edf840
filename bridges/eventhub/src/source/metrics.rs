use std::sync::atomic::{AtomicI64, AtomicU64};

use audit_event::Timestamp;
use audit_service::metrics::Occurrence;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use super::Position;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Unit {
    unit: String,
}

/// What only event hubs have to count. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct HubMetrics {
    lag: Family<Unit, Gauge<i64, AtomicI64>>,
    missed: Family<Unit, Counter>,
    replaced: Family<Unit, Counter>,
    enqueued: Family<Unit, Gauge<f64, AtomicU64>>,
}

impl HubMetrics {
    /// Registers all of them.
    pub fn new(registry: &audit_service::metrics::Metrics) -> Self {
        let metrics = Self::default();
        registry.register(|registry| {
            registry.register("lag", "Messages of a partition that wait to be read", metrics.lag.clone());
            registry.register(
                "missed",
                "Messages that were gone before they could be read",
                metrics.missed.clone(),
            );
            registry.register(
                "replaced",
                "Event hubs that were made anew under the same name, with the loss of what waited in them",
                metrics.replaced.clone(),
            );
            registry.register(
                "enqueued",
                "When the last message read came into its partition, in seconds since 1970",
                metrics.enqueued.clone(),
            );
        });
        metrics
    }

    /// A message was read.
    pub(super) fn read(&self, unit: &str, enqueued: Option<Timestamp>) {
        if let Some(time) = enqueued {
            let seconds = time.as_milliseconds() as f64 / 1000.0;
            self.enqueued.get_or_create(&only(unit)).set(seconds);
        }
    }

    /// So many messages wait behind the last one read.
    pub(super) fn behind(&self, unit: &str, messages: i64) {
        self.lag.get_or_create(&only(unit)).set(messages);
    }

    /// The partition is not read here any more: another replica knows better.
    pub(super) fn forget(&self, unit: &str) {
        self.lag.remove(&only(unit));
        self.enqueued.remove(&only(unit));
    }
}

fn only(unit: &str) -> Unit {
    Unit { unit: unit.to_owned() }
}

/// Messages are gone: their time in the hub was over before they were read.
#[derive(Debug)]
pub struct Gap<'a> {
    /// The reading unit.
    pub unit: &'a str,
    /// The sequence number of the last message before the gap.
    pub after: i64,
    /// That of the first one behind it.
    pub before: i64,
}

impl Occurrence for Gap<'_> {
    type Counters = HubMetrics;

    fn log(&self) {
        tracing::error!(
            unit = self.unit,
            first = self.after + 1,
            last = self.before - 1,
            "messages are lost: the hub did not keep them until they were read; lengthen its retention"
        );
    }

    fn count(&self, metrics: &HubMetrics) {
        let missed = u64::try_from(self.before - self.after - 1).unwrap_or(0);
        metrics.missed.get_or_create(&only(self.unit)).inc_by(missed);
    }
}

/// The hub is another one of the same name: what waited in the old one is gone with it, how much nobody knows.
#[derive(Debug)]
pub struct Replaced<'a> {
    /// The reading unit.
    pub unit: &'a str,
    /// Where it stood in the old hub.
    pub position: &'a Position,
}

impl Occurrence for Replaced<'_> {
    type Counters = HubMetrics;

    fn log(&self) {
        tracing::error!(
            unit = self.unit,
            position = %self.position,
            "the position is of another event hub, probably one of the same name; what waited there is lost; reading this one \
             from the beginning"
        );
    }

    fn count(&self, metrics: &HubMetrics) {
        metrics.replaced.get_or_create(&only(self.unit)).inc();
    }
}

//! What a bridge counts, and the occurrences that it both counts and logs.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use audit_service::config::Span;
use audit_service::metrics::Occurrence;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;

use crate::deliver::Answer;
use crate::time::Time;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Unit {
    unit: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Labels {
    unit: String,
    kind: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Sweep {
    unit: String,
    age: String,
}

type Gauges = Family<Unit, Gauge<f64, AtomicU64>>;

/// The metrics of a bridge. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    records: Family<Labels, Counter>,
    delivered: Family<Unit, Counter>,
    retries: Family<Unit, Counter>,
    requests: Family<Labels, Counter>,
    found: Family<Sweep, Counter>,
    late: Family<Sweep, Counter>,
    violations: Family<Labels, Counter>,
    newest_event: Gauges,
    swept_until: Gauges,
    final_until: Gauges,
    committed: Gauges,
    request_rate: Gauges,
    remembered: Gauges,
}

impl Metrics {
    /// Registers all of them.
    pub fn new(registry: &audit_service::metrics::Metrics) -> Self {
        let metrics = Self::default();
        registry.register(|registry| {
            let mut add = |name, help, metric: &dyn Fn(&mut prometheus_client::registry::Registry, &str, &str)| {
                metric(registry, name, help);
            };
            macro_rules! register {
                ($($field:ident: $help:literal,)*) => {
                    $(add(stringify!($field), $help, &|registry, name, help| registry.register(name, help, metrics.$field.clone()));)*
                };
            }
            register! {
                records: "Records read, by what became of them: event, ignored, quarantined",
                delivered: "Events that the receiver took",
                retries: "Requests to the receiver that must be repeated",
                requests: "Requests to the source, by outcome",
                found: "Records first seen by the sweep of this age",
                late: "Records that every younger sweep had missed, by the age that found them",
                violations: "Broken promises, by invariant: each is a bug here or in the receiver",
                newest_event: "Time of the newest event read, in seconds since 1970",
                swept_until: "Time up to which the youngest sweep has read, in seconds since 1970",
                final_until: "Time up to which no sweep will read again, in seconds since 1970",
                committed: "When a position was last stored, in seconds since 1970",
                request_rate: "Requests a second that the budget allows at present",
                remembered: "Identities of records held to leave out copies",
            }
        });
        metrics
    }

    /// A record became an event, was ignored or quarantined.
    pub fn record(&self, unit: &str, kind: &'static str) {
        self.records.get_or_create(&labels(unit, kind)).inc();
    }

    /// The receiver took events.
    pub fn delivered(&self, unit: &str, events: usize) {
        self.delivered.get_or_create(&only(unit)).inc_by(events as u64);
    }

    /// A request to the source ended this way.
    pub fn request(&self, unit: &str, outcome: &'static str) {
        self.requests.get_or_create(&labels(unit, outcome)).inc();
    }

    /// A sweep of this age saw records for the first time, of which as many came late.
    pub fn swept(&self, unit: &str, age: Duration, found: usize, late: u64) {
        let labels = Sweep { unit: unit.to_owned(), age: Span(age).to_string() };
        self.found.get_or_create(&labels).inc_by(found as u64);
        self.late.get_or_create(&labels).inc_by(late);
    }

    /// How far the sweeps are.
    pub fn marks(&self, unit: &str, newest: Time, last: Time, remembered: usize) {
        self.swept_until.get_or_create(&only(unit)).set(seconds(newest));
        self.final_until.get_or_create(&only(unit)).set(seconds(last));
        self.remembered.get_or_create(&only(unit)).set(remembered as f64);
    }

    /// What the request budget allows.
    pub fn rate(&self, unit: &str, rate: f64) {
        self.request_rate.get_or_create(&only(unit)).set(rate);
    }

    /// An event of that time was read.
    pub fn event_at(&self, unit: &str, time: Time) {
        let gauge = self.newest_event.get_or_create(&only(unit));
        if seconds(time) > gauge.get() {
            gauge.set(seconds(time));
        }
    }

    /// A position was stored.
    pub fn committed(&self, unit: &str) {
        self.committed.get_or_create(&only(unit)).set(seconds(Time::of_machine()));
    }

    /// I7, as far as the receiver's answer tells.
    pub fn check_sum(&self, unit: &str, answer: &Answer) {
        if answer.receipt().is_some_and(|receipt| !receipt.adds_up()) {
            Violated { unit, invariant: "I7", what: &answer.to_string() }.emit(self);
        }
    }
}

fn only(unit: &str) -> Unit {
    Unit { unit: unit.to_owned() }
}

fn labels(unit: &str, kind: &'static str) -> Labels {
    Labels { unit: unit.to_owned(), kind }
}

fn seconds(time: Time) -> f64 {
    time.as_millis() as f64 / 1000.0
}

/// The receiver did not take a body; it is sent again.
#[derive(Debug)]
pub struct Retried<'a> {
    /// The reading unit.
    pub unit: &'a str,
    /// What was wrong.
    pub problem: &'a str,
    /// When it is sent again.
    pub delay: Duration,
}

impl Occurrence for Retried<'_> {
    type Counters = Metrics;

    fn log(&self) {
        let delay = Span(self.delay).to_string();
        tracing::warn!(unit = self.unit, problem = self.problem, delay, "delivery must be repeated");
    }

    fn count(&self, metrics: &Metrics) {
        metrics.retries.get_or_create(&only(self.unit)).inc();
    }
}

/// A record goes into the quarantine.
#[derive(Debug)]
pub struct Quarantined<'a> {
    /// The reading unit.
    pub unit: &'a str,
    /// Why.
    pub reason: &'a str,
    /// Where the record stood.
    pub origin: &'a str,
}

impl Occurrence for Quarantined<'_> {
    type Counters = Metrics;

    fn log(&self) {
        tracing::warn!(unit = self.unit, reason = self.reason, origin = self.origin, "quarantined");
    }

    fn count(&self, metrics: &Metrics) {
        metrics.record(self.unit, "quarantined");
    }
}

/// The source could not answer.
#[derive(Debug)]
pub struct SourceTroubled<'a> {
    /// The reading unit.
    pub unit: &'a str,
    /// The kind of trouble, a label: `throttled`, `token_expired`, `unavailable`, `refused`.
    pub kind: &'static str,
    /// What it said, and what to do about it.
    pub problem: &'a str,
}

impl Occurrence for SourceTroubled<'_> {
    type Counters = Metrics;

    fn log(&self) {
        tracing::warn!(unit = self.unit, kind = self.kind, problem = self.problem, "source does not answer");
    }

    fn count(&self, metrics: &Metrics) {
        metrics.request(self.unit, self.kind);
    }
}

/// A promise was broken.
#[derive(Debug)]
pub struct Violated<'a> {
    /// The reading unit.
    pub unit: &'a str,
    /// `I1`, `I2` or `I7`.
    pub invariant: &'static str,
    /// What happened.
    pub what: &'a str,
}

impl Occurrence for Violated<'_> {
    type Counters = Metrics;

    fn log(&self) {
        tracing::error!(
            unit = self.unit,
            invariant = self.invariant,
            what = self.what,
            "an invariant is broken"
        );
    }

    fn count(&self, metrics: &Metrics) {
        metrics.violations.get_or_create(&labels(self.unit, self.invariant)).inc();
    }
}

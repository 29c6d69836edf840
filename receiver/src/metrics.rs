//! What the receiver counts and logs. *received* = *evaluated* + *ignored* + *quarantined*, always.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use audit_service::metrics::Metrics;
pub use audit_service::metrics::Occurrence;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Unit;

use crate::store::{Backlog, Retained, Usage};

mod intake;
mod outputs;
mod rules;

pub use intake::{BodyRefused, Evaluated, NotStored, Quarantining, ReviewIgnored, ReviewLost};
pub use outputs::{AlertRefused, OutputFailed, Written};
pub use rules::{RulesKept, RulesLoaded};

/// Lines about one thing within [`TELL_EVERY`].
const MOST_LINES: u32 = 20;

/// See [`MOST_LINES`].
const TELL_EVERY: Duration = Duration::from_secs(10);

#[derive(Debug)]
struct Told {
    since: Instant,
    lines: u32,
    left_out: u64,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Rule {
    rule: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Cluster {
    cluster: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct KnownCluster {
    cluster: String,
    cluster_id: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Kind {
    kind: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct Output {
    output: String,
}

impl From<&str> for Output {
    fn from(output: &str) -> Self {
        Self { output: output.to_owned() }
    }
}

/// All counters of the receiver.
#[derive(Debug)]
pub struct Counters {
    received: Counter,
    evaluated: Counter,
    ignored: Counter,
    quarantined: Counter,
    alerts: Family<Rule, Counter>,
    repeated: Counter,
    silenced: Counter,
    refused: Family<Reason, Counter>,
    body_size: Histogram,
    store_latency: Histogram,
    store_failures: Counter,
    newest: Family<KnownCluster, Gauge<f64, AtomicU64>>,
    reviews_lost: Family<Cluster, Counter>,
    written: Family<Output, Counter>,
    output_failures: Family<Output, Counter>,
    output_refused: Family<Output, Counter>,
    waiting: Family<Output, Gauge>,
    set_aside: Family<Output, Gauge>,
    rules: Gauge,
    rules_stale: Gauge,
    oldest: Family<Output, Gauge<f64, AtomicU64>>,
    removed: Counter,
    removed_unwritten: Counter,
    told: Mutex<HashMap<&'static str, Told>>,
    disk_free: Gauge,
    store_size: Family<Kind, Gauge>,
}

impl Counters {
    /// Registers all of them.
    pub fn new(metrics: &Metrics) -> Self {
        metrics.register(|registry| {
            macro_rules! register {
                ($name:literal, $help:literal, $metric:expr) => {{
                    let metric = $metric;
                    registry.register($name, $help, metric.clone());
                    metric
                }};
                ($name:literal, $help:literal, $unit:ident, $metric:expr) => {{
                    let metric = $metric;
                    registry.register_with_unit($name, $help, Unit::$unit, metric.clone());
                    metric
                }};
            }
            Self {
                received: register!("received", "Entries received", Counter::default()),
                evaluated: register!("evaluated", "Events held against the rules", Counter::default()),
                ignored: register!("ignored", "Entries that are no audit events", Counter::default()),
                quarantined: register!(
                    "quarantined",
                    "Entries kept because they can't be evaluated",
                    Counter::default()
                ),
                alerts: register!("alerts", "New alerts by rule", Family::default()),
                repeated: register!(
                    "alerts_repeated",
                    "Alerts that were stored before, from events sent again",
                    Counter::default()
                ),
                silenced: register!(
                    "alerts_silenced",
                    "New alerts that a silence keeps from the outputs",
                    Counter::default()
                ),
                refused: register!("requests_refused", "Requests not taken, by reason", Family::default()),
                body_size: register!(
                    "body",
                    "Size of bodies, decompressed",
                    Bytes,
                    Histogram::new(exponential_buckets(1024.0, 4.0, 9))
                ),
                store_latency: register!(
                    "store_latency",
                    "How long a body waited to become durable",
                    Seconds,
                    Histogram::new(exponential_buckets(0.000_5, 2.0, 15))
                ),
                store_failures: register!(
                    "store_failures",
                    "Bodies that could not be stored",
                    Counter::default()
                ),
                newest: register!(
                    "newest_event_timestamp",
                    "Time of the newest evaluated event by cluster, since 1970",
                    Seconds,
                    Family::default()
                ),
                rules: register!("rules", "Rules in use", Gauge::default()),
                rules_stale: register!(
                    "rules_stale",
                    "1 while the rules files are unusable and earlier rules are in use",
                    Gauge::default()
                ),
                reviews_lost: register!(
                    "reviews_lost",
                    "Admission reviews answered or refused and never evaluated, by cluster",
                    Family::default()
                ),
                written: register!("output_alerts", "Alerts written, by output", Family::default()),
                output_failures: register!(
                    "output_failures",
                    "Failed attempts to write alerts, by output",
                    Family::default()
                ),
                output_refused: register!(
                    "output_refused",
                    "Alerts that an output refused, by output",
                    Family::default()
                ),
                removed: register!("removed", "Rows that retention removed", Counter::default()),
                removed_unwritten: register!(
                    "removed_unwritten",
                    "Alerts that retention removed while they waited for an output, once for each output",
                    Counter::default()
                ),
                told: Mutex::default(),
                disk_free: register!(
                    "store_disk_free",
                    "What the disk of the store has left; 0 until looked at, and for PostgreSQL",
                    Bytes,
                    Gauge::default()
                ),
                store_size: register!(
                    "store_size",
                    "What is stored takes, by kind, about; `file`: the file of SQLite",
                    Bytes,
                    Family::default()
                ),
                waiting: register!("output_waiting", "Alerts that wait, by output", Family::default()),
                set_aside: register!(
                    "output_set_aside",
                    "Alerts kept that an output refused, by output",
                    Family::default()
                ),
                oldest: register!(
                    "output_oldest_waiting",
                    "How long the oldest alert that waits has been stored, by output; 0 when none waits",
                    Seconds,
                    Family::default()
                ),
            }
        })
    }

    /// A body was read.
    pub fn body(&self, bytes: usize) {
        self.body_size.observe(bytes as f64);
    }

    /// A body's alerts became durable, or failed to.
    pub fn store_latency(&self, took: Duration) {
        self.store_latency.observe(took.as_secs_f64());
    }

    /// Alerts were stored; each with whether it was new.
    pub fn alerts<'a>(&self, stored: impl Iterator<Item = (&'a String, &'a bool)>) {
        for (rule, new) in stored {
            if *new {
                self.alerts.get_or_create(&Rule { rule: rule.clone() }).inc();
            } else {
                self.repeated.inc();
            }
        }
    }

    /// Whether to log what strangers can make happen as often as they like; a line tells of those that were left out.
    fn tells(&self, what: &'static str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let told = told.entry(what).or_insert(Told { since: Instant::now(), lines: 0, left_out: 0 });
        if told.since.elapsed() >= TELL_EVERY {
            if told.left_out > 0 {
                tracing::warn!(what, count = told.left_out, "more of the same were not logged");
            }
            *told = Told { since: Instant::now(), lines: 0, left_out: 0 };
        }
        let tells = told.lines < MOST_LINES;
        if tells {
            told.lines += 1
        } else {
            told.left_out += 1
        }
        tells
    }

    /// Silences keep new alerts from the outputs.
    pub fn silenced(&self, alerts: usize) {
        self.silenced.inc_by(alerts as u64);
    }

    /// Retention removed rows.
    pub fn removed(&self, retained: &Retained) {
        let Retained { rows, unwritten, .. } = *retained;
        self.removed.inc_by(rows);
        self.removed_unwritten.inc_by(unwritten);
        if unwritten > 0 && self.tells("alerts removed unwritten") {
            tracing::error!(
                unwritten,
                "alerts were too old or too many to wait any longer for an output: see why it does not take them"
            );
        }
    }

    /// The store's disk has so many bytes left.
    pub fn disk_free(&self, bytes: u64) {
        self.disk_free.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// What the store takes.
    pub fn store_usage(&self, usage: &Usage) {
        let file = usage.file.map(|bytes| ("file".to_owned(), bytes));
        for (kind, bytes) in usage.kinds.iter().cloned().chain(file) {
            self.store_size.get_or_create(&Kind { kind }).set(bytes);
        }
    }

    /// How outputs stand; one that isn't among them has nothing.
    pub fn backlogs(&self, backlogs: &[Backlog]) {
        self.waiting.clear();
        self.set_aside.clear();
        self.oldest.clear();
        let now = jiff::Timestamp::now().as_millisecond();
        for Backlog { output, waiting, refused, oldest } in backlogs {
            let output = Output::from(output.as_str());
            self.waiting.get_or_create(&output).set(*waiting);
            self.set_aside.get_or_create(&output).set(*refused);
            let age = oldest.map_or(0, |oldest| now.saturating_sub(oldest).max(0));
            self.oldest.get_or_create(&output).set(age as f64 / 1e3);
        }
    }

    /// An event of a cluster came that counts for its freshness, of this time in nanoseconds since 1970.
    pub fn newest(&self, id: &str, name: &str, time: i64) {
        let cluster = KnownCluster { cluster: name.to_owned(), cluster_id: id.to_owned() };
        let gauge = self.newest.get_or_create(&cluster);
        let seconds = time as f64 / 1e9;
        if seconds > gauge.get() {
            gauge.set(seconds);
        }
    }
}

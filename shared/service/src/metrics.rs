//! Metrics in the Prometheus text format, and the pattern that keeps them true to the logs.
//!
//! What happens is one struct; the struct emits its log line and its metric together, so they cannot disagree:
//! ```
//! use audit_service::metrics::{Metrics, Occurrence};
//! use prometheus_client::metrics::counter::Counter;
//!
//! #[derive(Default)]
//! struct Counters { retries: Counter }
//!
//! struct Retrying<'a> { attempt: u32, reason: &'a str }
//!
//! impl Occurrence for Retrying<'_> {
//!     type Counters = Counters;
//!     fn log(&self) { tracing::warn!(attempt = self.attempt, reason = self.reason, "delivery failed, trying again") }
//!     fn count(&self, counters: &Counters) { counters.retries.inc(); }
//! }
//!
//! let metrics = Metrics::new("cloudwatch-bridge", "1.0.0");
//! let counters = Counters::default();
//! metrics.register(|registry| registry.register("retries", "Deliveries tried again", counters.retries.clone()));
//! Retrying { attempt: 1, reason: "connection refused" }.emit(&counters);
//! assert!(metrics.encode().contains("cloudwatch_bridge_retries_total 1"));
//! ```

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

/// The content type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics of a process. Clones share them.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    prefix: Arc<str>,
}

impl Metrics {
    /// A registry with `process_resident_memory_bytes`, `process_start_time_seconds` and `build_info`.
    /// `binary` is the prefix of everything registered later, its `-` as `_`.
    #[must_use]
    pub fn new(binary: &str, version: &str) -> Self {
        let mut registry = Registry::default();
        let build = Info::new([("binary", binary.to_owned()), ("version", version.to_owned())]);
        registry.register("build", "What is running", build);
        registry.register_collector(Box::new(Process::now()));
        Self { registry: Arc::new(Mutex::new(registry)), prefix: binary.replace('-', "_").into() }
    }

    /// Registers under the prefix of the binary, as many metrics as wanted at once.
    pub fn register<R>(&self, register: impl FnOnce(&mut Registry) -> R) -> R {
        register(self.lock().sub_registry_with_prefix(&self.prefix))
    }

    /// The text that a scrape reads ([`CONTENT_TYPE`]).
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &self.lock()) {
            tracing::error!(%error, "cannot encode the metrics");
        }
        text
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Something that happened and that a person and a graph both want to know: see the [module](self).
pub trait Occurrence {
    /// Where it is counted.
    type Counters;

    /// Writes the log line.
    fn log(&self);

    /// Counts.
    fn count(&self, counters: &Self::Counters);

    /// Logs and counts: the only method to call.
    fn emit(&self, counters: &Self::Counters) {
        self.log();
        self.count(counters);
    }
}

/// What the system says of this process, read at each scrape.
#[derive(Debug)]
struct Process {
    started: u64,
}

impl Process {
    fn now() -> Self {
        let now = std::time::SystemTime::now();
        Self { started: now.duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs()) }
    }
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut gauge = |name, help, unit: Unit, value: u64| {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, Some(&unit), gauge.metric_type())?)
        };
        gauge("process_start_time", "When the process started, since 1970", Unit::Seconds, self.started)?;
        match resident() {
            Some(bytes) => gauge("process_resident_memory", "Memory in RAM", Unit::Bytes, bytes),
            None => Ok(()),
        }
    }
}

/// Bytes of this process in RAM, from `/proc/self/status`; absent on systems without it.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::Metrics;
    use prometheus_client::metrics::counter::Counter;

    #[test]
    fn a_scrape_reads_the_standard_metrics_and_ours() {
        let metrics = Metrics::new("audit-receiver", "1.2.3");
        let counter = Counter::<u64>::default();
        metrics.register(|registry| registry.register("received", "Events received", counter.clone()));
        counter.inc_by(3);
        let text = metrics.encode();
        assert!(text.contains("build_info{binary=\"audit-receiver\",version=\"1.2.3\"} 1\n"), "{text}");
        assert!(text.contains("audit_receiver_received_total 3\n"), "{text}");
        assert!(text.contains("# TYPE process_start_time_seconds gauge\n"), "{text}");
        let resident = text.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
        assert!(resident.unwrap().parse::<u64>().unwrap() > 100_000, "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn registering_twice_keeps_both() {
        let metrics = Metrics::new("a-b", "1");
        for name in ["one", "two"] {
            metrics.register(|registry| registry.register(name, "help", Counter::<u64>::default()));
        }
        let text = metrics.encode();
        assert!(text.contains("a_b_one_total 0\n") && text.contains("a_b_two_total 0\n"), "{text}");
    }
}

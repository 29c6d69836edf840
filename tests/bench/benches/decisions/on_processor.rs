//! Time that this thread ran, so that rows compare whatever else the machine does.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use criterion::measurement::{Measurement, ValueFormatter, WallTime};

/// Processor time of the measuring thread where Linux tells it, else time by the clock. It is told a few milliseconds late,
/// so a sample has to take much longer.
#[derive(Debug)]
pub(crate) struct OnProcessor;

impl Measurement for OnProcessor {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        now()
    }

    fn end(&self, start: Duration) -> Duration {
        now().saturating_sub(start)
    }

    fn add(&self, first: &Duration, second: &Duration) -> Duration {
        *first + *second
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        value.as_nanos() as f64
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}

fn now() -> Duration {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    // 0 is what a kernel says that doesn't count.
    let told = told.and_then(|told| told.split(' ').next()?.parse().ok()).filter(|told| *told > 0);
    told.map_or_else(|| BEGIN.elapsed(), Duration::from_nanos)
}

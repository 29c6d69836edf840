//! Requests a second, by account, region and operation.

use std::collections::HashMap;
use std::time::Instant;

use super::{Operation, Place};

/// Token buckets that hold one second's worth; by the monotonic clock, since the fake's own clock can be moved.
#[derive(Debug)]
pub(super) struct Quotas {
    per_second: Option<u32>,
    buckets: HashMap<(Place, Operation), (f64, Instant)>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { per_second: Some(5), buckets: HashMap::new() }
    }
}

impl Quotas {
    pub(super) fn set(&mut self, per_second: Option<u32>) {
        self.per_second = per_second;
        self.buckets.clear();
    }

    /// Whether one more call fits. A call that doesn't costs nothing.
    pub(super) fn admit(&mut self, place: &Place, operation: Operation) -> bool {
        let Some(per_second) = self.per_second.filter(|_| operation.is_logs()) else { return true };
        let rate = f64::from(per_second);
        let now = Instant::now();
        let (level, filled) = self.buckets.entry((place.clone(), operation)).or_insert((rate, now));
        *level = (*level + now.duration_since(*filled).as_secs_f64() * rate).min(rate);
        *filled = now;
        let fits = *level >= 1.0;
        if fits {
            *level -= 1.0;
        }
        fits
    }
}

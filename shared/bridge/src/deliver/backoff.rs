//! How long to wait before the next try.

use std::time::Duration;

/// Exponential backoff with full jitter: any time up to a bound that doubles from 250 ms to 30 s, so that many bridges do
/// not come back at once.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(30);
/// A `Retry-After` beyond this is not believed.
const LONGEST_ASKED: Duration = Duration::from_secs(300);

impl Backoff {
    /// Counts a failure; the wait after it. What the other side asked for is kept, with the jitter on top.
    pub fn next(&mut self, asked: Option<Duration>) -> Duration {
        let bound = FIRST.saturating_mul(2_u32.saturating_pow(self.failures)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        asked.unwrap_or_default().min(LONGEST_ASKED) + bound.mul_f64(fastrand::f64())
    }

    /// It worked.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_bound_and_keeps_what_was_asked() {
        for _ in 0..100 {
            let mut backoff = Backoff::default();
            assert!(backoff.next(None) <= FIRST);
            assert!(backoff.next(None) <= FIRST * 2);
            for _ in 0..100 {
                assert!(backoff.next(None) <= LONGEST);
            }
            backoff.reset();
            let asked = Duration::from_secs(7);
            assert!((asked..=asked + FIRST).contains(&backoff.next(Some(asked))));
            assert!(backoff.next(Some(Duration::MAX)) <= LONGEST_ASKED + LONGEST);
        }
    }
}

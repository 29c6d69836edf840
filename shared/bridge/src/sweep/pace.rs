//! How often to ask, and what time it is.

use std::time::Duration;

use crate::time::Time;

/// The request budget of one account and region: grows by a little with each answer, halves when the service says it is
/// too much. Times are on a monotonic clock, as spans since any fixed point.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    rate: f64,
    ceiling: f64,
    free_at: Duration,
    /// Until then a refusal is of the same burst as one that has been heeded.
    heeded_until: Duration,
}

impl Pace {
    /// Part of the ceiling that each answer adds, and below which the rate does not fall.
    const STEP: f64 = 1.0 / 20.0;
    const LEAST: f64 = 0.01;
    const BURST: Duration = Duration::from_secs(1);

    /// At most `ceiling` requests a second.
    pub fn new(ceiling: f64) -> Self {
        let ceiling = if ceiling.is_finite() { ceiling.max(Self::LEAST) } else { Self::LEAST };
        Self { rate: ceiling, ceiling, free_at: Duration::ZERO, heeded_until: Duration::ZERO }
    }

    /// Takes the next place in the queue; the request may be made at the time returned.
    pub fn take(&mut self, now: Duration) -> Duration {
        let at = self.free_at.max(now);
        self.free_at = at + Duration::from_secs_f64(1.0 / self.rate);
        at
    }

    /// A request was answered.
    pub fn answered(&mut self) {
        self.rate = (self.rate + self.ceiling * Self::STEP).min(self.ceiling);
    }

    /// A request was refused as one too many.
    pub fn throttled(&mut self, now: Duration) {
        if now >= self.heeded_until {
            self.rate = (self.rate / 2.0).max(self.ceiling * Self::STEP);
            self.heeded_until = now + Self::BURST;
        }
        self.free_at = self.free_at.max(now + Duration::from_secs_f64(1.0 / self.rate));
    }

    /// Requests a second at present.
    pub fn rate(&self) -> f64 {
        self.rate
    }
}

/// The service's clock as far as it is known here: set once from this machine's, run on by a monotonic clock, corrected
/// by the times that answers carry. A machine's clock that is ahead would move marks over slices that are still filling.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    set_to: Time,
    set_at: Duration,
}

impl Clock {
    /// `Date` headers are cut to seconds and travel for a while; below this there is nothing to correct.
    const SLACK: Duration = Duration::from_secs(2);

    /// It is `time` at monotonic `now`.
    pub fn new(now: Duration, time: Time) -> Self {
        Self { set_to: time, set_at: now }
    }

    /// The time at monotonic `at`, which may lie before the last correction.
    pub fn at(&self, at: Duration) -> Time {
        match at.checked_sub(self.set_at) {
            Some(later) => self.set_to.plus(later),
            None => self.set_to.minus(self.set_at - at),
        }
    }

    /// Somebody who must know says it is `time` at monotonic `now`. True when that was news.
    pub fn observe(&mut self, now: Duration, time: Time) -> bool {
        let believed = self.at(now);
        let off = believed.since(time).max(time.since(believed)) > Self::SLACK;
        if off {
            *self = Self::new(now, time);
        }
        off
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn requests_keep_their_distance_and_make_room_when_throttled() {
        let mut pace = Pace::new(2.0);
        let start = SECOND;
        assert_eq!(pace.take(start), start);
        assert_eq!(pace.take(start), start + SECOND / 2);
        pace.throttled(start + SECOND);
        assert_eq!(pace.take(start + SECOND), start + 2 * SECOND);
        assert_eq!(pace.rate(), 1.0);
        for _ in 0..100 {
            pace.answered();
        }
        assert_eq!(pace.rate(), 2.0);
        for second in 10..100 {
            pace.throttled(start * second);
            pace.throttled(start * second);
            assert!(pace.rate() >= if second == 10 { 1.0 } else { 0.1 });
        }
        assert_eq!(pace.rate(), 0.1);
    }

    #[test]
    fn answers_correct_the_clock() {
        let mut clock = Clock::new(SECOND, Time::from_millis(1_000_000));
        assert!(!clock.observe(3 * SECOND, Time::from_millis(1_001_000)));
        assert_eq!(clock.at(3 * SECOND), Time::from_millis(1_002_000));
        assert!(clock.observe(3 * SECOND, Time::from_millis(500_000)));
        assert_eq!(clock.at(4 * SECOND), Time::from_millis(501_000));
        assert_eq!(clock.at(2 * SECOND), Time::from_millis(499_000));
    }
}

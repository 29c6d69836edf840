//! How often to ask, and what time it is.

use std::time::Duration;

use crate::time::Time;

/// The request budget of one account and region. What the service really allows is found by trying: each refusal takes
/// the rate down, each answer brings it up a little, both in proportion, so that it settles just below any quota however
/// far below the ceiling that is. Times are on a monotonic clock, as spans since any fixed point.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    rate: f64,
    ceiling: f64,
    /// A rate that the service has borne: up to here it comes back at once.
    proven: f64,
    free_at: Duration,
    /// Until then a refusal is of the same burst as one that has been heeded.
    heeded_until: Duration,
    /// A request was answered since the last refusal that was heeded.
    answered: bool,
}

impl Pace {
    /// Requests a second that are always tried: one a minute finds out that the service answers again.
    const LEAST: f64 = 1.0 / 60.0;
    /// What an answer adds, as a part of the rate: one request in about thirty finds the quota.
    const GAIN: f64 = 1.0 / 128.0;
    /// What a refusal leaves of a rate that was answered before.
    const KEPT: f64 = 0.8;
    /// How many requests, of at most a second, may be under way when one is refused.
    const BURST: (u32, Duration) = (4, Duration::from_secs(1));

    /// At most `ceiling` requests a second.
    pub fn new(ceiling: f64) -> Self {
        let ceiling = if ceiling.is_finite() { ceiling.max(Self::LEAST) } else { Self::LEAST };
        Self {
            rate: ceiling,
            ceiling,
            proven: ceiling,
            free_at: Duration::ZERO,
            heeded_until: Duration::ZERO,
            answered: true,
        }
    }

    /// Takes leave to make a request at `now`.
    ///
    /// # Errors
    /// When to ask again; the rate may have changed by then.
    pub fn take(&mut self, now: Duration) -> Result<(), Duration> {
        if now < self.free_at {
            return Err(self.free_at);
        }
        self.free_at = now + self.distance();
        Ok(())
    }

    /// A request was answered.
    pub fn answered(&mut self) {
        self.answered = true;
        let risen = if self.rate < self.proven {
            (self.rate * 2.0).min(self.proven)
        } else {
            self.rate * (1.0 + Self::GAIN)
        };
        self.rate = risen.min(self.ceiling);
    }

    /// A request was refused as one too many. A service that refuses everything is asked ever more rarely, which says
    /// nothing about its quota.
    pub fn throttled(&mut self, now: Duration) {
        if now >= self.heeded_until {
            if self.answered {
                self.proven = self.rate * Self::KEPT;
            }
            let kept = if self.answered { Self::KEPT } else { 0.5 };
            self.rate = (self.rate * kept).max(Self::LEAST);
            let (requests, most) = Self::BURST;
            self.heeded_until = now + (self.distance() * requests).min(most);
            self.answered = false;
        }
        self.free_at = self.free_at.max(now + self.distance());
    }

    /// Requests a second at present.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    fn distance(&self) -> Duration {
        Duration::from_secs_f64(1.0 / self.rate)
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
mod tests;

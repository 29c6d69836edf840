//! How far each sweep has come.

use std::time::Duration;

use audit_service::config::Span;
use serde::{Deserialize, Serialize};

use super::Ages;
use crate::time::Time;

/// The committed position of a time-indexed log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Marks {
    /// When this was so, by the service's clock.
    pub at: Time,
    /// One entry a sweep, youngest first.
    pub sweeps: Vec<Covered>,
}

/// What one sweep has read to the last page: event times from `from` up to, and without, `to`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Covered {
    /// The sweep's age.
    pub age: Span,
    /// Where its unbroken run began.
    pub from: Time,
    /// Its mark.
    pub to: Time,
}

impl Marks {
    /// Every sweep at `start`.
    pub fn starting(ages: &Ages, start: Time) -> Self {
        let sweeps = ages.iter().map(|age| Covered { age: Span(age), from: start, to: start }).collect();
        Self { at: start, sweeps }
    }

    /// Where reading would go on: everything before this is final.
    pub fn final_until(&self) -> Time {
        self.sweeps.iter().max_by_key(|covered| covered.age).map_or(self.at, |covered| covered.to)
    }

    /// How far any sweep has come.
    pub fn newest(&self) -> Time {
        self.sweeps.iter().map(|covered| covered.to).max().unwrap_or(self.at)
    }

    /// What the sweep of `age` has covered under this position. A read at one age counts for every younger one. An age
    /// beyond the table is one under which the last stretch was not read yet.
    pub fn covered(&self, age: Duration) -> Covered {
        let old_enough = self.sweeps.iter().filter(|covered| covered.age.0 >= age);
        match old_enough.max_by_key(|covered| covered.to) {
            Some(covered) => Covered { age: Span(age), ..*covered },
            None => {
                let oldest = self.sweeps.iter().map(|covered| covered.age.0).max().unwrap_or_default();
                let to = self.final_until().minus(age.saturating_sub(oldest));
                Covered { age: Span(age), from: to, to }
            }
        }
    }

    /// Whether some sweep has had the record of `time` on its pages, if that was readable at `readable`: each page of its
    /// slice was asked for at least the sweep's age after `time`. When exactly is not known, so what became readable
    /// later may have been missed.
    pub fn have_read(&self, time: Time, readable: Time) -> bool {
        self.sweeps
            .iter()
            .any(|covered| covered.from <= time && time < covered.to && readable <= time.plus(covered.age.0))
    }
}

impl crate::Position for Marks {
    /// No sweep's mark lies before what it was.
    fn follows(&self, earlier: &Self) -> bool {
        self.sweeps.iter().all(|covered| {
            let before = earlier.sweeps.iter().find(|before| before.age == covered.age);
            before.is_none_or(|before| before.to <= covered.to)
        })
    }
}

#[cfg(test)]
mod tests;

//! The table of ages.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use audit_service::config::Span;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The ages of the sweeps, youngest first, each once; at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ages(Vec<Duration>);

/// A table of ages that can't be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WrongAges {
    /// Nothing would be read.
    #[error("a table of sweeps needs at least one age, such as `5s,1m,10m,1h`")]
    Empty,
    /// One of them is no span of time.
    #[error("{0}")]
    Span(String),
}

impl Ages {
    /// From any list: sorted, without repetitions.
    pub fn new(mut ages: Vec<Duration>) -> Result<Self, WrongAges> {
        ages.sort_unstable();
        ages.dedup();
        if ages.is_empty() { Err(WrongAges::Empty) } else { Ok(Self(ages)) }
    }

    /// The ages, youngest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = Duration> + ExactSizeIterator + '_ {
        self.0.iter().copied()
    }

    /// The ages, each with how long its sweep waits for a slice to grow, in a log that is looked at every `poll`: the
    /// older a sweep, the less it matters when it comes by.
    pub fn with_waits(&self, poll: Duration) -> impl Iterator<Item = (Duration, Duration)> + '_ {
        let wait = move |place, age: Duration| if place == 0 { poll } else { poll.max(age / 4) };
        let at_least = Duration::from_millis(1);
        self.iter().enumerate().map(move |(place, age)| (age, wait(place, age).max(at_least)))
    }

    /// Requests a second for a log in which nothing happens.
    pub fn requests_per_second(&self, poll: Duration) -> f64 {
        self.with_waits(poll).map(|(_, wait)| 1.0 / wait.as_secs_f64()).sum()
    }

    /// The age up to which lateness is covered.
    pub fn oldest(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    /// This table with a sweep that reads up to the present.
    pub fn with_present(&self) -> Self {
        let mut ages = self.0.clone();
        if ages.first() != Some(&Duration::ZERO) {
            ages.insert(0, Duration::ZERO);
        }
        Self(ages)
    }
}

impl Default for Ages {
    fn default() -> Self {
        Self([5, 60, 600, 3600].map(Duration::from_secs).to_vec())
    }
}

impl FromStr for Ages {
    type Err = WrongAges;

    /// Reads `5s,1m,10m,1h`.
    fn from_str(text: &str) -> Result<Self, WrongAges> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        Self::new(parts.map(age).collect::<Result<_, _>>()?)
    }
}

impl fmt::Display for Ages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ages: Vec<String> = self.iter().map(|age| Span(age).to_string()).collect();
        f.write_str(&ages.join(","))
    }
}

fn age(text: &str) -> Result<Duration, WrongAges> {
    text.parse::<Span>().map(|span| span.0).map_err(|reason| WrongAges::Span(format!("`{text}`: {reason}")))
}

impl Serialize for Ages {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Ages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_log_is_asked_little() {
        let poll = Duration::from_secs(5);
        let rate = Ages::default().requests_per_second(poll);
        // every 5 s, 15 s, 150 s and 900 s
        assert!((rate - (1.0 / 5.0 + 1.0 / 15.0 + 1.0 / 150.0 + 1.0 / 900.0)).abs() < 1e-9, "{rate}");
        let fast = Ages::new(vec![Duration::ZERO]).unwrap().requests_per_second(Duration::ZERO);
        assert!((fast - 1000.0).abs() < 1e-9, "{fast}");
    }
}

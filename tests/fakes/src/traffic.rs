//! Audit events as a busy cluster writes them, of our own making and the same for the same seed.

mod event;
mod incidents;
mod objects;
mod people;
mod routine;

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Random;
use event::Exchange;

/// Rules under which exactly those lines alert that carry a rule's name, one alert each.
pub const RULES: &str = include_str!("traffic/rules.yaml");

/// One audit event, as the log backend writes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// Its `stageTimestamp`, in milliseconds since 1970.
    pub at_ms: i64,
    /// Its `auditID`.
    pub audit_id: String,
    /// The event as JSON, without a line end.
    pub text: String,
    /// The rule of [`RULES`] it alerts under.
    pub rule: Option<&'static str>,
}

/// An endless source of [`Line`]s.
///
/// About one request in fifty is an incident; nodes, controllers, people and their tools make up the rest. Requests
/// that run long, such as watches and shells, make two lines, of which the second comes when they end.
#[derive(Debug, Clone)]
pub struct Traffic {
    random: Random,
    incidents_per_mille: u64,
    open: BinaryHeap<Reverse<Line>>,
}

impl Traffic {
    /// The traffic of that seed.
    pub fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), incidents_per_mille: 20, open: BinaryHeap::new() }
    }

    /// The same with so many incidents in a thousand requests, 20 unless told.
    pub fn with_incidents(self, per_mille: u64) -> Self {
        Self { incidents_per_mille: per_mille, ..self }
    }

    /// The next line at `now_ms` (milliseconds since 1970): one that is due of an earlier request, else of a new one.
    pub fn line(&mut self, now_ms: i64) -> Line {
        if self.open.peek().is_some_and(|Reverse(line)| line.at_ms <= now_ms)
            && let Some(Reverse(line)) = self.open.pop()
        {
            return line;
        }
        let exchange = self.exchange();
        let mut lines = exchange.lines(&mut self.random, now_ms);
        let first = lines.remove(0);
        self.open.extend(lines.into_iter().map(Reverse));
        first
    }

    /// Lines from `start_ms` on, `step_ms` apart.
    pub fn lines(mut self, start_ms: i64, step_ms: i64) -> impl Iterator<Item = Line> {
        (0..).map(move |number| self.line(start_ms + number * step_ms))
    }

    fn exchange(&mut self) -> Exchange {
        let random = &mut self.random;
        if random.chance(self.incidents_per_mille) { incidents::any(random) } else { routine::any(random) }
    }
}

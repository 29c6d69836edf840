//! What goes wrong, and when.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use super::{AwsError, Operation};
use crate::Random;

/// One way for a call to go wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An error answer.
    Error(AwsError),
    /// The work is done and nothing is ever answered.
    Hang,
    /// The work is done and the connection is closed without an answer.
    Close,
    /// The right answer, broken off in the middle.
    Cut,
    /// The right answer, late.
    Late(Duration),
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    next: HashMap<Operation, VecDeque<Fault>>,
    always: HashMap<Operation, Fault>,
    random: Option<(Random, u64, Vec<Fault>)>,
}

impl Faults {
    pub(super) fn next(&mut self, operation: Operation, fault: Fault) {
        self.next.entry(operation).or_default().push_back(fault);
    }

    pub(super) fn always(&mut self, operation: Operation, fault: Option<Fault>) {
        match fault {
            Some(fault) => self.always.insert(operation, fault),
            None => self.always.remove(&operation),
        };
    }

    pub(super) fn randomly(&mut self, seed: u64, per_mille: u64, faults: Vec<Fault>) {
        self.random = Some((Random::new(seed), per_mille, faults));
    }

    /// What this call of `operation` suffers: a fault set for the next call first, then one set for all, then luck.
    pub(super) fn take(&mut self, operation: Operation) -> Option<Fault> {
        if let Some(fault) = self.next.get_mut(&operation).and_then(VecDeque::pop_front) {
            return Some(fault);
        }
        if let Some(fault) = self.always.get(&operation) {
            return Some(fault.clone());
        }
        let (random, per_mille, faults) = self.random.as_mut()?;
        random.chance(*per_mille).then(|| random.pick(faults).clone())
    }
}

//! What goes wrong, and when.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use bytes::Bytes;
use hyper::Response;

use crate::{Answer, Random};

/// One way for a call to go wrong; `E` is an error of the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault<E> {
    /// An error answer.
    Error(E),
    /// The work is done and nothing is ever answered.
    Hang,
    /// The work is done and the connection is closed without an answer.
    Close,
    /// The right answer, broken off in the middle.
    Cut,
    /// The right answer, late.
    Late(Duration),
}

impl<E> Fault<E> {
    /// What the caller gets to see when this befalls the call that `response` answers.
    pub(crate) fn befall(fault: Option<Self>, response: Response<Bytes>) -> Answer {
        match fault {
            Some(Fault::Hang) => Answer::Hang,
            Some(Fault::Close) => Answer::Close,
            Some(Fault::Cut) => Answer::Cut(response),
            Some(Fault::Late(delay)) => Answer::Late(delay, response),
            Some(Fault::Error(_)) | None => Answer::Reply(response),
        }
    }
}

/// The faults of a cloud, by its operations.
#[derive(Debug)]
pub(crate) struct Faults<O, E> {
    next: HashMap<O, VecDeque<Fault<E>>>,
    always: HashMap<O, Fault<E>>,
    random: Option<(Random, u64, Vec<Fault<E>>)>,
}

impl<O, E> Default for Faults<O, E> {
    fn default() -> Self {
        Self { next: HashMap::new(), always: HashMap::new(), random: None }
    }
}

impl<O: Eq + Hash, E: Clone> Faults<O, E> {
    pub(crate) fn next(&mut self, operation: O, fault: Fault<E>) {
        self.next.entry(operation).or_default().push_back(fault);
    }

    pub(crate) fn always(&mut self, operation: O, fault: Option<Fault<E>>) {
        match fault {
            Some(fault) => self.always.insert(operation, fault),
            None => self.always.remove(&operation),
        };
    }

    pub(crate) fn randomly(&mut self, seed: u64, per_mille: u64, faults: Vec<Fault<E>>) {
        self.random = Some((Random::new(seed), per_mille, faults));
    }

    /// What this call of `operation` suffers: a fault set for the next call first, then one set for all, then luck.
    pub(crate) fn take(&mut self, operation: O) -> Option<Fault<E>> {
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

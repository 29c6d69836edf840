//! The same verdicts as [`super::plain`], sooner: by doing each thing at most once an event, and most things never.
//!
//! - Equal parts of conditions are one [`Node`], equal checks one [`Atom`]; each is decided at most once an event, and
//!   only when somebody asks. Rules with equal conditions cost what one of them costs.
//! - Checks of one field share a [`Slot`]. Its value is looked up among all texts that any rule compares it with, and
//!   that one look-up decides them all.
//! - An object at a known place is walked at most once, and only as far as what is asked for
//!   ([`Opened`](super::opened::Opened)).
//! - For each of those texts it is known beforehand which rules can still hold ([`Index`]): verb and resource alone
//!   leave few of many rules for most events.
//!
//! Nothing is allocated for an event that no rule matches, but where a value has to be decoded or is a list, and for the
//! lists of a pod.

mod build;
mod index;
mod run;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

pub(crate) use run::Memo;

use super::opened::{Layout, Member};
use crate::check::{Operand, Test};

/// What is known of something that is true or false.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) enum Truth {
    #[default]
    Unknown,
    False,
    True,
}

impl From<bool> for Truth {
    fn from(truth: bool) -> Self {
        if truth { Self::True } else { Self::False }
    }
}

/// Conditions of many rules, laid out for evaluation.
#[derive(Default, Debug)]
pub(crate) struct Plan {
    slots: Vec<Slot>,
    /// Those of one slot stand together.
    atoms: Vec<Atom>,
    /// Each behind the nodes that it is made of.
    nodes: Vec<Node>,
    /// In the order of their first rules.
    roots: Vec<Root>,
    layout: Layout,
    indexes: Vec<Index>,
}

/// A condition, and the rules that have it.
#[derive(Debug)]
struct Root {
    node: usize,
    rules: Vec<usize>,
}

/// A part of a condition.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Node {
    Constant(bool),
    Atom(usize),
    Not(usize),
    And(Vec<usize>),
    Or(Vec<usize>),
}

/// One check of the value of a slot.
#[derive(Debug)]
struct Atom {
    slot: usize,
    test: Test,
}

/// A field, or what transformers make of fields, and the checks of it.
#[derive(Debug)]
struct Slot {
    operand: Operand,
    /// Where its value stands, if that is a member of an object.
    member: Option<Member>,
    /// Its first atom, and how many there are.
    first: usize,
    count: usize,
    /// Texts that an atom compares the value with, each with the index of its row.
    known: HashMap<Vec<u8>, usize>,
    /// What the atoms say to: no value; a text that is not known; each known text.
    rows: Vec<Vec<Truth>>,
}

/// The row for a missing value.
const MISSING: usize = 0;
/// The row for a text that no rule names; what depends on it is unknown there.
const OTHER: usize = 1;

/// Which conditions can still hold, by the value of one slot.
#[derive(Debug)]
struct Index {
    slot: usize,
    /// For each row of the slot, one bit for each root.
    possible: Vec<Vec<u64>>,
}

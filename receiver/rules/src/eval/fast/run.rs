//! A plan applied to one event.

use std::io::Write as _;

use audit_event::Event;

use super::build::as_value;
use super::{MISSING, Node, OTHER, Plan, Truth};
use crate::check::Operand;
use crate::eval::opened::Opened;
use crate::eval::{Context, Matching, Subject};
use crate::fields::{self, Source};
use crate::value::Value;

/// What is known about the present event; reused for the next one.
#[derive(Clone, Default, Debug)]
pub(crate) struct Memo {
    atoms: Vec<Truth>,
    nodes: Vec<Truth>,
    /// Which slots have been read.
    read: Vec<bool>,
    /// One bit for each root that may still hold.
    candidates: Vec<u64>,
}

impl Memo {
    fn reset(&mut self, plan: &Plan) {
        fn fill<T: Clone>(items: &mut Vec<T>, count: usize, item: T) {
            items.clear();
            items.resize(count, item);
        }
        fill(&mut self.atoms, plan.atoms.len(), Truth::Unknown);
        fill(&mut self.nodes, plan.nodes.len(), Truth::Unknown);
        fill(&mut self.read, plan.slots.len(), false);
        fill(&mut self.candidates, plan.roots.len().div_ceil(64), u64::MAX);
        if let Some(last) = self.candidates.last_mut() {
            *last >>= (64 - plan.roots.len() % 64) % 64;
        }
    }
}

impl Plan {
    /// Indexes of the rules whose conditions hold, ascending; the first one only, if that is all that is wanted.
    pub(crate) fn matches(
        &self,
        event: &Event<'_>,
        context: &Context,
        memo: &mut Memo,
        matching: Matching,
    ) -> Vec<usize> {
        memo.reset(self);
        let opened = Opened::new(&self.layout, event);
        let subject = Subject::new(event, context).opened(&opened);
        let mut run = Run { plan: self, memo, subject };
        run.narrow();
        let mut rules = Vec::new();
        while let Some(at) = run.next_candidate() {
            let Some(root) = self.roots.get(at) else { break };
            if run.node(root.node) {
                match matching {
                    Matching::First => {
                        rules.extend(root.rules.first());
                        return rules;
                    }
                    Matching::All => rules.extend_from_slice(&root.rules),
                }
            }
        }
        rules.sort_unstable();
        rules
    }
}

struct Run<'a> {
    plan: &'a Plan,
    memo: &'a mut Memo,
    subject: Subject<'a>,
}

impl<'a> Run<'a> {
    /// Leaves out the roots that the values of the indexed slots rule out.
    fn narrow(&mut self) {
        for index in &self.plan.indexes {
            let row = self.read(index.slot);
            let possible = index.possible.get(row).map_or(&[][..], Vec::as_slice);
            for (candidates, possible) in self.memo.candidates.iter_mut().zip(possible) {
                *candidates &= possible;
            }
            if self.memo.candidates.iter().all(|word| *word == 0) {
                return;
            }
        }
    }

    /// Takes the first of the candidates that are left.
    fn next_candidate(&mut self) -> Option<usize> {
        let (at, word) = self.memo.candidates.iter_mut().enumerate().find(|(_, word)| **word != 0)?;
        let bit = word.trailing_zeros() as usize;
        *word &= *word - 1;
        Some(at * 64 + bit)
    }

    fn node(&mut self, id: usize) -> bool {
        let (parts, deciding) = match self.plan.nodes.get(id) {
            Some(Node::Atom(atom)) => return self.atom(*atom),
            Some(Node::Not(inner)) => return !self.node(*inner),
            Some(Node::And(parts)) => (parts, false),
            Some(Node::Or(parts)) => (parts, true),
            Some(Node::Constant(truth)) => return *truth,
            None => return false,
        };
        match self.memo.nodes.get(id) {
            Some(Truth::True) => return true,
            Some(Truth::False) => return false,
            _ => {}
        }
        let truth = parts.iter().any(|part| self.node(*part) == deciding) == deciding;
        if let Some(known) = self.memo.nodes.get_mut(id) {
            *known = truth.into();
        }
        truth
    }

    fn atom(&mut self, id: usize) -> bool {
        let Some(atom) = self.plan.atoms.get(id) else { return false };
        if self.known(id) == Truth::Unknown && self.memo.read.get(atom.slot) == Some(&false) {
            self.read(atom.slot);
        }
        match self.known(id) {
            Truth::True => true,
            Truth::False => false,
            Truth::Unknown => {
                let truth = self.with_value(atom.slot, |run, value| {
                    value.is_some_and(|value| atom.test.holds(value, &run.subject))
                });
                self.learn(id, truth);
                truth
            }
        }
    }

    fn known(&self, atom: usize) -> Truth {
        self.memo.atoms.get(atom).copied().unwrap_or_default()
    }

    fn learn(&mut self, atom: usize, truth: bool) {
        if let Some(known) = self.memo.atoms.get_mut(atom) {
            *known = truth.into();
        }
    }

    /// Reads a slot, decides its atoms as far as looking its value up does, and gives the row that was found.
    fn read(&mut self, id: usize) -> usize {
        let Some(slot) = self.plan.slots.get(id) else { return MISSING };
        if let Some(read) = self.memo.read.get_mut(id) {
            *read = true;
        }
        self.with_value(id, |run, value| {
            let row = match value {
                None => MISSING,
                Some(Value::Text(text)) => slot.known.get(&**text).copied().unwrap_or(OTHER),
                Some(_) => OTHER,
            };
            let truths = slot.rows.get(row).map_or(&[][..], Vec::as_slice);
            if let Some(atoms) = run.memo.atoms.get_mut(slot.first..slot.first + slot.count) {
                atoms.iter_mut().zip(truths).for_each(|(atom, truth)| *atom = *truth);
            }
            // What the row leaves open is decided while the value is at hand, unless that is much.
            if let Some(value) = value
                && slot.count <= AT_ONCE
            {
                for atom in slot.first..slot.first + slot.count {
                    if run.known(atom) == Truth::Unknown
                        && let Some(known) = run.plan.atoms.get(atom)
                    {
                        run.learn(atom, known.test.holds(value, &run.subject));
                    }
                }
            }
            row
        })
    }

    /// Calls `f` with the value of a slot.
    fn with_value<T>(&mut self, slot: usize, f: impl FnOnce(&mut Self, Option<&Value<'_>>) -> T) -> T {
        let Some(slot) = self.plan.slots.get(slot) else { return f(self, None) };
        let value = match (&slot.operand, slot.member) {
            (Operand::Field(reference), Some(member)) => {
                self.subject.member(member).and_then(|raw| fields::at(reference.field.source, raw))
            }
            (Operand::Field(reference), _) if matches!(reference.field.source, Source::NanosecondText) => {
                // Digits of the largest number; many rule sets compare this value for every event.
                let mut digits = [0; 20];
                let mut rest = &mut digits[..];
                let written = write!(rest, "{}", fields::nanoseconds(self.subject.event.stage_timestamp()));
                let left = rest.len();
                let text = digits.get(..digits.len() - left).unwrap_or_default();
                return f(self, written.is_ok().then(|| as_value(text)).as_ref());
            }
            (operand, _) => operand.value(&self.subject),
        };
        f(self, value.as_ref())
    }
}

/// How many checks of one value are decided without being asked for.
const AT_ONCE: usize = 16;

//! From conditions to a plan.

use std::collections::HashMap;

use audit_event::Field as Top;

use super::{Atom, MISSING, Node, OTHER, Plan, Root, Slot, Truth};
use crate::check::{Check, Condition, Operand, Test, Transform};
use crate::eval::opened::{Layout, Member};
use crate::eval::plain;
use crate::fields::{Arg, Source};
use crate::matching::Pattern;
use crate::value::Value;

impl Plan {
    /// A plan for conditions of rules, given with the rules' indexes in the order in which they are tried.
    pub(crate) fn new<'a>(conditions: impl IntoIterator<Item = (usize, &'a Condition)>) -> Self {
        let mut builder = Builder::default();
        let mut roots: Vec<Root> = Vec::new();
        let mut by_node = HashMap::new();
        for (rule, condition) in conditions {
            let node = builder.condition(condition);
            if builder.nodes.get(node) == Some(&Node::Constant(false)) {
                continue;
            }
            let at = *by_node.entry(node).or_insert(roots.len());
            match roots.get_mut(at) {
                Some(root) => root.rules.push(rule),
                None => roots.push(Root { node, rules: vec![rule] }),
            }
        }
        builder.finish(roots)
    }
}

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    by_node: HashMap<Node, usize>,
    /// What deciding a node costs at most, roughly, in tens of nanoseconds.
    costs: Vec<u32>,
    /// In the order of their first use, with the slots they belong to.
    atoms: Vec<(usize, Test)>,
    by_check: HashMap<String, usize>,
    operands: Vec<Operand>,
    by_operand: HashMap<String, usize>,
}

impl Builder {
    fn condition(&mut self, condition: &Condition) -> usize {
        match condition {
            Condition::And(parts) => self.joined(parts, false),
            Condition::Or(parts) => self.joined(parts, true),
            Condition::Not(inner) => {
                let inner = self.condition(inner);
                match self.nodes.get(inner) {
                    Some(Node::Constant(truth)) => self.node(Node::Constant(!truth), 0),
                    Some(Node::Not(original)) => *original,
                    _ => self.node(Node::Not(inner), self.cost(inner)),
                }
            }
            Condition::Check(check) => self.check(check),
        }
    }

    /// `and` of parts, or `or` of them, which `true` decides as `false` decides the other.
    fn joined(&mut self, parts: &[Condition], deciding: bool) -> usize {
        let mut nodes: Vec<usize> = parts.iter().map(|part| self.condition(part)).collect();
        if nodes.iter().any(|node| self.nodes.get(*node) == Some(&Node::Constant(deciding))) {
            return self.node(Node::Constant(deciding), 0);
        }
        nodes.retain(|node| !matches!(self.nodes.get(*node), Some(Node::Constant(_))));
        // The cheapest first; equal sets of parts become equal nodes.
        nodes.sort_unstable_by_key(|node| (self.cost(*node), *node));
        nodes.dedup();
        match nodes.as_slice() {
            [] => self.node(Node::Constant(!deciding), 0),
            [only] => *only,
            _ => {
                let cost = nodes.iter().map(|node| self.cost(*node)).sum();
                self.node(if deciding { Node::Or(nodes) } else { Node::And(nodes) }, cost)
            }
        }
    }

    fn check(&mut self, check: &Check) -> usize {
        if matches!(check.test, Test::Exists) && is_always_there(&check.left) {
            return self.node(Node::Constant(true), 0);
        }
        let slot = match self.by_operand.get(&check.source.left.to_string()) {
            Some(slot) => *slot,
            None => {
                let slot = self.operands.len();
                self.operands.push(check.left.clone());
                self.by_operand.insert(check.source.left.to_string(), slot);
                slot
            }
        };
        let atom = match self.by_check.get(&check.source.to_string()) {
            Some(atom) => *atom,
            None => {
                let atom = self.atoms.len();
                self.atoms.push((slot, check.test.clone()));
                self.by_check.insert(check.source.to_string(), atom);
                atom
            }
        };
        let right = match &check.test {
            Test::Against(_, right) => cost(right),
            _ => 0,
        };
        self.node(Node::Atom(atom), cost(&check.left) + right)
    }

    fn node(&mut self, node: Node, cost: u32) -> usize {
        if let Some(known) = self.by_node.get(&node) {
            return *known;
        }
        let new = self.nodes.len();
        self.nodes.push(node.clone());
        self.costs.push(cost);
        self.by_node.insert(node, new);
        new
    }

    fn cost(&self, node: usize) -> u32 {
        self.costs.get(node).copied().unwrap_or_default()
    }

    /// Puts the atoms of each slot together and works out what every known text decides.
    fn finish(self, roots: Vec<Root>) -> Plan {
        let mut atoms: Vec<(usize, Atom)> =
            self.atoms.into_iter().map(|(slot, test)| Atom { slot, test }).enumerate().collect();
        atoms.sort_by_key(|(_, atom)| atom.slot);
        let moved: HashMap<usize, usize> =
            atoms.iter().enumerate().map(|(new, (old, _))| (*old, new)).collect();
        let mut nodes = self.nodes;
        for node in &mut nodes {
            if let Node::Atom(atom) = node {
                *atom = moved.get(atom).copied().unwrap_or_default();
            }
        }
        let atoms: Vec<Atom> = atoms.into_iter().map(|(_, atom)| atom).collect();
        let mut layout = Layout::default();
        let slot = |(slot, operand): (usize, Operand)| {
            let first = atoms.partition_point(|atom| atom.slot < slot);
            let own: Vec<&Test> =
                atoms.iter().skip(first).take_while(|atom| atom.slot == slot).map(|a| &a.test).collect();
            let known = known_texts(&own);
            let mut rows = vec![Vec::new(); known.len() + 2];
            for (row, fill) in [(MISSING, [Truth::False]), (OTHER, [Truth::Unknown])] {
                if let Some(row) = rows.get_mut(row) {
                    *row = fill.repeat(own.len());
                }
            }
            for (text, at) in &known {
                if let Some(row) = rows.get_mut(*at) {
                    *row = own.iter().map(|test| decided(test, Some(text))).collect();
                }
            }
            if let Some(row) = rows.get_mut(OTHER) {
                *row = own.iter().map(|test| decided(test, None)).collect();
            }
            let member = member(&operand, &mut layout);
            Slot { operand, member, first, count: own.len(), known, rows }
        };
        let slots = self.operands.into_iter().enumerate().map(slot).collect();
        let mut plan = Plan { slots, atoms, nodes, roots, layout, indexes: Vec::new() };
        plan.indexes = plan.best_indexes();
        plan
    }
}

/// Has what an operand reads kept; gives its place if its value is what stands there.
fn member(operand: &Operand, layout: &mut Layout) -> Option<Member> {
    let mut references = Vec::new();
    operand.fields(&mut references);
    let places = references.iter().flat_map(|reference| reference.field.source.places());
    let members: Vec<_> = places.map(|(top, path)| layout.want(top, &path)).collect();
    let Operand::Field(reference) = operand else { return None };
    match reference.field.source {
        Source::At(..) | Source::Elements(..) => members.first().copied().flatten(),
        _ => None,
    }
}

/// The texts that checks compare a value with, numbered from behind the two special rows.
fn known_texts(tests: &[&Test]) -> HashMap<Vec<u8>, usize> {
    let mut known = HashMap::new();
    for test in tests {
        let patterns = match test {
            Test::Text(pattern) => std::slice::from_ref(pattern),
            Test::EachText(_, patterns) => patterns.as_slice(),
            _ => continue,
        };
        for pattern in patterns {
            let texts: Vec<&Vec<u8>> = match pattern {
                Pattern::Equal(text) | Pattern::Differs(text) => vec![text],
                Pattern::OneOf(texts) => texts.iter().collect(),
                _ => continue,
            };
            for text in texts {
                let next = known.len() + 2;
                known.entry(text.clone()).or_insert(next);
            }
        }
    }
    known
}

/// What a check says to a known text, or to one that no check of the slot names.
fn decided(test: &Test, text: Option<&[u8]>) -> Truth {
    match (test, text) {
        (Test::Exists, _) => Truth::True,
        (Test::Text(pattern), Some(text)) => pattern.matches(text).into(),
        (Test::Text(Pattern::Equal(_) | Pattern::OneOf(_)), None) => Truth::False,
        (Test::Text(Pattern::Differs(_)), None) => Truth::True,
        (Test::EachText(modifier, patterns), Some(text)) => {
            plain::enough(*modifier, patterns, |pattern| pattern.matches(text)).into()
        }
        _ => Truth::Unknown,
    }
}

/// Whether every event has a value for this.
fn is_always_there(operand: &Operand) -> bool {
    let Operand::Field(reference) = operand else { return false };
    matches!(
        reference.field.source,
        Source::Number
            | Source::Time(_)
            | Source::Constant(_)
            | Source::Always(_)
            | Source::Hostname
            | Source::Compact
            | Source::Indented
            | Source::NanosecondText
    )
}

/// What reading a value costs, roughly, in tens of nanoseconds.
pub(super) fn cost(operand: &Operand) -> u32 {
    match operand {
        Operand::Field(reference) => match (reference.field.source, &reference.arg) {
            (Source::Compact | Source::Indented, _) => 1000,
            (Source::At(top, path) | Source::Elements(top, path) | Source::Member(top, path), _) => {
                below(top) + u32::from(!path.is_empty())
            }
            (Source::Pointer, Arg::Pointer(_, pointer)) => match pointer.steps() {
                [] => 1000,
                [first, rest @ ..] => Top::named(first).map_or(500, below) + u32::from(!rest.is_empty()),
            },
            (Source::Number | Source::Constant(_) | Source::Always(_) | Source::Never, _) => 1,
            (Source::Time(_) | Source::NanosecondText | Source::Hostname, _) => 5,
            (Source::UriParameter, _) => 20,
            _ => 100,
        },
        Operand::Text(_) | Operand::Number(_) => 1,
        Operand::List(items) => items.iter().map(cost).sum(),
        Operand::Transform(transform) => match &**transform {
            Transform::Map(_, inner) | Transform::Length(inner) => 5 + cost(inner),
            Transform::Join(first, second) | Transform::Options(first, second, _) => {
                10 + cost(first) + cost(second)
            }
            Transform::Concat(parts) => 10 + parts.iter().map(cost).sum::<u32>(),
        },
    }
}

fn below(top: Top) -> u32 {
    match top {
        Top::RequestObject | Top::ResponseObject => 100,
        Top::ObjectRef | Top::User | Top::ImpersonatedUser | Top::ResponseStatus | Top::Annotations => 4,
        _ => 2,
    }
}

/// Whether looking a value up says anything beforehand.
pub(super) fn is_text(slot: &Slot) -> bool {
    !slot.known.is_empty()
}

/// A text as the value that a check sees.
pub(super) fn as_value(text: &[u8]) -> Value<'_> {
    Value::Text(text.into())
}

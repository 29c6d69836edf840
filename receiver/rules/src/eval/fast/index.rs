//! Which conditions can still hold once one value is known.

use super::build::{cost, is_text};
use super::{Index, Node, OTHER, Plan, Truth};

/// How many slots are looked at before any condition is.
const INDEXES: usize = 4;

/// A value dearer to read than this is not read for every event.
const CHEAP: u32 = 5;

impl Plan {
    /// The indexes that leave fewest conditions for a value which no rule names, best first.
    pub(super) fn best_indexes(&self) -> Vec<Index> {
        let cheap =
            self.slots.iter().enumerate().filter(|(_, slot)| is_text(slot) && cost(&slot.operand) <= CHEAP);
        let mut indexes: Vec<(usize, Index)> = cheap
            .map(|(slot, _)| {
                let index = self.index(slot);
                let left = index
                    .possible
                    .get(OTHER)
                    .map_or(0, |row| row.iter().map(|word| word.count_ones() as usize).sum());
                (left, index)
            })
            .filter(|(left, _)| left * 4 <= self.roots.len() * 3)
            .collect();
        indexes.sort_by_key(|(left, _)| *left);
        indexes.into_iter().map(|(_, index)| index).take(INDEXES).collect()
    }

    fn index(&self, slot: usize) -> Index {
        let rows = self.slots.get(slot).map_or(0, |slot| slot.rows.len());
        let possible = (0..rows)
            .map(|row| {
                let nodes = self.nodes_given(slot, row);
                let mut bits = vec![0_u64; self.roots.len().div_ceil(64)];
                for (at, root) in self.roots.iter().enumerate() {
                    if nodes.get(root.node) != Some(&Truth::False)
                        && let Some(word) = bits.get_mut(at / 64)
                    {
                        *word |= 1 << (at % 64);
                    }
                }
                bits
            })
            .collect();
        Index { slot, possible }
    }

    /// What is known of every node when all that is known is the row of one slot (Kleene's logic).
    fn nodes_given(&self, slot: usize, row: usize) -> Vec<Truth> {
        let mut known: Vec<Truth> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let of = |node: &usize| known.get(*node).copied().unwrap_or_default();
            let truth = match node {
                Node::Constant(truth) => (*truth).into(),
                Node::Atom(atom) => self.atom_given(*atom, slot, row),
                Node::Not(inner) => match of(inner) {
                    Truth::Unknown => Truth::Unknown,
                    truth => (truth == Truth::False).into(),
                },
                Node::And(parts) => joined(parts.iter().map(of), Truth::False),
                Node::Or(parts) => joined(parts.iter().map(of), Truth::True),
            };
            known.push(truth);
        }
        known
    }

    fn atom_given(&self, atom: usize, slot: usize, row: usize) -> Truth {
        let slot = self.slots.get(slot).filter(|slot| (slot.first..slot.first + slot.count).contains(&atom));
        let row = slot.and_then(|slot| slot.rows.get(row)?.get(atom - slot.first));
        row.copied().unwrap_or_default()
    }
}

/// The deciding truth if any part has it, unknown if any part is, else the other.
fn joined(mut parts: impl Iterator<Item = Truth> + Clone, deciding: Truth) -> Truth {
    if parts.clone().any(|part| part == deciding) {
        deciding
    } else if parts.any(|part| part == Truth::Unknown) {
        Truth::Unknown
    } else {
        (deciding == Truth::False).into()
    }
}

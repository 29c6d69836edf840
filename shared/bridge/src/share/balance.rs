//! Which units a replica should take: pure.

use std::collections::BTreeMap;

/// A unit that this replica does not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Holder<'a> {
    /// The unit.
    pub unit: &'a str,
    /// Who reads it; nobody when it is free.
    pub owner: Option<&'a str>,
}

/// The units to take now, for a replica that reads `mine` of `total` and sees `others`. `shuffle` keeps replicas that look
/// at the same time from reaching for the same.
///
/// Shares differ by one unit at most: with `m` replicas in sight everybody is to have `total / m`, rounded down or up. What
/// is free is taken up to the larger share. Otherwise a replica below the smaller share takes what it lacks from the richest,
/// leaving each the smaller share, and one that has the smaller share takes a single unit from one above the larger; so once
/// shares are even nobody takes anything.
pub fn wanted<'a>(
    total: usize,
    mine: usize,
    others: &[Holder<'a>],
    shuffle: impl Fn(&mut [&'a str]),
) -> Vec<&'a str> {
    let mut free = Vec::new();
    let mut held: BTreeMap<&str, Vec<&'a str>> = BTreeMap::new();
    for holder in others {
        match holder.owner {
            None => free.push(holder.unit),
            Some(owner) => held.entry(owner).or_default().push(holder.unit),
        }
    }
    let replicas = held.len() + 1;
    let (smaller, larger) = (total / replicas, total.div_ceil(replicas));
    shuffle(&mut free);
    free.truncate(larger.saturating_sub(mine));
    if !free.is_empty() || mine >= larger {
        return free;
    }
    held.values_mut().for_each(|units| shuffle(units));
    let enough = smaller.saturating_sub(mine).max(1);
    let mut taken = Vec::new();
    while taken.len() < enough {
        let keeps = if mine < smaller { smaller } else { larger };
        let richest = held.values_mut().filter(|units| units.len() > keeps).max_by_key(|units| units.len());
        let Some(unit) = richest.and_then(Vec::pop) else { break };
        taken.push(unit);
    }
    taken
}

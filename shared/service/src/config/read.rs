//! Reading a type out of the tree, as often as there are mistakes.

mod fault;
mod values;

use serde::de::DeserializeOwned;

use super::mistakes::{Mistake, Mistakes, unknown};
use super::tree::{Node, Step, Value, written};
use fault::{Fault, Kind};
use values::Reader;

/// Reads `root`, noting each mistake and putting the offending value back to its default. `None` when even that
/// does not help.
pub(super) fn all<T: DeserializeOwned>(
    mut root: Node,
    defaults: &Node,
    mistakes: &mut Mistakes,
) -> Option<T> {
    loop {
        let fault = match T::deserialize(Reader::new(&root)) {
            Ok(value) => return Some(value),
            Err(fault) => fault,
        };
        let mistake = explain(&fault, &root);
        // A missing key that is missing because its value was just taken out is the same mistake.
        if !(matches!(fault.kind, Kind::Missing(_)) && mistakes.names(&mistake.key)) {
            mistakes.push(mistake);
        }
        if !mend(&mut root, defaults, fault.path()) {
            return None;
        }
    }
}

fn explain(fault: &Fault, root: &Node) -> Mistake {
    let path = fault.path();
    let node = (0..=path.len()).rev().find_map(|length| root.get(path.get(..length)?));
    let origin = node.map(|node| node.origin.clone());
    let key = written(path);
    match &fault.kind {
        Kind::Unknown(name, allowed) => {
            Mistake { origin, ..Mistake::new(key, unknown("key", name, allowed)) }
        }
        Kind::Variant(name, allowed) => {
            let value = node.and_then(Node::shown);
            Mistake { origin, value, ..Mistake::new(key, unknown("value", name, allowed)) }
        }
        Kind::Missing(name) => {
            let path = [path, &[Step::Key((*name).to_owned())]].concat();
            Mistake { origin, ..Mistake::new(written(&path), "must be given") }
        }
        Kind::Other(reason) => {
            let value = node.and_then(Node::shown);
            Mistake { origin, value, ..Mistake::new(key, reason.clone()) }
        }
    }
}

/// Puts the value at `path`, or the nearest around it that is not a default already, back to its default; takes it
/// out where there is none. False when nothing is left to put back.
fn mend(root: &mut Node, defaults: &Node, path: &[Step]) -> bool {
    for length in (0..=path.len()).rev() {
        let Some(path) = path.get(..length) else { continue };
        let Some(node) = root.get_mut(path) else { continue };
        match defaults.get(path) {
            Some(default) if node == default => {}
            Some(default) => {
                *node = default.clone();
                return true;
            }
            None => {
                if let Some((last, around)) = path.split_last() {
                    return take_out(root, around, last);
                }
            }
        }
    }
    false
}

fn take_out(root: &mut Node, around: &[Step], last: &Step) -> bool {
    match (root.get_mut(around).map(|node| &mut node.value), last) {
        (Some(Value::Map(map)), Step::Key(key)) => map.remove(key).is_some(),
        (Some(Value::List(list)), Step::Index(index)) => list
            .get_mut(*index)
            .is_some_and(|node| std::mem::replace(&mut node.value, Value::Gone) != Value::Gone),
        _ => false,
    }
}

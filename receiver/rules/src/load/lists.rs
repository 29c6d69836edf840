//! Lists, which are replaced in the text of conditions before that is read.

use super::collection::{Collection, List};
use super::exceptions::quoted;
use crate::document::{Origin, Traced};

/// The text of conditions may not grow beyond this by lists in lists.
pub(super) const MAX_TEXT: usize = 16 << 20;

/// A list with the items that stand for it.
#[derive(Debug)]
pub(super) struct Expansion {
    pub(super) name: String,
    text: String,
    pub(super) is_used: bool,
}

/// The lists in the order of their definition. An item that names a list known by then is that list's own items.
pub(super) fn expand(collection: &Collection) -> Vec<Expansion> {
    let lists = &collection.lists;
    let refers =
        |list: &List, item: &str| lists.get(item).filter(|other| other.order.index < list.order.visibility);
    let mut expansions: Vec<_> = lists
        .0
        .iter()
        .map(|list| {
            let items = list.items.iter().flat_map(|item| match refers(list, item) {
                Some(other) => other.items.as_slice(),
                None => std::slice::from_ref(item),
            });
            let items: Vec<_> = items.map(|item| quoted(item)).collect();
            // Empty items at the start bring no comma along.
            let text = items.iter().fold(String::new(), |text, item| {
                if text.is_empty() { item.clone() } else { text + ", " + item }
            });
            Expansion { name: list.name.clone(), text, is_used: false }
        })
        .collect();
    for list in &lists.0 {
        for other in list.items.iter().filter_map(|item| refers(list, item)) {
            let used = expansions.iter_mut().find(|expansion| expansion.name == other.name);
            used.into_iter().for_each(|expansion| expansion.is_used = true);
        }
    }
    expansions
}

/// A condition's text with the lists in it replaced, or nothing if it would grow beyond bounds.
///
/// Each list has one turn, in order: a name that a replacement brings along is replaced only if its turn comes later.
pub(super) fn replace(condition: &Traced, lists: &mut [Expansion]) -> Option<Traced> {
    let mut text = condition.clone();
    for list in lists.iter_mut() {
        let mut from = 0;
        while let Some((start, end)) = find(text.as_str(), &list.name, from) {
            list.is_used = true;
            let (replaced, next) = put(&text, start, end, &list.text);
            if replaced.as_str().len() > MAX_TEXT {
                return None;
            }
            text = replaced;
            from = next;
        }
    }
    Some(text)
}

/// The next occurrence of a name between blanks, parentheses, commas, equal signs or the ends.
fn find(text: &str, name: &str, mut from: usize) -> Option<(usize, usize)> {
    let is_border = |byte: Option<&u8>| byte.is_none_or(|byte| is_blank(*byte) || b"(),=".contains(byte));
    let bytes = text.as_bytes();
    loop {
        while from <= text.len() && !text.is_char_boundary(from) {
            from += 1;
        }
        let start = from + text.get(from..)?.find(name)?;
        let end = start + name.len();
        let before = start.checked_sub(1).and_then(|at| bytes.get(at));
        if is_border(before) && is_border(bytes.get(end)) {
            return Some((start, end));
        }
        from = start + 1;
    }
}

/// The text with a name and the blanks around it replaced, and where to look for the next one.
fn put(text: &Traced, mut start: usize, mut end: usize, items: &str) -> (Traced, usize) {
    let bytes = text.as_str().as_bytes();
    let is = |at: usize, test: fn(u8) -> bool| bytes.get(at).is_some_and(|byte| test(*byte));
    let is_comma = |byte| byte == b',';
    let place = text.origin(start).map(|origin| Origin { derived: true, ..origin });
    while start > 0 && is(start - 1, is_blank) {
        start -= 1;
    }
    while is(end, is_blank) {
        end += 1;
    }
    if items.is_empty() {
        // Nothing takes a comma along.
        if start > 0 && is(start - 1, is_comma) {
            start -= 1;
        } else if is(end, is_comma) {
            end += 1;
        }
    }
    let mut replaced = Traced::default();
    replaced.push_part(text, 0..start);
    if let Some(place) = place {
        let lead = if start > 0 { " " } else { "" };
        replaced.push(&format!("{lead}{items} "), place);
    }
    replaced.push_part(text, end..text.as_str().len());
    (replaced, start + items.len() + 2)
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

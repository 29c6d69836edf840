//! Lists, which are replaced in the text of conditions before that is read.

use super::collection::{Collection, List};
use super::exceptions::quoted;
use crate::document::{Origin, Traced};

/// The text of conditions may not grow beyond this by lists in lists.
pub(super) const MAX_TEXT: usize = 1 << 20;

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
        if let Some(replaced) = turn(&text, list)? {
            list.is_used = true;
            text = replaced;
        }
    }
    Some(text)
}

/// The text with one list replaced, nothing if it is not in it.
fn turn(text: &Traced, list: &Expansion) -> Option<Option<Traced>> {
    let old = text.as_str();
    let mut new = Traced::default();
    // What of the old text has been copied, and from where on the name is looked for.
    let (mut copied, mut from) = (0, 0);
    while let Some(start) = find(old, &list.name, from) {
        let mut end = start + list.name.len();
        new.push_part(text, copied..start);
        new.truncate(new.as_str().trim_end_matches(BLANKS).len());
        end += blanks(old, end);
        if list.text.is_empty() {
            // Nothing takes a comma along.
            if let Some(before) = new.as_str().strip_suffix(',') {
                new.truncate(before.len());
            } else if old.get(end..).is_some_and(|rest| rest.starts_with(',')) {
                end += 1;
            }
        }
        let is_first = new.as_str().is_empty();
        if let Some(origin) = text.origin(start) {
            let lead = if is_first { "" } else { " " };
            new.push(&format!("{lead}{} ", list.text), Origin { derived: true, ..origin });
        }
        if new.as_str().len() > MAX_TEXT {
            return None;
        }
        copied = end;
        // At the very start of a condition Falco looks one byte too far on.
        from = end + usize::from(is_first);
    }
    if copied == 0 {
        return Some(None);
    }
    new.push_part(text, copied..old.len());
    Some(Some(new))
}

/// The next occurrence of a name between blanks, parentheses, commas, equal signs or the ends.
fn find(text: &str, name: &str, mut from: usize) -> Option<usize> {
    let is_border = |char: char| BLANKS.contains(&char) || "(),=".contains(char);
    loop {
        while from <= text.len() && !text.is_char_boundary(from) {
            from += 1;
        }
        let start = from + text.get(from..)?.find(name)?;
        let (before, rest) = text.split_at_checked(start)?;
        let behind = rest.get(name.len()..)?;
        if before.chars().next_back().is_none_or(is_border) && behind.chars().next().is_none_or(is_border) {
            return Some(start);
        }
        from = start + 1;
    }
}

const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// Bytes of blanks at a place.
fn blanks(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.len() - rest.trim_start_matches(BLANKS).len()
}

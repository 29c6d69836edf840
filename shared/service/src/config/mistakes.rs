//! What is wrong with a configuration, for the person who wrote it.

use std::fmt;

use super::tree::{Node, Origin, way};

/// Everything that is wrong, one line each when displayed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Mistakes(Vec<Mistake>);

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) key: String,
    pub(super) value: Option<String>,
    pub(super) origin: Option<Origin>,
    pub(super) reason: String,
}

impl Mistake {
    pub(super) fn new(key: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { key: key.into(), value: None, origin: None, reason: reason.into() }
    }
}

impl Mistakes {
    /// Adds a mistake by the key as one writes it (`sources[0].cluster`) and a reason that reads well after
    /// `KEY: ` and says what is allowed.
    pub fn add(&mut self, key: impl Into<String>, reason: impl Into<String>) {
        self.push(Mistake::new(key, reason));
    }

    /// Says of `key`, if it is complained of, that it is for the environment variable `name`, whose `value` can't be taken:
    /// for variables of other programs, which are no layer of ours.
    pub fn blame(&mut self, key: &str, name: &str, value: &str, reason: impl fmt::Display) {
        for mistake in self.0.iter_mut().filter(|mistake| mistake.key == key) {
            let node = Node::text(Origin::Environment(name.into()), value, false);
            mistake.value = node.shown();
            mistake.origin = Some(node.origin);
            mistake.reason = reason.to_string();
        }
    }

    /// Adds what `check` finds in a part of the configuration, its keys within `key`.
    pub fn within(&mut self, key: &str, check: impl FnOnce(&mut Self)) {
        let mut inner = Self::default();
        check(&mut inner);
        self.0.extend(inner.0.into_iter().map(|mistake| {
            let join = if mistake.key.is_empty() || mistake.key.starts_with('[') { "" } else { "." };
            Mistake { key: format!("{key}{join}{}", mistake.key), ..mistake }
        }));
    }

    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many things are wrong.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, mistake: Mistake) {
        self.0.push(mistake);
    }

    pub(super) fn names(&self, key: &str) -> bool {
        self.0.iter().any(|mistake| mistake.key == key)
    }

    /// Takes over what a check found, with value and origin from the tree, but not what only follows from a
    /// value that was put back to its default.
    pub(super) fn absorb(&mut self, found: Self, given: &Node) {
        for mut mistake in found.0 {
            let path = way(&mistake.key);
            if self.0.iter().any(|known| !known.key.is_empty() && related(&way(&known.key), &path)) {
                continue;
            }
            mistake.value = given.get(&path).and_then(Node::shown);
            // What is missing is missing from what stands around it.
            let nearest = (1..=path.len()).rev().find_map(|length| given.get(path.get(..length)?));
            mistake.origin = nearest.map(|node| node.origin.clone());
            self.0.push(mistake);
        }
    }
}

fn related<T: PartialEq>(one: &[T], other: &[T]) -> bool {
    one.starts_with(other) || other.starts_with(one)
}

impl std::error::Error for Mistakes {}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("1 mistake in the configuration")?,
            count => write!(f, "{count} mistakes in the configuration")?,
        }
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = match (&*self.key, &self.value) {
            ("", _) => String::new(),
            (key, None) => key.to_owned(),
            (key, Some(value)) => format!("{key} = `{value}`"),
        };
        match (&*head, &self.origin) {
            ("", None) => {}
            ("", Some(origin)) => write!(f, "{origin}: ")?,
            (head, None) => write!(f, "{head}: ")?,
            (head, Some(origin)) => write!(f, "{head} ({origin}): ")?,
        }
        f.write_str(&self.reason)
    }
}

/// `name` and, when one of `allowed` is close to it, a question.
pub(crate) fn unknown(what: &str, name: &str, allowed: &[&str]) -> String {
    let near = allowed.iter().map(|known| (distance(name, known), known)).min();
    let guess = match near {
        Some((distance, known)) if distance <= known.len().div_ceil(3) => {
            format!(", did you mean `{known}`?")
        }
        _ => String::new(),
    };
    let allowed = allowed.iter().map(|known| format!("`{known}`")).collect::<Vec<_>>().join(", ");
    if allowed.is_empty() {
        format!("unknown {what} `{name}`; none is allowed here")
    } else {
        format!(
            "unknown {what} `{name}`{guess}{} allowed: {allowed}",
            if guess.is_empty() { ";" } else { "" }
        )
    }
}

/// Levenshtein's: how many letters to add, leave out or change.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (i, a) in one.chars().enumerate() {
        let mut left = i.saturating_add(1);
        let mut diagonal = i;
        let mut next = vec![left];
        for (b, &above) in other.chars().zip(row.iter().skip(1)) {
            left = (diagonal.saturating_add(usize::from(a != b)))
                .min(above.saturating_add(1))
                .min(left.saturating_add(1));
            diagonal = above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Mistakes, distance, unknown};

    #[test]
    fn distances() {
        for (one, other, expected) in
            [("", "", 0), ("", "ab", 2), ("kitten", "sitting", 3), ("url", "urls", 1)]
        {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }

    #[test]
    fn an_unknown_name_is_guessed_only_when_close() {
        assert_eq!(
            unknown("key", "recever", &["receiver", "admin"]),
            "unknown key `recever`, did you mean `receiver`? allowed: `receiver`, `admin`"
        );
        assert_eq!(unknown("key", "zzz", &["receiver"]), "unknown key `zzz`; allowed: `receiver`");
    }

    #[test]
    fn keys_within_keys() {
        let mut mistakes = Mistakes::default();
        mistakes.within("sources", |sources| {
            sources.within("[1]", |source| source.add("cluster", "must be given"))
        });
        assert_eq!(
            mistakes.to_string(),
            "1 mistake in the configuration\n  sources[1].cluster: must be given"
        );
    }
}

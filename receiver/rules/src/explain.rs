//! Why a rule did or did not match an event.

use std::fmt;

use audit_event::Event;

use crate::check::{Check, Condition, Test};
use crate::eval::{Context, Subject};
use crate::format::printed;
use crate::{Rule, ast};

#[cfg(test)]
mod tests;

/// A part of a condition with its verdict, and the parts that it is made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// `and`, `or`, `not`, or a check as it reads with macros and lists written out.
    pub what: String,
    /// Whether it holds.
    pub holds: bool,
    /// For a check: what its sides read from the event, and the value that is there, if any.
    pub values: Vec<(String, Option<String>)>,
    /// What it is made of; empty for a check.
    pub parts: Vec<Explanation>,
}

/// The condition of a rule, part by part, as evaluated on an event. `context` is what the event was evaluated in.
pub fn explain(rule: &Rule, event: &Event<'_>, context: &Context) -> Explanation {
    of(&rule.condition, &Subject::new(event, context))
}

fn of(condition: &Condition, subject: &Subject<'_>) -> Explanation {
    let parts = |parts: &[Condition]| parts.iter().map(|part| of(part, subject)).collect();
    let joined = |what: &str, holds: fn(&[Explanation]) -> bool, parts: Vec<Explanation>| Explanation {
        what: what.to_owned(),
        holds: holds(&parts),
        values: Vec::new(),
        parts,
    };
    match condition {
        Condition::And(all) => joined("and", |parts| parts.iter().all(|part| part.holds), parts(all)),
        Condition::Or(any) => joined("or", |parts| parts.iter().any(|part| part.holds), parts(any)),
        Condition::Not(inner) => {
            joined("not", |parts| !parts.iter().any(|part| part.holds), vec![of(inner, subject)])
        }
        Condition::Check(check) => checked(check, subject),
    }
}

fn checked(check: &Check, subject: &Subject<'_>) -> Explanation {
    let mut values = vec![(check.source.left.to_string(), printed(&check.left, subject))];
    if let (Test::Against(_, right), ast::Test::CompareWith(_, source) | ast::Test::SetWith(_, source)) =
        (&check.test, &check.source.test)
    {
        values.push((source.to_string(), printed(right, subject)));
    }
    Explanation { what: check.source.to_string(), holds: check.holds(subject), values, parts: Vec::new() }
}

/// A value longer than this is cut where it is shown.
const LONGEST: usize = 200;

impl fmt::Display for Explanation {
    /// One line a part, each below what it belongs to: `+` holds, `-` does not. Values have their control characters
    /// escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, 0)
    }
}

impl Explanation {
    fn write(&self, f: &mut fmt::Formatter<'_>, depth: usize) -> fmt::Result {
        let mark = if self.holds { '+' } else { '-' };
        writeln!(f, "{:width$}{mark} {}", "", shown(&self.what), width = depth * 2)?;
        for (name, value) in &self.values {
            let width = depth * 2 + 6;
            match value {
                Some(value) => writeln!(f, "{:width$}{name} is `{}`", "", shown(value))?,
                None => writeln!(f, "{:width$}{name} is missing", "")?,
            }
        }
        self.parts.iter().try_for_each(|part| part.write(f, depth + 1))
    }
}

/// Safe on a terminal, and not too long for it.
fn shown(text: &str) -> String {
    let cut: String = text.chars().take(LONGEST).flat_map(escaped).collect();
    if text.chars().nth(LONGEST).is_some() { cut + "..." } else { cut }
}

fn escaped(character: char) -> impl Iterator<Item = char> {
    let plain = !character.is_control() && !is_invisible(character);
    let escape = (!plain).then(|| character.escape_default()).into_iter().flatten();
    plain.then_some(character).into_iter().chain(escape)
}

/// Characters that reorder or hide text.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

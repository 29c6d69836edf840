//! The evaluator that says what conditions mean.

use super::Subject;
use crate::ast::Modifier;
use crate::check::{Check, Comparison, Condition, Members, Relation, Test};
use crate::matching::{Glob, Pattern, contains};
use crate::value::{Bytes, Value};

/// Whether a condition holds for an event.
pub(crate) fn holds(condition: &Condition, subject: &Subject<'_>) -> bool {
    match condition {
        Condition::And(parts) => parts.iter().all(|part| holds(part, subject)),
        Condition::Or(parts) => parts.iter().any(|part| holds(part, subject)),
        Condition::Not(inner) => !holds(inner, subject),
        Condition::Check(check) => check.holds(subject),
    }
}

impl Check {
    /// Whether the check holds: never where a side of it has no value.
    pub(crate) fn holds(&self, subject: &Subject<'_>) -> bool {
        self.left.value(subject).is_some_and(|value| self.test.holds(&value, subject))
    }
}

impl Test {
    /// Whether a value passes.
    pub(crate) fn holds(&self, value: &Value<'_>, subject: &Subject<'_>) -> bool {
        match (self, value) {
            (Self::Exists, _) => true,
            (Self::Text(pattern), Value::Text(text)) => pattern.matches(text),
            (Self::EachText(modifier, patterns), Value::Text(text)) => {
                enough(*modifier, patterns, |pattern| pattern.matches(text))
            }
            (Self::Number(relation, other), Value::Number(number)) => relation.holds(number, other),
            (Self::EachNumber(modifier, others), Value::Number(number)) => {
                enough(*modifier, others, |(relation, other)| relation.holds(number, other))
            }
            (Self::NumberIn(others), Value::Number(number)) => others.contains(number),
            (Self::Bool(relation, other), Value::Bool(truth)) => relation.holds(truth, other),
            (Self::EachBool(modifier, others), Value::Bool(truth)) => {
                enough(*modifier, others, |(relation, other)| relation.holds(truth, other))
            }
            (Self::BoolIn(others), Value::Bool(truth)) => others.contains(truth),
            (Self::Every(members), Value::List(elements)) => {
                elements.iter().all(|element| members.have(element))
            }
            (Self::Some(members), Value::List(elements)) => {
                elements.iter().any(|element| members.have(element))
            }
            (Self::Against(comparison, right), left) => {
                right.value(subject).is_some_and(|right| comparison.holds(left, &right))
            }
            _ => false,
        }
    }
}

/// Whether as many of the items hold as the modifier asks for; of no items never.
pub(crate) fn enough<T>(modifier: Modifier, items: &[T], holds: impl Fn(&T) -> bool) -> bool {
    let count = items.iter().filter(|item| holds(item)).count();
    match modifier {
        Modifier::AnyOf => count > 0,
        Modifier::AllOf => count == items.len() && count > 0,
        Modifier::OneOf => count == 1,
    }
}

impl Members {
    fn have(&self, element: &[u8]) -> bool {
        match self {
            Self::Texts(pattern) => pattern.matches(element),
            Self::Networks(networks) => networks.hold(element),
        }
    }
}

impl Comparison {
    fn holds(self, left: &Value<'_>, right: &Value<'_>) -> bool {
        match (left, right) {
            (Value::Text(left), Value::Text(right)) => self.of_texts(left, right),
            (Value::List(left), Value::List(right)) => {
                let inside = |element: &Bytes<'_>| right.contains(element);
                match self {
                    Self::Every => left.iter().all(inside),
                    Self::Some => left.iter().any(inside),
                    _ => false,
                }
            }
            (Value::Number(left), Value::Number(right)) => self.relation().holds(left, right),
            (Value::Bool(left), Value::Bool(right)) => self.relation().holds(left, right),
            _ => false,
        }
    }

    fn of_texts(self, left: &[u8], right: &[u8]) -> bool {
        match self {
            Self::Contains => contains(left, right),
            Self::ContainsAnyCase => Pattern::ContainsAnyCase(right.to_ascii_lowercase()).matches(left),
            Self::StartsWith => left.starts_with(right),
            Self::EndsWith => left.ends_with(right),
            Self::Glob => Glob::new(right, false).matches(left),
            Self::GlobAnyCase => Glob::new(right, true).matches(left),
            other => other.relation().holds(&left, &right),
        }
    }

    /// A set of one value holds what is equal to it.
    fn relation(self) -> Relation {
        match self {
            Self::Relation(relation) => relation,
            _ => Relation::Equal,
        }
    }
}

//! What loading yields: rules ready to be evaluated.

use std::collections::BTreeSet;

use crate::{Priority, check, format};

/// A rule that loaded.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Unique in its set.
    pub name: String,
    /// For people.
    pub desc: String,
    /// How severe its alerts are.
    pub priority: Priority,
    /// Sorted, without repetition.
    pub tags: Vec<String>,
    /// The event source, always `k8s_audit`.
    pub source: String,
    /// Loaded but off when false.
    pub enabled: bool,
    /// When it fires.
    pub condition: check::Condition,
    /// What its alerts say.
    pub output: format::Output,
    /// Output fields that a configuration adds.
    pub extra_fields: Vec<ExtraField>,
    /// Names of the exceptions' fields, as written.
    pub exception_fields: BTreeSet<String>,
    /// Where it was first defined.
    pub place: Place,
}

/// An output field that a configuration adds to a rule.
#[derive(Clone, Debug)]
pub struct ExtraField {
    /// Its name in the alert.
    pub name: String,
    /// Whether it is the value of one field, of its own type, and not a text.
    pub is_raw: bool,
    /// What it holds.
    pub template: format::Output,
}

/// A line of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    /// Name of the file as it was given.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
}

/// Rules in the order in which they are tried.
#[derive(Clone, Default, Debug)]
pub struct RuleSet {
    /// In order of first definition.
    pub rules: Vec<Rule>,
}

//! Conditions made sound: every field known, every operator fit for its type.

use crate::ast::{Expr, Span};

/// A condition that can be evaluated.
#[derive(Clone, Debug)]
pub struct Condition;

/// Why a condition that parses can not be evaluated.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Unsound {
    /// The part at fault.
    pub span: Span,
    /// What kind of fault.
    pub kind: Kind,
    /// In words.
    pub message: String,
}

/// What can be wrong with a condition that parses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// No such field.
    UnknownField {
        /// As written.
        name: String,
    },
    /// Argument missing, unwanted or of the wrong form.
    BadArgument,
    /// Operator not for this type.
    Operator,
    /// Value not for this type.
    Value,
}

/// Checks a condition whose macros are resolved.
///
/// # Errors
/// The first fault in the order of reading.
pub fn condition(expr: &Expr) -> Result<Condition, Unsound> {
    let _ = expr;
    Ok(Condition)
}

/// A remark on a sound condition.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hint {
    /// The part it is about.
    pub span: Span,
    /// Which remark.
    pub kind: HintKind,
    /// In words.
    pub message: String,
}

/// Kinds of remarks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HintKind {
    /// `LOAD_UNSAFE_NA_CHECK`
    UnsafeNa,
    /// `LOAD_COMPILE_CONDITION`
    Compile,
    /// The rule leans on a quirk kept for compatibility; ours only.
    Quirk,
}

/// Remarks on a condition, in the order of reading.
pub fn warnings(expr: &Expr) -> Vec<Hint> {
    let _ = expr;
    Vec::new()
}

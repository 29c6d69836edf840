//! Condition text to syntax tree.

use crate::ast::{Expr, Operand};

/// Why a text is no condition.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct ParseError {
    /// Byte of the text where reading stopped.
    pub offset: usize,
    /// What could have stood there.
    pub expected: &'static str,
    /// What stood there.
    pub found: String,
}

/// Reads a whole condition.
///
/// # Errors
/// When the text does not follow the grammar.
pub fn condition(text: &str) -> Result<Expr, ParseError> {
    Err(ParseError { offset: 0, expected: "a condition", found: text.to_owned() })
}

/// Reads a field, a field with an argument, or a transformer with its arguments; the whole text must be consumed.
///
/// # Errors
/// When the text is no operand or more than one.
pub fn operand(text: &str) -> Result<Operand, ParseError> {
    Err(ParseError { offset: 0, expected: "a field or a transformer", found: text.to_owned() })
}

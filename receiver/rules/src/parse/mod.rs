//! Condition text to syntax tree: the grammar by recursive descent, one function a production.
//!
//! Nesting is bounded, so hostile text cannot exhaust the stack.

mod grammar;
mod lexer;
mod operand;
mod quoted;

#[cfg(test)]
mod tests;

use crate::ast::{Expr, Operand};
pub(crate) use grammar::OPERATOR;
use grammar::Parser;
pub(crate) use lexer::{bare_len, field_arg_len, identifier_len};

/// Productions inside one another; a parenthesis costs five.
const MAX_DEPTH: usize = 1000;

/// Why a text does not follow the grammar.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct ParseError {
    /// Byte of the text at fault.
    pub offset: usize,
    /// Byte up to which the text was read; differs from `offset` inside quoted strings only.
    pub reached: usize,
    /// What could have stood there.
    pub expected: &'static str,
    /// What stood there.
    pub found: String,
}

/// Reads a whole condition.
///
/// # Errors
/// When the text does not follow the grammar, or nests too deep.
pub fn condition(text: &str) -> Result<Expr, ParseError> {
    let expr = Parser::new(text).whole(Parser::or, "`and`, `or` or the end");
    expr.map(|expr| *expr).map_err(|error| *error)
}

/// Reads a field, a field with an argument, or a transformer with its arguments. No blanks around it.
///
/// # Errors
/// When the text is no operand, or goes on behind it.
pub fn operand(text: &str) -> Result<Operand, ParseError> {
    Parser::new(text).whole(Parser::field_or_transformer, "the end").map_err(|error| *error)
}

//! Evaluation, plainly: a walk over the checked condition. This is the definition of what a condition means.

mod context;
pub(crate) mod plain;
#[cfg(test)]
pub(crate) mod tests;

pub use context::{Context, Subject};

//! audit-rules
pub mod ast;
pub mod check;
pub mod format;
pub mod parse;
mod print;
mod priority;
mod rule;

pub use priority::{Priority, UnknownPriority};
pub use rule::{Place, Rule, RuleSet};

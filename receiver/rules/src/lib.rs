//! audit-rules
pub mod alert;
pub mod ast;
pub mod check;
pub mod engine;
pub mod eval;
pub mod fields;
pub mod format;
mod matching;
pub mod parse;
mod print;
mod priority;
mod rule;
mod transform;
pub mod value;

pub use engine::{Engine, Matching};
pub use eval::{Context, Subject};
pub use priority::{Priority, UnknownPriority};
pub use rule::{Place, Rule, RuleSet};

#![doc = include_str!("../README.md")]

pub mod alert;
pub mod ast;
pub mod cases;
pub mod check;
pub mod diagnostic;
mod document;
pub mod engine;
pub mod eval;
pub mod explain;
pub mod fields;
pub mod format;
pub mod load;
mod matching;
pub mod parse;
mod print;
mod priority;
mod rule;
pub mod select;
mod transform;
pub mod value;

pub use diagnostic::{Code, Diagnostic, Severity, nearest};
pub use engine::Engine;
pub use eval::{Context, Matching, Subject};
pub use load::{Loaded, Options, SourceFile, load};
pub use priority::{Priority, UnknownPriority};
pub use rule::{ExtraField, Place, Rule, RuleSet};

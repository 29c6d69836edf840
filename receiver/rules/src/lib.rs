//! audit-rules
pub mod ast;

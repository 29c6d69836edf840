//! audit-bridge
#![allow(missing_docs)]

pub mod sweep;
pub mod time;

/// A position that may be committed.
pub trait Position: Sized {
    /// Whether this is `earlier` or further on.
    fn follows(&self, earlier: &Self) -> bool;
}

//! Evaluation: [`plain`] defines what conditions mean, [`fast`] says the same sooner.

mod context;
pub(crate) mod fast;
mod objects;
mod opened;
pub(crate) mod plain;
#[cfg(test)]
pub(crate) mod tests;

pub use context::{Context, Subject};
pub(crate) use objects::Object;

/// How many rules may match one event.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Matching {
    /// The first one that matches, in the order of the set.
    #[default]
    First,
    /// All that match.
    All,
}

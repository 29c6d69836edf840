#![doc = include_str!("../README.md")]

pub mod identity;
pub mod store;

/// Which rules raise an alert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Matching {
    /// The first that matches.
    First,
    /// Every one that matches.
    All,
}

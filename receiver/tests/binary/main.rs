//! The real binary: what clients may do to its intake, who is let in where, and where its alerts arrive. One test binary, since
//! each would link everything anew.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "all of it is tests, what they share too"
)]

mod access;
mod beside;
mod client;
mod hostile;
mod outputs;
mod sink;
mod target;

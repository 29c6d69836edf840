//! The real binaries, together, on loopback. One test binary, since each would link everything anew.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "all of it is tests, what they share too"
)]

mod admission;
mod aks;
mod backlog;
mod check;
mod clock;
mod credentials;
mod delivery;
mod deploy;
mod faults;
mod footprint;
mod gke;
mod harness;
mod intake;
mod kills;
mod moto;
mod observed;
mod pipeline;
mod replicas;
mod several;
mod speed;
mod startup;
mod truncation;

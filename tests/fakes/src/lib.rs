#![doc = include_str!("../README.md")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test support: a panic here is a failed test"
)]

pub mod aws;
pub mod azure;
mod faults;
pub mod gateway;
pub mod gcp;
mod http;
pub mod kubernetes;
pub mod objects;
pub mod program;
mod random;
pub mod receiver;
pub mod traffic;

pub use faults::Fault;
pub use http::Answer;
pub use random::Random;

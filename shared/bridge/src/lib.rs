#![doc = include_str!("../README.md")]

pub mod check;
pub mod checkpoint;
pub mod cli;
pub mod command;
pub mod config;
pub mod daemon;
pub mod deliver;
pub mod metrics;
mod record;
pub mod share;
pub mod sweep;
pub mod time;
pub mod unit;

pub use record::{Batch, Convert, Converted, Load, Position, Record, Source};

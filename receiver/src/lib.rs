#![doc = include_str!("../README.md")]
#![allow(
    clippy::duplicate_mod,
    reason = "the statements of the store are compiled for each database: generic over both they would be unreadable"
)]

pub mod activity;
pub mod api;
pub mod cli;
pub mod clusters;
pub mod commands;
pub mod config;
pub mod evaluate;
pub mod freshness;
pub mod identity;
pub mod intake;
pub mod lag;
pub mod metrics;
pub mod native;
pub mod outputs;
pub mod redact;
pub mod retention;
pub mod rules;
pub mod serve;
pub mod store;

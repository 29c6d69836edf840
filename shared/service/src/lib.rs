#![doc = include_str!("../README.md")]

pub mod admin;
pub mod client;
pub mod config;
pub mod exit;
pub mod health;
pub mod http;
pub mod kubernetes;
pub mod listen;
pub mod logging;
pub mod metrics;
pub mod reload;
pub mod shutdown;
pub mod tls;

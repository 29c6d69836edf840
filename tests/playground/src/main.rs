#![doc = include_str!("../README.md")]

mod clusters;
mod parts;
mod play;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Plays a cluster's audit log through the bridge and the receiver, and prints the alerts.
#[derive(Debug, Parser)]
#[command(name = "playground", version)]
struct Options {
    /// Play so many events, wait for their alerts, and exit; without it, play until Ctrl-C
    #[arg(long, value_name = "COUNT")]
    events: Option<usize>,
    /// Events a second
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    rate: u32,
    /// What makes the traffic the same again
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to keep the store, the checkpoint and the logs; without it, a folder that goes away at the end
    #[arg(long, value_name = "PATH")]
    folder: Option<PathBuf>,
}

fn main() -> ExitCode {
    // Started by itself, it is one of its parts.
    if let Some(exit) = parts::become_part() {
        return exit;
    }
    match play::play(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            show::failure(&failure);
            ExitCode::FAILURE
        }
    }
}

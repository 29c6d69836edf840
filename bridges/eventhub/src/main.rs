//! See the library.

use std::process::ExitCode;

use clap::Parser;
use eventhub_bridge::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    audit_service::exit::main(eventhub_bridge::NAME, |shutdown| eventhub_bridge::main(cli, shutdown))
}

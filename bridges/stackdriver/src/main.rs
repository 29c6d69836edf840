//! See the library.

use std::process::ExitCode;

use clap::Parser;
use stackdriver_bridge::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    audit_service::exit::main(stackdriver_bridge::NAME, |shutdown| stackdriver_bridge::main(cli, shutdown))
}

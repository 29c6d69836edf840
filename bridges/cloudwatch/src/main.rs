//! See the library.

use std::process::ExitCode;

use clap::Parser;
use cloudwatch_bridge::cli::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    audit_service::exit::main(cloudwatch_bridge::NAME, |shutdown| cloudwatch_bridge::main(cli, shutdown))
}

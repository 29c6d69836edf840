//! The receiver's binary; all of it is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    audit_receiver::cli::main()
}

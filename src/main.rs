//! The door: hands over to the library and leaves with its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(shipit::cli::main())
}

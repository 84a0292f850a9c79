//! The table of exit statuses; everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(qbo_relay::cli::main().status())
}

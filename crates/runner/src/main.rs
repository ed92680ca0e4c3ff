//! The `runner` command; see [`runner::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    runner::cli::main()
}

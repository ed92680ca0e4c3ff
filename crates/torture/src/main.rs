//! The `runner-torture` command; see [`torture::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    torture::cli::main()
}

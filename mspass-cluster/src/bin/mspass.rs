//! The `mspass` command; all of it is in the library, so that other programs can offer it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    mspass_cluster::command::run(std::env::args_os())
}

//! The `mspass` command; all of it is in the library, so that other programs can offer it too.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all: a process of a cluster is bound to the one that started it.
    match mspass_cluster::process::arguments() {
        Ok(arguments) => {
            let name = std::ffi::OsString::from("mspass");
            mspass_cluster::command::run([name].into_iter().chain(arguments))
        }
        Err(error) => {
            eprintln!("mspass: {error}");
            ExitCode::FAILURE
        }
    }
}

//! The programs that `cargo test` has built, and how they are waited for.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// The program `name` beside this test's folder; `examples/NAME` is an example.
pub(crate) fn built(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let program = own.parent().and_then(Path::parent).unwrap().join(name);
    assert!(program.exists(), "build it first: cargo build --release --workspace --all-targets");
    program
}

/// Asks until there is an answer, or fails with what was said last.
pub(crate) fn until<T>(mut ask: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match ask() {
            Ok(found) => return found,
            Err(said) => assert!(began.elapsed() < PATIENCE, "{said}"),
        }
        std::thread::sleep(POLL);
    }
}

/// Runs an example that must succeed, and gives the JSON object that it ends with.
pub(crate) fn counts_of(example: &str, workdir: &Path, arguments: &[&str]) -> serde_json::Value {
    let mut command = Command::new(built(example));
    command.arg("--workdir").arg(workdir).arg("--json").args(arguments);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {err}", output.status);
    let last = out.lines().last().unwrap_or_default();
    let counts: serde_json::Value =
        serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {out}"));
    let count = |key: &str| counts[key].as_u64().unwrap_or_else(|| panic!("no {key} in {last}"));
    assert_eq!(count("in"), count("live") + count("dead") + count("aborted"));
    counts
}

//! The programs that `cargo test` has built, and how they are waited for.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::path::{Path, PathBuf};
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

//! The programs that `cargo test` has built, and how they are waited for.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use mspass::io::db::diff::{DiffOptions, diff};
use mspass::{Database, DatabaseName};

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

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One sentence on standard error, exit code 2, and no table.
#[track_caller]
pub(crate) fn refused(output: &Output, words: &[&str]) {
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert_eq!(err.trim().lines().count(), 1, "{err}");
    assert!(words.iter().all(|word| err.contains(word)), "{err}");
    assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
}

/// The database of a workdir.
pub(crate) fn embedded(workdir: &Path) -> Database {
    Database::open(&DatabaseName::Embedded(workdir.join("db"))).unwrap()
}

#[track_caller]
pub(crate) fn assert_equal(left: &Database, right: &Database) {
    let found = diff(left, right, &DiffOptions::default()).unwrap();
    assert!(found.is_equal(), "{found}");
}

/// Runs an example on one thread, on three, and over two worker processes: the results must be
/// equal. What the last run told, and its workdir below `folder`.
pub(crate) fn same_however_it_runs(example: &str, folder: &Path) -> (serde_json::Value, PathBuf) {
    let path = |name: &str| folder.join(name);
    counts_of(example, &path("one"), &["--workers", "1"]);
    let one = embedded(&path("one"));
    counts_of(example, &path("three"), &["--workers", "3"]);
    assert_equal(&one, &embedded(&path("three")));
    let counts = counts_of(example, &path("cluster"), &["--processes", "--workers", "2"]);
    assert_equal(&one, &embedded(&path("cluster")));
    // The workers reach each other's pieces: none is waited for where nobody dies.
    let told = std::fs::read_to_string(path("cluster").join("logs/scheduler.log")).unwrap();
    assert!(!told.contains("waits for pieces"), "{told}");
    (counts, path("cluster"))
}

/// Kills an example after each of these times, and lets it end: the result must be that of a run
/// that nobody disturbed.
pub(crate) fn goes_on_when_killed(example: &str, arguments: &[&str], after_millis: &[u64]) {
    let folder = tempfile::tempdir().unwrap();
    let (whole, work) = (folder.path().join("whole"), folder.path().join("work"));
    counts_of(example, &whole, arguments);
    for millis in after_millis {
        let mut child = Command::new(built(example));
        child.arg("--workdir").arg(&work).args(arguments).arg("--quiet");
        let mut child = child.stdin(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(*millis));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    counts_of(example, &work, arguments);
    assert_equal(&embedded(&whole), &embedded(&work));
}

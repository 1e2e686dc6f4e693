//! The example that reads no archive: killed it goes on, and what it cannot use is refused. That it
//! keeps to its memory, on whatever it runs, a campaign shows.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

mod program;

use std::process::{Command, Stdio};

use program::{built, counts_of, goes_on_when_killed, refused};

const EXAMPLE: &str = "examples/deep_stack";
/// Less than it does by itself, so that a run is short.
const SHORT: [&str; 2] = ["--traces", "1024"];

#[test]
fn killed_in_the_middle_it_goes_on() {
    goes_on_when_killed(EXAMPLE, &SHORT, &[60, 120, 200, 300]);
}

#[test]
fn the_report_lies_beside_the_picture_as_a_page_and_as_json() {
    let folder = tempfile::tempdir().unwrap();
    counts_of(EXAMPLE, folder.path(), &SHORT);
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    assert!(read("deep_stack.svg").contains("L015"));
    let stage = "stage 2: 16 in = 16 live + 0 dead + 0 aborted";
    assert!(read("deep_stack.html").contains(stage));
    let report: serde_json::Value = serde_json::from_str(&read("deep_stack.json")).unwrap();
    let stages = [&report["stages"][0]["in"], &report["stages"][1]["in"]];
    assert_eq!(stages, [&serde_json::json!(1024), &serde_json::json!(16)]);
}

#[test]
fn an_archive_is_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(built(EXAMPLE));
    command.arg("--workdir").arg(folder.path().join("work")).arg("--archive").arg(folder.path());
    let output = command.stdin(Stdio::null()).output().unwrap();
    refused(&output, &["--archive", "reads no archive"]);
    assert!(!folder.path().join("work").exists());
}

//! Reads every file of a folder and compares with `expected.json`, by the rules of its README.
//!
//! The folder is `MSPASS_WAVEFORMS_DIR`, else `../shared/data/waveforms` beside the workspace, else
//! the copy in the repository. The last line of the output is
//! `formats: P passed, F failed, U not covered: name, name`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

mod expectation;

/// Formats without a reader here.
const NOT_COVERED: [&str; 4] = ["SEGY", "SU", "GSE1", "GSE2"];

fn main() -> ExitCode {
    let folder = folder();
    println!("files of {}", folder.display());
    let expected = std::fs::read_to_string(folder.join("expected.json"));
    let expected = expected.expect("the folder has an expected.json");
    let expected: BTreeMap<String, Value> = serde_json::from_str(&expected).expect("JSON");
    let (mut passed, mut failed) = (0, 0);
    let mut not_covered = Vec::new();
    for (name, due) in &expected {
        if !is_covered(name, due) {
            not_covered.push(name.as_str());
            continue;
        }
        match expectation::check(&folder.join(name), due) {
            Ok(()) => passed += 1,
            Err(reason) => {
                failed += 1;
                println!("FAILED {name}: {reason}");
            }
        }
    }
    let (count, names) = (not_covered.len(), not_covered.join(", "));
    println!("formats: {passed} passed, {failed} failed, {count} not covered: {names}");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn folder() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if let Some(folder) = std::env::var_os("MSPASS_WAVEFORMS_DIR") {
        // cargo runs tests in the crate's folder: a relative path may mean the workspace
        let folder = PathBuf::from(folder);
        return if folder.exists() { folder } else { workspace.join(folder) };
    }
    let shared = workspace.join("../shared/data/waveforms");
    let copy = workspace.join("mspass-io/tests/fixtures/waveforms");
    if shared.join("expected.json").exists() { shared } else { copy }
}

/// A format without a reader is told by what was read; where that failed, by the folder's name.
fn is_covered(name: &str, due: &Value) -> bool {
    let listed = |format: &str| NOT_COVERED.contains(&format);
    match due["traces"].as_array() {
        Some(traces) => !traces.iter().any(|trace| trace["format"].as_str().is_some_and(listed)),
        None => !listed(&name.split('/').next().unwrap_or_default().to_ascii_uppercase()),
    }
}

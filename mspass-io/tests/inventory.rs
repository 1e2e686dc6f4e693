//! Reads every StationXML and QuakeML document of two folders and compares with the
//! `expected.json` beside it, by the rules of the data's README.
//!
//! The folders are `MSPASS_STATIONS_DIR` and `MSPASS_EVENTS_DIR`, else `../shared/data/stations`
//! and `../shared/data/events` beside the workspace, else the copies in the repository. The last
//! line of the output is `inventory: P passed, F failed`, one count a document. Evaluated responses
//! are not compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

mod document;

fn main() -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    let kinds: [(&str, &str, document::Check); 2] = [
        ("stations", "MSPASS_STATIONS_DIR", document::stations::check),
        ("events", "MSPASS_EVENTS_DIR", document::events::check),
    ];
    for (name, variable, check) in kinds {
        let folder = folder(name, variable);
        println!("documents of {}", folder.display());
        let expected = std::fs::read_to_string(folder.join("expected.json"));
        let expected = expected.expect("the folder has an expected.json");
        let expected: BTreeMap<String, Value> = serde_json::from_str(&expected).expect("JSON");
        assert!(!expected.is_empty(), "expected.json names no document");
        for (name, due) in &expected {
            match check(&folder.join(name), due) {
                Ok(()) => passed += 1,
                Err(reason) => {
                    failed += 1;
                    println!("FAILED {name}: {reason}");
                }
            }
        }
    }
    println!("inventory: {passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn folder(name: &str, variable: &str) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    if let Some(folder) = std::env::var_os(variable) {
        // cargo runs tests in the crate's folder: a relative path may mean the workspace
        let folder = PathBuf::from(folder);
        return if folder.exists() { folder } else { workspace.join(folder) };
    }
    let shared = workspace.join("../shared/data").join(name);
    let copy = workspace.join("mspass-io/tests/fixtures").join(name);
    if shared.join("expected.json").exists() { shared } else { copy }
}

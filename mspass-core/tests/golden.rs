//! The kernels against answers of SciPy and ObsPy.
//!
//! Cases are data: `index.json` in `MSPASS_GOLDEN_DIR` names operation, parameters, inputs and
//! expected output of each (default: `../shared/golden/v1` beside the workspace, or the small copy
//! beside this file). Prints `golden: P passed, F failed, U not covered: ...` as its last line.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

#[path = "golden/npy.rs"]
mod npy;
#[path = "golden/operations.rs"]
mod operations;

/// Named arrays: inputs or outputs of a case.
type Arrays = BTreeMap<String, Vec<f64>>;

/// What became of a case.
enum Verdict {
    Passed,
    Failed(String),
    NotCovered,
}

fn main() -> ExitCode {
    let folder = folder();
    let index = match read_index(&folder) {
        Ok(index) => index,
        Err(reason) => {
            println!("golden: {}: {reason}", folder.display());
            return ExitCode::FAILURE;
        }
    };
    println!("golden: {} cases of {}", index.len(), folder.display());
    let (mut passed, mut failed, mut open) = (0, 0, 0);
    let mut not_covered = BTreeSet::new();
    for case in &index {
        match judge(&folder, case) {
            Verdict::Passed => passed += 1,
            Verdict::Failed(reason) => {
                failed += 1;
                println!("FAILED {}: {reason}", text(case, "id"));
            }
            Verdict::NotCovered => {
                open += 1;
                not_covered.insert(text(case, "op"));
            }
        }
    }
    let names: Vec<&str> = not_covered.into_iter().collect();
    println!("golden: {passed} passed, {failed} failed, {open} not covered: {}", names.join(", "));
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn folder() -> PathBuf {
    if let Some(folder) = std::env::var_os("MSPASS_GOLDEN_DIR") {
        return folder.into();
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = here.join("../../shared/golden/v1");
    if shared.is_dir() { shared } else { here.join("tests/golden/v1") }
}

fn read_index(folder: &Path) -> Result<Vec<Value>, String> {
    let bytes = std::fs::read(folder.join("index.json")).map_err(|e| e.to_string())?;
    let mut index: Value = serde_json::from_slice(&bytes).map_err(|e| e.to_string())?;
    match index["cases"].take() {
        Value::Array(cases) => Ok(cases),
        _ => Err("index.json lists no cases".into()),
    }
}

fn judge(folder: &Path, case: &Value) -> Verdict {
    let op = text(case, "op");
    let (inputs, unreadable) = match read_arrays(folder, &case["inputs"]) {
        Ok(inputs) => (inputs, None),
        Err(reason) => (Arrays::new(), Some(reason)),
    };
    let mut parameters = operations::Parameters::new(&case["params"]);
    let Some(found) = operations::run(op, &mut parameters, inputs) else {
        return Verdict::NotCovered;
    };
    let found = match unreadable.map_or(found, Err) {
        Ok(found) => found,
        Err(reason) => return Verdict::Failed(reason),
    };
    let unread = parameters.unread();
    if !unread.is_empty() {
        return Verdict::Failed(format!("parameters not understood: {}", unread.join(", ")));
    }
    let expected = read_arrays(folder, &case["output"]).map(|e| operations::comparable(op, e));
    let agreed = expected.and_then(|expected| compare(&found, &expected, tolerance(op)));
    agreed.map_or_else(Verdict::Failed, |()| Verdict::Passed)
}

/// Largest difference allowed, relative to the largest expected value: the folder's README.
fn tolerance(op: &str) -> f64 {
    match op {
        "interpolate" => 1e-7,
        _ => 1e-9,
    }
}

fn compare(found: &Arrays, expected: &Arrays, tolerance: f64) -> Result<(), String> {
    if !found.keys().eq(expected.keys()) {
        return Err(format!("outputs {:?} instead of {:?}", found.keys(), expected.keys()));
    }
    for (name, expected) in expected {
        let found = &found[name];
        if found.len() != expected.len() {
            return Err(format!("{name}: {} values instead of {}", found.len(), expected.len()));
        }
        let scale = expected.iter().fold(0.0, |max, e| f64::max(max, e.abs()));
        let worst = found.iter().zip(expected).map(|(f, e)| (f - e).abs()).enumerate();
        // A difference that is not a number counts as the largest.
        let worst = worst.max_by(|a, b| a.1.abs().total_cmp(&b.1.abs()));
        let Some((at, error)) = worst else { continue };
        let relative = if error == 0.0 { 0.0 } else { error / scale };
        if std::env::var_os("MSPASS_GOLDEN_ERRORS").is_some() {
            println!("  {name}: relative error {relative:.1e}");
        }
        if relative.is_nan() || relative > tolerance {
            return Err(format!(
                "{name}[{at}] is {} instead of {}: relative error {relative:e}, \
                 allowed {tolerance:e}",
                found[at], expected[at]
            ));
        }
    }
    Ok(())
}

/// The arrays of a field: one file (then named `x`) or several by name.
fn read_arrays(folder: &Path, field: &Value) -> Result<Arrays, String> {
    let read = |name: &str, file: &Value| {
        let file = file.as_str().ok_or("a case names its arrays' files")?;
        let array = npy::read(&folder.join(file)).map_err(|e| format!("{file}: {e}"))?;
        Ok((name.to_owned(), array))
    };
    match field {
        Value::Object(files) => files.iter().map(|(name, file)| read(name, file)).collect(),
        file => read("x", file).map(|pair| BTreeMap::from([pair])),
    }
}

fn text<'a>(case: &'a Value, key: &str) -> &'a str {
    case[key].as_str().unwrap_or_default()
}

//! The example `embedding`: a crate outside the workspace, with data, steps, messages and actors
//! of its own, carries two clusters in one process whose runtime it owns.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

/// Lines of code in which a host may compose its cluster.
const LINES_MAX: usize = 40;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Crates that are compiled once more: a path means another crate to another workspace.
const OURS: [&str; 5] = ["mspass-core", "mspass-io", "mspass-actors", "mspass-cluster", "mspass"];
/// What cargo tells a test of the crate that it belongs to, and must not tell another cargo: build
/// scripts look at some of them, and would run again for each.
const OWN_VARIABLES: [&str; 5] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_TARGET_TMPDIR"];

/// Builds and runs the example, into the folder where the workspace is built: crates of others are
/// compiled once, as long as both have them in the same versions with the same features.
fn run_example(workdir: &Path) -> Output {
    let folder = root().join("examples/embedding");
    std::fs::copy(root().join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    let built = Path::new(env!("CARGO_BIN_EXE_mspass")).ancestors().nth(2).unwrap();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if OWN_VARIABLES.iter().any(|own| name.starts_with(own)) {
            cargo.env_remove(&*name);
        }
    }
    cargo.args(["run", "--release", "--features", "as-tested", "--target-dir"]).arg(built);
    cargo.arg("--manifest-path").arg(folder.join("Cargo.toml"));
    // The sample is small: what counts is how long they take to compile.
    for package in OURS {
        cargo.arg("--config").arg(format!("profile.release.package.{package}.opt-level=0"));
    }
    cargo.arg("--").arg(workdir).output().unwrap()
}

fn documents(workdir: &Path) -> Vec<Value> {
    let name = format!("embedded:{}", workdir.join("db").display());
    let mut mspass = Command::new(env!("CARGO_BIN_EXE_mspass"));
    let output = mspass.args(["find", "wf_TimeSeries", "--limit", "0", "--db", &name]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn two_clusters_live_inside_a_host() {
    let folder = tempfile::tempdir().unwrap();
    let output = run_example(folder.path());
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines = text(&output.stdout);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [minutes, seconds, host] = &lines[..] else { panic!("{lines:?}") };
    for (cluster, rate) in [(minutes, 1.0 / 60.0), (seconds, 1.0)] {
        let count = |name: &str| cluster[name].as_u64().unwrap();
        assert_eq!(count("in"), count("live") + count("dead") + count("aborted"), "{cluster}");
        assert!(count("live") > 0 && count("live") == count("saved"), "{cluster}");
        let found = documents(Path::new(cluster["workdir"].as_str().unwrap()));
        assert_eq!(found.len() as u64, count("saved"), "{cluster}");
        for document in &found {
            assert_eq!(document["sampling_rate"], rate, "{document}");
            assert_eq!(document["data_tag"], "levels", "{document}");
        }
        assert!(cluster["loudest"]["channel"].as_str().is_some_and(|id| id.starts_with("YA.")));
    }
    let loudest = |cluster: &Value| cluster["loudest"]["level"].as_f64().unwrap();
    assert!(loudest(seconds) > loudest(minutes), "short windows see the peaks: {lines:?}");
    // A host that a cluster blocks ticks once for each time that it is polled.
    assert!(host["ticks"].as_u64().unwrap() > 20, "{host}");
}

#[test]
fn a_cluster_is_composed_in_few_lines() {
    let text = std::fs::read_to_string(root().join("examples/embedding/src/main.rs")).unwrap();
    let code = text.lines().map(str::trim);
    let code = code.filter(|line| !line.is_empty() && !line.starts_with("//"));
    let lines = code.skip_while(|line| !line.starts_with("#[tokio::main")).count();
    assert!((10..LINES_MAX).contains(&lines), "{lines} lines of code");
}

//! Which crate may depend on what.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::{Finding, PROJECT, Tree, finds, hold};

/// The workspace from the bottom up: each may depend on those before it.
const LAYERS: [&str; 5] = ["mspass-core", "mspass-io", "mspass-actors", "mspass-cluster", "mspass"];

/// Libraries that one crate keeps to itself.
const OWNED: [(&str, &str); 4] = [
    ("actix", "mspass-actors"),
    ("actix-rt", "mspass-actors"),
    ("mongodb", "mspass-io"),
    ("redb", "mspass-io"),
];

/// What the core's dependencies may not bring in, by name or by the start of one.
const NOT_IN_CORE: [&str; 10] =
    ["actix", "async", "futures", "hyper", "mio", "mongodb", "redb", "reqwest", "rustls", "tokio"];

fn cargo(arguments: &[&str]) -> String {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(program).args(arguments).current_dir(root).output();
    let output = output.expect("cargo can be started");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {}: {complaint}", arguments.join(" "));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// (crate, what it depends on), dependencies of its tests and build scripts included.
fn edges(metadata: &Value) -> Vec<(String, String)> {
    let mut edges = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
            edges.push((name(package), name(dependency)));
        }
    }
    edges
}

fn wrong_edges(metadata: &Value) -> Vec<Finding> {
    let layer = |name: &str| LAYERS.iter().position(|layer| *layer == name);
    let mut findings = Vec::new();
    for (from, to) in edges(metadata) {
        let manifest = if from == "mspass" { "Cargo.toml" } else { &format!("{from}/Cargo.toml") };
        let Some(height) = layer(&from) else {
            findings.push(Finding::new(manifest, 0, "a crate that has no layer"));
            continue;
        };
        if layer(&to).is_some_and(|other| other >= height) {
            findings.push(Finding::new(manifest, 0, format!("depends upwards, on {to}")));
        }
        if let Some((_, owner)) = OWNED.iter().find(|(name, owner)| *name == to && *owner != from) {
            findings.push(Finding::new(manifest, 0, format!("only {owner} may depend on {to}")));
        }
    }
    findings
}

/// `listing` is the output of `cargo tree --prefix none`.
fn heavy_core(listing: &str) -> Vec<Finding> {
    let names = listing.lines().filter_map(|line| line.split_whitespace().next());
    let banned = names.filter(|name| {
        let bans = NOT_IN_CORE.iter().map(|ban| name.strip_prefix(ban));
        bans.flatten().any(|rest| rest.is_empty() || rest.starts_with('-'))
    });
    let path = "mspass-core/Cargo.toml";
    banned.map(|name| Finding::new(path, 0, format!("brings in {name}"))).collect()
}

/// The lines of one `[section]` of a TOML text.
fn section<'a>(text: &'a str, header: &str) -> Option<Vec<&'a str>> {
    let mut lines = text.lines().map(str::trim).skip_while(|line| *line != header);
    lines.next()?;
    Some(lines.take_while(|line| !line.starts_with('[')).collect())
}

fn loose_lints(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| file.name() == "Cargo.toml") {
        let text = file.text.as_deref().unwrap_or_default();
        let inherits = section(text, "[lints]").is_some_and(|s| s.contains(&"workspace = true"));
        if text.contains("[package]") && !inherits {
            findings.push(Finding::new(&file.path, 0, "lacks `[lints]` with `workspace = true`"));
        }
    }
    let shared = section(tree.text("Cargo.toml"), "[workspace.lints.rust]").unwrap_or_default();
    for lint in ["unsafe_code = \"deny\"", "missing_docs = \"warn\""] {
        if !shared.contains(&lint) {
            findings.push(Finding::new("Cargo.toml", 0, format!("lacks the lint {lint}")));
        }
    }
    findings
}

/// Crates that `deny.toml` bans and `Cargo.lock` holds.
fn banned_crates(tree: &Tree) -> Vec<Finding> {
    let mut locked: Vec<(&str, &str)> = Vec::new();
    let mut name = "";
    for (key, value) in tree.text("Cargo.lock").lines().filter_map(|line| line.split_once(" = ")) {
        match key {
            "name" => name = value.trim_matches('"'),
            "version" if !name.is_empty() => locked.push((name, value.trim_matches('"'))),
            _ => {}
        }
    }
    let mut findings = Vec::new();
    for line in tree.text("deny.toml").lines().map(str::trim) {
        let Some(rest) = line.strip_prefix("{ crate = \"") else { continue };
        let spec = rest.split('"').next().unwrap_or_default();
        let (name, range) = spec.split_once('@').unwrap_or((spec, ""));
        for (_, version) in locked.iter().filter(|(locked, _)| *locked == name) {
            if in_range(version, range) {
                let what = format!("holds {name} {version}, which deny.toml bans");
                findings.push(Finding::new("Cargo.lock", 0, what));
            }
        }
        if !line.contains("reason = \"") {
            findings.push(Finding::new("deny.toml", 0, format!("{name} is banned without reason")));
        }
    }
    findings
}

/// Whether a version lies in `` (any), `=x.y.z` or `<x.y.z`.
fn in_range(version: &str, range: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        text.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
    };
    match (range.strip_prefix('<'), range.strip_prefix('=')) {
        (Some(below), _) => numbers(version) < numbers(below),
        (_, Some(exact)) => version == exact,
        _ => true,
    }
}

#[test]
fn crates_depend_downwards() {
    let metadata = cargo(&["metadata", "--no-deps", "--offline", "--format-version", "1"]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo writes JSON");
    let packages = metadata["packages"].as_array().map_or(0, Vec::len);
    assert_eq!(packages, LAYERS.len(), "crates of the workspace");
    hold("core <- io <- actors <- cluster <- mspass, and no way back.", wrong_edges(&metadata));
}

#[test]
fn a_wrong_edge_is_found() {
    let package = |name: &str, dependencies: &[&str]| {
        let dependencies: Vec<_> =
            dependencies.iter().map(|name| serde_json::json!({ "name": name })).collect();
        serde_json::json!({ "name": name, "dependencies": dependencies })
    };
    let metadata = serde_json::json!({ "packages": [
        package("mspass-core", &["serde", "mspass-io"]),
        package("mspass-io", &["mspass-core", "mongodb", "redb"]),
        package("mspass-actors", &["actix", "redb"]),
        package("mspass-cluster", &["mspass-core", "mspass-actors", "actix-rt"]),
        package("mspass", &["mspass-cluster"]),
        package("mspass-extra", &["serde"]),
    ]});
    finds(wrong_edges(&metadata), 4);
}

#[test]
fn core_is_light() {
    let listing = ["tree", "--offline", "-p", "mspass-core", "-e", "normal", "--prefix", "none"];
    let listing = cargo(&listing);
    assert!(listing.contains("ndarray"), "the listing shows the core's tree:\n{listing}");
    hold("Core has no async runtime and no database driver.", heavy_core(&listing));
}

#[test]
fn a_heavy_core_is_found() {
    finds(heavy_core("mspass-core v0.1.0\nserde v1\ntokio v1\nmio v1\nasync-trait v0\nmioc v1"), 3);
}

#[test]
fn every_crate_takes_the_shared_lints() {
    hold("One set of lints holds everywhere.", loose_lints(&PROJECT));
}

#[test]
fn a_crate_with_lints_of_its_own_is_found() {
    let shared = "[workspace.lints.rust]\nunsafe_code = \"deny\"\nmissing_docs = \"warn\"\n";
    let inherits = "[package]\n[lints]\nworkspace = true\n";
    let tree = Tree::sample(&[
        ("Cargo.toml", format!("{shared}{inherits}")),
        ("a/Cargo.toml", inherits.to_owned()),
        ("b/Cargo.toml", "[package]\n[dependencies]\n[lints]\n[x]\nworkspace = true".to_owned()),
    ]);
    finds(loose_lints(&tree), 1);
    finds(loose_lints(&Tree::sample(&[("Cargo.toml", inherits)])), 2);
}

#[test]
fn banned_crates_stay_out() {
    assert!(PROJECT.text("deny.toml").contains("{ crate = \""), "deny.toml bans something");
    assert!(PROJECT.text("Cargo.lock").contains("name = \"serde\""), "Cargo.lock can be read");
    hold("What deny.toml bans is not in Cargo.lock.", banned_crates(&PROJECT));
}

#[test]
fn a_banned_crate_is_found() {
    let tree = Tree::sample(&[
        (
            "deny.toml",
            "deny = [\n    { crate = \"sled\", reason = \"idle\" },\n    { crate = \"xml@<0.41\", \
             reason = \"r\" },\n    { crate = \"sql@=1.2.0\", reason = \"r\" },\n    \
             { crate = \"mute\" },\n]",
        ),
        (
            "Cargo.lock",
            "version = 4\n[[package]]\nname = \"sled\"\nversion = \"0.34.7\"\n[[package]]\n\
             name = \"xml\"\nversion = \"0.9.1\"\n[[package]]\nname = \"xml\"\n\
             version = \"0.41.0\"\n[[package]]\nname = \"sql\"\nversion = \"1.2.1\"\n",
        ),
    ]);
    finds(banned_crates(&tree), 3);
}

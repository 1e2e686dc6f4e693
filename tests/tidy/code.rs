//! What code may not contain, and which few files may do what the others must not.

use std::collections::BTreeSet;

use crate::lexer::PathName;
use crate::{File, Finding, PROJECT, Tree, finds, hold};

/// The only files that may read a clock, sleep, or start a thread or task; tests and benches
/// apart. The rest are handed time and run where they are called.
const CLOCK_AND_SPAWN: [(&str, &str); 8] = [
    ("mspass-actors/src/clock.rs", "the clock that everybody else is handed"),
    ("mspass-actors/src/runtime.rs", "starts arbiters, tasks and threads"),
    ("mspass-io/src/archive/scan.rs", "scans files on a bounded number of threads"),
    ("mspass-io/src/db/upkeep/batches.rs", "checks documents on a bounded number of threads"),
    ("mspass-io/src/store/contract/blobs.rs", "writers at the same time, as a check"),
    ("mspass-io/src/store/contract/documents.rs", "writers at the same time, as a check"),
    ("mspass-io/src/store/mongo/driver.rs", "the one thread of the driver's runtime"),
    ("mspass-io/src/store/mongo/server/mod.rs", "watches a mongod that it started"),
];

/// The only files that may name the actor library.
const ACTIX: [&str; 2] = ["mspass-actors/src/mailbox/local.rs", "mspass-actors/src/runtime.rs"];

/// The only files that may switch the lint against `unsafe` off.
const UNSAFE: [&str; 0] = [];

fn unfinished(tree: &Tree) -> Vec<Finding> {
    // Spelled apart, so that a search for them finds only true ones.
    let macros = ["todo", "unimplemented", "dbg"];
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    let mut findings = Vec::new();
    for (file, source) in tree.sources() {
        let mut add = |line, what: String| findings.push(Finding::new(&file.path, line, what));
        for token in macros.iter().flat_map(|name| {
            source.tokens.windows(2).filter(|pair| pair[0].text == *name && pair[1].text == "!")
        }) {
            add(token[0].line, format!("`{}!` stands in finished code", token[0].text));
        }
        for tokens in source.sequences(&["#", "[", "ignore", "]"]) {
            add(tokens[0].line, "a test is ignored without a reason".to_owned());
        }
        for (line, comment) in &source.comments {
            let mut words = comment.split(|c: char| !c.is_alphanumeric());
            if let Some(mark) = words.find(|word| marks.contains(word)) {
                add(*line, format!("`{mark}`: do it, or say what holds and why"));
            }
        }
    }
    findings
}

fn lints_off(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.sources().filter(|(file, _)| !file.is_test()) {
        let mut silencing = false;
        for pair in source.tokens.windows(2) {
            let (word, next) = (&*pair[0].text, &*pair[1].text);
            silencing = match word {
                "allow" | "expect" => next == "(",
                ")" | "=" => false,
                _ => silencing,
            };
            let what = match word {
                "unsafe_code" if !UNSAFE.contains(&&*file.path) => "is not among the reviewed",
                "dead_code" | "unused" | "unused_variables" | "unused_imports" => {
                    "hides code that nobody uses: remove the code"
                }
                "too_many_lines" => "hides a long function: split it",
                _ => continue,
            };
            if silencing && !pair[0].test {
                findings.push(Finding::new(&file.path, pair[0].line, format!("`{word}` {what}")));
            }
        }
    }
    findings
}

fn impure_core(tree: &Tree) -> Vec<Finding> {
    let banned_modules = ["fs", "net", "thread", "process", "env"];
    let mut findings = Vec::new();
    let core = |file: &File| file.path.starts_with("mspass-core/src/") && !file.is_test();
    for (file, source) in tree.sources().filter(|(file, _)| core(file)) {
        let words = source.tokens.iter().filter(|token| matches!(&*token.text, "async" | "await"));
        for token in words.filter(|token| !token.test) {
            let what = format!("`{}`: core never awaits", token.text);
            findings.push(Finding::new(&file.path, token.line, what));
        }
        for path in source.paths().iter().filter(|path| !path.test) {
            let reads_clock = path.has(&["Instant"]) || path.has(&["SystemTime"]);
            let system = banned_modules.iter().any(|module| path.has(&["std", module]));
            if reads_clock || system {
                let what = format!("`{}`: core does no such thing", path.parts.join("::"));
                findings.push(Finding::new(&file.path, path.line, what));
            }
        }
    }
    findings
}

/// Whether a path reads a clock, sleeps or spawns.
fn clock_or_spawn(path: &PathName) -> bool {
    const CALLS: [[&str; 2]; 12] = [
        ["Instant", "now"],
        ["SystemTime", "now"],
        ["Timestamp", "now"],
        ["Zoned", "now"],
        ["thread", "sleep"],
        ["thread", "spawn"],
        ["thread", "scope"],
        ["thread", "Builder"],
        ["tokio", "spawn"],
        ["task", "spawn"],
        ["task", "spawn_blocking"],
        ["task", "spawn_local"],
    ];
    CALLS.iter().any(|call| path.has(call))
}

fn stray_clocks(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut used = BTreeSet::new();
    let shipped = |file: &File| !file.is_test();
    for (file, source) in tree.sources().filter(|(file, _)| shipped(file)) {
        let allowed = CLOCK_AND_SPAWN.iter().any(|(path, _)| *path == file.path);
        for path in source.paths().iter().filter(|path| !path.test && clock_or_spawn(path)) {
            used.insert(file.path.clone());
            if !allowed {
                let what = format!("`{}`: only the listed files may", path.parts.join("::"));
                findings.push(Finding::new(&file.path, path.line, what));
            }
        }
    }
    let listed = CLOCK_AND_SPAWN.iter().filter(|(path, _)| tree.file(path).is_some());
    for (path, reason) in listed.filter(|(path, _)| !used.contains(*path)) {
        let what = format!("is listed ({reason}) and no longer needs to be: strike it");
        findings.push(Finding::new(path, 0, what));
    }
    findings
}

fn stray_actix(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.sources().filter(|(file, _)| !ACTIX.contains(&&*file.path)) {
        for token in &source.tokens {
            if token.text == "actix" || token.text.starts_with("actix_") {
                let what = format!("`{}`: only {} may name it", token.text, ACTIX.join(" and "));
                findings.push(Finding::new(&file.path, token.line, what));
            }
        }
    }
    findings
}

/// Files under `src/` that no `mod` line reaches: they are not even compiled.
fn orphans(tree: &Tree) -> Vec<Finding> {
    let mut modules = BTreeSet::new();
    for (file, source) in tree.sources() {
        let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let stem = name.trim_end_matches(".rs");
        let root = matches!(stem, "lib" | "main" | "mod");
        let inner = if root { folder.to_owned() } else { format!("{folder}/{stem}") };
        for tokens in source.tokens.windows(3) {
            if tokens[0].text == "mod" && tokens[2].text == ";" {
                modules.insert(format!("{inner}/{}", tokens[1].text));
            }
        }
    }
    let mut findings = Vec::new();
    for file in tree.rust().filter(|file| file.path.contains("src/")) {
        let is_root = matches!(file.name(), "lib.rs" | "main.rs") || file.path.contains("/bin/");
        let module = file.path.trim_end_matches(".rs").trim_end_matches("/mod");
        if !is_root && !modules.contains(module) {
            findings.push(Finding::new(&file.path, 0, "no `mod` line reaches this file"));
        }
    }
    findings
}

#[test]
fn nothing_is_left_unfinished() {
    hold("Code is finished when it is committed.", unfinished(&PROJECT));
}

#[test]
fn an_unfinished_place_is_found() {
    let text = "fn a() { todo !() } fn b() { x::unimplemented !(); dbg !(1); \"todo\" }
        # [ignore] fn c() {} #[ignore = \"takes an hour\"] fn d() {}
        // TO_DO later\n// todos\n/* FIX_ME */ fn todo() {}";
    let text = text.replace('_', "");
    finds(unfinished(&Tree::sample(&[("a/src/b.rs", text)])), 6);
}

#[test]
fn lints_stay_on() {
    hold("Lints are not silenced to pass.", lints_off(&PROJECT));
}

#[test]
fn a_silenced_lint_is_found() {
    let text = "#![allow(unsafe_code)]\n#[allow(dead_code)] fn a() {}
        #[expect(clippy::too_many_lines, reason = \"r\")] fn b() {}
        #[allow(clippy::d)] fn c(unused: u8) {}
        #[cfg(test)] mod tests { #![allow(dead_code)] }";
    finds(lints_off(&Tree::sample(&[("a/src/b.rs", text), ("a/tests/c.rs", text)])), 3);
}

#[test]
fn core_is_pure() {
    let what = "Core never awaits, sleeps, reads a clock, opens a file or spawns.";
    hold(what, impure_core(&PROJECT));
}

#[test]
fn an_impure_core_is_found() {
    let text = "use std::{fmt, fs::File, time::{Duration, Instant}}; async fn a() { b.await }
        fn c() { std::thread::yield_now(); let asynchronous = crate::process::run; }
        #[cfg(test)] mod tests { use std::fs; } // std::net";
    finds(impure_core(&Tree::sample(&[("mspass-core/src/a.rs", text)])), 5);
    finds(impure_core(&Tree::sample(&[("mspass-io/src/a.rs", text)])), 0);
}

#[test]
fn few_files_read_the_clock_or_spawn() {
    let what = "Time and threads come from outside (the list is in tests/tidy/code.rs).";
    hold(what, stray_clocks(&PROJECT));
}

#[test]
fn a_stray_clock_or_spawn_is_found() {
    let text = "fn a() { Instant::now(); std::time::SystemTime::now(); thread::sleep(d); }
        use tokio::spawn; fn b() { std::thread::Builder::new(); spawn(); Instant::elapsed; }";
    finds(stray_clocks(&Tree::sample(&[("mspass-io/src/a.rs", text)])), 5);
    finds(stray_clocks(&Tree::sample(&[("mspass-actors/src/clock.rs", text)])), 0);
    finds(stray_clocks(&Tree::sample(&[("mspass-io/tests/a.rs", text)])), 0);
    finds(stray_clocks(&Tree::sample(&[("mspass-actors/src/clock.rs", "fn a() {}")])), 1);
}

#[test]
fn two_files_name_the_actor_library() {
    hold("The actor library stays behind the mailbox.", stray_actix(&PROJECT));
}

#[test]
fn a_stray_actor_is_found() {
    let text = "use actix::Addr; use actix_rt::System; // actix\nconst A: &str = \"actix\";";
    finds(stray_actix(&Tree::sample(&[("mspass-actors/src/worker/actor.rs", text)])), 2);
    finds(stray_actix(&Tree::sample(&[("mspass-actors/src/runtime.rs", text)])), 0);
}

#[test]
fn every_source_file_is_compiled() {
    hold("No file lies beside the code without being part of it.", orphans(&PROJECT));
}

#[test]
fn an_orphan_is_found() {
    let tree = Tree::sample(&[
        ("a/src/lib.rs", "pub mod b; mod c;"),
        ("a/src/b.rs", ""),
        ("a/src/c/mod.rs", "mod d;"),
        ("a/src/c/d.rs", "#[cfg(test)] mod tests;"),
        ("a/src/c/d/tests.rs", ""),
        ("a/src/c/lost.rs", ""),
        ("a/src/bin/tool.rs", ""),
    ]);
    finds(orphans(&tree), 1);
}

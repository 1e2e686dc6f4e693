//! Names of files, modules, functions, types and traits.

use crate::lexer::{Source, is_name};
use crate::{File, Finding, PROJECT, Tree, finds, hold};

/// Names that say nothing about what is inside.
const BUCKETS: [&str; 7] = ["util", "utils", "common", "helper", "helpers", "misc", "prelude"];

/// Endings that turn a noun into a vaguer one.
const VAGUE_ENDINGS: [&str; 4] = ["Manager", "Impl", "Info", "Data"];

/// All traits that other crates may see, with the crate that states each. A new one needs two
/// real implementations, or one and a test double, and a line here with the reason in its commit.
const TRAITS: [(&str, &str); 15] = [
    ("mspass-core", "Process"),
    ("mspass-core", "Fold"),
    ("mspass-core", "Sampled"),
    ("mspass-core", "Datum"),
    ("mspass-io", "Reader"),
    ("mspass-io", "Writer"),
    ("mspass-io", "DocumentStore"),
    ("mspass-io", "BlobStore"),
    ("mspass-io", "Waveform"),
    ("mspass-actors", "Message"),
    ("mspass-actors", "Handler"),
    ("mspass-actors", "Runner"),
    ("mspass-actors", "Transport"),
    ("mspass-actors", "Clock"),
    ("mspass-cluster", "Launcher"),
];

fn bucket_names(tree: &Tree) -> Vec<Finding> {
    let banned = |name: &str| BUCKETS.contains(&name);
    let what = |name: &str| format!("`{name}` says nothing: name it by its concept");
    let mut findings = Vec::new();
    for file in &tree.files {
        let stems = file.path.split('/').map(|part| part.split('.').next().unwrap_or(part));
        findings.extend(
            stems.filter(|stem| banned(stem)).map(|stem| Finding::new(&file.path, 0, what(stem))),
        );
    }
    for (file, source) in tree.sources() {
        for pair in source.tokens.windows(2) {
            if pair[0].text == "mod" && banned(&pair[1].text) {
                findings.push(Finding::new(&file.path, pair[1].line, what(&pair[1].text)));
            }
        }
    }
    findings
}

fn getters(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.sources() {
        for (at, token) in source.tokens.iter().enumerate() {
            let function = token.text.starts_with("get_") && at > 0;
            if function && source.tokens[at - 1].text == "fn" && is_public(&source, at - 1) {
                let what = format!("`{}`: name it by what it gives", token.text);
                findings.push(Finding::new(&file.path, token.line, what));
            }
        }
    }
    findings
}

/// Whether `pub` stands before the item at `at`, any of its qualifiers between.
fn is_public(source: &Source, at: usize) -> bool {
    let qualifiers = ["const", "async", "unsafe", "extern", "crate", "super", "in", "(", ")"];
    let mut before = source.tokens[..at].iter().rev();
    before
        .find(|token| !qualifiers.contains(&token.text.as_str()))
        .is_some_and(|token| token.text == "pub")
}

fn vague_types(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.sources() {
        for pair in source.tokens.windows(2) {
            let declares = ["struct", "enum", "trait", "type", "union"].contains(&&*pair[0].text);
            let name = &pair[1].text;
            let ending = VAGUE_ENDINGS.iter().find(|ending| name.ends_with(*ending));
            if let (true, Some(ending)) = (declares && is_name(name), ending) {
                let what = format!("`{name}`: `{ending}` adds nothing to a noun");
                findings.push(Finding::new(&file.path, pair[1].line, what));
            }
        }
    }
    findings
}

fn traits_beyond_budget(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for (file, source) in tree.sources().filter(|(file, _)| is_library(file)) {
        let krate = file.path.split('/').next().unwrap_or_default();
        for tokens in source.tokens.windows(3).filter(|tokens| !tokens[0].test) {
            if tokens[0].text != "pub" || tokens[1].text != "trait" {
                continue;
            }
            let name = &*tokens[2].text;
            let listed = TRAITS.iter().find(|entry| **entry == (krate, name));
            // The usual private trait of a sealed one is not API.
            let problem = match listed {
                None if name == "Sealed" => continue,
                None => "is not among the budgeted traits",
                Some((_, name)) if seen.contains(name) => "is stated twice",
                Some((_, name)) => {
                    seen.push(name);
                    continue;
                }
            };
            let what = format!("`pub trait {name}` {problem} (tests/tidy/names.rs)");
            findings.push(Finding::new(&file.path, tokens[2].line, what));
        }
    }
    findings
}

fn is_library(file: &File) -> bool {
    file.path.contains("src/") && !file.is_test()
}

#[test]
fn names_say_what_is_inside() {
    hold("Files and modules are named by concept.", bucket_names(&PROJECT));
}

#[test]
fn a_bucket_is_found() {
    let tree = Tree::sample(&[
        ("a/src/utils.rs", ""),
        ("a/src/misc/mod.rs", ""),
        ("a/src/lib.rs", "pub mod common; // mod helpers;\nmod utility;"),
    ]);
    finds(bucket_names(&tree), 3);
}

#[test]
fn public_functions_do_not_get() {
    hold("No `get_` before what a function gives.", getters(&PROJECT));
}

#[test]
fn a_getter_is_found() {
    let text = "pub fn get_a() {} fn get_b() {} pub(crate) const fn get_c() {} pub fn target() {}
        impl X { pub async fn get_d(&self) {} fn e() { f.get_g() } }";
    finds(getters(&Tree::sample(&[("a/src/b.rs", text)])), 3);
}

#[test]
fn types_are_plain_nouns() {
    hold("No vague endings on type names.", vague_types(&PROJECT));
}

#[test]
fn a_vague_type_is_found() {
    let text = "struct NodeManager; enum StoreImpl {} type TraceInfo = (); trait FileData {}
        struct Metadata; struct Managers; fn f() -> JobInfo { JobInfo }";
    finds(vague_types(&Tree::sample(&[("a/src/b.rs", text)])), 4);
}

#[test]
fn public_traits_keep_to_their_budget() {
    hold("Few public traits, all of them planned.", traits_beyond_budget(&PROJECT));
}

#[test]
fn a_trait_beyond_the_budget_is_found() {
    let tree = Tree::sample(&[
        ("mspass-io/src/a.rs", "pub trait Reader {} pub trait Cacheable {} trait Inner {}"),
        ("mspass-io/src/b.rs", "pub trait Reader {} pub(crate) trait Near {}"),
        ("mspass-core/src/c.rs", "pub trait Writer {} mod sealed { pub trait Sealed {} }"),
        ("mspass-core/tests/d.rs", "pub trait Double {}"),
    ]);
    finds(traits_beyond_budget(&tree), 3);
}

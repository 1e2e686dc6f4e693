//! Sizes of files, lines and the repository.

use crate::{Finding, PROJECT, Tree, finds, hold};

const LINES_MAX: usize = 800;
const LINES_REVIEW: usize = 500;
const LIB_LINES_MAX: usize = 150;
const WIDTH_MAX: usize = 100;
const FILE_BYTES_MAX: u64 = 1_000_000;
const FIXTURES_BYTES_MAX: u64 = 6_000_000;

fn long_files(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        let lines = file.lines().count();
        let most = if file.name() == "lib.rs" { LIB_LINES_MAX } else { LINES_MAX };
        if lines > most {
            let what = format!("{lines} lines, at most {most}: split it by concept");
            findings.push(Finding::new(&file.path, 0, what));
        }
    }
    findings
}

/// Worth a second look, not wrong: lines above the mark before a file's inline tests begin.
fn files_to_review(tree: &Tree) -> Vec<String> {
    let files = tree.rust().filter(|file| !file.is_test()).map(|file| {
        let mut lines = file.lines();
        let before_tests = lines.position(|(_, line)| line.trim() == "#[cfg(test)]");
        (file, before_tests.unwrap_or_else(|| file.lines().count()))
    });
    let long = files.filter(|(_, lines)| *lines > LINES_REVIEW);
    long.map(|(file, lines)| format!("{}: {lines} lines", file.path)).collect()
}

fn wide_lines(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust() {
        for (number, line) in file.lines() {
            let width = line.chars().count();
            // An address cannot be broken.
            if width > WIDTH_MAX && !line.contains("://") {
                let what = format!("{width} characters wide, at most {WIDTH_MAX}");
                findings.push(Finding::new(&file.path, number, what));
            }
        }
    }
    findings
}

fn large_files(tree: &Tree) -> Vec<Finding> {
    let files = tree.files.iter().filter(|file| file.bytes > FILE_BYTES_MAX && !file.is_fixture());
    files
        .map(|file| Finding::new(&file.path, 0, format!("{} bytes: not a source file", file.bytes)))
        .collect()
}

/// Fixtures and documents together: everything that is not code.
fn heavy_fixtures(tree: &Tree) -> Vec<Finding> {
    let code = ["rs", "toml", "lock", "sh", "py"];
    let others = tree.files.iter().filter(|file| !code.contains(&file.extension()));
    let mut sizes: Vec<_> = others.map(|file| (file.bytes, &file.path)).collect();
    let total: u64 = sizes.iter().map(|(bytes, _)| bytes).sum();
    if total <= FIXTURES_BYTES_MAX {
        return Vec::new();
    }
    sizes.sort_by(|a, b| b.cmp(a));
    let heaviest = sizes.iter().take(10);
    let list: Vec<_> = heaviest.map(|(bytes, path)| format!("{path} {bytes}")).collect();
    let what = format!(
        "fixtures and documents weigh {total} bytes, at most {FIXTURES_BYTES_MAX}; heaviest: {}",
        list.join(", ")
    );
    vec![Finding::new(".", 0, what)]
}

#[test]
fn files_are_short() {
    for note in files_to_review(&PROJECT) {
        println!("review above {LINES_REVIEW} lines: {note}");
    }
    hold("Source files are short.", long_files(&PROJECT));
}

#[test]
fn a_long_file_is_found() {
    let lines = |count: usize| "//\n".repeat(count);
    let tree = Tree::sample(&[
        ("a/src/lib.rs", lines(151)),
        ("b/src/lib.rs", lines(150)),
        ("a/src/b.rs", lines(801)),
        ("a/src/c.rs", lines(501)),
        ("a/src/d.rs", format!("{}#[cfg(test)]\n{}", lines(500), lines(99))),
    ]);
    finds(long_files(&tree), 2);
    assert_eq!(files_to_review(&tree), ["a/src/b.rs: 801 lines", "a/src/c.rs: 501 lines"]);
}

#[test]
fn lines_fit_a_hundred_columns() {
    hold("Lines fit 100 columns, comments and strings too.", wide_lines(&PROJECT));
}

#[test]
fn a_wide_line_is_found() {
    let wide = format!("// {}\n// {}\n", "é".repeat(98), "é".repeat(97));
    let address = format!("// https://example.org/{}\n", "a".repeat(98));
    finds(wide_lines(&Tree::sample(&[("a.rs", &wide), ("b.rs", &address)])), 1);
}

#[test]
fn the_repository_is_light() {
    hold("No large files outside the fixtures.", large_files(&PROJECT));
    hold("The fixtures stay small.", heavy_fixtures(&PROJECT));
}

#[test]
fn a_heavy_file_is_found() {
    let sample = || {
        let mut tree = Tree::sample(&[("a.bin", ""), ("fixtures/b.bin", ""), ("c.rs", "")]);
        tree.files[0].bytes = 1_000_001;
        tree.files[1].bytes = 4_999_999;
        tree
    };
    finds(large_files(&sample()), 1);
    finds(heavy_fixtures(&sample()), 0);
    let mut tree = sample();
    tree.files[1].bytes += 1;
    finds(heavy_fixtures(&tree), 1);
}

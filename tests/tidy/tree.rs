//! The files the rules look at.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lexer::Source;

/// Folders below which a file may be large: real data and reference answers.
const FIXTURE_FOLDERS: [&str; 4] = ["fixtures", "golden", "waveforms", "sample"];

/// One file of the project.
#[derive(Debug)]
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    pub(crate) bytes: u64,
    /// `None` where the bytes are not UTF-8.
    pub(crate) text: Option<String>,
}

impl File {
    /// Last part of the path.
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// What follows the last dot of the name.
    pub(crate) fn extension(&self) -> &str {
        self.name().rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// Tests and benches, whole files of them; `#[cfg(test)]` items are marked in the tokens.
    pub(crate) fn is_test(&self) -> bool {
        let mut folders = self.path.split('/');
        self.name() == "tests.rs" || folders.any(|part| part == "tests" || part == "benches")
    }

    /// Lies in a folder of reference data.
    pub(crate) fn is_fixture(&self) -> bool {
        self.path.rsplit_once('/').is_some_and(|(folders, _)| {
            folders.split('/').any(|folder| FIXTURE_FOLDERS.contains(&folder))
        })
    }

    /// Lines of the text, counted from 1.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.iter().flat_map(|text| text.lines()).enumerate().map(|(i, line)| (i + 1, line))
    }
}

/// The files of a project, sorted by path.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

impl Tree {
    /// What git tracks, or all files where this is no checkout.
    pub(crate) fn of_project() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut paths = tracked(root);
        if !paths.iter().any(|path| path == "Cargo.toml") {
            paths = walk(root);
        }
        paths.sort();
        let files = paths.into_iter().filter_map(|path| {
            let bytes = fs::read(root.join(&path)).ok()?; // deleted but still tracked
            Some(File { path, bytes: bytes.len() as u64, text: String::from_utf8(bytes).ok() })
        });
        Self { files: files.collect() }
    }

    /// A made-up project of texts.
    pub(crate) fn sample<T: AsRef<str>>(files: &[(&str, T)]) -> Self {
        let file = |(path, text): &(&str, T)| File {
            path: (*path).to_owned(),
            bytes: text.as_ref().len() as u64,
            text: Some(text.as_ref().to_owned()),
        };
        Self { files: files.iter().map(file).collect() }
    }

    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The text of one file; empty where there is none.
    pub(crate) fn text(&self, path: &str) -> &str {
        self.file(path).and_then(|file| file.text.as_deref()).unwrap_or_default()
    }

    /// Every Rust file.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.extension() == "rs")
    }

    /// Every Rust file with its tokens.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&File, Source)> {
        self.rust().map(|file| (file, Source::parse(file.text.as_deref().unwrap_or_default())))
    }
}

fn tracked(root: &Path) -> Vec<String> {
    let listing = Command::new("git").arg("-C").arg(root).args(["ls-files", "-z"]).output();
    let bytes = listing.map(|output| output.stdout).unwrap_or_default();
    let names = bytes.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    names.map(|name| String::from_utf8_lossy(name).into_owned()).collect()
}

fn walk(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root.join(&folder)).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let hidden = name.starts_with('.') && name != ".ci";
            let made = name == "target" || name == "mspass-desktop";
            let path = folder.join(&name);
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !hidden && !made => folders.push(path),
                Ok(kind) if kind.is_file() && !hidden => {
                    found.push(path.to_string_lossy().replace('\\', "/"));
                }
                _ => {}
            }
        }
    }
    found
}

#[test]
fn both_ways_of_listing_see_the_manifests_and_this_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let walked = walk(root);
    for path in ["Cargo.toml", "tests/tidy/tree.rs", "mspass-core/src/lib.rs"] {
        assert!(walked.iter().any(|found| found == path), "{path} was not walked to");
        assert!(crate::PROJECT.file(path).is_some(), "{path} is not in the tree");
    }
}

#[test]
fn places_of_a_file_are_told_apart() {
    let tree =
        Tree::sample(&[("a/tests/b.rs", ""), ("a/src/x.rs", ""), ("tests/golden/v1/a.npy", "")]);
    let told: Vec<_> =
        tree.files.iter().map(|f| (f.is_test(), f.is_fixture(), f.extension())).collect();
    assert_eq!(told, [(true, false, "rs"), (false, false, "rs"), (true, true, "npy")]);
}

//! The rules this project means to keep, executed.
//!
//! Every rule is a plain function from the [`Tree`] of the project's files to [`Finding`]s. Each
//! has a test of its own over the real tree, and beside it a check over a bad sample which shows
//! that it can fail. A rule that turns out wrong is changed here, with its reason; it is not
//! worked around.
//!
//! `cargo test --release --test tidy` runs this alone.

mod code;
mod crates;
mod lexer;
mod names;
mod papers;
mod sizes;
mod tree;

use std::fmt;
use std::sync::LazyLock;

pub(crate) use tree::{File, Tree};

/// One place that breaks a rule.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Finding {
    path: String,
    /// Counted from 1; 0 stands for the file as a whole.
    line: usize,
    what: String,
}

impl Finding {
    pub(crate) fn new(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// The project's own files, read once.
pub(crate) static PROJECT: LazyLock<Tree> = LazyLock::new(Tree::of_project);

/// Fails with a list that can be worked through, one place a line.
#[track_caller]
pub(crate) fn hold(rule: &str, findings: Vec<Finding>) {
    let list: String = findings.iter().map(|finding| format!("\n  {finding}")).collect();
    assert!(findings.is_empty(), "{rule}\n{} to mend:{list}\n", findings.len());
}

/// Fails unless the rule finds exactly `expected` places in a bad sample.
#[track_caller]
pub(crate) fn finds(findings: Vec<Finding>, expected: usize) {
    let list: String = findings.iter().map(|finding| format!("\n  {finding}")).collect();
    assert_eq!(findings.len(), expected, "the rule found:{list}\n");
}

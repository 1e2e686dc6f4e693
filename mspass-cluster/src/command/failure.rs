//! Why a command ends early.

use std::io;

use crate::error::Error;

/// Why a command ends early; the text is one sentence for a person.
#[derive(Debug)]
pub(super) enum Failure {
    /// What was asked for cannot be.
    BadInput(String),
    /// It could be, but failed.
    Failed(String),
    /// Whoever read standard output has enough.
    ClosedPipe,
}

impl Failure {
    pub(super) fn bad_input(sentence: impl Into<String>) -> Self {
        Self::BadInput(sentence.into())
    }
}

impl From<mspass_io::Error> for Failure {
    fn from(error: mspass_io::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.exit_code() {
            super::BAD_INPUT => Self::BadInput(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// Of standard output; all other files speak through an error that names them.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Failed(format!("cannot write to standard output: {error}")),
        }
    }
}

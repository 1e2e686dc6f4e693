//! The crate's one error type.

use std::path::PathBuf;

/// What this crate refuses. Bad data are dead data, never an `Err` of a run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A message did not get its reply; whether it was handled is not known.
    #[error(transparent)]
    Mail(#[from] crate::mailbox::MailError),
    /// A store or a file failed.
    #[error(transparent)]
    Store(#[from] mspass_io::Error),
    /// A parameter of a workflow can never work.
    #[error("step '{step}': {source}")]
    Step {
        /// Name of the step.
        step: String,
        /// What is wrong.
        source: mspass_core::Error,
    },
    /// A journal cannot be read or written; completions since the last flush may be lost, and the
    /// work they stand for is done again.
    #[error("journal {}: {reason}", path.display())]
    Journal {
        /// Its file.
        path: PathBuf,
        /// What happened.
        reason: String,
    },
    /// The job of this name was another one; nothing was changed.
    #[error("{0}")]
    Refused(String),
    /// A secret or a certificate cannot be used; the sentence names it and the remedy, never what
    /// is in it.
    #[error("{0}")]
    Security(String),
    /// Another node cannot be reached, or this one not listen.
    #[error("{0}")]
    Network(String),
    /// The operating system refused a thread.
    #[error("cannot start thread {name}: {source}")]
    Thread {
        /// Its name.
        name: String,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

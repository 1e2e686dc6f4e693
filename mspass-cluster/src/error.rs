//! The crate's one error type, which knows its exit code.

use std::path::PathBuf;

/// Why a program cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An archive that is no readable folder.
    #[error("cannot read the archive {}: {error}; name a folder of miniSEED files", path.display())]
    Archive {
        /// What was named.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A workdir that cannot be written to.
    #[error("cannot write to the workdir {}: {error}; name another with --workdir", path.display())]
    Workdir {
        /// What was named.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// A process cannot be started, bound or ended.
    #[error("cannot {action}: {error}")]
    Process {
        /// What was tried.
        action: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// A flag or variable that cannot be, or that contradicts another.
    #[error("{0}")]
    Option(String),
    /// Another process of the cluster was not found in time, or went away.
    #[error("{0}")]
    Cluster(String),
    /// The job ended before its end.
    #[error("the job failed: {0}; what was acknowledged is stored, the same command goes on")]
    Failed(String),
    /// The job ended before its end, for a reason that a person can mend.
    #[error(
        "the job stopped: {0}; what was acknowledged is stored, mended the same command goes on"
    )]
    Stopped(String),
    /// An actor, or a workflow.
    #[error(transparent)]
    Actors(#[from] mspass_actors::Error),
    /// A store, a format or a file.
    #[error(transparent)]
    Io(#[from] mspass_io::Error),
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// 2 where a person can mend the input, 1 where something broke.
    pub fn exit_code(&self) -> u8 {
        use mspass_io::Error as Io;
        let io = |error: &Io| match error {
            Io::Store { action, .. } if action != "connect" => 1,
            Io::Format { .. } | Io::Waveform { .. } => 1,
            Io::NoBlob { .. } | Io::DuplicateKey { .. } => 1,
            _ => 2,
        };
        match self {
            Self::Archive { .. } | Self::Workdir { .. } => 2,
            Self::Option(_) | Self::Stopped(_) => 2,
            Self::Io(error) => io(error),
            Self::Actors(mspass_actors::Error::Store(error)) => io(error),
            Self::Actors(mspass_actors::Error::Step { .. } | mspass_actors::Error::Refused(_)) => 2,
            _ => 1,
        }
    }
}

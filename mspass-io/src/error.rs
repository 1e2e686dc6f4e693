//! The crate's one error type.

use std::path::PathBuf;

/// Whatever a backend, a parser or the system said.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What this crate refuses. Damaged *data* is reported beside the sound records, not as an `Err`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write a path. What was written before stays.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried: "read", "open", "create", ...
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Bytes are not what their format allows; nothing was emitted for them.
    #[error("{format} at byte {offset}: {reason}")]
    Format {
        /// Name of the format.
        format: &'static str,
        /// Where in the input.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// A document with this `_id` is there already; the documents before it were inserted.
    #[error("collection {collection} already holds a document with _id {id}")]
    DuplicateKey {
        /// Collection.
        collection: String,
        /// The `_id`, as relaxed extended JSON.
        id: String,
    },
    /// No blob of this id; the store is unchanged.
    #[error("no samples are stored under the id {id}")]
    NoBlob {
        /// The id, 24 hexadecimal digits.
        id: String,
    },
    /// An object that is not there, or may not be read or written.
    #[error("object {url}: {reason}")]
    Object {
        /// Its address.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// A saved waveform whose document contradicts itself or its samples; nothing was read.
    #[error("waveform {id}: {reason}")]
    Waveform {
        /// The `_id` of its document, as relaxed extended JSON or 24 hexadecimal digits.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// A filter, update, sort or projection that the document language does not have.
    #[error("query: {reason}")]
    Query {
        /// What is wrong with it.
        reason: String,
    },
    /// Another process holds the embedded store.
    #[error(
        "the embedded store {} is in use by {holder}: stop it, or choose another workdir",
        path.display()
    )]
    StoreInUse {
        /// Folder of the store.
        path: PathBuf,
        /// Process that holds it, as "NAME (pid N)".
        holder: String,
    },
    /// An embedded store written by a newer version.
    #[error(
        "the embedded store {} has format {found}, this program knows up to {known}: use a newer \
         program",
        path.display()
    )]
    StoreTooNew {
        /// Folder of the store.
        path: PathBuf,
        /// Format found.
        found: u32,
        /// Newest format known here.
        known: u32,
    },
    /// A store failed; what it acknowledged before stays.
    #[error("the {store} store failed to {action}: {source}")]
    Store {
        /// "embedded", "MongoDB", ...
        store: &'static str,
        /// What was tried.
        action: String,
        /// What the backend said.
        source: BoxError,
    },
    /// The disk under a store is full or may not be written to; what was acknowledged before stays.
    #[error(
        "the {store} store failed to {action}: {reason}; make room there, or name another place"
    )]
    Disk {
        /// "embedded", ...
        store: &'static str,
        /// What was tried.
        action: String,
        /// What the system said.
        reason: String,
    },
    /// A database name that is none of the forms known.
    #[error("'{name}' names no database: write embedded:PATH or mongodb://HOST:PORT/NAME")]
    DatabaseName {
        /// What was given.
        name: String,
    },
    /// Something a person asked for cannot be done as asked; the text says what and the remedy.
    #[error("{0}")]
    Refused(String),
}

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An [`Error::File`] maker for `map_err`.
    pub fn file(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { action, path, source }
    }

    /// An [`Error::Query`].
    pub fn query(reason: impl Into<String>) -> Self {
        Self::Query { reason: reason.into() }
    }

    /// An [`Error::Store`] maker for `map_err`.
    pub fn store<E: Into<BoxError>>(
        store: &'static str,
        action: impl Into<String>,
    ) -> impl FnOnce(E) -> Self {
        let action = action.into();
        move |source| Self::Store { store, action, source: source.into() }
    }
}

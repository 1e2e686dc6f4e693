//! What the database under the store says, as the errors of this crate.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};
use std::path::Path;

use redb::{CommitError, DatabaseError, StorageError, TableError, TransactionError};

use crate::error::{BoxError, Error};

const STORE: &str = "embedded";

/// An [`Error::Disk`] or [`Error::Store`] of this store, for `map_err`.
pub(super) fn failed<E: Into<BoxError>>(action: &'static str) -> impl FnOnce(E) -> Error {
    move |error| {
        let source: BoxError = error.into();
        match system(&*source).filter(|error| is_of_the_disk(error)) {
            Some(error) => disk(action, error),
            None => Error::store(STORE, action)(source),
        }
    }
}

/// The same error for one more of those whom it concerns.
pub(super) fn shared(error: &Error) -> Error {
    match error {
        Error::Disk { store, action, reason } => {
            Error::Disk { store, action: action.clone(), reason: reason.clone() }
        }
        other => Error::store(STORE, "commit")(other.to_string()),
    }
}

/// The error of a database file that cannot be opened.
pub(super) fn open_failed(error: DatabaseError, file: &Path) -> Error {
    match error {
        DatabaseError::Storage(StorageError::Io(source)) => {
            Error::File { action: "open", path: file.to_owned(), source }
        }
        error => Error::store(STORE, format!("open {}", file.display()))(error),
    }
}

/// The error of bytes that could not be written into `file`.
pub(super) fn write_failed(error: io::Error, file: &Path) -> Error {
    match is_of_the_disk(&error) {
        true => disk(&format!("write {}", file.display()), &error),
        false => Error::file("write", file)(error),
    }
}

fn disk(action: &str, error: &io::Error) -> Error {
    Error::Disk { store: STORE, action: action.to_owned(), reason: error.to_string() }
}

/// What the system said, where it was the system.
fn system<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e io::Error> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return Some(error);
    }
    let storage = if let Some(TransactionError::Storage(error)) = error.downcast_ref() {
        error
    } else if let Some(TableError::Storage(error)) = error.downcast_ref() {
        error
    } else if let Some(CommitError::Storage(error)) = error.downcast_ref() {
        error
    } else {
        error.downcast_ref::<StorageError>()?
    };
    match storage {
        StorageError::Io(error) => Some(error),
        _ => None,
    }
}

/// Whether a person can mend it: make room, or give the right to write.
fn is_of_the_disk(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::PermissionDenied
            | ErrorKind::FileTooLarge
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let full = || io::Error::from(ErrorKind::StorageFull);
        let errors: [BoxError; 4] = [
            full().into(),
            StorageError::Io(full()).into(),
            TransactionError::Storage(StorageError::Io(full())).into(),
            CommitError::Storage(StorageError::Io(full())).into(),
        ];
        for error in errors {
            let error = failed("commit")(error);
            assert!(matches!(error, Error::Disk { .. }), "{error:?}");
            assert_eq!(shared(&error).to_string(), error.to_string());
        }
        let broken = StorageError::Io(ErrorKind::BrokenPipe.into());
        assert!(matches!(failed("commit")(broken), Error::Store { .. }));
        assert!(matches!(failed("commit")(StorageError::PreviousIo), Error::Store { .. }));
    }
}

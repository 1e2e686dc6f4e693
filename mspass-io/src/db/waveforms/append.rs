//! Files that many writers add to, of this process and others: what one adds stands in one piece.

use std::fs::{File, OpenOptions};
use std::io::{Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::error::{Error, Result};

/// How often a file that another writer takes away under us is opened again.
const REOPENED_MAX: usize = 100;

/// Adds `bytes` to the file at `path`, made where it is not there, and returns where they begin.
///
/// The file is locked meanwhile, so writers wait for each other, and written at its end whatever
/// happens, so one that takes no lock spoils nothing. Durable on return. Where it fails (the disk
/// is full) the file is as it was before.
///
/// # Errors
/// [`Error::File`].
pub(super) fn append(path: &Path, bytes: &[u8]) -> Result<u64> {
    let mut file = open_locked(path)?;
    let fault = |source| Error::File { action: "write", path: path.to_owned(), source };
    let before = file.metadata().map_err(fault)?.len();
    let written = write_at_end(&mut file, bytes);
    if written.is_err() {
        if before == 0 {
            // Under the lock; whoever waits for it sees that this file is no longer at the path.
            std::fs::remove_file(path).map_err(fault)?;
        } else {
            file.set_len(before).map_err(fault)?;
        }
    }
    written.map_err(fault)
}

fn write_at_end(file: &mut File, bytes: &[u8]) -> std::io::Result<u64> {
    file.write_all(bytes)?;
    let end = file.stream_position()?;
    file.sync_data()?;
    Ok(end.saturating_sub(bytes.len() as u64))
}

/// The file, locked, and still the one at the path.
fn open_locked(path: &Path) -> Result<File> {
    let fault = |action| Error::file(action, path);
    for _ in 0..REOPENED_MAX {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(fault("create"))?;
        file.lock().map_err(fault("lock"))?;
        let ours = file.metadata().map_err(fault("read"))?;
        match std::fs::metadata(path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => return Ok(file),
            _ => {}
        }
    }
    let path = path.display();
    Err(Error::Refused(format!("{path} is taken away again and again: choose another file")))
}

/// Writes a file of its own, whole or not at all.
///
/// # Errors
/// [`Error::File`]; [`Error::Refused`] where there is one already and it may not be replaced.
pub(super) fn write_whole(path: &Path, bytes: &[u8], overwrite: bool) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", bson::oid::ObjectId::new()));
    let part = path.with_file_name(name);
    let written = write_part(&part, bytes).and_then(|()| match overwrite {
        true => std::fs::rename(&part, path),
        false => std::fs::hard_link(&part, path).and_then(|()| std::fs::remove_file(&part)),
    });
    written.map_err(|source| {
        // It may not be there at all; of what went wrong first the caller is told.
        let _ = std::fs::remove_file(&part);
        if source.kind() == std::io::ErrorKind::AlreadyExists {
            let path = path.display();
            return Error::Refused(format!("{path} is there already: choose another dfile"));
        }
        Error::File { action: "write", path: path.to_owned(), source }
    })
}

fn write_part(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

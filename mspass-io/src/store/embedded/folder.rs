//! The folder of an embedded store: its format, and the lock that names who holds it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// Format written here, and the newest that is read.
const FORMAT: u32 = 1;

const FORMAT_FILE: &str = "FORMAT";
const FORMAT_NEW: &str = "FORMAT.new";
const FORMAT_NAME: &str = "mspass-embedded";
const LOCK_FILE: &str = "LOCK";

/// Bytes of the lock file and of the format file that are looked at.
const TEXT_BYTES_MAX: u64 = 256;

/// A store's folder, locked for as long as this lives.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder if it is not there, locks it and checks its format.
    pub(super) fn open(path: &Path, holder: &str) -> Result<Self> {
        fs::create_dir_all(path).map_err(Error::file("create", path))?;
        refuse_foreign(path)?;
        let lock = lock(path, holder)?;
        match read_text(&path.join(FORMAT_FILE))? {
            None => write_format(path)?,
            Some(text) => check_format(path, &text)?,
        }
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

/// A folder with files but no format is not a store: nothing is written to it.
fn refuse_foreign(path: &Path) -> Result<()> {
    if path.join(FORMAT_FILE).exists() {
        return Ok(());
    }
    for entry in fs::read_dir(path).map_err(Error::file("read", path))? {
        let name = entry.map_err(Error::file("read", path))?.file_name();
        if name != LOCK_FILE && name != FORMAT_NEW {
            return Err(Error::Refused(format!(
                "the folder {} is not an embedded store and not empty: choose another",
                path.display()
            )));
        }
    }
    Ok(())
}

fn lock(path: &Path, holder: &str) -> Result<File> {
    let file = path.join(LOCK_FILE);
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&file)
        .map_err(Error::file("open", &file))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let named = read_text(&file).ok().flatten().filter(|name| !name.is_empty());
            let holder = named.unwrap_or_else(|| "another program".to_owned());
            return Err(Error::StoreInUse { path: path.to_owned(), holder });
        }
        Err(TryLockError::Error(source)) => {
            return Err(Error::File { action: "lock", path: file, source });
        }
    }
    let text = format!("{holder} (pid {})\n", std::process::id());
    lock.set_len(0)
        .and_then(|()| lock.write_all(text.as_bytes()))
        .map_err(Error::file("write", file))?;
    Ok(lock)
}

/// First line of a small text file, or `None` where there is no such file.
fn read_text(path: &Path) -> Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::File { action: "open", path: path.to_owned(), source }),
    };
    let mut bytes = Vec::new();
    file.take(TEXT_BYTES_MAX).read_to_end(&mut bytes).map_err(Error::file("read", path))?;
    let text = String::from_utf8_lossy(&bytes);
    Ok(Some(text.lines().next().unwrap_or_default().trim().to_owned()))
}

fn write_format(path: &Path) -> Result<()> {
    let (new, file) = (path.join(FORMAT_NEW), path.join(FORMAT_FILE));
    let write = || {
        let mut file = File::create(&new)?;
        writeln!(file, "{FORMAT_NAME} {FORMAT}")?;
        file.sync_all()
    };
    write().map_err(Error::file("write", &new))?;
    fs::rename(&new, &file).map_err(Error::file("create", file))?;
    sync_folder(path)
}

/// Makes the names of new files durable, where the system can.
pub(super) fn sync_folder(path: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(path).and_then(|f| f.sync_all()).map_err(Error::file("sync", path))?;
    }
    Ok(())
}

fn check_format(path: &Path, text: &str) -> Result<()> {
    let found = text.strip_prefix(FORMAT_NAME).and_then(|rest| rest.trim().parse().ok());
    match found {
        Some(FORMAT) => Ok(()),
        Some(found) if found > FORMAT => {
            Err(Error::StoreTooNew { path: path.to_owned(), found, known: FORMAT })
        }
        _ => Err(Error::Refused(format!(
            "the file {} is not that of an embedded store: choose another folder",
            path.join(FORMAT_FILE).display()
        ))),
    }
}

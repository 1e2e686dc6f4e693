//! The pieces themselves: in memory under a budget, the oldest of them in files beyond it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{KeepError, PieceFault, PieceName};
use crate::error::{Error, Result};

/// Pieces kept at the same time.
pub const PIECES_MAX: usize = 1 << 20;
/// Beginning of the names of the folders that keepers make.
const FOLDER: &str = "pieces-";
/// A file locked as long as the keeper lives.
const LOCK: &str = "lock";

/// Where pieces are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceOptions {
    /// The worker's folder; each keeper makes one of its own in it.
    pub folder: PathBuf,
    /// Bytes of pieces in memory at most.
    pub memory_bytes_max: u64,
}

/// The pieces that one worker process keeps. When it is dropped its files go; those of a keeper
/// that was killed go when the next one starts in the same folder.
#[derive(Debug)]
pub struct PieceKeeper {
    memory_bytes_max: u64,
    folder: PathBuf,
    kept: Mutex<Kept>,
    /// Locked while this keeper lives.
    _lock: File,
}

#[derive(Debug, Default)]
struct Kept {
    pieces: HashMap<PieceName, Place>,
    /// Names of pieces in memory, the oldest first; some may be gone.
    order: VecDeque<PieceName>,
    memory_bytes: u64,
    files: u64,
}

impl Kept {
    /// Strikes names of pieces that are gone, once they are the greater part.
    fn tidy_order(&mut self) {
        if self.order.len() > 2 * self.pieces.len() + 64 {
            let (pieces, mut seen) = (&self.pieces, HashSet::new());
            self.order.retain(|name| {
                matches!(pieces.get(name), Some(Place::Memory(_))) && seen.insert(name.clone())
            });
        }
    }
}

#[derive(Clone, Debug)]
enum Place {
    Memory(Bytes),
    File(u64),
}

impl PieceKeeper {
    /// A keeper with a folder of its own in that of the worker; what keepers that were killed left
    /// there is removed.
    ///
    /// # Errors
    /// When the folder cannot be made or locked.
    pub fn start(options: &PieceOptions) -> Result<Self> {
        let file = |action| mspass_io::Error::file(action, &options.folder);
        fs::create_dir_all(&options.folder).map_err(file("create")).map_err(Error::Store)?;
        remove_stale(&options.folder);
        for number in 0u64.. {
            let name = format!("{FOLDER}{}-{number}", std::process::id());
            let folder = options.folder.join(name);
            match fs::create_dir(&folder) {
                Ok(()) => {
                    let lock = File::create(folder.join(LOCK));
                    let lock = lock.and_then(|file| file.lock().map(|()| file));
                    let lock = lock.map_err(file("lock")).map_err(Error::Store)?;
                    return Ok(Self {
                        memory_bytes_max: options.memory_bytes_max,
                        folder,
                        kept: Mutex::default(),
                        _lock: lock,
                    });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::Store(file("create")(error))),
            }
        }
        unreachable!("a folder of some number is free")
    }

    /// Keeps a piece, in the place of one of the same name. Older pieces may go to the disk.
    ///
    /// # Errors
    /// [`KeepError`]; this piece is not kept then, and all others still are.
    pub fn keep(&self, name: PieceName, bytes: Bytes) -> Result<(), KeepError> {
        let mut kept = self.kept();
        if kept.pieces.len() >= PIECES_MAX && !kept.pieces.contains_key(&name) {
            return Err(KeepError::TooMany);
        }
        // Room is made before anything changes hands.
        let size = bytes.len() as u64;
        let place = if size > self.memory_bytes_max {
            Place::File(self.spill(&mut kept, &bytes)?)
        } else {
            while kept.memory_bytes + size > self.memory_bytes_max {
                let Some(oldest) = kept.order.pop_front() else { break };
                let Some(Place::Memory(old)) = kept.pieces.get(&oldest).cloned() else { continue };
                match self.spill(&mut kept, &old) {
                    Ok(file) => {
                        kept.memory_bytes -= old.len() as u64;
                        kept.pieces.insert(oldest, Place::File(file));
                    }
                    Err(error) => {
                        kept.order.push_front(oldest);
                        return Err(error);
                    }
                }
            }
            Place::Memory(bytes)
        };
        self.forget(&mut kept, &name);
        if matches!(place, Place::Memory(_)) {
            kept.memory_bytes += size;
            kept.order.push_back(name.clone());
        }
        kept.pieces.insert(name, place);
        kept.tidy_order();
        Ok(())
    }

    /// The bytes of a piece.
    ///
    /// # Errors
    /// [`PieceFault`].
    pub fn read(&self, name: &PieceName) -> Result<Bytes, PieceFault> {
        let place = self.kept().pieces.get(name).cloned();
        match place {
            None => Err(PieceFault::Lost(name.clone())),
            Some(Place::Memory(bytes)) => Ok(bytes),
            Some(Place::File(number)) => {
                let path = self.file(number);
                match fs::read(&path) {
                    Ok(bytes) => Ok(Bytes::from(bytes)),
                    // It was dropped meanwhile, or somebody cleared the folder.
                    Err(error) if error.kind() == ErrorKind::NotFound => {
                        Err(PieceFault::Lost(name.clone()))
                    }
                    Err(error) => {
                        Err(PieceFault::Unread(format!("cannot read {}: {error}", path.display())))
                    }
                }
            }
        }
    }

    /// Lets go of the pieces of a job, or of one of its stages, and tells how many there were.
    pub fn drop_pieces(&self, job: &str, stage: Option<u32>) -> u64 {
        let mut kept = self.kept();
        let of = |name: &&PieceName| name.job == job && stage.is_none_or(|s| name.stage == s);
        let names: Vec<PieceName> = kept.pieces.keys().filter(of).cloned().collect();
        names.iter().for_each(|name| self.forget(&mut kept, name));
        names.len() as u64
    }

    /// Bytes of pieces in memory.
    pub fn memory_bytes(&self) -> u64 {
        self.kept().memory_bytes
    }

    /// Folder of the files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number}.piece"))
    }

    fn spill(&self, kept: &mut Kept, bytes: &Bytes) -> Result<u64, KeepError> {
        kept.files += 1;
        let path = self.file(kept.files);
        if let Err(error) = fs::write(&path, bytes) {
            let _ = fs::remove_file(&path);
            return Err(KeepError::Spill { bytes: bytes.len(), path, error });
        }
        Ok(kept.files)
    }

    fn forget(&self, kept: &mut Kept, name: &PieceName) {
        match kept.pieces.remove(name) {
            Some(Place::Memory(bytes)) => {
                kept.memory_bytes -= bytes.len() as u64;
            }
            Some(Place::File(number)) => drop(fs::remove_file(self.file(number))),
            None => {}
        }
    }
}

impl Drop for PieceKeeper {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Removes the folders of keepers that are gone: their locks are free.
fn remove_stale(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().to_str().is_some_and(|name| name.starts_with(FOLDER));
        if !ours {
            continue;
        }
        let lock = File::open(entry.path().join(LOCK));
        let held = lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
        if !held {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(job: &str, stage: u32, part: u64) -> PieceName {
        PieceName { job: job.into(), stage, bucket: 0, part }
    }

    fn piece(part: u64, size: usize) -> Bytes {
        Bytes::from(vec![part as u8; size])
    }

    fn keeper(folder: &Path, memory_bytes_max: u64) -> PieceKeeper {
        PieceKeeper::start(&PieceOptions { folder: folder.into(), memory_bytes_max }).unwrap()
    }

    fn files(keeper: &PieceKeeper) -> usize {
        fs::read_dir(keeper.folder()).unwrap().count() - 1
    }

    #[test]
    fn memory_is_bounded_and_everything_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = keeper(folder.path(), 1000);
        for part in 0..50 {
            keeper.keep(name("a", 1, part), piece(part, 300)).unwrap();
            assert!(keeper.memory_bytes() <= 1000);
        }
        keeper.keep(name("a", 2, 0), piece(7, 5000)).unwrap();
        assert_eq!((keeper.memory_bytes(), files(&keeper)), (900, 48));
        for part in 0..50 {
            assert_eq!(keeper.read(&name("a", 1, part)).unwrap(), piece(part, 300));
        }
        assert_eq!(keeper.read(&name("a", 2, 0)).unwrap(), piece(7, 5000));
        assert_eq!(keeper.drop_pieces("b", None), 0);
        assert_eq!(keeper.drop_pieces("a", Some(1)), 50);
        assert_eq!((keeper.memory_bytes(), files(&keeper)), (0, 1));
        let lost = name("a", 1, 3);
        assert_eq!(keeper.read(&lost), Err(PieceFault::Lost(lost)));
        assert_eq!(keeper.drop_pieces("a", None), 1);
        assert_eq!(files(&keeper), 0);
    }

    #[test]
    fn a_piece_made_again_takes_the_place_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = keeper(folder.path(), 100);
        for size in [60, 80, 500, 500, 10] {
            keeper.keep(name("a", 1, 1), piece(size as u64, size)).unwrap();
            assert_eq!(keeper.read(&name("a", 1, 1)).unwrap(), piece(size as u64, size));
        }
        assert_eq!((keeper.memory_bytes(), files(&keeper)), (10, 0));
        for _ in 0..1000 {
            keeper.keep(name("a", 1, 1), piece(1, 10)).unwrap();
        }
        assert!(keeper.kept().order.len() <= 66);
    }

    #[test]
    fn files_go_with_their_keeper_and_stale_ones_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let stale = folder.path().join("pieces-1-0");
        fs::create_dir(&stale).unwrap();
        fs::write(stale.join("1.piece"), b"old").unwrap();
        fs::write(folder.path().join("other"), b"not ours").unwrap();
        let (one, two) = (keeper(folder.path(), 0), keeper(folder.path(), 0));
        assert!(!stale.exists());
        one.keep(name("a", 1, 1), piece(1, 10)).unwrap();
        let three = keeper(folder.path(), 0);
        assert_eq!(one.read(&name("a", 1, 1)).unwrap(), piece(1, 10));
        drop((one, two, three));
        let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap()).collect();
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].file_name(), "other");
    }

    #[test]
    fn a_disk_that_takes_no_more_says_so_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = keeper(folder.path(), 100);
        keeper.keep(name("a", 1, 1), piece(1, 90)).unwrap();
        fs::remove_dir_all(keeper.folder()).unwrap();
        let error = keeper.keep(name("a", 1, 2), piece(2, 90)).unwrap_err().to_string();
        assert!(error.starts_with("cannot write 90 bytes of pieces to "), "{error}");
        assert!(error.ends_with("or name another folder in MSPASS_WORKER_DIR"), "{error}");
        assert_eq!(keeper.read(&name("a", 1, 1)).unwrap(), piece(1, 90));
        assert_eq!(keeper.memory_bytes(), 90);
        assert!(keeper.keep(name("a", 1, 3), piece(3, 5)).is_ok(), "small ones still fit");
    }
}

//! The pieces themselves: in memory under a budget, the oldest of them in files beyond it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{KeepError, ListPieces, Listing, PieceFault, PieceName};

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
    options: PieceOptions,
    kept: Mutex<Kept>,
}

/// A folder of this keeper's own, made when it is first needed, and gone with it.
#[derive(Debug)]
struct Home {
    folder: PathBuf,
    /// Locked while the keeper lives.
    _lock: File,
}

#[derive(Debug, Default)]
struct Kept {
    pieces: BTreeMap<PieceName, Place>,
    /// Parts of which every piece is here, by job and stage.
    whole: HashMap<(String, u32), BTreeSet<u64>>,
    /// Names of pieces in memory, the oldest first; some may be gone.
    order: VecDeque<PieceName>,
    memory_bytes: u64,
    files: u64,
    home: Option<Home>,
}

impl Kept {
    fn file(&self, number: u64) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.file(number))
    }

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
    /// Its number, and the bytes in it.
    File(u64, u64),
}

impl Place {
    fn bytes(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::File(_, bytes) => *bytes,
        }
    }
}

impl PieceKeeper {
    /// A keeper that makes a folder of its own in that of the worker when memory is not enough; what
    /// keepers that were killed left there is removed.
    pub fn start(options: &PieceOptions) -> Self {
        remove_stale(&options.folder);
        Self { options: options.clone(), kept: Mutex::default() }
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
        let place = if size > self.options.memory_bytes_max {
            Place::File(self.spill(&mut kept, &bytes)?, size)
        } else {
            while kept.memory_bytes + size > self.options.memory_bytes_max {
                let Some(oldest) = kept.order.pop_front() else { break };
                let Some(Place::Memory(old)) = kept.pieces.get(&oldest).cloned() else { continue };
                match self.spill(&mut kept, &old) {
                    Ok(file) => {
                        kept.memory_bytes -= old.len() as u64;
                        kept.pieces.insert(oldest, Place::File(file, old.len() as u64));
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

    /// All pieces of a part are here: they may be listed.
    pub fn finish_part(&self, job: &str, stage: u32, part: u64) {
        let mut kept = self.kept();
        kept.whole.entry((job.to_owned(), stage)).or_default().insert(part);
    }

    /// The pieces of a bucket, of parts that are whole.
    pub fn list(&self, asked: &ListPieces) -> Listing {
        let ListPieces { job, stage, bucket, with_parts } = asked;
        let kept = self.kept();
        let Some(whole) = kept.whole.get(&(job.clone(), *stage)) else { return Listing::default() };
        let name = |part, chunk| PieceName {
            job: job.clone(),
            stage: *stage,
            bucket: *bucket,
            part,
            chunk,
        };
        let of_bucket = kept.pieces.range(name(0, 0)..=name(u64::MAX, u32::MAX));
        let of_whole = of_bucket.filter(|(name, _)| whole.contains(&name.part));
        Listing {
            pieces: of_whole.map(|(name, place)| (name.part, name.chunk, place.bytes())).collect(),
            part_count: whole.len() as u64,
            part_sum: whole.iter().fold(0, |sum: u64, part| sum.wrapping_add(*part)),
            parts: if *with_parts { whole.iter().copied().collect() } else { Vec::new() },
        }
    }

    /// A file for whoever works on pieces; it has no name, and is gone when it is closed.
    ///
    /// # Errors
    /// What the system says.
    pub fn scratch_file(&self) -> std::io::Result<File> {
        let path = self.next_file(&mut self.kept())?.1;
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        fs::remove_file(&path)?;
        Ok(file)
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
            Some(Place::File(number, _)) => {
                let Some(path) = self.kept().file(number) else {
                    return Err(PieceFault::Lost(name.clone()));
                };
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
        kept.whole.retain(|(of, number), _| of != job || stage.is_some_and(|s| s != *number));
        names.len() as u64
    }

    /// Bytes of pieces in memory.
    pub fn memory_bytes(&self) -> u64 {
        self.kept().memory_bytes
    }

    /// The worker's folder, in which that of this keeper is.
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number and path of a file that is not there yet.
    fn next_file(&self, kept: &mut Kept) -> std::io::Result<(u64, PathBuf)> {
        let home = match &mut kept.home {
            Some(home) => home,
            none => none.insert(Home::make(&self.options.folder)?),
        };
        kept.files += 1;
        Ok((kept.files, home.file(kept.files)))
    }

    fn spill(&self, kept: &mut Kept, bytes: &Bytes) -> Result<u64, KeepError> {
        let refuse = |path: PathBuf, error| KeepError::Spill { bytes: bytes.len(), path, error };
        let (number, path) =
            self.next_file(kept).map_err(|error| refuse(self.options.folder.clone(), error))?;
        if let Err(error) = fs::write(&path, bytes) {
            let _ = fs::remove_file(&path);
            return Err(refuse(path, error));
        }
        Ok(number)
    }

    fn forget(&self, kept: &mut Kept, name: &PieceName) {
        match kept.pieces.remove(name) {
            Some(Place::Memory(bytes)) => {
                kept.memory_bytes -= bytes.len() as u64;
            }
            Some(Place::File(number, _)) => {
                if let Some(path) = kept.file(number) {
                    drop(fs::remove_file(path));
                }
            }
            None => {}
        }
    }
}

impl Home {
    fn make(worker: &Path) -> std::io::Result<Self> {
        fs::create_dir_all(worker)?;
        let mut number = 0_u64;
        loop {
            let folder = worker.join(format!("{FOLDER}{}-{number}", std::process::id()));
            match fs::create_dir(&folder) {
                Ok(()) => {
                    let lock = File::create(folder.join(LOCK))?;
                    lock.lock()?;
                    return Ok(Self { folder, _lock: lock });
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn file(&self, number: u64) -> PathBuf {
        self.folder.join(format!("{number}.piece"))
    }
}

impl Drop for Home {
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
        PieceName { job: job.into(), stage, bucket: 0, part, chunk: 0 }
    }

    fn piece(part: u64, size: usize) -> Bytes {
        Bytes::from(vec![part as u8; size])
    }

    fn keeper(folder: &Path, memory_bytes_max: u64) -> PieceKeeper {
        PieceKeeper::start(&PieceOptions { folder: folder.into(), memory_bytes_max })
    }

    fn home(keeper: &PieceKeeper) -> PathBuf {
        keeper.kept().home.as_ref().unwrap().folder.clone()
    }

    fn files(keeper: &PieceKeeper) -> usize {
        fs::read_dir(home(keeper)).unwrap().count() - 1
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
    fn pieces_are_listed_once_their_part_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = keeper(folder.path(), 100);
        let list = ListPieces { job: "a".into(), stage: 1, bucket: 0, with_parts: true };
        for (part, size) in [(7, 60), (3, 80)] {
            keeper.keep(name("a", 1, part), piece(1, size)).unwrap();
        }
        keeper.keep(PieceName { bucket: 1, ..name("a", 1, 9) }, piece(1, 5)).unwrap();
        assert_eq!(keeper.list(&list), Listing::default());
        [3, 9].into_iter().for_each(|part| keeper.finish_part("a", 1, part));
        let listing = keeper.list(&list);
        assert_eq!(listing.pieces, [(3, 0, 80)]);
        assert_eq!((listing.part_count, listing.part_sum, listing.parts), (2, 12, vec![3, 9]));
        keeper.drop_pieces("a", None);
        assert_eq!(keeper.list(&list), Listing::default());
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
        let error = keeper.keep(name("a", 1, 9), piece(9, 500));
        assert!(error.is_ok(), "it has made its folder");
        fs::remove_dir_all(home(&keeper)).unwrap();
        let error = keeper.keep(name("a", 1, 2), piece(2, 90)).unwrap_err().to_string();
        assert!(error.starts_with("cannot write 90 bytes of pieces to "), "{error}");
        assert!(error.ends_with("or name another folder in MSPASS_WORKER_DIR"), "{error}");
        assert_eq!(keeper.read(&name("a", 1, 1)).unwrap(), piece(1, 90));
        assert_eq!(keeper.memory_bytes(), 90);
        assert!(keeper.keep(name("a", 1, 3), piece(3, 5)).is_ok(), "small ones still fit");
    }
}

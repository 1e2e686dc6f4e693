//! The pieces themselves: in memory under a budget, the oldest of them on the disk beyond it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::{KeepError, ListPieces, Listing, PieceFault, PieceName};

/// Pieces kept at the same time.
pub const PIECES_MAX: usize = 1 << 20;

/// Where pieces are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceOptions {
    /// The worker's folder, whose disk takes what memory does not.
    pub folder: PathBuf,
    /// Bytes of pieces in memory at most.
    pub memory_bytes_max: u64,
}

/// The pieces that one worker process keeps. They are gone with it, whatever ends it: its files
/// have no names.
#[derive(Debug)]
pub struct PieceKeeper {
    options: PieceOptions,
    kept: Mutex<Kept>,
}

type StageOf = (String, u32);

#[derive(Debug, Default)]
struct Kept {
    pieces: BTreeMap<PieceName, Place>,
    /// Parts of which every piece is here, by job and stage.
    whole: HashMap<StageOf, BTreeSet<u64>>,
    /// Names of pieces in memory, the oldest first; some may be gone.
    order: VecDeque<PieceName>,
    memory_bytes: u64,
    /// Where the pieces of a stage go that memory does not hold, and how far it is written.
    spills: HashMap<StageOf, (Arc<File>, u64)>,
}

#[derive(Clone, Debug)]
enum Place {
    Memory(Bytes),
    Disk { file: Arc<File>, at: u64, bytes: u64 },
}

impl Place {
    fn bytes(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Disk { bytes, .. } => *bytes,
        }
    }
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

    fn forget(&mut self, name: &PieceName) {
        if let Some(Place::Memory(bytes)) = self.pieces.remove(name) {
            self.memory_bytes -= bytes.len() as u64;
        }
    }
}

impl PieceKeeper {
    /// A keeper without pieces; nothing is written before memory is not enough.
    pub fn start(options: &PieceOptions) -> Self {
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
        let (size, most) = (bytes.len() as u64, self.options.memory_bytes_max);
        let place = if size > most {
            self.spill(&mut kept, &name, &bytes)?
        } else {
            while kept.memory_bytes + size > most {
                let Some(oldest) = kept.order.pop_front() else { break };
                let Some(Place::Memory(old)) = kept.pieces.get(&oldest).cloned() else { continue };
                match self.spill(&mut kept, &oldest, &old) {
                    Ok(place) => {
                        kept.memory_bytes -= old.len() as u64;
                        kept.pieces.insert(oldest, place);
                    }
                    Err(error) => {
                        kept.order.push_front(oldest);
                        return Err(error);
                    }
                }
            }
            Place::Memory(bytes)
        };
        kept.forget(&name);
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

    /// The bytes of a piece.
    ///
    /// # Errors
    /// [`PieceFault`].
    pub fn read(&self, name: &PieceName) -> Result<Bytes, PieceFault> {
        let place = self.kept().pieces.get(name).cloned();
        match place {
            None => Err(PieceFault::Lost(name.clone())),
            Some(Place::Memory(bytes)) => Ok(bytes),
            Some(Place::Disk { file, at, bytes }) => {
                let mut read = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
                let done = file.read_exact_at(&mut read, at);
                done.map(|()| Bytes::from(read)).map_err(|error| {
                    let folder = self.options.folder.display();
                    PieceFault::Unread(format!("cannot read the {name} in {folder}: {error}"))
                })
            }
        }
    }

    /// Lets go of the pieces of a job, or of one of its stages, and tells how many there were.
    pub fn drop_pieces(&self, job: &str, stage: Option<u32>) -> u64 {
        let mut kept = self.kept();
        let of = |name: &&PieceName| name.job == job && stage.is_none_or(|s| name.stage == s);
        let names: Vec<PieceName> = kept.pieces.keys().filter(of).cloned().collect();
        names.iter().for_each(|name| kept.forget(name));
        let stays = |of: &str, number: u32| of != job || stage.is_some_and(|s| s != number);
        kept.whole.retain(|(of, number), _| stays(of, *number));
        kept.spills.retain(|(of, number), _| stays(of, *number));
        names.len() as u64
    }

    /// Bytes of pieces in memory.
    pub fn memory_bytes(&self) -> u64 {
        self.kept().memory_bytes
    }

    /// The worker's folder.
    pub fn folder(&self) -> &Path {
        &self.options.folder
    }

    /// A file without a name on the disk of the worker's folder.
    ///
    /// # Errors
    /// What the system says.
    pub fn scratch_file(&self) -> std::io::Result<File> {
        static FILES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let number = FILES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = &self.options.folder;
        fs::create_dir_all(folder)?;
        let path = folder.join(format!("pieces-{}-{number}", std::process::id()));
        let file = File::options().read(true).write(true).create_new(true).open(&path)?;
        fs::remove_file(&path)?;
        Ok(file)
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spill(&self, kept: &mut Kept, name: &PieceName, bytes: &[u8]) -> Result<Place, KeepError> {
        let refuse = |error| {
            let path = self.options.folder.clone();
            KeepError::Spill { bytes: bytes.len(), path, error }
        };
        let of = (name.job.clone(), name.stage);
        if !kept.spills.contains_key(&of) {
            let file = self.scratch_file().map_err(refuse)?;
            kept.spills.insert(of.clone(), (Arc::new(file), 0));
        }
        let (file, written) = kept.spills.get_mut(&of).expect("it was just put there");
        file.write_all_at(bytes, *written).map_err(refuse)?;
        let (at, bytes) = (*written, bytes.len() as u64);
        *written += bytes;
        Ok(Place::Disk { file: Arc::clone(file), at, bytes })
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

    #[test]
    fn memory_is_bounded_and_everything_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let keeper = keeper(&folder.path().join("work"), 1000);
        for part in 0..50 {
            keeper.keep(name("a", 1, part), piece(part, 300)).unwrap();
            assert!(keeper.memory_bytes() <= 1000);
        }
        keeper.keep(name("a", 2, 0), piece(7, 5000)).unwrap();
        assert_eq!(keeper.memory_bytes(), 900);
        for part in 0..50 {
            assert_eq!(keeper.read(&name("a", 1, part)).unwrap(), piece(part, 300));
        }
        assert_eq!(keeper.read(&name("a", 2, 0)).unwrap(), piece(7, 5000));
        assert_eq!(keeper.kept().spills.len(), 2);
        assert_eq!(fs::read_dir(keeper.folder()).unwrap().count(), 0, "its files have no names");
        assert_eq!(keeper.drop_pieces("b", None), 0);
        assert_eq!(keeper.drop_pieces("a", Some(1)), 50);
        assert_eq!((keeper.memory_bytes(), keeper.kept().spills.len()), (0, 1));
        let lost = name("a", 1, 3);
        assert_eq!(keeper.read(&lost), Err(PieceFault::Lost(lost)));
        assert_eq!(keeper.drop_pieces("a", None), 1);
        assert!(keeper.kept().spills.is_empty());
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
        assert_eq!(keeper.memory_bytes(), 10);
        for _ in 0..1000 {
            keeper.keep(name("a", 1, 1), piece(1, 10)).unwrap();
        }
        assert!(keeper.kept().order.len() <= 66);
    }

    #[test]
    fn a_disk_that_takes_no_more_says_so_and_loses_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let taken = folder.path().join("taken");
        fs::write(&taken, b"a file").unwrap();
        let keeper = keeper(&taken, 100);
        keeper.keep(name("a", 1, 1), piece(1, 90)).unwrap();
        let error = keeper.keep(name("a", 1, 2), piece(2, 90)).unwrap_err().to_string();
        assert!(error.starts_with("cannot write 90 bytes of pieces to "), "{error}");
        assert!(error.ends_with("or name another folder in MSPASS_WORKER_DIR"), "{error}");
        assert_eq!(keeper.read(&name("a", 1, 1)).unwrap(), piece(1, 90));
        assert_eq!(keeper.memory_bytes(), 90);
        assert!(keeper.keep(name("a", 1, 3), piece(3, 5)).is_ok(), "small ones still fit");
    }
}

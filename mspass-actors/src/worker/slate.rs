//! What each compute thread works on, written down before it begins, where it outlives the process.
//!
//! The file has a place of [`PLACE_BYTES`] for each thread, written in one go and never flushed: it
//! is for another process of this machine, not for a power cut. The worker's parent sees in it
//! which thread makes no progress, the next incarnation which data were in work when the last died.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::workflow::partition::TaskKey;

/// Bytes of a thread's place in the file.
pub const PLACE_BYTES: usize = 512;
/// Threads that a slate has places for at most.
pub const PLACES_MAX: usize = 4096;
/// Bytes of a job's or a datum's name that are kept.
const NAME_BYTES_MAX: usize = 180;
/// Sequence number, checksum and length before the text.
const HEAD_BYTES: usize = 16;

/// What a thread works on; after a death, what may have caused it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// The job.
    pub job: String,
    /// The task.
    pub task: TaskKey,
    /// The number of the datum in its task, counted from 1; 0 where none is in work, or where data
    /// are not noted one by one.
    pub ordinal: u64,
    /// The datum, as people know it.
    pub datum: String,
    /// Whether nothing else was in work in the process.
    pub alone: bool,
}

/// How the process before this one died, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Death {
    /// What was in work then; nothing where there was no process, or it ended in order.
    pub suspects: Vec<Suspect>,
    /// How it ended; `None` where nobody saw it: a person may have killed it, with whoever watched
    /// it.
    pub how: Option<String>,
}

impl Death {
    /// A death with these in work. One of several was not alone, whatever stands there.
    pub fn of(mut suspects: Vec<Suspect>, how: Option<String>) -> Self {
        let counts = suspects.len() == 1;
        suspects.iter_mut().for_each(|suspect| suspect.alone &= counts);
        Self { suspects, how }
    }
}

/// One place of a slate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the thread.
    pub thread: usize,
    /// Raised with every change.
    pub sequence: u64,
    /// What it works on, if anything.
    pub work: Option<Suspect>,
}

/// The places of all compute threads of a process.
#[derive(Debug)]
pub struct Slate {
    file: Option<File>,
    /// Whether each datum is noted; else only those of tasks that run alone.
    each: bool,
    places: Vec<Mutex<Place>>,
    closed: AtomicBool,
}

impl Slate {
    /// A slate in memory only.
    pub fn in_memory(threads: usize) -> Arc<Self> {
        Arc::new(Self::new(None, threads, true))
    }

    /// A slate in the file at `path`, and what stood in it: what was in work when the process
    /// before this one died.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn open(path: &Path, threads: usize) -> std::io::Result<(Arc<Self>, Vec<Suspect>)> {
        Self::open_file(path, threads, true)
    }

    /// The same for a process that nobody watches: which datum of a task was in work is found when
    /// the task is done again alone, so only then are data noted one by one.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn of_tasks(path: &Path, threads: usize) -> std::io::Result<(Arc<Self>, Vec<Suspect>)> {
        Self::open_file(path, threads, false)
    }

    fn open_file(
        path: &Path,
        threads: usize,
        each: bool,
    ) -> std::io::Result<(Arc<Self>, Vec<Suspect>)> {
        let before = suspects(path);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        file.set_len(0)?;
        Ok((Arc::new(Self::new(Some(file), threads, each)), before))
    }

    fn new(file: Option<File>, threads: usize, each: bool) -> Self {
        let place = |thread| Mutex::new(Place { thread, sequence: 0, work: None });
        let places = (0..threads.min(PLACES_MAX)).map(place).collect();
        Self { file, each, places, closed: AtomicBool::new(false) }
    }

    /// Empties the file for good: what is in work now is given up, and is to blame for nothing.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        // Whoever writes just now has written.
        self.places.iter().for_each(|place| drop(lock(place)));
        if let Some(Err(error)) = self.file.as_ref().map(|file| file.set_len(0)) {
            tracing::warn!("the slate of running tasks cannot be emptied: {error}");
        }
    }

    /// The pen of one thread.
    pub fn pen(self: &Arc<Self>, thread: usize) -> Pen {
        Pen { slate: Arc::clone(self), thread, notes_data: self.each }
    }

    /// What all threads work on just now.
    pub fn places(&self) -> Vec<Place> {
        self.places.iter().map(|place| lock(place).clone()).collect()
    }

    fn change(&self, thread: usize, change: impl FnOnce(&mut Option<Suspect>)) {
        let Some(place) = self.places.get(thread) else { return };
        let mut place = lock(place);
        change(&mut place.work);
        place.sequence += 1;
        if let Some(file) = self.file.as_ref().filter(|_| !self.closed.load(Ordering::Acquire)) {
            let at = (thread * PLACE_BYTES) as u64;
            if let Err(error) = file.write_all_at(&encode(&place), at) {
                tracing::warn!("the slate of running tasks cannot be written: {error}");
            }
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first bytes of a name, whole characters: what a slate keeps of it.
pub(crate) fn short(name: &str) -> String {
    name.get(..name.floor_char_boundary(NAME_BYTES_MAX)).unwrap_or_default().to_owned()
}

fn encode(place: &Place) -> [u8; PLACE_BYTES] {
    let mut bytes = [0; PLACE_BYTES];
    let text = match &place.work {
        Some(work) => rmp_serde::to_vec(work).unwrap_or_default(),
        None => Vec::new(),
    };
    let length = text.len().min(PLACE_BYTES - HEAD_BYTES);
    bytes[HEAD_BYTES..HEAD_BYTES + length].copy_from_slice(&text[..length]);
    bytes[..8].copy_from_slice(&place.sequence.to_le_bytes());
    bytes[12..16].copy_from_slice(&(length as u32).to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes[..8]), &bytes[12..]);
    bytes[8..12].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// `None` for a place never written, or being written just now.
fn decode(thread: usize, bytes: &[u8]) -> Option<Place> {
    let head = bytes.first_chunk::<HEAD_BYTES>()?;
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes[..8]), bytes.get(12..)?);
    if sum != word(8) {
        return None;
    }
    let sequence = u64::from(word(0)) | u64::from(word(4)) << 32;
    let text = bytes.get(HEAD_BYTES..HEAD_BYTES.checked_add(word(12) as usize)?)?;
    let work = if text.is_empty() { None } else { Some(rmp_serde::from_slice(text).ok()?) };
    Some(Place { thread, sequence, work })
}

/// Reads the slate of another process; what is not there, or being written just now, is left out.
pub fn read(path: &Path) -> Vec<Place> {
    let Ok(file) = File::open(path) else { return Vec::new() };
    let mut places = Vec::new();
    let mut bytes = [0; PLACE_BYTES];
    for thread in 0..PLACES_MAX {
        if file.read_exact_at(&mut bytes, (thread * PLACE_BYTES) as u64).is_err() {
            break;
        }
        places.extend(decode(thread, &bytes));
    }
    places
}

/// What stands on the slate of a process that died: what was in work then.
pub fn suspects(path: &Path) -> Vec<Suspect> {
    read(path).into_iter().filter_map(|place| place.work).collect()
}

/// One thread's way to write on a slate.
#[derive(Clone, Debug)]
pub struct Pen {
    slate: Arc<Slate>,
    thread: usize,
    notes_data: bool,
}

impl Pen {
    /// The thread begins a task, `alone` when nothing else is in work in the process.
    pub fn begin(&mut self, job: &str, task: TaskKey, alone: bool) {
        self.notes_data = self.slate.each || alone;
        let work = Suspect { job: short(job), task, ordinal: 0, datum: String::new(), alone };
        self.slate.change(self.thread, |place| *place = Some(work));
    }

    /// The thread goes on with another datum of its task, number `ordinal`; 0 where it is only
    /// passed by.
    pub fn datum(&self, ordinal: u64, name: impl FnOnce() -> String) {
        if !self.notes_data {
            return;
        }
        self.slate.change(self.thread, |place| {
            if let Some(work) = place {
                (work.ordinal, work.datum) = (ordinal, short(&name()));
            }
        });
    }

    /// The thread is idle.
    pub fn end(&self) {
        self.slate.change(self.thread, |place| *place = None);
    }
}

/// A thread that makes no progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    /// Number of the thread.
    pub thread: usize,
    /// What it works on.
    pub work: Suspect,
    /// For how long nothing has changed.
    pub quiet: Duration,
}

impl std::fmt::Display for Stuck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Suspect { job, task, datum, .. } = &self.work;
        let (thread, seconds) = (self.thread, self.quiet.as_secs());
        let datum = if datum.is_empty() { "its first datum" } else { datum };
        write!(
            f,
            "compute thread {thread} has worked for {seconds} s on {datum} (job '{job}', {task:?})"
        )
    }
}

/// Finds threads without progress; it reads neither clock nor file.
#[derive(Debug, Default)]
pub struct SlateWatch {
    seen: HashMap<usize, (u64, Instant)>,
}

impl SlateWatch {
    /// The threads whose datum has taken `timeout` or longer, the longest first.
    pub fn look(&mut self, now: Instant, places: Vec<Place>, timeout: Duration) -> Vec<Stuck> {
        let mut stuck = Vec::new();
        for Place { thread, sequence, work } in places {
            let Some(work) = work else {
                self.seen.remove(&thread);
                continue;
            };
            let seen = self.seen.entry(thread).or_insert((sequence, now));
            if seen.0 != sequence {
                *seen = (sequence, now);
            }
            let quiet = now.saturating_duration_since(seen.1);
            if quiet >= timeout {
                stuck.push(Stuck { thread, work, quiet });
            }
        }
        stuck.sort_by_key(|stuck| std::cmp::Reverse(stuck.quiet));
        stuck
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "a test needs some instant to begin at")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn suspect(task: u128, ordinal: u64, datum: &str) -> Suspect {
        let (job, task, datum) = ("noise".into(), TaskKey(task), datum.into());
        Suspect { job, task, ordinal, datum, alone: false }
    }

    #[test]
    fn what_was_in_work_is_known_to_the_next_and_what_ended_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/slate");
        let (slate, before) = Slate::open(&path, 3).unwrap();
        assert_eq!(before, []);
        slate.pen(0).begin("noise", TaskKey(1), false);
        slate.pen(0).datum(1, || "IU.ANMO.00.BHZ".into());
        slate.pen(1).begin("noise", TaskKey(2), false);
        slate.pen(1).end();
        slate.pen(2).begin("noise", TaskKey(3), false);
        assert_eq!(read(&path), slate.places());
        drop(slate);
        let (_, before) = Slate::open(&path, 1).unwrap();
        assert_eq!(before, [suspect(1, 1, "IU.ANMO.00.BHZ"), suspect(3, 0, "")]);
        assert_eq!(Slate::open(&path, 1).unwrap().1, []);
    }

    #[test]
    fn what_a_process_gives_up_that_ends_by_itself_is_to_blame_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slate");
        let (slate, _) = Slate::open(&path, 2).unwrap();
        slate.pen(0).begin("noise", TaskKey(1), false);
        assert_eq!(suspects(&path), [suspect(1, 0, "")]);
        slate.close();
        slate.pen(0).datum(1, || "IU.ANMO.00.BHZ".into());
        slate.pen(1).begin("noise", TaskKey(2), false);
        assert_eq!(suspects(&path), []);
    }

    #[test]
    fn where_nobody_watches_only_data_of_a_task_alone_are_noted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slate");
        let (slate, _) = Slate::of_tasks(&path, 1).unwrap();
        let mut pen = slate.pen(0);
        pen.begin("noise", TaskKey(1), false);
        pen.datum(1, || unreachable!("its name is not made"));
        assert_eq!(suspects(&path), [suspect(1, 0, "")]);
        pen.begin("noise", TaskKey(2), true);
        pen.datum(3, || "the third".into());
        let alone = Suspect { alone: true, ..suspect(2, 3, "the third") };
        assert_eq!(suspects(&path), std::slice::from_ref(&alone));
        // What is not the only one was not alone, whatever stands there.
        let how = || Some("signal 6".to_owned());
        let two = Death::of(vec![alone.clone(), suspect(1, 0, "")], how());
        assert!(two.suspects.iter().all(|suspect| !suspect.alone));
        assert!(Death::of(vec![alone.clone()], None).suspects[0].alone);
        assert!(Death::of(vec![alone], how()).suspects[0].alone);
    }

    #[test]
    fn names_are_cut_to_fit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("slate");
        let (slate, _) = Slate::open(&path, 1).unwrap();
        slate.pen(0).begin(&"é".repeat(4000), TaskKey(u128::MAX), true);
        slate.pen(0).datum(u64::MAX, || "x".repeat(4000));
        let work = read(&path)[0].work.clone().unwrap();
        assert_eq!((work.job.len(), work.datum.len()), (180, 180));
        // A thread beyond the slate writes nothing.
        slate.pen(7).begin("noise", TaskKey(1), false);
        assert_eq!(read(&path).len(), 1);
    }

    #[test]
    fn a_thread_without_progress_is_named() {
        let (slate, mut watch) = (Slate::in_memory(2), SlateWatch::default());
        let (start, timeout) = (Instant::now(), Duration::from_secs(10));
        let at = |seconds| start + Duration::from_secs(seconds);
        let (mut slow, mut quick) = (slate.pen(0), slate.pen(1));
        slow.begin("noise", TaskKey(7), false);
        slow.datum(1, || "IU.ANMO.00.BHZ".into());
        quick.begin("noise", TaskKey(8), false);
        assert_eq!(watch.look(at(0), slate.places(), timeout), []);
        quick.datum(1, || "IU.ANMO.00.BHN".into());
        assert_eq!(watch.look(at(9), slate.places(), timeout), []);
        let stuck = watch.look(at(12), slate.places(), timeout);
        let text: Vec<_> = stuck.iter().map(ToString::to_string).collect();
        let task = "task 00000000000000000000000000000007";
        let expected =
            format!("compute thread 0 has worked for 12 s on IU.ANMO.00.BHZ (job 'noise', {task})");
        assert_eq!(text, [expected]);
        slow.datum(2, || "the next".into());
        quick.end();
        assert_eq!(watch.look(at(60), slate.places(), timeout), []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..1500)) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("slate");
            fs::write(&path, &bytes).unwrap();
            prop_assert!(read(&path).iter().all(|place| place.thread < 3));
        }

        #[test]
        fn a_torn_place_is_left_out(at in 0usize..PLACE_BYTES, flip in 1u8..) {
            let place = Place { thread: 0, sequence: 5, work: Some(suspect(9, 1, "a")) };
            let mut bytes = encode(&place);
            prop_assert_eq!(decode(0, &bytes), Some(place));
            bytes[at] ^= flip;
            prop_assert_eq!(decode(0, &bytes), None);
        }
    }
}

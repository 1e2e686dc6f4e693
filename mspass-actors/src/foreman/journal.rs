//! What is done, in an append-only file, so that a job started again does only what is missing.
//!
//! The file holds frames of `length u32 | crc32c u32 | MessagePack record`, little-endian. A frame
//! that a kill tore off at the end is cut away when the journal is opened. Completions are written
//! in groups by a thread of their own; one that is lost means work done twice, never a datum.
//! What is done takes some 70 bytes a task: a job may have ten million of them.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use bson::oid::ObjectId;
use serde::{Deserialize, Serialize};

use super::replay::{Replay, for_each_record};
use super::task::{Charge, DeadLetter};
use crate::error::{Error, Result};
use crate::runtime::spawn_thread;
use crate::workflow::partition::TaskKey;
use crate::workflow::tally::Tally;

/// Version of the records.
const VERSION: u32 = 3;
/// Bytes of one record at most.
pub(super) const RECORD_BYTES_MAX: usize = 1 << 20;
/// Records waiting for the disk; who has more to say waits.
const RECORDS_WAITING_MAX: usize = 4096;

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Record {
    /// The first: which run of which job this is about.
    Header {
        /// Version of the records.
        version: u32,
        /// Name of the job.
        job: String,
        /// Names the run; the database knows it too, so that a journal is never taken for that of
        /// another database.
        run: String,
    },
    /// A foreman started.
    Start {
        /// Its incarnation.
        epoch: u64,
    },
    /// A task is done and all its outputs are stored.
    Done {
        /// The task.
        #[serde(rename = "k")]
        key: TaskKey,
        /// What it read a part of.
        #[serde(rename = "f", with = "raw_id")]
        origin: ObjectId,
        /// The version of that: with it, what was done of another one counts no more.
        #[serde(rename = "v")]
        version: u64,
        /// What it brought.
        #[serde(rename = "t", with = "packed")]
        tally: Box<Tally>,
    },
    /// A task was in work when its worker's process died.
    Charged {
        /// The task.
        key: TaskKey,
        /// What is held against it.
        charge: Box<Charge>,
    },
    /// A task is set aside because it keeps breaking workers.
    SetAside(Box<DeadLetter>),
    /// A task that was set aside is queued anew.
    Requeued(TaskKey),
}

/// An id as its twelve bytes.
mod raw_id {
    use bson::oid::ObjectId;
    use bytes::Bytes;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &ObjectId, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(&id.bytes())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ObjectId, D::Error> {
        let bytes = Bytes::deserialize(from)?;
        let bytes: [u8; 12] = bytes[..].try_into().map_err(D::Error::custom)?;
        Ok(ObjectId::from_bytes(bytes))
    }
}

/// Counts without the names of their fields.
mod packed {
    use bytes::Bytes;
    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    use crate::workflow::tally::Tally;

    pub(super) fn serialize<S: Serializer>(tally: &Tally, to: S) -> Result<S::Ok, S::Error> {
        let bytes = rmp_serde::to_vec(tally).map_err(ser::Error::custom)?;
        to.serialize_bytes(&bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Box<Tally>, D::Error> {
        let bytes = Bytes::deserialize(from)?;
        rmp_serde::from_slice(&bytes).map(Box::new).map_err(de::Error::custom)
    }
}

enum Order {
    Write(Record),
    Flush(SyncSender<()>),
}

/// A journal open for writing.
pub struct Journal {
    path: PathBuf,
    orders: Option<SyncSender<Order>>,
    failure: Arc<Mutex<Option<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Claim<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claim({})", self.path.display())
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Journal({})", self.path.display())
    }
}

/// The file of a journal, which is no other process's as long as this is held.
pub struct Claim<'a> {
    path: &'a Path,
    job: &'a str,
    file: File,
}

impl<'a> Claim<'a> {
    /// Takes the file for this process, whatever is in it; makes it where there is none.
    ///
    /// # Errors
    /// [`Error::Refused`] where another process has it.
    pub fn take(path: &'a Path, job: &'a str) -> Result<Self> {
        let io = |error: std::io::Error| {
            let (path, reason) = (path.to_owned(), error.to_string());
            Error::Journal { path, reason }
        };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(io)?;
        }
        let options =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).clone();
        let file = options.open(path).map_err(io)?;
        if file.try_lock().is_err() {
            return Err(Error::Refused(format!(
                "job '{job}' is being run by another process with this workdir: wait for it, or \
                 take another --job name or --workdir"
            )));
        }
        Ok(Self { path, job, file })
    }

    fn fail(&self, reason: impl fmt::Display) -> Error {
        Error::Journal { path: self.path.to_owned(), reason: reason.to_string() }
    }

    /// Forgets everything that is in it.
    pub fn clear(&mut self) -> Result<()> {
        let cleared = self.file.set_len(0).and_then(|()| self.file.sync_all());
        cleared.map_err(|error| self.fail(error))
    }

    /// Opens the journal of a run, or starts one where this is empty or of another run.
    pub fn open(self, run: &str) -> Result<(Journal, Replay)> {
        let Self { path, job, mut file } = self;
        let fail = |reason: String| Error::Journal { path: path.to_owned(), reason };
        let io = |error: std::io::Error| fail(error.to_string());
        let header = Record::Header { version: VERSION, job: job.to_owned(), run: run.to_owned() };
        let (mut first, mut replay) = (None, Replay::default());
        let sound = for_each_record(&mut file, |record| {
            if first.is_none() {
                first = Some(record);
            } else {
                replay.look_ahead(&record);
            }
        });
        let sound = sound.map_err(io)?;
        if let Some(Record::Header { version, .. }) = &first
            && *version > VERSION
        {
            return Err(fail(format!("it was written by a newer program (version {version})")));
        }
        let mut writer = Writer { file, buffer: Vec::new() };
        if first.as_ref() == Some(&header) {
            for_each_record(&mut writer.file, |record| replay.take(record)).map_err(io)?;
            writer.file.set_len(sound).map_err(io)?;
            writer.file.seek(SeekFrom::Start(sound)).map_err(io)?;
        } else {
            replay = Replay::default();
            writer.file.set_len(0).map_err(io)?;
            writer.file.seek(SeekFrom::Start(0)).map_err(io)?;
            writer.push(&header);
        }
        replay.settle();
        writer.push(&Record::Start { epoch: replay.epoch });
        writer.flush().map_err(io)?;
        Ok((Journal::start(path, writer)?, replay))
    }
}

impl Journal {
    /// Takes and opens the journal of a run, or starts one when there is none or it is of another
    /// run.
    pub fn open(path: &Path, job: &str, run: &str) -> Result<(Self, Replay)> {
        Claim::take(path, job)?.open(run)
    }

    fn start(path: &Path, mut writer: Writer) -> Result<Self> {
        let (orders, when_ordered) = sync_channel(RECORDS_WAITING_MAX);
        let failure = Arc::new(Mutex::new(None));
        let failed = Arc::clone(&failure);
        let thread = spawn_thread("journal", move || {
            if let Err(error) = writer.run(&when_ordered) {
                *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
            }
        })?;
        Ok(Self { path: path.to_owned(), orders: Some(orders), failure, thread: Some(thread) })
    }

    /// A journal that keeps nothing: what is lost with its job is done again.
    pub fn nowhere() -> Self {
        let (path, failure) = (PathBuf::from("nowhere"), Arc::default());
        Self { path, orders: None, failure, thread: None }
    }

    /// Writes a record soon.
    ///
    /// # Errors
    /// When an earlier one could not be written; nothing more is then.
    pub fn append(&self, record: Record) -> Result<()> {
        if self.thread.is_none() {
            return Ok(());
        }
        self.order(Order::Write(record))
    }

    /// Waits until everything appended is on the disk.
    pub fn flush(&self) -> Result<()> {
        if self.thread.is_none() {
            return Ok(());
        }
        let (done, when_done) = sync_channel(1);
        self.order(Order::Flush(done))?;
        when_done.recv().map_err(|_| self.broken())
    }

    fn order(&self, order: Order) -> Result<()> {
        let sent = self.orders.as_ref().is_some_and(|orders| orders.send(order).is_ok());
        if sent { Ok(()) } else { Err(self.broken()) }
    }

    fn broken(&self) -> Error {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let reason = failure.unwrap_or_else(|| "its thread is gone".to_owned());
        Error::Journal { path: self.path.clone(), reason }
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

struct Writer {
    file: File,
    buffer: Vec<u8>,
}

impl Writer {
    /// Takes what waits, writes it at once, and again.
    fn run(&mut self, orders: &Receiver<Order>) -> std::io::Result<()> {
        while let Ok(first) = orders.recv() {
            let mut waiting = Vec::new();
            let mut order = Some(first);
            while let Some(next) = order {
                match next {
                    Order::Write(record) => self.push(&record),
                    Order::Flush(done) => waiting.push(done),
                }
                order = orders.try_recv().ok();
            }
            self.flush()?;
            for done in waiting {
                let _ = done.send(());
            }
        }
        Ok(())
    }

    fn push(&mut self, record: &Record) {
        let body = rmp_serde::to_vec_named(record).expect("records are plain data");
        self.buffer.extend_from_slice(&(body.len() as u32).to_le_bytes());
        self.buffer.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        self.buffer.extend_from_slice(&body);
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if !self.buffer.is_empty() {
            self.file.write_all(&self.buffer)?;
            self.file.sync_data()?;
            self.buffer.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::lease::TaskDatum;
    use super::*;
    use crate::workflow::partition::Partition;

    fn done(number: u128) -> Record {
        let tally = Tally { entered: number as u64, ..Tally::default() };
        Record::Done {
            key: TaskKey(number),
            origin: ObjectId::default(),
            version: 1,
            tally: Box::new(tally),
        }
    }

    #[test]
    fn what_was_flushed_is_replayed_and_a_torn_end_is_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("jobs/test.journal");
        let (journal, replay) = Journal::open(&path, "test", "run").unwrap();
        assert_eq!((replay.epoch, replay.done.len()), (1, 0));
        (0..100).for_each(|number| journal.append(done(number)).unwrap());
        journal.flush().unwrap();
        drop(journal);
        let whole = std::fs::read(&path).unwrap();
        for cut in [whole.len(), whole.len() - 1, whole.len() / 2] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (journal, replay) = Journal::open(&path, "test", "run").unwrap();
            assert_eq!(replay.epoch, 2);
            assert!(replay.done.len() <= 100 && replay.done.len() >= cut * 100 / whole.len() - 5);
            let taken = (0..100).filter_map(|n| Some((n, replay.done.get(TaskKey(n))?)));
            assert!(taken.into_iter().all(|(n, tally)| tally.entered == n as u64));
            journal.append(done(1000)).unwrap();
            drop(journal);
            let (_, replay) = Journal::open(&path, "test", "run").unwrap();
            assert!(replay.done.get(TaskKey(1000)).is_some());
        }
    }

    #[test]
    fn the_journal_of_another_run_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.journal");
        let (journal, _) = Journal::open(&path, "test", "one").unwrap();
        journal.append(done(1)).unwrap();
        drop(journal);
        let (_, replay) = Journal::open(&path, "test", "two").unwrap();
        assert!(replay.done.is_empty());
    }

    #[test]
    fn another_version_of_a_file_makes_the_earlier_one_undone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.journal");
        let (journal, _) = Journal::open(&path, "test", "run").unwrap();
        let of = |key, version| Record::Done {
            key: TaskKey(key),
            origin: ObjectId::from_bytes([7; 12]),
            version,
            tally: Box::default(),
        };
        for record in [of(1, 7), of(2, 7), of(3, 8)] {
            journal.append(record).unwrap();
        }
        drop(journal);
        let (_, replay) = Journal::open(&path, "test", "run").unwrap();
        let done = |key| replay.done.get(TaskKey(key)).is_some();
        assert_eq!([1, 2, 3].map(done), [false, false, true]);
        assert_eq!(replay.done.len(), 1);
    }

    fn charge() -> Charge {
        let (worker, reason) = ("w".into(), "it broke".into());
        let datum = Some(TaskDatum { ordinal: 7, name: "a".into() });
        Charge { worker, attempt: 3, reason, datum, alone: true, unseen: false }
    }

    #[test]
    fn what_was_set_aside_is_so_until_it_is_queued_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.journal");
        let letter = |number: u8| {
            let partition = Partition::whole(ObjectId::from_bytes([number; 12]), 1, 1);
            DeadLetter { key: partition.key(), partition, attempts: 3, charges: vec![charge()] }
        };
        let (journal, _) = Journal::open(&path, "test", "run").unwrap();
        for number in [1, 2] {
            let (key, charge) = (letter(number).key, Box::new(charge()));
            journal.append(Record::Charged { key, charge }).unwrap();
            journal.append(Record::SetAside(Box::new(letter(number)))).unwrap();
        }
        journal.append(Record::Requeued(letter(1).key)).unwrap();
        drop(journal);
        let (_, replay) = Journal::open(&path, "test", "run").unwrap();
        assert_eq!(replay.set_aside.values().collect::<Vec<_>>(), [&letter(2)]);
        assert_eq!(replay.charges, [(letter(2).key, vec![charge()])].into());
    }

    #[test]
    fn a_journal_in_use_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.journal");
        let (journal, _) = Journal::open(&path, "test", "run").unwrap();
        assert!(matches!(Journal::open(&path, "test", "run"), Err(Error::Refused(_))));
        drop(journal);
        Journal::open(&path, "test", "run").unwrap();
    }

    #[test]
    fn random_bytes_are_an_empty_journal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test.journal");
        std::fs::write(&path, [0xff; 4096]).unwrap();
        let (_, replay) = Journal::open(&path, "test", "run").unwrap();
        assert!(replay.done.is_empty());
    }
}

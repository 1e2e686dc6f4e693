//! Parting an archive into tasks: by the index alone, file by file, never by who will do them.

use bson::oid::ObjectId;
use bson::{Document, doc};
use mspass_core::UtcTime;
use mspass_io::db::collection::{ARCHIVE_FILE, WF_MINISEED};
use mspass_io::db::id::Derived;
use mspass_io::store::{Database, Find};

use crate::error::{Error, Result};
use crate::workflow::partition::Partition;
use crate::workflow::{ArchivePieces, PieceGrid};

/// A part of a file is about this long; runs are parted only at boundaries of pieces.
pub const PARTITION_BYTES: u64 = 4 << 20;
/// Fraction of a sample by which the end of a run may be off the grid of its start and rate; a run
/// that drifts more is not parted.
const DRIFT_MAX: f64 = 0.25;

/// One indexed file, as far as planning needs it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct IndexedFile {
    pub(super) id: ObjectId,
    pub(super) version: u64,
    runs: i64,
    bytes: u64,
}

/// Files read from the index at a time.
const FILES_PAGE: u64 = 1000;

/// How often the planner begins a page or a file anew after the store failed, beyond what each call
/// waits for a proxy that is started again.
const READS_MAX: u32 = 5;

/// Reads until the store does not fail: a cursor may be lost with its proxy.
fn again<T>(mut read: impl FnMut() -> Result<T>) -> Result<T> {
    let mut attempt = 1;
    loop {
        match read() {
            Err(Error::Store(error @ mspass_io::Error::Store { .. })) if attempt < READS_MAX => {
                tracing::warn!("the index cannot be read on ({error}); its page is read again");
                attempt += 1;
            }
            result => return result,
        }
    }
}

/// The files of an archive after the one with the id `last`, in order of their ids, a page of them:
/// no cursor is held while the foreman lets its source wait.
pub(super) fn files_after(
    database: &Database,
    source: &ArchivePieces,
    last: Option<ObjectId>,
) -> Result<Vec<IndexedFile>> {
    let mut filter = doc! { "archive": &source.archive };
    if let Some(last) = last {
        filter.insert("_id", doc! { "$gt": last });
    }
    let find = Find::filter(filter).sort(doc! { "_id": 1 }).limit(FILES_PAGE);
    again(|| {
        let found = database.documents.find(ARCHIVE_FILE, &find)?;
        found.map(|document| IndexedFile::of(&document?)).collect()
    })
}

fn malformed(collection: &str, document: &Document, error: impl std::fmt::Display) -> Error {
    let id = document.get("_id").map(ToString::to_string).unwrap_or_default();
    Error::Refused(format!("{collection} document {id}: {error}; index the archive again"))
}

impl IndexedFile {
    fn of(document: &Document) -> Result<Self> {
        let fail = |error: bson::error::Error| malformed(ARCHIVE_FILE, document, error);
        let whole = |key| document.get_i64(key).map_err(fail);
        let id = document.get_object_id("_id").map_err(fail)?;
        let (size, mtime) = (whole("size")?, whole("mtime_ns")?);
        let version = Derived::new("file version").number(size as u64).number(mtime as u64);
        let bytes = u64::try_from(whole("nbytes")?).unwrap_or(0);
        Ok(Self { id, version: version.key() as u64, runs: whole("runs")?, bytes })
    }

    /// The parts of this file.
    pub(super) fn partitions(
        &self,
        database: &Database,
        source: &ArchivePieces,
    ) -> Result<Vec<Partition>> {
        again(|| self.read_partitions(database, source))
    }

    fn read_partitions(
        &self,
        database: &Database,
        source: &ArchivePieces,
    ) -> Result<Vec<Partition>> {
        let whole = Partition::whole(self.id, self.version, self.bytes);
        if self.runs == 0 || self.bytes <= PARTITION_BYTES {
            return Ok(vec![whole]);
        }
        let filter = doc! { "archive_file_id": self.id };
        let find = Find::filter(filter).sort(doc! { "foff": 1 });
        let mut parts: Vec<Partition> = Vec::new();
        for document in database.documents.find(WF_MINISEED, &find)? {
            let document = document?;
            let run = Run::of(&document)?;
            if run.bytes > PARTITION_BYTES && run.keeps_its_grid() {
                parts.extend(run.parts(source.piece_seconds, &whole));
                continue;
            }
            match parts.last_mut() {
                Some(last)
                    if last.samples.is_none() && last.bytes + run.bytes <= PARTITION_BYTES =>
                {
                    last.foff_last = run.foff;
                    last.bytes += run.bytes;
                }
                _ => parts.push(run.whole(&whole)),
            }
        }
        if let Some(first) = parts.first_mut() {
            first.first_of_file = true;
        }
        Ok(if parts.is_empty() { vec![whole] } else { parts })
    }
}

struct Run {
    foff: u64,
    bytes: u64,
    npts: u64,
    starttime: UtcTime,
    endtime: UtcTime,
    sampling_rate: f64,
}

impl Run {
    fn of(document: &Document) -> Result<Self> {
        let fail = |error: bson::error::Error| malformed(WF_MINISEED, document, error);
        let whole = |key| document.get_i64(key).map_err(fail);
        let count = |key| Ok::<_, Error>(u64::try_from(whole(key)?).unwrap_or(0));
        Ok(Self {
            foff: count("foff")?,
            bytes: count("nbytes")?,
            npts: count("npts")?,
            starttime: UtcTime::from_nanos(whole("starttime_ns")?),
            endtime: UtcTime::from_nanos(whole("endtime_ns")?),
            sampling_rate: document.get_f64("sampling_rate").map_err(fail)?,
        })
    }

    /// Whether every sample lies where start and rate say, so that a part can find its place.
    fn keeps_its_grid(&self) -> bool {
        let span = self.endtime.seconds_since(self.starttime) * self.sampling_rate;
        (span + 1.0 - self.npts as f64).abs() <= DRIFT_MAX
    }

    fn whole(&self, like: &Partition) -> Partition {
        let (foff, bytes) = (self.foff, self.bytes);
        Partition { foff_first: foff, foff_last: foff, bytes, first_of_file: false, ..like.clone() }
    }

    /// Parts of whole pieces, each about [`PARTITION_BYTES`] long.
    fn parts(&self, piece_seconds: u32, like: &Partition) -> Vec<Partition> {
        let Self { starttime, sampling_rate, .. } = *self;
        let grid = PieceGrid { starttime, sampling_rate, piece_seconds };
        let bytes_per_sample = self.bytes as f64 / self.npts.max(1) as f64;
        let target = ((PARTITION_BYTES as f64 / bytes_per_sample) as u64).max(1);
        let (mut parts, mut from) = (Vec::new(), 0);
        while from < self.npts {
            let mut to = grid.piece_end(from);
            while to < self.npts && grid.piece_end(to) - from <= target {
                to = grid.piece_end(to);
            }
            let last = to >= self.npts;
            // Whatever more the file holds than its index says belongs to the last part.
            let end = if last { u64::MAX } else { to };
            let bytes = ((to.min(self.npts) - from) as f64 * bytes_per_sample) as u64;
            parts.push(Partition { samples: Some((from, end)), bytes, ..self.whole(like) });
            from = to;
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_cursor_is_read_again_and_bad_documents_are_not() {
        let failed = || Error::Store(mspass_io::Error::store("database", "read")("gone"));
        for failures in 0..READS_MAX + 2 {
            let mut reads = 0;
            let read = again(|| {
                reads += 1;
                if reads > failures { Ok(reads) } else { Err(failed()) }
            });
            assert_eq!(read.is_ok(), failures < READS_MAX, "{failures}");
            assert_eq!(reads, (failures + 1).min(READS_MAX));
        }
        let mut reads = 0;
        let read = again::<()>(|| {
            reads += 1;
            Err(Error::Refused("no such key".into()))
        });
        assert!(read.is_err() && reads == 1);
    }
}

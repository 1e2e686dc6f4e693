//! Parting an archive into tasks: by the index alone, file by file, never by who will do them; and
//! other sources, by what they are.

use bson::oid::ObjectId;
use bson::{Document, doc};
use mspass_core::UtcTime;
use mspass_io::db::collection::{ARCHIVE_FILE, WF_MINISEED};
use mspass_io::db::id::Derived;
use mspass_io::store::{Database, Find};

use crate::error::{Error, Result};
use crate::workflow::partition::{Part, Partition};
use crate::workflow::{ArchivePieces, Numbered, PieceGrid, Source, both};

/// A part of a file is about this long; runs are parted only at boundaries of pieces.
pub const PARTITION_BYTES: u64 = 4 << 20;
/// Fraction of a sample by which the end of a run may be off the grid of its start and rate; a run
/// that drifts more is not parted.
const DRIFT_MAX: f64 = 0.25;

/// Documents of a part at most, where the source is a collection.
const PARTITION_DOCUMENTS: usize = 256;
/// Bytes of samples of a part's documents: more make another part.
const PARTITION_SAMPLE_BYTES: u64 = 16 << 20;
/// What is predicted from the bytes of a part is the memory that decoding takes, and stored samples
/// are decoded.
pub(super) const SAMPLE_BYTES_PER_FILE_BYTE: u64 = 8;

/// Something that is read in parts: a file, or some of what else the source has.
pub(super) struct Origin {
    /// A file: what an earlier run made of it is cleared where nothing of it is done.
    pub(super) file: Option<ObjectId>,
    /// Its parts.
    pub(super) partitions: Vec<Partition>,
}

/// Goes through everything that a source has, in an order of its own, as long as more is wanted.
pub(super) fn each_origin(
    database: &Database,
    source: &Source,
    job_id: ObjectId,
    take: &mut dyn FnMut(Origin) -> Result<bool>,
) -> Result<bool> {
    match source {
        Source::Archive(pieces) => each_file(database, pieces, take),
        Source::Stored { collection, query } => {
            let filter = query.filter_for(job_id);
            each_range(database, collection, &filter, source.origin(), take)
        }
        Source::Numbered(numbered) => each_number(numbered, source.origin(), take),
    }
}

fn each_file(
    database: &Database,
    source: &ArchivePieces,
    take: &mut dyn FnMut(Origin) -> Result<bool>,
) -> Result<bool> {
    let mut page = files_after(database, source, None)?;
    while let Some(last) = page.last().map(|file| file.id) {
        for file in &page {
            let partitions = file.partitions(database, source)?;
            if !take(Origin { file: Some(file.id), partitions })? {
                return Ok(false);
            }
        }
        page = files_after(database, source, Some(last))?;
    }
    Ok(true)
}

/// Parts of a collection: documents in order of their ids, by number and bytes.
fn each_range(
    database: &Database,
    collection: &str,
    filter: &Document,
    origin: ObjectId,
    take: &mut dyn FnMut(Origin) -> Result<bool>,
) -> Result<bool> {
    let mut after: Option<ObjectId> = None;
    loop {
        let within = after.map(|id| doc! { "_id": { "$gt": id } });
        let filter = within.map_or_else(|| filter.clone(), |within| both(filter, within));
        let find = Find::filter(filter).sort(doc! { "_id": 1 }).limit(FILES_PAGE);
        let find = find.projection(doc! { "npts": 1 });
        let page = again(|| {
            let found = database.documents.find(collection, &find)?;
            found.map(|document| stored_size(collection, &document?)).collect::<Result<Vec<_>>>()
        })?;
        let Some((last, _)) = page.last().copied() else { return Ok(true) };
        let mut partitions: Vec<Partition> = Vec::new();
        let (mut count, mut size) = (0, 0);
        for (id, bytes) in page {
            let full = count == PARTITION_DOCUMENTS || size + bytes > PARTITION_SAMPLE_BYTES;
            match partitions.last_mut() {
                Some(Partition {
                    part: Part::Documents { last, .. }, bytes: predicted, ..
                }) if !full => {
                    (*last, count, size) = (id, count + 1, size + bytes);
                    *predicted = size / SAMPLE_BYTES_PER_FILE_BYTE;
                }
                _ => {
                    (count, size) = (1, bytes);
                    let part = Part::Documents { first: id, last: id };
                    let bytes = bytes / SAMPLE_BYTES_PER_FILE_BYTE;
                    partitions.push(Partition { stage: 0, origin, version: 0, part, bytes });
                }
            }
        }
        if !take(Origin { file: None, partitions })? {
            return Ok(false);
        }
        after = Some(last);
    }
}

/// The `_id` of a waveform and the bytes of its samples.
fn stored_size(collection: &str, document: &Document) -> Result<(ObjectId, u64)> {
    let fail = |error: bson::error::Error| {
        let id = document.get("_id").map(ToString::to_string).unwrap_or_default();
        Error::Refused(format!("{collection} document {id} cannot be an input: {error}"))
    };
    let id = document.get_object_id("_id").map_err(fail)?;
    let npts = document.get_i64("npts").or_else(|_| document.get_i32("npts").map(i64::from));
    Ok((id, u64::try_from(npts.unwrap_or(0)).unwrap_or(0).saturating_mul(8)))
}

/// Parts of a numbered source.
fn each_number(
    source: &Numbered,
    origin: ObjectId,
    take: &mut dyn FnMut(Origin) -> Result<bool>,
) -> Result<bool> {
    let mut from = 0;
    while from < source.count {
        let to = from.saturating_add(source.per_task).min(source.count);
        let part = Part::Numbers { from, to };
        let partition = Partition { stage: 0, origin, version: 0, part, bytes: 0 };
        if !take(Origin { file: None, partitions: vec![partition] })? {
            return Ok(false);
        }
        from = to;
    }
    Ok(true)
}

/// One indexed file, as far as planning needs it.
#[derive(Clone, Debug, PartialEq)]
struct IndexedFile {
    id: ObjectId,
    version: u64,
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
fn files_after(
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

/// The parts of one indexed file, from its `archive_file` document.
pub(super) fn parts_of_file(
    database: &Database,
    source: &ArchivePieces,
    file: &Document,
) -> Result<Vec<Partition>> {
    IndexedFile::of(file)?.partitions(database, source)
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
    fn partitions(&self, database: &Database, source: &ArchivePieces) -> Result<Vec<Partition>> {
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
                Some(Partition {
                    part: Part::File { foff_last, samples: None, .. },
                    bytes,
                    ..
                }) if *bytes + run.bytes <= PARTITION_BYTES => {
                    *foff_last = run.foff;
                    *bytes += run.bytes;
                }
                _ => parts.push(run.whole(&whole)),
            }
        }
        if let Some(Partition { part: Part::File { first_of_file, .. }, .. }) = parts.first_mut() {
            *first_of_file = true;
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
        self.part(None, self.bytes, like)
    }

    fn part(&self, samples: Option<(u64, u64)>, bytes: u64, like: &Partition) -> Partition {
        let (foff_first, foff_last) = (self.foff, self.foff);
        let part = Part::File { foff_first, foff_last, samples, first_of_file: false };
        Partition { part, bytes, ..like.clone() }
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
            parts.push(self.part(Some((from, end)), bytes, like));
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

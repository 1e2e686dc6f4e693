//! Reading a partition: runs of miniSEED records become pieces, record by record.
//!
//! Memory is bounded by one piece and one record, whatever the length of a file. A record that
//! cannot be decoded costs itself: the piece ends before it and another begins behind it.

use std::fs::File;
use std::path::{Path, PathBuf};

use bson::oid::ObjectId;
use bson::{Document, doc};
use mspass_core::{
    Datum, DocumentId, ErrorLog, Hertz, History, SeedId, Severity, TimeSeries, UtcTime,
};
use mspass_io::db::collection::{ARCHIVE_FILE, WF_MINISEED};
use mspass_io::db::id::to_document_id;
use mspass_io::format::mseed::{MayPass, Records};
use mspass_io::store::Find;

use super::partition::{Part, Partition};
use super::pieces::PieceGrid;
use super::stage::{Bench, Emit, POISON, StageFault, Task};

/// Faults of one run or file kept one by one; further ones are only counted.
pub const FAULTS_MAX: usize = 100;

/// Something wrong at a place of a file.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) offset: u64,
    pub(super) reason: String,
}

/// Faults of one run or file.
#[derive(Clone, Debug, Default)]
pub(super) struct Faults {
    pub(super) kept: Vec<Fault>,
    pub(super) count: u64,
}

impl Faults {
    fn push(&mut self, offset: u64, reason: impl Into<String>) {
        self.count += 1;
        if self.kept.len() < FAULTS_MAX {
            self.kept.push(Fault { offset, reason: reason.into() });
        }
    }

    /// The error log that tells of them.
    pub(super) fn to_log(&self, algorithm: &str, severity: Severity) -> ErrorLog {
        let mut log = ErrorLog::default();
        for fault in &self.kept {
            log.push(algorithm, severity, format!("at byte {}: {}", fault.offset, fault.reason));
        }
        if self.count > self.kept.len() as u64 {
            let left = self.count - self.kept.len() as u64;
            log.push(algorithm, severity, format!("and {left} more faults"));
        }
        log
    }
}

/// One `wf_miniseed` document, as far as reading needs it.
struct Run {
    document: DocumentId,
    path: PathBuf,
    id: SeedId,
    grid: PieceGrid,
    rate: Hertz,
    foff: u64,
    nbytes: u64,
}

/// Reads all runs of a partition and puts their pieces through the task's steps.
pub(super) fn read_partition(
    task: &mut Task<'_>,
    partition: &Partition,
    piece_seconds: u32,
    emit: &Emit<TimeSeries>,
    bench: &mut Bench,
) -> Result<(), StageFault> {
    let Part::File { foff_first, foff_last, samples, first_of_file } = partition.part else {
        return Err(StageFault::Broken("this part is of no file".into()));
    };
    let runs = runs_of(partition.origin, (foff_first, foff_last), bench, piece_seconds)?;
    for run in &runs {
        let faults = read_run(task, run, samples, emit, bench)?;
        if faults.count > 0 {
            let about = mspass_io::db::id::to_object_id(run.document);
            let from = samples.map_or(0, |(from, _)| from);
            let keys = doc! { "wf_miniseed_id": about };
            task.log(about, from, &run.path.display().to_string(), &faults, keys);
        }
    }
    if first_of_file {
        file_matters(task, partition, runs.is_empty(), bench)?;
    }
    Ok(())
}

/// What concerns the file as a whole: told by the task that has its first part.
fn file_matters(
    task: &mut Task<'_>,
    partition: &Partition,
    no_runs: bool,
    bench: &mut Bench,
) -> Result<(), StageFault> {
    let find = Find::filter(doc! { "_id": partition.origin }).limit(1);
    let mut found = bench.database.documents.find(ARCHIVE_FILE, &find)?;
    let Some(file) = found.next().transpose()? else { return Ok(()) };
    let name = file.get_str("path").unwrap_or_default();
    let mut faults = indexed_faults(&file);
    let barren = no_runs || (task.output.tally.entered == 0 && !gives_a_sample(partition, bench)?);
    if barren {
        if faults.count == 0 {
            faults.push(0, "none of its records could be read");
        }
        let log = faults.to_log("read", Severity::Invalid);
        task.abort(partition, name, &faults, log);
    } else if faults.count > 0 {
        let keys = doc! { "archive_file_id": partition.origin };
        task.log(partition.origin, 0, name, &faults, keys);
    }
    Ok(())
}

/// The faults that the index found in a file.
fn indexed_faults(file: &Document) -> Faults {
    let mut faults = Faults::default();
    for fault in file.get_array("errors").into_iter().flatten().filter_map(|e| e.as_document()) {
        let offset = fault.get_i64("offset").unwrap_or(0).max(0) as u64;
        faults.push(offset, fault.get_str("reason").unwrap_or_default());
    }
    faults.count = faults.count.max(file.get_i64("error_count").unwrap_or(0).max(0) as u64);
    faults
}

/// Whether any record of the file can be decoded.
fn gives_a_sample(partition: &Partition, bench: &mut Bench) -> Result<bool, StageFault> {
    let runs = runs_of(partition.origin, (0, u64::MAX), bench, 3600)?;
    let mut samples = Vec::new();
    for run in runs {
        let Ok(file) = open(&mut bench.file, &run.path) else { continue };
        let Ok(records) = Records::of_file(file) else { continue };
        let mut records = records.within(run.foff, run.nbytes);
        while let Some(item) = records.next_record() {
            let decoded = item.and_then(|record| record.decode_f64(&mut samples));
            if decoded.is_ok() && !samples.is_empty() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn runs_of(
    file: ObjectId,
    (first, last): (u64, u64),
    bench: &Bench,
    piece_seconds: u32,
) -> Result<Vec<Run>, StageFault> {
    let last = i64::try_from(last).unwrap_or(i64::MAX);
    let first = i64::try_from(first).unwrap_or(i64::MAX);
    let filter = doc! { "archive_file_id": file, "foff": { "$gte": first, "$lte": last } };
    let find = Find::filter(filter).sort(doc! { "foff": 1 });
    let mut runs = Vec::new();
    for document in bench.database.documents.find(WF_MINISEED, &find)? {
        let document = document?;
        let run = Run::of(&document, piece_seconds);
        runs.push(run.map_err(|reason| {
            StageFault::Broken(format!("wf_miniseed document {:?}: {reason}", document.get("_id")))
        })?);
    }
    Ok(runs)
}

impl Run {
    fn of(document: &Document, piece_seconds: u32) -> Result<Self, String> {
        let text = |key| document.get_str(key).map_err(|error| error.to_string());
        let whole = |key| document.get_i64(key).map_err(|error| error.to_string());
        let count = |key| u64::try_from(whole(key)?).map_err(|error| format!("{key}: {error}"));
        let rate = document.get_f64("sampling_rate").map_err(|error| error.to_string())?;
        let rate = Hertz::new(rate).map_err(|error| error.to_string())?;
        let id = SeedId::new(text("net")?, text("sta")?, text("loc")?, text("chan")?);
        let document_id = document.get_object_id("_id").map_err(|error| error.to_string())?;
        Ok(Self {
            document: to_document_id(document_id),
            path: Path::new(text("dir")?).join(text("dfile")?),
            id: id.map_err(|error| error.to_string())?,
            grid: PieceGrid {
                starttime: UtcTime::from_nanos(whole("starttime_ns")?),
                sampling_rate: rate.value(),
                piece_seconds,
            },
            rate,
            foff: count("foff")?,
            nbytes: count("nbytes")?,
        })
    }
}

/// The file, opened if it is not the one read last.
fn open<'a>(held: &'a mut Option<(PathBuf, File)>, path: &Path) -> std::io::Result<&'a File> {
    if held.as_ref().is_none_or(|(name, _)| name != path) {
        *held = Some((path.to_owned(), File::open(path)?));
    }
    match held {
        Some((_, file)) => Ok(file),
        None => Err(std::io::ErrorKind::NotFound.into()),
    }
}

/// A piece being filled.
struct Piece<'a> {
    run: &'a Run,
    first: u64,
    end: u64,
    samples: Vec<f64>,
    /// Why its records are not decoded, where they are not.
    poison: Option<String>,
}

impl Piece<'_> {
    fn next(&self) -> u64 {
        self.first + self.samples.len() as u64
    }

    /// Whether it goes on with this sample.
    fn fits(&self, first: u64) -> bool {
        self.next() == first && first < self.end
    }
}

/// Reads one run (or the samples `part` of it) and gives its faults.
fn read_run(
    task: &mut Task<'_>,
    run: &Run,
    part: Option<(u64, u64)>,
    emit: &Emit<TimeSeries>,
    bench: &mut Bench,
) -> Result<Faults, StageFault> {
    let mut faults = Faults::default();
    task.pass_by(|| format!("the first record of {}", run.id), bench);
    let mut held = bench.file.take();
    let opened = open(&mut held, &run.path).and_then(Records::of_file);
    match opened {
        Ok(records) => {
            let mut records = records.within(run.foff, run.nbytes);
            read_records(task, run, part, &mut records, emit, bench, &mut faults)?;
            task.output.tally.bytes_read += records.bytes_read();
        }
        Err(error) => {
            if MayPass::from(&error).0 {
                let reason = format!("cannot open {}: {error}", run.path.display());
                return Err(StageFault::Store(reason));
            }
            faults.push(run.foff, format!("cannot open: {error}"));
        }
    }
    bench.file = held;
    Ok(faults)
}

fn read_records(
    task: &mut Task<'_>,
    run: &Run,
    part: Option<(u64, u64)>,
    records: &mut Records<'_>,
    emit: &Emit<TimeSeries>,
    bench: &mut Bench,
    faults: &mut Faults,
) -> Result<(), StageFault> {
    let (from, to) = part.unwrap_or((0, u64::MAX));
    let mut piece: Option<Piece<'_>> = None;
    let mut decoded = std::mem::take(&mut bench.decoded);
    // Samples that the records so far account for; one that cannot be read leaves a hole.
    let mut expected: Option<u64> = None;
    while let Some(header) = records.next_header() {
        let (offset, first, npts) = match header {
            Ok((_, header)) if header.npts == 0 || header.id != run.id => continue,
            Ok((offset, header)) => {
                let by_time = run.grid.index(header.starttime);
                (offset, expected.take().unwrap_or(by_time), u64::from(header.npts))
            }
            Err(error) if error.unread == Some(MayPass(true)) => {
                return Err(StageFault::unread(&run.path, &error));
            }
            Err(error) => {
                // Of what is wrong with the records the index has told already.
                if error.unread.is_some() {
                    faults.push(error.offset, error.reason);
                }
                expected = None;
                continue;
            }
        };
        expected = Some(first + npts);
        if first + npts <= from {
            continue;
        }
        if first >= to {
            break;
        }
        let begin = from.max(first);
        open_at(task, run, &mut piece, begin, emit, bench);
        if let Some(piece) = piece.as_mut().filter(|piece| piece.poison.is_some())
            && (first + npts).min(to) <= piece.end
        {
            // As many as they would be.
            let due = piece.samples.len() + ((first + npts).min(to) - begin) as usize;
            piece.samples.resize(due, 0.0);
            continue;
        }
        decoded.clear();
        let record = records.record().and_then(|record| record.decode_f64(&mut decoded));
        match record {
            Ok(integrity) => {
                if let Some(error) = integrity.to_error(offset) {
                    faults.push(offset, error.reason);
                }
            }
            Err(error) if error.unread == Some(MayPass(true)) => {
                return Err(StageFault::unread(&run.path, &error));
            }
            Err(error) => {
                faults.push(error.offset, error.reason);
                expected = None;
                continue;
            }
        }
        let begin = (begin - first) as usize;
        let end = (to.saturating_sub(first)).min(decoded.len() as u64) as usize;
        let samples = decoded.get(begin..end).unwrap_or_default();
        fill(task, run, &mut piece, first + begin as u64, samples, emit, bench);
    }
    bench.decoded = decoded;
    if let Some(piece) = piece {
        finish(task, piece, emit, bench);
    }
    task.settle(bench)
}

/// Adds samples to the piece in work; what goes beyond it begins the next one.
fn fill<'a>(
    task: &mut Task<'_>,
    run: &'a Run,
    piece: &mut Option<Piece<'a>>,
    mut first: u64,
    mut samples: &[f64],
    emit: &Emit<TimeSeries>,
    bench: &mut Bench,
) {
    while !samples.is_empty() {
        open_at(task, run, piece, first, emit, bench);
        let Some(open) = piece.as_mut() else { return };
        let room = usize::try_from(open.end - first).unwrap_or(usize::MAX);
        let (now, later) = samples.split_at(room.min(samples.len()));
        open.samples.extend_from_slice(now);
        first += now.len() as u64;
        samples = later;
    }
}

/// Where the piece in work does not go on with this sample it ends, and the next one is noted.
fn open_at<'a>(
    task: &mut Task<'_>,
    run: &'a Run,
    piece: &mut Option<Piece<'a>>,
    first: u64,
    emit: &Emit<TimeSeries>,
    bench: &mut Bench,
) {
    if piece.as_ref().is_some_and(|piece| piece.fits(first)) {
        return;
    }
    if let Some(done) = piece.take() {
        finish(task, done, emit, bench);
    }
    let poison = task.note(|| format!("{} {}", run.id, run.grid.instant(first)), bench);
    let end = run.grid.piece_end(first);
    // Enough for the whole piece, unless the document claims an absurd rate.
    let room = (end - first).min(PIECE_SAMPLES_RESERVED_MAX) as usize;
    let samples = bench.scratch.take_room(room);
    *piece = Some(Piece { run, first, end, samples, poison });
}

/// Samples that room is made for before they are read: an hour at 500 Hz.
const PIECE_SAMPLES_RESERVED_MAX: u64 = 1_800_000;

fn finish(task: &mut Task<'_>, piece: Piece<'_>, emit: &Emit<TimeSeries>, bench: &mut Bench) {
    let Piece { run, first, samples, poison, .. } = piece;
    if samples.is_empty() {
        // The record that it would have begun with cannot be decoded.
        return bench.scratch.give_back(samples);
    }
    let mut trace = TimeSeries::new(run.id.clone(), run.grid.instant(first), run.rate, samples);
    trace.history = History::of(run.document, first);
    task.count_entered(trace.npts());
    match poison {
        None => emit(trace, task, bench),
        Some(reason) => {
            trace.kill(POISON, reason);
            task.bury(&trace.into_tombstone());
        }
    }
    // A fault of the store is told where the run ends.
    let stored = task.settle(bench);
    task.flush_fault = stored.err();
}

//! The index of an archive: `archive`, `archive_file` and `wf_miniseed` documents.
//!
//! A file is known by its path below the root; it is read again only when its size or its time of
//! modification changed. Its own document is written after those of its runs, so that a kill in
//! between means reading it again, never a half-known file.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use bson::{Bson, Document, doc};
use mspass_core::UtcTime;

use super::scan::{FileScan, Run, ScanOptions, scan_files};
use super::walk::{FoundFile, Walk, walk};
use crate::db::collection::{ARCHIVE, ARCHIVE_FILE, WF_MINISEED};
use crate::db::id::Derived;
use crate::error::{Error, Result};
use crate::format::mseed::RecordError;
use crate::store::{Database, Find};
use bson::oid::ObjectId;

/// Faults of one file kept one by one; further ones are only counted.
pub const ERRORS_MAX: usize = 100;
/// Documents written together at most, beyond those of one file.
const WRITE_DOCUMENTS: usize = 2000;

/// What to index, and how.
#[derive(Clone, Debug)]
pub struct IndexOptions {
    /// Root of the archive: an SDS tree, or any folder of files.
    pub root: PathBuf,
    /// Name of the archive; part of every id. One name has one root.
    pub name: String,
    /// A folder left out: where the results go.
    pub exclude: Option<PathBuf>,
    /// Threads that scan.
    pub threads: usize,
    /// How files are scanned.
    pub scan: ScanOptions,
}

/// How far indexing has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IndexProgress {
    /// Files to be looked at.
    pub files: u64,
    /// Files known already, and unchanged.
    pub unchanged: u64,
    /// Files scanned.
    pub scanned: u64,
    /// Files scanned because they changed.
    pub changed: u64,
    /// Runs found in the files scanned.
    pub runs: u64,
    /// Bytes read.
    pub bytes_read: u64,
    /// Files that gave no run.
    pub barren: u64,
    /// Bytes of all files of the archive.
    pub bytes: u64,
}

/// Brings the index of an archive up to date.
///
/// # Errors
/// As of [`index_while`].
pub fn index(
    database: &Database,
    options: &IndexOptions,
    on_progress: &mut dyn FnMut(&IndexProgress),
) -> Result<IndexProgress> {
    let mut last = IndexProgress::default();
    let indexed = index_while(database, options, &mut |progress| {
        last = *progress;
        on_progress(progress);
        true
    })?;
    Ok(indexed.unwrap_or(last))
}

/// Brings the index of an archive up to date as long as `goes_on`, which is asked before the first
/// file and after each, says so. `None` when it did not while there were files left to scan: what
/// was found until then is in the index, and the next time goes on from there.
///
/// # Errors
/// [`Error::Refused`] when the root is no readable folder, or the archive of this name has another
/// root.
pub fn index_while(
    database: &Database,
    options: &IndexOptions,
    goes_on: &mut dyn FnMut(&IndexProgress) -> bool,
) -> Result<Option<IndexProgress>> {
    let (root, known) = claim_root(database, options)?;
    let Walk { mut files, mut errors } = walk(&root)?;
    if let Some(exclude) = options.exclude.as_ref().and_then(|path| path.canonicalize().ok()) {
        files.retain(|file| !root.join(&file.relative).starts_with(&exclude));
        errors.retain(|error| !error.path.starts_with(&exclude));
    }
    let mut progress = IndexProgress {
        files: (files.len() + errors.len()) as u64,
        bytes: files.iter().map(|file| file.size).sum(),
        ..IndexProgress::default()
    };
    database.documents.create_index(ARCHIVE_FILE, &doc! { "archive": 1 })?;
    database.documents.create_index(WF_MINISEED, &doc! { "archive_file_id": 1, "foff": 1 })?;
    let (stale, changed) = stale_files(database, options, files, &mut progress)?;
    let mut stopped = !goes_on(&progress);
    if stopped && !is_complete(&progress) {
        return Ok(None);
    }
    let mut writer = Writer { database, options, root: &root, runs: Vec::new(), files: Vec::new() };
    for error in errors {
        progress.scanned += 1;
        progress.barren += 1;
        let relative = error.path.strip_prefix(&root).unwrap_or(&error.path).to_string_lossy();
        let lost = FoundFile { relative: relative.into_owned(), size: 0, mtime_nanos: 0 };
        writer.add(&lost, unread(error.reason), true)?;
    }
    let paths: Vec<PathBuf> = stale.iter().map(|file| root.join(&file.relative)).collect();
    let mut written = Ok(());
    scan_files(&paths, &options.scan, options.threads, |at, scan| {
        let mut file = stale[at].clone();
        let is_change = changed.contains(&file.relative);
        let scan = scan.unwrap_or_else(|error| {
            // Looked at again next time, whatever its size and time: it may be readable then.
            (file.size, file.mtime_nanos) = (0, 0);
            unread(reason_of(error))
        });
        progress.scanned += 1;
        progress.changed += u64::from(is_change);
        progress.runs += scan.runs.len() as u64;
        progress.barren += u64::from(scan.runs.is_empty());
        progress.bytes_read += scan.bytes_read;
        stopped |= !goes_on(&progress);
        // A kill may have left runs of a file that the index does not know yet.
        written = writer.add(&file, scan, is_change || known);
        if written.is_ok() && !stopped { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    written?;
    writer.write()?;
    Ok((!stopped || is_complete(&progress)).then_some(progress))
}

fn is_complete(progress: &IndexProgress) -> bool {
    progress.unchanged + progress.scanned == progress.files
}

/// What is known of a file that could not be read.
fn unread(reason: String) -> FileScan {
    let errors = vec![RecordError::whole_file(reason)];
    FileScan { errors, error_count: 1, ..FileScan::default() }
}

/// The system's words, without the path that every message names anyway.
fn reason_of(error: Error) -> String {
    match error {
        Error::File { action, source, .. } => format!("cannot {action}: {source}"),
        other => other.to_string(),
    }
}

/// The root, made absolute, if the archive has no other; and whether the archive was known.
fn claim_root(database: &Database, options: &IndexOptions) -> Result<(PathBuf, bool)> {
    let refuse = |error: std::io::Error| {
        Error::Refused(format!(
            "cannot read the archive {}: {error}; name a folder of miniSEED files",
            options.root.display()
        ))
    };
    let root = options.root.canonicalize().map_err(refuse)?;
    std::fs::read_dir(&root).map_err(refuse)?;
    let dir = root.to_string_lossy().into_owned();
    let id = Derived::new(ARCHIVE).text(&options.name).object_id();
    let find = Find::filter(doc! { "_id": id }).limit(1);
    if let Some(known) = database.documents.find(ARCHIVE, &find)?.next().transpose()? {
        let before = known.get_str("dir").unwrap_or_default();
        if before != dir {
            return Err(Error::Refused(format!(
                "the archive '{}' of this database has the root {before}, not {dir}: take another \
                 archive name, or another database",
                options.name
            )));
        }
        return Ok((root, true));
    }
    let document = doc! { "_id": id, "name": &options.name, "dir": dir };
    database.documents.upsert(ARCHIVE, &[document])?;
    Ok((root, false))
}

/// Files that the index does not know as they are, and the paths of those it knew otherwise.
fn stale_files(
    database: &Database,
    options: &IndexOptions,
    walked: Vec<FoundFile>,
    progress: &mut IndexProgress,
) -> Result<(Vec<FoundFile>, HashSet<String>)> {
    let keys = doc! { "path": 1, "size": 1, "mtime_ns": 1 };
    let find = Find::filter(doc! { "archive": &options.name }).projection(keys);
    let mut known = HashMap::new();
    for document in database.documents.find(ARCHIVE_FILE, &find)? {
        let document = document?;
        let version = (document.get_i64("size").ok(), document.get_i64("mtime_ns").ok());
        known.insert(document.get_str("path").unwrap_or_default().to_owned(), version);
    }
    let (mut stale, mut changed) = (Vec::new(), HashSet::new());
    for file in walked {
        match known.get(&file.relative) {
            Some(version) if *version == (Some(file.size as i64), Some(file.mtime_nanos)) => {
                progress.unchanged += 1;
                continue;
            }
            Some(_) => drop(changed.insert(file.relative.clone())),
            None => {}
        }
        stale.push(file);
    }
    Ok((stale, changed))
}

struct Writer<'a> {
    database: &'a Database,
    options: &'a IndexOptions,
    root: &'a Path,
    runs: Vec<Document>,
    files: Vec<Document>,
}

impl Writer<'_> {
    fn add(&mut self, file: &FoundFile, scan: FileScan, may_have_runs: bool) -> Result<()> {
        let id = self.derived(ARCHIVE_FILE, file).object_id();
        if may_have_runs {
            // Runs that are no more; those that are still there get the same ids again.
            self.database.documents.delete(WF_MINISEED, &doc! { "archive_file_id": id })?;
        }
        let absolute = self.root.join(&file.relative);
        let dir = absolute.parent().unwrap_or(self.root).to_string_lossy().into_owned();
        let dfile = absolute.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for run in &scan.runs {
            let run_id = self.derived(WF_MINISEED, file).number(run.extent.foff).object_id();
            self.runs.push(run_document(run_id, run, &self.options.name, id, &dir, &dfile));
        }
        self.files.push(self.file_document(id, file, &scan, &dir, &dfile));
        if self.runs.len() + self.files.len() >= WRITE_DOCUMENTS { self.write() } else { Ok(()) }
    }

    fn derived(&self, kind: &str, file: &FoundFile) -> Derived {
        Derived::new(kind).text(&self.options.name).text(&file.relative)
    }

    fn file_document(
        &self,
        id: ObjectId,
        file: &FoundFile,
        scan: &FileScan,
        dir: &str,
        dfile: &str,
    ) -> Document {
        let errors = scan.errors.iter().take(ERRORS_MAX).map(|error| {
            Bson::Document(doc! { "offset": error.offset as i64, "reason": &error.reason })
        });
        let mut errors: Vec<Bson> = errors.collect();
        if scan.runs.is_empty() && errors.is_empty() {
            let reason =
                if file.size == 0 { "the file is empty" } else { "no waveform records in it" };
            errors.push(Bson::Document(doc! { "offset": 0_i64, "reason": reason }));
        }
        doc! {
            "_id": id, "archive": &self.options.name, "path": &file.relative,
            "dir": dir, "dfile": dfile,
            "size": file.size as i64, "mtime_ns": file.mtime_nanos,
            "runs": scan.runs.len() as i64,
            "nbytes": scan.runs.iter().map(|run| run.extent.nbytes).sum::<u64>() as i64,
            "error_count": scan.error_count.max(errors.len() as u64) as i64,
            "errors": errors,
        }
    }

    fn write(&mut self) -> Result<()> {
        if !self.runs.is_empty() {
            self.database.documents.upsert(WF_MINISEED, &self.runs)?;
            self.runs.clear();
        }
        if !self.files.is_empty() {
            self.database.documents.upsert(ARCHIVE_FILE, &self.files)?;
            self.files.clear();
        }
        Ok(())
    }
}

/// The `wf_miniseed` document of a run: MsPASS's keys and units, and beside them integer
/// nanoseconds, which doubles of epoch seconds lose.
fn run_document(
    id: ObjectId,
    run: &Run,
    archive: &str,
    file: ObjectId,
    dir: &str,
    dfile: &str,
) -> Document {
    let seconds = |time: UtcTime| time.seconds();
    let mut document = doc! {
        "_id": id,
        "net": run.id.network(), "sta": run.id.station(),
        "loc": run.id.location(), "chan": run.id.channel(),
        "starttime": seconds(run.starttime), "endtime": seconds(run.endtime),
        "last_packet_time": seconds(run.last_packet_time),
        "starttime_ns": run.starttime.nanos(), "endtime_ns": run.endtime.nanos(),
        "npts": run.npts as i64,
        "sampling_rate": run.sampling_rate, "delta": 1.0 / run.sampling_rate,
        "calib": 1.0, "time_standard": "UTC", "utc_convertible": true,
        "storage_mode": "file", "format": "mseed",
        "dir": dir, "dfile": dfile,
        "foff": run.extent.foff as i64, "nbytes": run.extent.nbytes as i64,
        "archive": archive, "archive_file_id": file,
    };
    if !run.gaps.is_empty() {
        let gaps = run.gaps.iter().map(|gap| {
            Bson::Document(doc! { "starttime": seconds(gap.start), "endtime": seconds(gap.end) })
        });
        document.insert("has_gap", true);
        document.insert("gaps", gaps.collect::<Vec<_>>());
    }
    document
}

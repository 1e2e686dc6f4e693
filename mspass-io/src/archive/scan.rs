//! Runs of records in files.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use mspass_core::{SeedId, UtcTime};

use crate::error::{Error, Result};
use crate::format::SampleType;
use crate::format::mseed::{Encoding, Extent, RecordError, RecordHeader, Records, rates_agree};

/// Errors kept of one file; more are only counted.
const ERRORS_MAX: usize = 1000;

/// Threads of [`scan_files`] at most.
const THREADS_MAX: usize = 256;

/// Results of [`scan_files`] that wait for the caller, at most.
const RESULTS_MAX: usize = 64;

/// How records are put together to runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScanOptions {
    /// Whether a gap or overlap of more than half a sample ends a run; else it is listed in the
    /// run, and only time going back ends it. Default true.
    pub segment_time_tears: bool,
    /// Relative difference of sampling rates below which they are one. Default 1e-4.
    pub sample_rate_tolerance: f64,
    /// Whether another quality (publication version) ends a run. Default true.
    pub segment_publications: bool,
}

impl Default for ScanOptions {
    fn default() -> Self {
        Self { segment_time_tears: true, sample_rate_tolerance: 1e-4, segment_publications: true }
    }
}

/// A stretch of time within a run for which there are no samples, or (where `end` is not after
/// `start`) two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// When the first missing sample was due.
    pub start: UtcTime,
    /// Time of the sample that came instead.
    pub end: UtcTime,
}

/// Consecutive records of one channel in a file, in time order.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Whose samples.
    pub id: SeedId,
    /// Publication version (miniSEED 2: R = 1, D = 2, Q = 3, M = 4) of the first record.
    pub publication: u8,
    /// Time of the first sample.
    pub starttime: UtcTime,
    /// Time of the last sample.
    pub endtime: UtcTime,
    /// Time of the first sample of the last record.
    pub last_packet_time: UtcTime,
    /// Samples declared by the records.
    pub npts: u64,
    /// Hz, of the first record.
    pub sampling_rate: f64,
    /// How the samples of the first record are written.
    pub encoding: Encoding,
    /// What the samples are.
    pub sample_type: SampleType,
    /// Version of the format, 2 or 3.
    pub version: u8,
    /// Where the records lie.
    pub extent: Extent,
    /// Records with samples.
    pub records: u64,
    /// Gaps and overlaps, where runs are not cut at them.
    pub gaps: Vec<Gap>,
}

/// What the headers of a file tell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileScan {
    /// Runs in file order; none where the file gives no datum.
    pub runs: Vec<Run>,
    /// What is broken, in file order; no more than the first thousand.
    pub errors: Vec<RecordError>,
    /// How many things are broken.
    pub error_count: u64,
    /// Bytes read.
    pub bytes_read: u64,
}

/// Reads the headers of a file's miniSEED records and gives its runs.
///
/// Text (log) records and those without samples make no run. A file without any run has at least
/// one error that says why. An `Err` where the file cannot be opened.
pub fn scan_file(path: &Path, options: &ScanOptions) -> Result<FileScan> {
    let file = File::open(path).map_err(Error::file("open", path))?;
    let mut runs = Vec::new();
    let scan =
        scan_runs(&file, options, |run| runs.push(run)).map_err(Error::file("read", path))?;
    Ok(FileScan { runs, ..scan })
}

/// As [`scan_file`], but hands each run over when it ends and keeps none: for files of millions of
/// runs, such as multiplexed ones.
pub fn scan_runs(
    file: &File,
    options: &ScanOptions,
    mut on_run: impl FnMut(Run),
) -> std::io::Result<FileScan> {
    let size = file.metadata()?.len();
    let mut records = Records::of_file(file)?;
    let mut scan = FileScan::default();
    let mut current: Option<Current> = None;
    let (mut seen, mut run_count) = (0u64, 0u64);
    loop {
        let (offset, header) = match records.next_header() {
            None => break,
            Some(Ok(item)) => item,
            Some(Err(error)) => {
                scan.add_error(error);
                continue;
            }
        };
        seen += 1;
        let Some(sample_type) = header.encoding.sample_type() else {
            let code = header.encoding.code();
            let reason = format!("samples in encoding {code}, unknown here");
            scan.add_error(RecordError::lost(offset, reason));
            continue;
        };
        let has_samples =
            header.npts > 0 && header.sampling_rate > 0.0 && sample_type != SampleType::Text;
        match &mut current {
            Some(run) if run.takes(header, sample_type, has_samples, options) => {
                run.add(offset, header, has_samples, options);
            }
            _ => {
                let next = has_samples.then(|| Current::begin(offset, header, sample_type));
                if let Some(ended) = std::mem::replace(&mut current, next) {
                    run_count += 1;
                    on_run(ended.end());
                }
            }
        }
    }
    if let Some(ended) = current {
        run_count += 1;
        on_run(ended.end());
    }
    scan.explain(size, seen, run_count);
    scan.bytes_read = records.bytes_read();
    Ok(scan)
}

impl FileScan {
    fn add_error(&mut self, error: RecordError) {
        self.error_count += 1;
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(error);
        }
    }

    /// Says why there is no run.
    fn explain(&mut self, size: u64, seen: u64, runs: u64) {
        let reason = match (size, seen, runs) {
            (0, ..) => "an empty file",
            (_, 0, _) if self.error_count == 0 => "no waveform record",
            (_, _, 0) if self.error_count == 0 => "records without waveform samples only",
            _ => return,
        };
        self.add_error(RecordError::lost(0, reason));
    }
}

/// The run that is growing.
struct Current {
    run: Run,
    id_bytes: Vec<u8>,
    /// When the next sample is due.
    due: UtcTime,
    /// Whether all records so far but the last are as long, the last no longer, and no bytes
    /// between them.
    regular: bool,
    /// Length of the first record, bytes.
    length: u32,
    /// Length of the last one.
    last_length: u32,
}

impl Current {
    fn begin(offset: u64, header: &RecordHeader, sample_type: SampleType) -> Self {
        let run = Run {
            id: header.id.clone(),
            publication: header.publication,
            starttime: header.starttime,
            endtime: header.endtime(),
            last_packet_time: header.starttime,
            npts: u64::from(header.npts),
            sampling_rate: header.sampling_rate,
            encoding: header.encoding,
            sample_type,
            version: header.version,
            extent: Extent { foff: offset, nbytes: u64::from(header.length), record_length: None },
            records: 1,
            gaps: Vec::new(),
        };
        let id_bytes = header.id_bytes().to_vec();
        let due = header.next_starttime();
        let length = header.length;
        Self { run, id_bytes, due, regular: true, length, last_length: length }
    }

    /// Whether the record belongs to this run.
    fn takes(
        &self,
        header: &RecordHeader,
        sample_type: SampleType,
        has_samples: bool,
        options: &ScanOptions,
    ) -> bool {
        let same = self.run.version == header.version && self.id_bytes == header.id_bytes();
        if !same || !has_samples {
            return same && sample_type != SampleType::Text;
        }
        let in_time = if options.segment_time_tears {
            !self.is_torn(header)
        } else {
            header.starttime >= self.run.last_packet_time
        };
        in_time
            && self.run.sample_type == sample_type
            && (self.run.publication == header.publication || !options.segment_publications)
            && rates_agree(
                self.run.sampling_rate,
                header.sampling_rate,
                options.sample_rate_tolerance,
            )
    }

    /// Whether the record begins more than half a sample away from where it is due.
    fn is_torn(&self, header: &RecordHeader) -> bool {
        let late = (header.starttime - self.due) as f64;
        late.abs() * self.run.sampling_rate * 2.0 > 1e9
    }

    fn add(
        &mut self,
        offset: u64,
        header: &RecordHeader,
        has_samples: bool,
        options: &ScanOptions,
    ) {
        let extent = &mut self.run.extent;
        let adjoins = offset == extent.foff + extent.nbytes;
        self.regular &= adjoins && self.last_length == self.length && header.length <= self.length;
        self.last_length = header.length;
        extent.nbytes = offset + u64::from(header.length) - extent.foff;
        if !has_samples {
            return;
        }
        if !options.segment_time_tears && self.is_torn(header) {
            self.run.gaps.push(Gap { start: self.due, end: header.starttime });
        }
        self.due = header.next_starttime();
        self.run.endtime = header.endtime();
        self.run.last_packet_time = header.starttime;
        self.run.npts += u64::from(header.npts);
        self.run.records += 1;
    }

    fn end(mut self) -> Run {
        self.run.extent.record_length = self.regular.then_some(self.length);
        self.run
    }
}

/// Scans many files on at most `threads` threads, those of the caller not counted.
///
/// `on_result` is called on the caller's thread with the place of the file in `paths` and what
/// came of it, in the order in which files are done; it may end the scan early.
pub fn scan_files<P: AsRef<Path> + Sync>(
    paths: &[P],
    options: &ScanOptions,
    threads: usize,
    mut on_result: impl FnMut(usize, Result<FileScan>) -> ControlFlow<()>,
) {
    let threads = threads.clamp(1, THREADS_MAX).min(paths.len());
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::sync_channel(RESULTS_MAX);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let sender = sender.clone();
            let next = &next;
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(path) = paths.get(index) else { break };
                    if sender.send((index, scan_file(path.as_ref(), options))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (index, result) in &receiver {
            if on_result(index, result).is_break() {
                break;
            }
        }
        // those still at work find the channel closed and stop
        drop(receiver);
    });
}

//! Records joined to traces.

use std::collections::HashMap;

use mspass_core::{SeedId, UtcTime};

use super::header::RecordHeader;
use super::record::{Record, RecordError};
use super::records::Records;
use crate::format::{Contents, Format, SampleType, Trace};

/// Two rates are one where they differ by less than this, relative (libmseed's tolerance).
pub(crate) const RATE_TOLERANCE: f64 = 1e-4;

/// The traces of miniSEED bytes, and what is wrong with the rest.
///
/// Records of one id and publication join, in file order, where rate and sample type agree and the
/// next begins within half a sample of where it is due; a record without samples parts them, as in
/// ObsPy. No records at all is an error entry.
///
/// ```
/// let contents = mspass_io::format::mseed::read(b"not miniSEED");
/// assert!(contents.traces.is_empty());
/// assert_eq!(contents.errors.len(), 1);
/// ```
pub fn read(bytes: &[u8]) -> Contents {
    collect(Records::of_slice(bytes))
}

/// As [`read`], of what `records` gives.
pub(crate) fn collect(mut records: Records<'_>) -> Contents {
    let mut joined = Joined::default();
    let mut errors = Vec::new();
    let mut count = 0usize;
    while let Some(item) = records.next_record() {
        count += 1;
        match item.and_then(|record| joined.add(&record)) {
            Ok(None) => {}
            Ok(Some(error)) | Err(error) => errors.push(error),
        }
    }
    if count == 0 {
        errors.push(RecordError::lost(0, "no miniSEED record"));
    }
    Contents { format: Format::MiniSeed, traces: joined.traces, errors }
}

/// Whether `rate` counts as the same as `before`; never where there is no rate.
pub(crate) fn rates_agree(before: f64, rate: f64, tolerance: f64) -> bool {
    (1.0 - before / rate).abs() < tolerance
}

/// Where the last record of a channel left off.
struct Stream {
    id: SeedId,
    publication: u8,
    sampling_rate: f64,
    sample_type: SampleType,
    /// When its next sample is due; `None` after a record without samples.
    due: Option<UtcTime>,
    /// Index of its last trace.
    trace: usize,
}

impl Stream {
    fn is_of(&self, header: &RecordHeader) -> bool {
        self.publication == header.publication && self.id == header.id
    }

    fn continues(&self, header: &RecordHeader, sample_type: SampleType) -> bool {
        let late = self.due.map_or(f64::MAX, |due| (header.starttime - due) as f64);
        self.sample_type == sample_type
            && rates_agree(self.sampling_rate, header.sampling_rate, RATE_TOLERANCE)
            && late.abs() * self.sampling_rate * 2.0 <= 1e9
    }
}

#[derive(Default)]
struct Joined {
    traces: Vec<Trace>,
    streams: Vec<Stream>,
    by_id: HashMap<(SeedId, u8), usize>,
    /// Index of the stream of the record before: most often that of the next.
    last: usize,
}

impl Joined {
    /// Index of the record's stream, which may be one past the last.
    fn stream_of(&self, header: &RecordHeader) -> usize {
        if self.streams.get(self.last).is_some_and(|stream| stream.is_of(header)) {
            return self.last;
        }
        let key = (header.id.clone(), header.publication);
        self.by_id.get(&key).copied().unwrap_or(self.streams.len())
    }

    fn add(&mut self, record: &Record<'_>) -> Result<Option<RecordError>, RecordError> {
        let header = record.header;
        let index = self.stream_of(header);
        let stream = self.streams.get_mut(index);
        if header.npts == 0 {
            stream.into_iter().for_each(|stream| stream.due = None);
            return Ok(None);
        }
        let Some(sample_type) = header.encoding.sample_type() else {
            return record.decode().map(|_| None);
        };
        let due = Some(header.next_starttime());
        if let Some(stream) = stream
            && stream.continues(header, sample_type)
            && let Some(trace) = self.traces.get_mut(stream.trace)
        {
            let integrity = record.decode_onto(&mut trace.samples)?;
            stream.due = due;
            self.last = index;
            return Ok(integrity.to_error(record.offset));
        }
        let (samples, integrity) = record.decode()?;
        let (id, publication) = (header.id.clone(), header.publication);
        let (starttime, sampling_rate) = (header.starttime, header.sampling_rate);
        let trace = self.traces.len();
        self.traces.push(Trace { id: id.clone(), publication, starttime, sampling_rate, samples });
        let stream = Stream { id, publication, sampling_rate, sample_type, due, trace };
        match self.streams.get_mut(index) {
            Some(old) => *old = stream,
            None => {
                self.by_id.insert((stream.id.clone(), publication), index);
                self.streams.push(stream);
            }
        }
        self.last = index;
        Ok(integrity.to_error(record.offset))
    }
}

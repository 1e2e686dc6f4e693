//! Saved waveforms, read back: a document of `wf_TimeSeries` or `wf_miniseed` and its samples.
//!
//! Where the samples are, only the document says: `storage_mode` "gridfs" means the blob
//! `gridfs_id`; "file" means `dir`/`dfile` from byte `foff` on, in miniSEED records (`format`
//! "mseed") or as bare doubles ("binary", or no `format`).

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};
use mspass_core::series::TimeAxis;
use mspass_core::{Hertz, History, Metadata, SeedId, Severity, TimeSeries, UtcTime};

use super::collection::{WF_MINISEED, WF_TIME_SERIES};
use super::id::to_document_id;
use super::value::from_bson;
use crate::error::{Error, Result};
use crate::format::mseed::{RecordError, Records, read_records};
use crate::format::{SampleType, Trace};
use crate::store::{Database, Find};

/// Keys that say what the fields of a [`TimeSeries`] say, or where its samples are; all others
/// become metadata.
const STRUCTURAL: [&str; 18] = [
    "_id",
    "net",
    "sta",
    "loc",
    "chan",
    "npts",
    "nbytes",
    "delta",
    "sampling_rate",
    "starttime",
    "starttime_ns",
    "starttime_shift",
    "endtime",
    "endtime_ns",
    "time_standard",
    "utc_convertible",
    "storage_mode",
    "gridfs_id",
];

/// `starttime_ns` is believed where it agrees with `starttime` within this.
const START_TOLERANCE_NANOS: i64 = 1000;

/// Two statements of the sampling rate within this (relative) agree.
const RATE_TOLERANCE: f64 = 1e-6;

/// The samples of one document.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SavedWaveform {
    /// Gap-free traces in the order of the file; one unless the samples are miniSEED.
    pub traces: Vec<TimeSeries>,
    /// Records that could not be read, or not for certain.
    pub errors: Vec<RecordError>,
}

/// The document with this `_id` in `wf_TimeSeries` or `wf_miniseed`.
///
/// # Errors
/// What the store says.
pub fn find_waveform(database: &Database, id: ObjectId) -> Result<Option<Document>> {
    for collection in [WF_TIME_SERIES, WF_MINISEED] {
        let find = Find::filter(doc! { "_id": id }).limit(1);
        if let Some(document) = database.documents.find(collection, &find)?.next().transpose()? {
            return Ok(Some(document));
        }
    }
    Ok(None)
}

/// Reads the one trace that a document speaks of.
///
/// Structure comes from the document's MsPASS keys, `starttime` from `starttime_ns` where the two
/// agree within 1 us; of a miniSEED document from its records. Other keys become metadata, the
/// `_id` the trace's history.
///
/// # Errors
/// [`Error::Waveform`] where document and samples contradict each other, a required key is missing,
/// records are broken, or there are several gap-free stretches, which [`read_waveform`] gives;
/// [`Error::NoBlob`] and [`Error::File`] where the samples are not there.
///
/// ```
/// use std::sync::Arc;
/// use bson::{doc, oid::ObjectId};
/// use mspass_core::{Hertz, TimeSeries, UtcTime};
/// use mspass_io::db::{encode_samples, read::read_time_series, wf_time_series_document};
/// use mspass_io::store::{Blob, BlobStore, Database, MemoryStore};
///
/// let database = Database::of(Arc::new(MemoryStore::new()));
/// let seed_id = "YA.UV05.00.HHZ".parse()?;
/// let trace = TimeSeries::new(seed_id, UtcTime::default(), Hertz::new(20.0)?, vec![1.0, -2.0]);
/// let id = ObjectId::new();
/// database.blobs.put(&[Blob { id, bytes: encode_samples(&trace.samples) }])?;
/// let document = wf_time_series_document(id, &trace, &doc! {});
/// let read = read_time_series(&database, &document)?;
/// assert_eq!((read.samples, read.axis), (trace.samples, trace.axis));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read_time_series(database: &Database, document: &Document) -> Result<TimeSeries> {
    let mut waveform = read_waveform(database, document)?;
    let refuse = |reason| Err(refused(document, reason));
    match (waveform.errors.first(), waveform.traces.len()) {
        (Some(error), _) => refuse(format!("{}, {error}", path_of(document)?.display())),
        (None, 1) => Ok(waveform.traces.remove(0)),
        (None, count) => refuse(format!("it has {count} gap-free stretches, not one")),
    }
}

/// Reads whatever samples a document has.
///
/// # Errors
/// As [`read_time_series`], but broken records and gaps are no error unless nothing is left.
pub fn read_waveform(database: &Database, document: &Document) -> Result<SavedWaveform> {
    let mode = document.get_str("storage_mode").unwrap_or("none");
    let format = document.get_str("format").unwrap_or("binary");
    if mode == "gridfs" {
        let id = document.get_object_id("gridfs_id");
        let id = id.map_err(|error| refused(document, error.to_string()))?;
        return read_doubles(document, &database.blobs.read(id)?);
    }
    if mode != "file" {
        return Err(refused(document, format!("samples of storage_mode '{mode}' cannot be read")));
    }
    if format.eq_ignore_ascii_case("mseed") {
        return read_miniseed(document);
    }
    if format == "binary" {
        return read_doubles(document, &read_native(document)?);
    }
    Err(refused(document, format!("samples in format '{format}' cannot be read")))
}

/// Bare little-endian doubles.
fn read_doubles(document: &Document, bytes: &[u8]) -> Result<SavedWaveform> {
    let npts = count(document, "npts")?;
    let held = bytes.len() / size_of::<f64>();
    if !bytes.len().is_multiple_of(size_of::<f64>()) || npts != held as u64 {
        let reason = format!("npts is {npts}, but {} bytes of samples are {held}", bytes.len());
        return Err(refused(document, reason));
    }
    let id = seed_id(document)?;
    let mut trace = TimeSeries::new(id, UtcTime::default(), sampling_rate(document)?, Vec::new());
    trace.axis = axis(document, trace.sampling_rate())?;
    let doubles = bytes.as_chunks().0;
    trace.samples = doubles.iter().map(|double| f64::from_le_bytes(*double)).collect();
    describe(&mut trace, document);
    Ok(SavedWaveform { traces: vec![trace], errors: Vec::new() })
}

/// The bytes of a file of doubles.
fn read_native(document: &Document) -> Result<Vec<u8>> {
    let path = path_of(document)?;
    let (foff, npts) = (count(document, "foff")?, count(document, "npts")?);
    let mut file = File::open(&path).map_err(Error::file("open", &path))?;
    let length = file.metadata().map_err(Error::file("read", &path))?.len();
    let due = npts.saturating_mul(size_of::<f64>() as u64);
    if length.saturating_sub(foff) < due {
        let reason = format!(
            "npts is {npts}, but {} holds {} samples after byte {foff}",
            path.display(),
            length.saturating_sub(foff) / size_of::<f64>() as u64
        );
        return Err(refused(document, reason));
    }
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(foff)).map_err(Error::file("read", &path))?;
    file.take(due).read_to_end(&mut bytes).map_err(Error::file("read", &path))?;
    Ok(bytes)
}

/// A run of miniSEED records; what they say of start, rate and number of samples holds.
fn read_miniseed(document: &Document) -> Result<SavedWaveform> {
    let path = path_of(document)?;
    let (foff, nbytes) = (count(document, "foff")?, count(document, "nbytes")?);
    let contents = read_records(Records::open(&path)?.within(foff, nbytes));
    let mut waveform = SavedWaveform { traces: Vec::new(), errors: contents.errors };
    for trace in contents.traces {
        if trace.samples.sample_type() == SampleType::Text {
            let reason = format!("{} holds text at byte {foff}, no samples", path.display());
            return Err(refused(document, reason));
        }
        waveform.traces.push(run_trace(document, &path, trace)?);
    }
    if waveform.traces.is_empty() {
        let reason = waveform.errors.first().map(ToString::to_string);
        let reason = reason.unwrap_or_else(|| format!("no samples at byte {foff}"));
        return Err(refused(document, format!("{}, {reason}", path.display())));
    }
    Ok(waveform)
}

fn run_trace(document: &Document, path: &Path, trace: Trace) -> Result<TimeSeries> {
    let due = seed_id(document)?;
    if due != SeedId::default() && due != trace.id {
        let (path, found) = (path.display(), &trace.id);
        let reason = format!("its id is {due}, but {path} holds records of {found} there");
        return Err(refused(document, reason));
    }
    let rate = Hertz::new(trace.sampling_rate);
    let rate = rate.map_err(|error| refused(document, error.to_string()))?;
    let samples = trace.samples.to_f64();
    let mut series = TimeSeries::new(trace.id, trace.starttime, rate, samples);
    describe(&mut series, document);
    Ok(series)
}

/// Metadata and history of a trace read, and what is odd about its document.
fn describe(trace: &mut TimeSeries, document: &Document) {
    let others = document.iter().filter(|(key, _)| !STRUCTURAL.contains(&key.as_str()));
    trace.metadata = others.map(|(key, value)| (key.as_str(), from_bson(value))).collect();
    Metadata::clear_modified(&mut trace.metadata);
    if let Ok(id) = document.get_object_id("_id") {
        trace.history = History::of(to_document_id(id), 0);
    }
    let stated = (number(document, "delta"), number(document, "sampling_rate"));
    if let (Some(delta), Some(rate)) = stated
        && ((delta * rate - 1.0).abs() > RATE_TOLERANCE)
    {
        let message = format!("delta {delta} s and sampling_rate {rate} Hz differ: delta is taken");
        trace.log.push("read", Severity::Complaint, message);
    }
}

fn seed_id(document: &Document) -> Result<SeedId> {
    let code = |key| document.get_str(key).unwrap_or_default();
    SeedId::new(code("net"), code("sta"), code("loc"), code("chan"))
        .map_err(|error| refused(document, error.to_string()))
}

/// The rate whose inverse is the document's `delta`, to the last bit where there is one.
fn sampling_rate(document: &Document) -> Result<Hertz> {
    let stated = number(document, "sampling_rate");
    let rate = match number(document, "delta") {
        None => {
            stated.ok_or_else(|| refused(document, "neither delta nor sampling_rate".into()))?
        }
        Some(delta) => {
            let inverse = 1.0 / delta;
            let stated = stated.unwrap_or(inverse);
            let mut nearest = [stated, inverse, inverse.next_up(), inverse.next_down()].into_iter();
            nearest.find(|rate| (1.0 / rate).to_bits() == delta.to_bits()).unwrap_or(inverse)
        }
    };
    Hertz::new(rate).map_err(|error| refused(document, error.to_string()))
}

fn axis(document: &Document, rate: Hertz) -> Result<TimeAxis> {
    let start = number(document, "starttime").filter(|start| start.is_finite());
    let start = start.ok_or_else(|| refused(document, "starttime is no number".into()))?;
    let from_seconds = UtcTime::from_seconds(start);
    // Nanoseconds of the key beside, where nobody changed the seconds since.
    let precise = |seconds: UtcTime, nanos: Option<UtcTime>| {
        nanos.filter(|n| (*n - seconds).abs() <= START_TOLERANCE_NANOS).unwrap_or(seconds)
    };
    let nanos = document.get_i64("starttime_ns").ok().map(UtcTime::from_nanos);
    match document.get_str("time_standard") {
        Ok("Relative") => {
            let convertible = document.get_bool("utc_convertible").unwrap_or(false);
            let shift = number(document, "starttime_shift").filter(|shift| shift.is_finite());
            let origin = shift.filter(|_| convertible).map(|shift| {
                let nanos = nanos.map(|nanos| UtcTime::from_nanos(nanos - from_seconds));
                precise(UtcTime::from_seconds(shift), nanos)
            });
            Ok(TimeAxis::relative(start, origin, rate))
        }
        Ok("UTC") | Err(_) => Ok(TimeAxis::utc(precise(from_seconds, nanos), rate)),
        Ok(other) => Err(refused(document, format!("unknown time_standard '{other}'"))),
    }
}

fn path_of(document: &Document) -> Result<PathBuf> {
    let text = |key| document.get_str(key).map_err(|error| refused(document, error.to_string()));
    Ok(Path::new(text("dir")?).join(text("dfile")?))
}

/// A number of any of MongoDB's types.
fn number(document: &Document, key: &str) -> Option<f64> {
    match document.get(key)? {
        Bson::Double(value) => Some(*value),
        Bson::Int32(value) => Some(f64::from(*value)),
        Bson::Int64(value) => Some(*value as f64),
        _ => None,
    }
}

/// A whole number not below 0.
fn count(document: &Document, key: &str) -> Result<u64> {
    let value = match document.get(key) {
        Some(Bson::Int32(value)) => u64::try_from(*value).ok(),
        Some(Bson::Int64(value)) => u64::try_from(*value).ok(),
        Some(Bson::Double(value)) if value.fract() == 0.0 && (0.0..9e15).contains(value) => {
            Some(*value as u64)
        }
        _ => None,
    };
    value.ok_or_else(|| refused(document, format!("{key} is no count")))
}

fn refused(document: &Document, reason: String) -> Error {
    let id = match document.get("_id") {
        Some(Bson::ObjectId(id)) => id.to_hex(),
        Some(id) => id.clone().into_relaxed_extjson().to_string(),
        None => "without _id".to_owned(),
    };
    Error::Waveform { id, reason }
}

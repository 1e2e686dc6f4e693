//! What the fields of a datum are called in documents: the one place that translates between them,
//! in MsPASS's names, types and units.

use bson::{Bson, Document, doc};
use mspass_core::metadata::Value;
use mspass_core::metadata::key::STRUCTURE;
use mspass_core::series::{Gaps, TimeAxis, TimeStandard};
use mspass_core::{Hertz, Metadata, SeedId, UtcTime};

use super::value::from_bson;
use crate::error::{Error, Result};

/// Keys that say where samples are. Those of the place that a datum was read from do not hold for
/// the place it is saved to.
pub(super) const OF_PLACE: [&str; 8] =
    ["storage_mode", "format", "gridfs_id", "dir", "dfile", "foff", "nbytes", "url"];

/// `starttime_ns` is believed where it agrees with `starttime` within this.
const START_TOLERANCE_NANOS: i64 = 1000;

/// Keys for the SEED id and the time axis, plus `starttime_ns`, which keeps the nanoseconds that a
/// double of epoch seconds loses.
pub(super) fn header(id: &SeedId, axis: &TimeAxis, npts: usize) -> Document {
    let mut document = doc! {
        "net": id.network(), "sta": id.station(), "loc": id.location(), "chan": id.channel(),
        "npts": whole(npts as u64),
        "delta": axis.delta(),
        "sampling_rate": axis.sampling_rate().value(),
        "starttime": axis.start(),
    };
    if let Some(span) = axis.span(npts) {
        document.insert("endtime", span.end);
    }
    if let Some(start) = axis.starttime() {
        document.insert("starttime_ns", start.nanos());
    }
    match axis.standard() {
        TimeStandard::Relative { origin } => {
            document.insert("time_standard", "Relative");
            document.insert("utc_convertible", origin.is_some());
            if let Some(origin) = origin {
                document.insert("starttime_shift", origin.seconds());
            }
        }
        _ => {
            document.insert("time_standard", "UTC");
            document.insert("utc_convertible", true);
        }
    }
    document
}

/// `tmatrix` row by row, and what follows from it.
pub(super) fn directions(tmatrix: &[[f64; 3]; 3], cardinal: bool, orthogonal: bool) -> Document {
    let tmatrix: Vec<f64> = tmatrix.iter().flatten().copied().collect();
    doc! { "tmatrix": tmatrix, "cardinal": cardinal, "orthogonal": orthogonal }
}

/// The matrix of a document: nine numbers, or three rows of three; none where there is none.
pub(super) fn tmatrix(document: &Document) -> Result<Option<[[f64; 3]; 3]>> {
    let Some(value) = document.get("tmatrix") else { return Ok(None) };
    let refuse = || refused(document, "tmatrix is not nine numbers".into());
    let mut numbers = Vec::with_capacity(9);
    for value in value.as_array().ok_or_else(refuse)?.iter().take(10) {
        match value {
            Bson::Array(row) => numbers.extend(row.iter().take(10).map(as_number)),
            value => numbers.push(as_number(value)),
        }
    }
    let numbers: Option<Vec<f64>> = numbers.into_iter().collect();
    let numbers: [f64; 9] = numbers.and_then(|n| n.try_into().ok()).ok_or_else(refuse)?;
    let mut matrix = [[0.0; 3]; 3];
    matrix.iter_mut().zip(numbers.as_chunks::<3>().0).for_each(|(row, three)| *row = *three);
    Ok(Some(matrix))
}

/// Gaps as pairs of nanoseconds since the first sample.
pub(super) fn gaps_array(gaps: &Gaps) -> Bson {
    Bson::Array(
        gaps.iter().map(|(first, last)| Bson::Array(vec![first.into(), last.into()])).collect(),
    )
}

/// The gaps that a document tells of.
pub(super) fn gaps(document: &Document) -> Result<Gaps> {
    let mut gaps = Gaps::default();
    for span in document.get_array("gaps").into_iter().flatten() {
        let pair = match span.as_array().map(Vec::as_slice) {
            Some([first, last]) => as_integer(first).zip(as_integer(last)),
            _ => None,
        };
        let (first, last) = pair.ok_or_else(|| refused(document, "gaps are no pairs".into()))?;
        gaps.add(first, last).map_err(|error| refused(document, error.to_string()))?;
    }
    Ok(gaps)
}

/// What no field holds, as metadata that nobody has changed yet.
pub(super) fn metadata(document: &Document) -> Metadata {
    let others = document.iter().filter(|(key, _)| !STRUCTURE.contains(&key.as_str()));
    let mut metadata: Metadata =
        others.map(|(key, value)| (key.as_str(), from_bson(value))).collect();
    metadata.clear_modified();
    metadata
}

/// Whether a key of metadata is saved as it stands: no field says it, it is not the place where the
/// samples were, and no link to what was kept of an earlier state.
pub(super) fn is_lasting(key: &str) -> bool {
    let links = ["_id", "elog_id", "history_object_id"];
    let codes = ["net", "sta", "loc", "chan"];
    let of_fields = STRUCTURE.contains(&key) && !codes.contains(&key);
    !(of_fields || OF_PLACE.contains(&key) || links.contains(&key))
}

/// The SEED id of a document; codes that it lacks are empty.
pub(super) fn seed_id(document: &Document) -> Result<SeedId> {
    let code = |key| document.get_str(key).unwrap_or_default();
    SeedId::new(code("net"), code("sta"), code("loc"), code("chan"))
        .map_err(|error| refused(document, error.to_string()))
}

/// The rate whose inverse is the document's `delta`, to the last bit where there is one.
pub(super) fn sampling_rate(document: &Document) -> Result<Hertz> {
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

/// The time axis of a document.
pub(super) fn axis(document: &Document) -> Result<TimeAxis> {
    let rate = sampling_rate(document)?;
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

/// A number of any of MongoDB's types.
pub(super) fn number(document: &Document, key: &str) -> Option<f64> {
    as_number(document.get(key)?)
}

pub(super) fn as_number(value: &Bson) -> Option<f64> {
    match value {
        Bson::Double(value) => Some(*value),
        Bson::Int32(value) => Some(f64::from(*value)),
        Bson::Int64(value) => Some(*value as f64),
        _ => None,
    }
}

fn as_integer(value: &Bson) -> Option<i64> {
    match value {
        Bson::Int32(value) => Some(i64::from(*value)),
        Bson::Int64(value) => Some(*value),
        Bson::Double(value) if value.fract() == 0.0 && value.abs() < 9e15 => Some(*value as i64),
        _ => None,
    }
}

/// A whole number not below 0.
pub(super) fn count(document: &Document, key: &str) -> Result<u64> {
    let value = document.get(key).and_then(as_integer).and_then(|value| u64::try_from(value).ok());
    value.ok_or_else(|| refused(document, format!("{key} is no count")))
}

/// A whole number in 32 bits where it fits, as pymongo writes it.
pub(super) fn whole(value: u64) -> Bson {
    super::value::to_bson(&Value::Int(i64::try_from(value).unwrap_or(i64::MAX)))
}

/// What is wrong with a waveform document.
pub(super) fn refused(document: &Document, reason: String) -> Error {
    Error::Waveform { id: id_text(document), reason }
}

/// The `_id` of a document for a person.
pub(super) fn id_text(document: &Document) -> String {
    match document.get("_id") {
        Some(Bson::ObjectId(id)) => id.to_hex(),
        Some(id) => id.clone().into_relaxed_extjson().to_string(),
        None => "without _id".to_owned(),
    }
}

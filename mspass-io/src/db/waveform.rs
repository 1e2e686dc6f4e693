//! Saved traces: `wf_TimeSeries` documents and their samples.

use bson::oid::ObjectId;
use bson::{Document, doc};
use bytes::Bytes;
use mspass_core::series::{TimeAxis, TimeStandard};
use mspass_core::{SeedId, TimeSeries};

use super::id::to_object_id;
use super::value::metadata_document;

/// Keys of `wf_TimeSeries` for the SEED id and the time axis, in MsPASS's names and units, plus
/// `starttime_ns`, which keeps the nanoseconds that a double of epoch seconds loses.
pub(super) fn header(id: &SeedId, axis: &TimeAxis, npts: usize) -> Document {
    let mut document = doc! {
        "net": id.network(), "sta": id.station(), "loc": id.location(), "chan": id.channel(),
        "npts": npts as i64,
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

/// The `wf_TimeSeries` document of a trace whose samples are stored under its own id; `extra` keys
/// win over metadata of the same name, structural ones over both.
pub fn wf_time_series_document(id: ObjectId, trace: &TimeSeries, extra: &Document) -> Document {
    let mut document = doc! { "_id": id };
    document.extend(metadata_document(&trace.metadata));
    document.extend(extra.clone());
    document.extend(header(&trace.id, &trace.axis, trace.npts()));
    document.insert("nbytes", (trace.npts() * size_of::<f64>()) as i64);
    document.insert("storage_mode", "gridfs");
    document.insert("gridfs_id", id);
    if let [input] = trace.history.inputs[..] {
        document.insert("wf_miniseed_id", to_object_id(input));
    }
    document
}

/// Samples as MsPASS stores them: little-endian doubles one after another.
pub fn encode_samples(samples: &[f64]) -> Bytes {
    if cfg!(target_endian = "little") {
        return Bytes::copy_from_slice(bytemuck::cast_slice(samples));
    }
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

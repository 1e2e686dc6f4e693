//! The samples of a document, as data.

use bson::Document;
use mspass_core::series::TimeAxis;
use mspass_core::{DocumentId, Hertz, History, SeedId, Severity};

use super::place::{Form, Place};
use super::{Pieces, Waveforms};
use crate::db::fields::{self, count, number, refused};
use crate::db::id::to_document_id;
use crate::db::waveform::Waveform;
use crate::error::{Error, Result};
use crate::format::mseed::{MayPass, Records, read as read_mseed, read_records};
use crate::format::{Contents, SampleType, Trace, sac};

/// Two statements of the sampling rate within this (relative) agree.
const RATE_TOLERANCE: f64 = 1e-6;

impl Waveforms {
    /// Reads whatever samples a document has.
    ///
    /// Structure comes from the document's MsPASS keys, `starttime` from `starttime_ns` where the
    /// two agree within 1 us; of miniSEED and SAC from the file. Keys that no field holds become
    /// metadata, the `_id` the history.
    ///
    /// # Errors
    /// [`Error::Waveform`] where document and samples contradict each other or a required key is
    /// missing; [`Error::NoBlob`] and [`Error::File`] where the samples are not there. Broken
    /// records and gaps are no error unless nothing is left.
    pub fn pieces<T: Waveform>(&self, document: &Document) -> Result<Pieces<T>> {
        let place = Place::of(document)?;
        match Form::of(document, &place)? {
            Form::Native => {
                let datum = self.doubles(document, &place)?;
                Ok(Pieces { data: vec![datum], errors: Vec::new() })
            }
            form => self.traces(document, &place, form),
        }
    }

    /// Bare little-endian doubles.
    fn doubles<T: Waveform>(&self, document: &Document, place: &Place) -> Result<T> {
        let npts = count(document, "npts")?;
        let sample_bytes = (T::COMPONENTS * size_of::<f64>()) as u64;
        let due = npts.saturating_mul(sample_bytes);
        let is_blob = matches!(place, Place::Blob(_));
        let bytes = place.bytes(self, (!is_blob).then_some(due))?;
        let held = bytes.len() as u64;
        if held != due {
            let samples = held / sample_bytes;
            let (name, foff) = (place.name(), place.foff());
            let reason = match is_blob {
                true => format!("npts is {npts}, but {held} bytes of samples are {samples}"),
                false => {
                    format!("npts is {npts}, but {name} holds {samples} samples after byte {foff}")
                }
            };
            return Err(refused(document, reason));
        }
        let doubles = bytes.as_chunks().0.iter().map(|double| f64::from_le_bytes(*double));
        let samples = if is_blob || T::COMPONENTS == 1 {
            doubles.collect()
        } else {
            planar(&doubles.collect::<Vec<f64>>(), T::COMPONENTS)
        };
        let (id, axis) = (fields::seed_id(document)?, fields::axis(document)?);
        let mut datum = T::compose(id, axis, samples, document)?;
        *datum.gaps_mut() = fields::gaps(document)?;
        describe(&mut datum, document, 0);
        Ok(datum)
    }

    /// Traces of a file; what they say of start, rate and number of samples holds.
    fn traces<T: Waveform>(
        &self,
        document: &Document,
        place: &Place,
        form: Form,
    ) -> Result<Pieces<T>> {
        let name = place.name();
        if T::COMPONENTS != 1 {
            let reason = format!("{name} holds one channel, no {}", T::KIND);
            return Err(refused(document, reason));
        }
        let contents = self.contents(document, place, form)?;
        if let Some(error) = contents.errors.iter().find(|e| e.unread == Some(MayPass(true))) {
            return Err(Error::store("file", format!("read {name}"))(error.to_string()));
        }
        let mut pieces = Pieces { data: Vec::new(), errors: contents.errors };
        for trace in contents.traces {
            let number = pieces.data.len() as u64;
            pieces.data.push(of_trace(document, &name, trace, number)?);
        }
        if pieces.data.is_empty() {
            let reason = pieces.errors.first().map(ToString::to_string);
            let reason = reason.unwrap_or_else(|| format!("no samples at byte {}", place.foff()));
            return Err(refused(document, format!("{name}, {reason}")));
        }
        Ok(pieces)
    }

    fn contents(&self, document: &Document, place: &Place, form: Form) -> Result<Contents> {
        if form == Form::Sac {
            return Ok(sac::read(&place.bytes(self, None)?));
        }
        let nbytes = count(document, "nbytes")?;
        match place {
            Place::File { path, foff } => {
                Ok(read_records(Records::open(path)?.within(*foff, nbytes)))
            }
            _ => Ok(read_mseed(&place.bytes(self, Some(nbytes))?)),
        }
    }
}

/// Component after component, of samples that stand point after point.
fn planar(interleaved: &[f64], components: usize) -> Vec<f64> {
    let component = |number| interleaved.iter().skip(number).step_by(components).copied();
    (0..components).flat_map(component).collect()
}

fn of_trace<T: Waveform>(document: &Document, name: &str, trace: Trace, number: u64) -> Result<T> {
    if trace.samples.sample_type() == SampleType::Text {
        return Err(refused(document, format!("{name} holds text there, no samples")));
    }
    let due = fields::seed_id(document)?;
    if due != SeedId::default() && due != trace.id {
        let reason = format!("its id is {due}, but {name} holds records of {} there", trace.id);
        return Err(refused(document, reason));
    }
    let rate = Hertz::new(trace.sampling_rate);
    let rate = rate.map_err(|error| refused(document, error.to_string()))?;
    let axis = TimeAxis::utc(trace.starttime, rate);
    let mut datum = T::compose(trace.id, axis, trace.samples.to_f64(), document)?;
    describe(&mut datum, document, number);
    Ok(datum)
}

/// Metadata and history of what was read, and what is odd about its document.
fn describe<T: Waveform>(datum: &mut T, document: &Document, piece: u64) {
    *datum.metadata_mut() = fields::metadata(document);
    if let Ok(id) = document.get_object_id("_id") {
        let id: DocumentId = to_document_id(id);
        *datum.history_mut() = History::of(id, piece);
    }
    let stated = (number(document, "delta"), number(document, "sampling_rate"));
    if let (Some(delta), Some(rate)) = stated
        && ((delta * rate - 1.0).abs() > RATE_TOLERANCE)
    {
        let message = format!("delta {delta} s and sampling_rate {rate} Hz differ: delta is taken");
        datum.log_mut().push("read", Severity::Complaint, message);
    }
}

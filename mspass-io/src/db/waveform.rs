//! The data that `wf_` collections hold.

use std::collections::HashSet;

use bson::oid::ObjectId;
use bson::{Document, doc};
use bytes::Bytes;
use mspass_core::series::{Gaps, Sampled, Seismogram, TimeAxis};
use mspass_core::{ErrorLog, History, SeedId, Severity, TimeSeries};

use super::collection::{WF_SEISMOGRAM, WF_TIME_SERIES};
use super::fields;
use super::schema::Schema;
use super::value::to_bson;
use crate::error::Result;

/// A datum that has a `wf_` collection: [`TimeSeries`] and [`Seismogram`].
pub trait Waveform: Sampled + Clone {
    /// The collection it is saved in.
    const COLLECTION: &'static str;

    /// Components of every datum of the kind.
    const COMPONENTS: usize;

    /// A live datum of samples, component after component, with what only its kind takes from the
    /// document.
    ///
    /// # Errors
    /// [`crate::Error::Waveform`] where the document does not fit the kind.
    fn compose(id: SeedId, axis: TimeAxis, samples: Vec<f64>, document: &Document) -> Result<Self>;

    /// Whose samples.
    fn seed_id(&self) -> &SeedId;

    /// Where samples are none.
    fn gaps(&self) -> &Gaps;

    /// The gaps, to be changed.
    fn gaps_mut(&mut self) -> &mut Gaps;

    /// What happened to it.
    fn log(&self) -> &ErrorLog;

    /// What it was made of.
    fn history(&self) -> &History;

    /// The keys that say what its fields say, in MsPASS's names, types and units.
    fn header(&self) -> Document;
}

macro_rules! waveform_fields {
    () => {
        fn seed_id(&self) -> &SeedId {
            &self.id
        }

        fn gaps(&self) -> &Gaps {
            &self.gaps
        }

        fn gaps_mut(&mut self) -> &mut Gaps {
            &mut self.gaps
        }

        fn log(&self) -> &ErrorLog {
            &self.log
        }

        fn history(&self) -> &History {
            &self.history
        }
    };
}

impl Waveform for TimeSeries {
    const COLLECTION: &'static str = WF_TIME_SERIES;
    const COMPONENTS: usize = 1;

    waveform_fields!();

    fn compose(
        id: SeedId,
        axis: TimeAxis,
        samples: Vec<f64>,
        _document: &Document,
    ) -> Result<Self> {
        let mut trace = Self::new(id, Default::default(), axis.sampling_rate(), samples);
        trace.axis = axis;
        Ok(trace)
    }

    fn header(&self) -> Document {
        with_gaps(fields::header(&self.id, &self.axis, self.npts()), &self.gaps)
    }
}

impl Waveform for Seismogram {
    const COLLECTION: &'static str = WF_SEISMOGRAM;
    const COMPONENTS: usize = 3;

    waveform_fields!();

    fn compose(id: SeedId, axis: TimeAxis, samples: Vec<f64>, document: &Document) -> Result<Self> {
        let refuse = |error: mspass_core::Error| fields::refused(document, error.to_string());
        let mut seismogram = Self::from_planar(id, axis, samples).map_err(refuse)?;
        if let Some(tmatrix) = fields::tmatrix(document)? {
            seismogram.set_tmatrix(tmatrix);
        }
        Ok(seismogram)
    }

    fn header(&self) -> Document {
        let mut document = fields::header(&self.id, &self.axis, self.npts());
        // It has no channel of its own, and often no location.
        for key in ["net", "sta", "loc", "chan"] {
            if document.get_str(key).is_ok_and(str::is_empty) {
                document.remove(key);
            }
        }
        let (cardinal, orthogonal) = (self.is_cardinal(), self.is_orthogonal());
        document.extend(fields::directions(&self.tmatrix(), cardinal, orthogonal));
        with_gaps(document, &self.gaps)
    }
}

fn with_gaps(mut document: Document, gaps: &Gaps) -> Document {
    if !gaps.is_empty() {
        document.insert("gaps", fields::gaps_array(gaps));
    }
    document
}

/// All keys of a datum but `_id` and those that say where its samples are; `extra` keys win over
/// metadata of the same name, those of its fields over both. Aliases become the names of the
/// shipped schema, copies of `site`, `channel` and `source` are left out.
pub fn waveform_document<T: Waveform>(datum: &T, extra: &Document) -> Document {
    savable_document(&Schema::mspass(), datum, extra, &mut ErrorLog::default())
}

/// The same by any schema. A read-only key that was changed is saved as `READONLYERROR_<key>`,
/// which the log tells; one that was not is left out.
pub(super) fn savable_document<T: Waveform>(
    schema: &Schema,
    datum: &T,
    extra: &Document,
    log: &mut ErrorLog,
) -> Document {
    let mut document = Document::new();
    let modified: HashSet<&str> = datum.metadata().modified().collect();
    for (name, value) in datum.metadata().iter() {
        let key = schema.unique_name(T::KIND, schema.unique_name(T::COLLECTION, name));
        if schema.is_copy(name) || !fields::is_lasting(key) {
            continue;
        }
        if !schema.is_readonly(T::KIND, key) {
            document.insert(key, to_bson(value));
        } else if modified.contains(name) {
            let saved_as = format!("READONLYERROR_{key}");
            let message = format!("{key} is read-only, but was changed: saved as {saved_as}");
            log.push("save", Severity::Complaint, message);
            document.insert(saved_as, to_bson(value));
        }
    }
    document.extend(extra.clone());
    document.extend(datum.header());
    document
}

/// The document of a datum whose samples are stored as a blob under its own id.
pub fn wf_document<T: Waveform>(id: ObjectId, datum: &T, extra: &Document) -> Document {
    let mut document = doc! { "_id": id };
    document.extend(waveform_document(datum, extra));
    document.insert("nbytes", fields::whole(size_of_val(datum.samples()) as u64));
    document.insert("storage_mode", "gridfs");
    document.insert("gridfs_id", id);
    document
}

/// Samples as MsPASS stores them: little-endian doubles one after another.
pub fn encode_samples(samples: &[f64]) -> Bytes {
    if cfg!(target_endian = "little") {
        return Bytes::copy_from_slice(bytemuck::cast_slice(samples));
    }
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

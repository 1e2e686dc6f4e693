//! Reading one datum, many, or an ensemble. What cannot be read is a datum that never came to
//! life, with a log that says why.

use std::collections::VecDeque;

use bson::oid::ObjectId;
use bson::{Document, doc};
use mspass_core::series::Ensemble;
use mspass_core::{ErrorLog, History, Life, Severity};

use super::{GapPolicy, Waveforms};
use crate::db::id::to_document_id;
use crate::db::schema::Mode;
use crate::db::waveform::Waveform;
use crate::error::{Error, Result};
use crate::format::mseed::MayPass;
use crate::store::{Cursor, Find};

/// How waveforms are read.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ReadOptions {
    /// The collection; by default that of the kind of datum.
    pub collection: Option<String>,
    /// How strictly the schema holds.
    pub mode: Mode,
    /// What becomes of gaps.
    pub gaps: GapPolicy,
    /// A datum with another `data_tag` is dead.
    pub data_tag: Option<String>,
    /// Keys that do not become metadata.
    pub exclude: Vec<String>,
}

impl ReadOptions {
    /// From `collection`.
    #[must_use]
    pub fn collection(self, collection: impl Into<String>) -> Self {
        Self { collection: Some(collection.into()), ..self }
    }

    /// In this mode.
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        Self { mode, ..self }
    }

    /// With `gaps` as they say.
    #[must_use]
    pub fn gaps(self, gaps: GapPolicy) -> Self {
        Self { gaps, ..self }
    }

    /// Only data with this `data_tag`.
    #[must_use]
    pub fn data_tag(self, data_tag: impl Into<String>) -> Self {
        Self { data_tag: Some(data_tag.into()), ..self }
    }

    /// Without these keys in the metadata.
    #[must_use]
    pub fn exclude<I: IntoIterator<Item: Into<String>>>(self, keys: I) -> Self {
        Self { exclude: keys.into_iter().map(Into::into).collect(), ..self }
    }

    fn collection_of<T: Waveform>(&self) -> &str {
        self.collection.as_deref().unwrap_or(T::COLLECTION)
    }
}

impl Waveforms {
    /// The datum with this `_id`.
    ///
    /// # Errors
    /// As [`Waveforms::read_document`].
    ///
    /// ```
    /// use std::sync::Arc;
    /// use bson::{doc, oid::ObjectId};
    /// use mspass_core::{Hertz, Life, TimeSeries, UtcTime};
    /// use mspass_io::db::{ReadOptions, Waveforms, encode_samples, wf_document};
    /// use mspass_io::store::{Blob, BlobStore, Database, DocumentStore, MemoryStore};
    ///
    /// let database = Database::of(Arc::new(MemoryStore::new()));
    /// let seed_id = "YA.UV05.00.HHZ".parse()?;
    /// let rate = Hertz::new(20.0)?;
    /// let trace = TimeSeries::new(seed_id, UtcTime::default(), rate, vec![1.0, -2.0]);
    /// let id = ObjectId::new();
    /// database.blobs.put(&[Blob { id, bytes: encode_samples(&trace.samples) }])?;
    /// let document = wf_document(id, &trace, &doc! {});
    /// database.documents.insert("wf_TimeSeries", &[document])?;
    ///
    /// let waveforms = Waveforms::new(&database);
    /// let read: TimeSeries = waveforms.read(id, &ReadOptions::default())?;
    /// assert_eq!((read.samples, read.axis), (trace.samples, trace.axis));
    /// let absent: TimeSeries = waveforms.read(ObjectId::new(), &ReadOptions::default())?;
    /// assert_eq!(absent.life, Life::Aborted);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read<T: Waveform>(&self, id: ObjectId, options: &ReadOptions) -> Result<T> {
        let collection = options.collection_of::<T>();
        match self.find_in(collection, id)? {
            Some(document) => self.read_document(&document, options),
            None => {
                let reason = format!("{collection} holds no document with _id {id}");
                Ok(stillborn(&doc! { "_id": id }, reason))
            }
        }
    }

    /// The one datum that a document speaks of.
    ///
    /// A datum that cannot be read has the life [`Life::Aborted`], the document as its metadata and
    /// the reason in its log; one with another `data_tag` than asked for, or with gaps that may not
    /// be, is dead.
    ///
    /// # Errors
    /// Only where a store fails, or the system for want of something that may be there soon.
    pub fn read_document<T: Waveform>(
        &self,
        document: &Document,
        options: &ReadOptions,
    ) -> Result<T> {
        let mut data = self.read_pieces(document, options)?;
        let count = data.len();
        let mut datum: T = data.swap_remove(0);
        if count > 1 {
            let reason = format!(
                "it has {count} gap-free stretches, not one: choose a policy that fills its gaps, \
                 or read all of them"
            );
            datum.kill("read", reason);
        }
        Ok(datum)
    }

    /// The data that a document speaks of: one, or each stretch of one with gaps where
    /// [`GapPolicy::Segment`] says so. Never none.
    ///
    /// # Errors
    /// As [`Waveforms::read_document`].
    pub fn read_pieces<T: Waveform>(
        &self,
        document: &Document,
        options: &ReadOptions,
    ) -> Result<Vec<T>> {
        if let Some(due) = &options.data_tag
            && document.get_str("data_tag").ok() != Some(due)
        {
            let found = document.get("data_tag").map_or("absent".to_owned(), ToString::to_string);
            let mut datum: T = stillborn(document, format!("data_tag is {found}, not \"{due}\""));
            datum.set_life(Life::Dead);
            return Ok(vec![datum]);
        }
        let (mut checked, mut found) = (document.clone(), ErrorLog::default());
        let collection = options.collection_of::<T>();
        let sound = self.schema.check(collection, &mut checked, options.mode, &mut found);
        if let Err(reason) = sound {
            return Ok(vec![stillborn(document, reason)]);
        }
        let document = &checked;
        let pieces = match self.pieces::<T>(document) {
            Ok(pieces) => pieces,
            Err(error) if is_of_datum(&error) => {
                let reason = match error {
                    Error::Waveform { reason, .. } => reason,
                    error => error.to_string(),
                };
                return Ok(vec![stillborn(document, reason)]);
            }
            Err(error) => return Err(error),
        };
        let mut data = options.gaps.apply(pieces.data);
        for datum in &mut data {
            datum.log_mut().append(&found);
            for error in &pieces.errors {
                datum.log_mut().push("read", Severity::Suspect, error.to_string());
            }
            for key in &options.exclude {
                datum.metadata_mut().remove(key);
            }
            datum.metadata_mut().clear_modified();
        }
        Ok(data)
    }

    /// The data of all documents that `find` finds, one after another, without holding them all;
    /// each stretch of one with gaps where [`GapPolicy::Segment`] says so.
    ///
    /// # Errors
    /// Where the store does not answer; an item is an error as in [`Waveforms::read_document`].
    pub fn cursor<T: Waveform>(
        &self,
        find: &Find,
        options: &ReadOptions,
    ) -> Result<WaveformCursor<T>> {
        let documents = self.database.documents.find(options.collection_of::<T>(), find)?;
        let (waveforms, options) = (self.clone(), options.clone());
        Ok(WaveformCursor { waveforms, options, documents, waiting: VecDeque::new() })
    }

    /// All data that `find` finds, as one ensemble; its members are live, dead or aborted.
    ///
    /// # Errors
    /// As [`Waveforms::cursor`].
    pub fn ensemble<T: Waveform>(&self, find: &Find, options: &ReadOptions) -> Result<Ensemble<T>> {
        self.cursor(find, options)?.collect()
    }
}

/// Waveforms read one after another.
pub struct WaveformCursor<T> {
    waveforms: Waveforms,
    options: ReadOptions,
    documents: Cursor,
    /// Stretches of the document read last.
    waiting: VecDeque<T>,
}

impl<T> std::fmt::Debug for WaveformCursor<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WaveformCursor").field("options", &self.options).finish_non_exhaustive()
    }
}

impl<T: Waveform> Iterator for WaveformCursor<T> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.waiting.is_empty() {
            let data = self
                .documents
                .next()?
                .and_then(|document| self.waveforms.read_pieces(&document, &self.options));
            match data {
                Ok(data) => self.waiting = data.into(),
                Err(error) => return Some(Err(error)),
            }
        }
        self.waiting.pop_front().map(Ok)
    }
}

/// Whether an error concerns one datum only.
fn is_of_datum(error: &Error) -> bool {
    match error {
        Error::Waveform { .. } | Error::NoBlob { .. } | Error::Format { .. } => true,
        Error::Object { .. } => true,
        Error::File { source, .. } => !MayPass::from(source).0,
        _ => false,
    }
}

/// A datum that could not be read: its document is its metadata.
fn stillborn<T: Waveform>(document: &Document, reason: String) -> T {
    let mut datum = T::default();
    *datum.metadata_mut() =
        document.iter().map(|(key, value)| (key.as_str(), crate::db::from_bson(value))).collect();
    datum.metadata_mut().clear_modified();
    if let Ok(id) = document.get_object_id("_id") {
        *datum.history_mut() = History::of(to_document_id(id), 0);
    }
    datum.log_mut().push("read", Severity::Invalid, reason);
    datum.set_life(Life::Aborted);
    datum
}

//! Saving: samples first, then documents, logs and history.

use std::path::{Path, PathBuf};

use bson::oid::ObjectId;
use bson::{Document, doc};
use bytes::Bytes;
use mspass_core::series::Ensemble;
use mspass_core::{ErrorLog, Life};

use super::append::{append, write_whole};
use super::encode::{self, FileForm};
use super::{Waveforms, object_id_of};
use crate::db::collection::{ELOG, HISTORY_OBJECT};
use crate::db::schema::Mode;
use crate::db::waveform::{Waveform, savable_document};
use crate::db::{fields, from_bson, history, remains};
use crate::error::{Error, Result};
use crate::store::Blob;

/// Bytes of samples that are written together at most, unless one datum has more.
pub const BATCH_BYTES_MAX: usize = 64 << 20;

/// Where samples go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// Into the database (GridFS).
    #[default]
    Blobs,
    /// To the end of a file.
    File {
        /// Its folder; made if it is not there.
        dir: PathBuf,
        /// Its name, by default one of its own. All members of an ensemble go to one file, but a
        /// SAC file holds one datum.
        dfile: Option<String>,
        /// In which form.
        form: FileForm,
    },
    /// Into an object of its own for each datum.
    Object {
        /// The beginning of its address; see [`crate::store::Objects`].
        url: String,
        /// In which form.
        form: FileForm,
    },
}

/// How waveforms are saved.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SaveOptions {
    /// Where samples go.
    pub storage: Storage,
    /// How strictly the schema holds.
    pub mode: Mode,
    /// Becomes the `data_tag`.
    pub data_tag: Option<String>,
    /// Keys that are not saved.
    pub exclude: Vec<String>,
    /// Whether a datum that was read or saved before takes the place of what it was.
    pub overwrite: bool,
    /// The collection; by default that of the kind of datum.
    pub collection: Option<String>,
    /// Keys that every document gets.
    pub extra: Document,
    /// The job that log entries name; 0 for none.
    pub job_id: Option<ObjectId>,
    /// Whether dead data leave no trace.
    pub cremate: bool,
    /// Whether the steps that made a datum are saved too.
    pub history: bool,
}

/// What became of a datum that was to be saved.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It has this `_id`.
    Saved(ObjectId),
    /// It was dead, or died of the schema: this is its document in `cemetery` or `abortions`.
    Buried(ObjectId),
    /// It was dead and left no trace.
    Cremated,
}

/// A datum on its way.
struct Prepared {
    index: usize,
    id: ObjectId,
    document: Document,
    bytes: Bytes,
    /// What it replaces.
    old: Option<Document>,
}

impl Waveforms {
    /// Saves a datum: samples, then its document, log and history. Afterwards its metadata say
    /// where it is, nothing counts as modified, and its log is empty, for it is in `elog`.
    ///
    /// A dead datum goes to `cemetery`, an aborted one to `abortions`; so does one that the mode
    /// kills or that the form of file cannot hold, and nothing of its samples is written.
    ///
    /// # Errors
    /// Where a store or the file system fails; what was written of the samples is taken back where
    /// that is possible, and no document speaks of them.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mspass_core::{Hertz, TimeSeries, UtcTime};
    /// use mspass_io::db::{Outcome, ReadOptions, SaveOptions, Waveforms};
    /// use mspass_io::store::{Database, MemoryStore};
    ///
    /// let waveforms = Waveforms::new(&Database::of(Arc::new(MemoryStore::new())));
    /// let seed_id = "YA.UV05.00.HHZ".parse()?;
    /// let mut trace = TimeSeries::new(seed_id, UtcTime::default(), Hertz::new(20.0)?, vec![1.0]);
    /// let saved = waveforms.save(&mut trace, &SaveOptions::default())?;
    /// let Outcome::Saved(id) = saved else { panic!("{:?}", trace.log) };
    /// let read: TimeSeries = waveforms.read(id, &ReadOptions::default())?;
    /// assert_eq!(read.samples, [1.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn save<T: Waveform>(&self, datum: &mut T, options: &SaveOptions) -> Result<Outcome> {
        let outcomes = self.save_all(std::slice::from_mut(datum), options)?;
        Ok(outcomes.into_iter().next().unwrap_or(Outcome::Cremated))
    }

    /// Saves the members of an ensemble, which get its metadata first; into one file where they go
    /// to a file. What became of each, in order.
    ///
    /// # Errors
    /// As [`Waveforms::save`]; members before may have been saved then.
    pub fn save_ensemble<T: Waveform>(
        &self,
        ensemble: &mut Ensemble<T>,
        options: &SaveOptions,
    ) -> Result<Vec<Outcome>> {
        ensemble.sync_metadata(&["_id"]);
        self.save_all(&mut ensemble.members, options)
    }

    fn save_all<T: Waveform>(&self, data: &mut [T], options: &SaveOptions) -> Result<Vec<Outcome>> {
        let mut options = options.clone();
        if let Storage::File { dir, dfile, form } = &mut options.storage {
            std::fs::create_dir_all(&dir).map_err(Error::file("create", dir.clone()))?;
            *dir = std::path::absolute(&dir).map_err(Error::file("find", dir.clone()))?;
            if *form != FileForm::Sac {
                dfile.get_or_insert_with(|| format!("{}.{}", ObjectId::new(), form.extension()));
            }
        }
        let mut outcomes = vec![Outcome::Cremated; data.len()];
        let (mut batch, mut batch_bytes): (Vec<Prepared>, usize) = (Vec::new(), 0);
        for index in 0..data.len() {
            match self.prepare(index, &mut data[index], &options)? {
                Some(prepared) => {
                    batch_bytes += prepared.bytes.len();
                    batch.push(prepared);
                }
                None => outcomes[index] = self.lay_to_rest(&mut data[index], &options)?,
            }
            if batch_bytes > BATCH_BYTES_MAX {
                self.write(std::mem::take(&mut batch), data, &mut outcomes, &options)?;
                batch_bytes = 0;
            }
        }
        self.write(batch, data, &mut outcomes, &options)?;
        Ok(outcomes)
    }

    /// The document and bytes of a datum; none where it is dead, or dies of them.
    fn prepare<T: Waveform>(
        &self,
        index: usize,
        datum: &mut T,
        options: &SaveOptions,
    ) -> Result<Option<Prepared>> {
        if datum.life() != Life::Live {
            return Ok(None);
        }
        let collection = options.collection.as_deref().unwrap_or(T::COLLECTION);
        let mut log = ErrorLog::default();
        let mut document = savable_document(&self.schema, datum, &options.extra, &mut log);
        options.exclude.iter().for_each(|key| drop(document.remove(key)));
        if let Some(tag) = &options.data_tag {
            document.insert("data_tag", tag);
        }
        let old = match object_id_of(datum.metadata(), "_id").filter(|_| options.overwrite) {
            Some(id) => self.find_in(collection, id)?,
            None => None,
        };
        let before = old.as_ref().and_then(|old| old.get_object_id("_id").ok());
        let id = before.unwrap_or_default();
        // The place is known when the samples are written; that there is one is enough to check.
        document.insert("_id", id);
        document.insert("storage_mode", options.storage.mode());
        let checked = self.schema.check(collection, &mut document, options.mode, &mut log);
        let encoded = checked.and_then(|()| encode::bytes(datum, options.storage.form()));
        datum.log_mut().append(&log);
        match encoded {
            Ok(bytes) => Ok(Some(Prepared { index, id, document, bytes, old })),
            Err(reason) => {
                datum.kill("save", reason);
                Ok(None)
            }
        }
    }

    /// Writes the samples of a batch, then its documents.
    fn write<T: Waveform>(
        &self,
        mut batch: Vec<Prepared>,
        data: &mut [T],
        outcomes: &mut [Outcome],
        options: &SaveOptions,
    ) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        self.write_samples(&mut batch, options)?;
        let collection = options.collection.as_deref().unwrap_or(T::COLLECTION);
        let (mut logs, mut histories) = (Vec::new(), Vec::new());
        for prepared in &mut batch {
            let datum = &data[prepared.index];
            let mut extra = doc! { format!("{collection}_id"): prepared.id };
            if datum.history().passages.is_empty() || !options.history {
                prepared.document.remove("history_object_id");
            } else {
                let id = ObjectId::new();
                prepared.document.insert("history_object_id", id);
                histories.push(history::history_document(id, T::KIND, datum.history(), &extra));
            }
            if !datum.log().is_empty() {
                let id = ObjectId::new();
                prepared.document.insert("elog_id", id);
                if let Ok(tag) = prepared.document.get_str("data_tag") {
                    extra.insert("data_tag", tag);
                }
                logs.push(remains::elog_document(id, datum.log(), options.job_id, &extra));
            }
        }
        let documents: Vec<Document> = batch.iter().map(|p| p.document.clone()).collect();
        let stored = match options.overwrite {
            true => self.database.documents.upsert(collection, &documents),
            false => self.database.documents.insert(collection, &documents).map(drop),
        };
        if let Err(error) = stored {
            self.take_back(&batch, options);
            return Err(error);
        }
        self.database.documents.insert(ELOG, &logs)?;
        self.database.documents.insert(HISTORY_OBJECT, &histories)?;
        for prepared in batch {
            if let Some(old) = &prepared.old {
                self.delete_blob(old)?;
            }
            outcomes[prepared.index] = Outcome::Saved(prepared.id);
            settle(&mut data[prepared.index], &prepared.document);
        }
        Ok(())
    }

    fn write_samples(&self, batch: &mut [Prepared], options: &SaveOptions) -> Result<()> {
        match &options.storage {
            Storage::Blobs => {
                let mut blobs = Vec::with_capacity(batch.len());
                for prepared in batch {
                    let id = ObjectId::new();
                    blobs.push(Blob { id, bytes: prepared.bytes.clone() });
                    place(prepared, doc! { "gridfs_id": id });
                }
                let stored = self.database.blobs.put(&blobs);
                if stored.is_err() {
                    let ids: Vec<ObjectId> = blobs.iter().map(|blob| blob.id).collect();
                    // Those that did arrive; the first fault is the one to tell.
                    let _ = self.database.blobs.delete(&ids);
                }
                stored
            }
            Storage::File { dir, dfile, form: FileForm::Sac } => {
                for prepared in batch {
                    let name = dfile.clone().unwrap_or_else(|| format!("{}.sac", prepared.id));
                    write_whole(&dir.join(&name), &prepared.bytes, options.overwrite)?;
                    place(prepared, file_keys(dir, &name, 0, FileForm::Sac));
                }
                Ok(())
            }
            Storage::File { dir, dfile, form } => {
                let name = dfile.clone().unwrap_or_default();
                let all: Vec<&[u8]> = batch.iter().map(|prepared| &prepared.bytes[..]).collect();
                let mut foff = append(&dir.join(&name), &all.concat())?;
                for prepared in batch {
                    place(prepared, file_keys(dir, &name, foff, *form));
                    foff += prepared.bytes.len() as u64;
                }
                Ok(())
            }
            Storage::Object { url, form } => {
                for prepared in batch {
                    let base = url.trim_end_matches('/');
                    let url = format!("{base}/{}.{}", ObjectId::new(), form.extension());
                    self.objects.put(&url, prepared.bytes.clone())?;
                    let format = form.format();
                    place(prepared, doc! { "url": url, "foff": 0_i32, "format": format });
                }
                Ok(())
            }
        }
    }

    /// Removes samples whose documents could not be stored. What is at the end of a file stays: by
    /// now another may have added to it.
    fn take_back(&self, batch: &[Prepared], options: &SaveOptions) {
        for prepared in batch {
            // The fault that led here is the one to tell.
            let _ = match &options.storage {
                Storage::Blobs => self.delete_blob(&prepared.document),
                Storage::Object { .. } => {
                    let url = prepared.document.get_str("url").unwrap_or_default();
                    self.objects.delete(url)
                }
                Storage::File { .. } => Ok(()),
            };
        }
    }

    pub(super) fn delete_blob(&self, document: &Document) -> Result<()> {
        let in_blob = document.get_str("storage_mode").is_ok_and(|mode| mode == "gridfs");
        match document.get_object_id("gridfs_id") {
            Ok(id) if in_blob => self.database.blobs.delete(&[id]).map(drop),
            _ => Ok(()),
        }
    }
}

impl Storage {
    fn mode(&self) -> &'static str {
        match self {
            Self::Blobs => "gridfs",
            Self::File { .. } => "file",
            Self::Object { .. } => "url",
        }
    }

    /// The form of the bytes; none for a blob.
    fn form(&self) -> Option<FileForm> {
        match self {
            Self::Blobs => None,
            Self::File { form, .. } | Self::Object { form, .. } => Some(*form),
        }
    }
}

fn file_keys(dir: &Path, name: &str, foff: u64, form: FileForm) -> Document {
    let dir = dir.to_string_lossy().into_owned();
    doc! { "dir": dir, "dfile": name, "foff": fields::whole(foff), "format": form.format() }
}

/// Adds the keys that say where the samples are.
fn place(prepared: &mut Prepared, keys: Document) {
    prepared.document.insert("nbytes", fields::whole(prepared.bytes.len() as u64));
    prepared.document.extend(keys);
}

/// Has a datum say where it is now.
fn settle<T: Waveform>(datum: &mut T, document: &Document) {
    let metadata = datum.metadata_mut();
    for key in fields::OF_PLACE {
        metadata.remove(key);
    }
    let kept = ["_id", "data_tag", "elog_id", "history_object_id"];
    for key in fields::OF_PLACE.into_iter().chain(kept) {
        if let Some(value) = document.get(key) {
            metadata.insert(key, from_bson(value));
        }
    }
    metadata.clear_modified();
    *datum.log_mut() = ErrorLog::default();
}

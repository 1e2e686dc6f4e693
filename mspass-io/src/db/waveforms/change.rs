//! Changing what is saved, and deleting it.

use std::path::Path;

use bson::oid::ObjectId;
use bson::{Document, doc};
use mspass_core::{ErrorLog, Life};

use super::save::SaveOptions;
use super::{Waveforms, object_id_of};
use crate::db::collection::{ELOG, HISTORY_OBJECT, WF_MINISEED, WF_SEISMOGRAM, WF_TIME_SERIES};
use crate::db::fields;
use crate::db::remains;
use crate::db::waveform::{Waveform, encode_samples, savable_document};
use crate::error::{Error, Result};
use crate::store::Blob;

/// Keys of the header that follow from the samples.
const OF_SAMPLES: [&str; 3] = ["npts", "endtime", "gaps"];

/// What changes of a document.
struct Changes {
    /// Keys with their new values.
    set: Document,
    /// Keys that go.
    unset: Document,
    /// New samples.
    blob: Option<Blob>,
}

impl Waveforms {
    /// Writes what changed of a datum's metadata and fields since it was read or saved, and the
    /// keys of `force`, into its document; samples and whatever follows from their number stay.
    /// Its log goes to `elog`. Returns whether it was done: where the datum has no document, or
    /// the mode kills it, it is dead and the document as it was.
    ///
    /// # Errors
    /// What the store says.
    pub fn update_metadata<T: Waveform>(
        &self,
        datum: &mut T,
        force: &[&str],
        options: &SaveOptions,
    ) -> Result<bool> {
        self.update(datum, force, None, options)
    }

    /// As [`Waveforms::update_metadata`], with the samples: they are in the database, so the new
    /// ones go beside the old, the document turns to them, and the old are deleted.
    ///
    /// # Errors
    /// What the store says; [`Error::Waveform`] where the samples are in a file or object.
    pub fn update_samples<T: Waveform>(
        &self,
        datum: &mut T,
        force: &[&str],
        options: &SaveOptions,
    ) -> Result<bool> {
        let bytes = encode_samples(datum.samples());
        self.update(datum, force, Some(Blob { id: ObjectId::new(), bytes }), options)
    }

    fn update<T: Waveform>(
        &self,
        datum: &mut T,
        force: &[&str],
        blob: Option<Blob>,
        options: &SaveOptions,
    ) -> Result<bool> {
        if datum.life() != Life::Live {
            return Ok(false);
        }
        let collection = options.collection.as_deref().unwrap_or(T::COLLECTION);
        let old = match object_id_of(datum.metadata(), "_id") {
            Some(id) => self.find_in(collection, id)?.ok_or(format!("no document has _id {id}")),
            None => Err("it has no _id: it was neither read nor saved".to_owned()),
        };
        let old = match old {
            Ok(old) => old,
            Err(reason) => {
                datum.kill("update", format!("{collection}: {reason}"));
                return Ok(false);
            }
        };
        let mut log = ErrorLog::default();
        let mut changes = self.changes(datum, &old, force, blob, options, &mut log)?;
        let mut due = old.clone();
        due.extend(changes.set.clone());
        changes.unset.keys().for_each(|key| drop(due.remove(key)));
        let checked = self.schema.check(collection, &mut due, options.mode, &mut log);
        datum.log_mut().append(&log);
        if let Err(reason) = checked {
            datum.kill("update", reason);
            return Ok(false);
        }
        // What the check converted, or left out.
        let keys: Vec<String> = changes.set.keys().cloned().collect();
        let checked = keys.into_iter().filter_map(|key| due.get(&key).cloned().map(|v| (key, v)));
        changes.set = checked.collect();
        self.write_changes(collection, datum, &old, changes, options)?;
        datum.metadata_mut().clear_modified();
        *datum.log_mut() = ErrorLog::default();
        Ok(true)
    }

    /// What is to be set, and what unset, of a document.
    fn changes<T: Waveform>(
        &self,
        datum: &T,
        old: &Document,
        force: &[&str],
        blob: Option<Blob>,
        options: &SaveOptions,
        log: &mut ErrorLog,
    ) -> Result<Changes> {
        let full = savable_document(&self.schema, datum, &options.extra, log);
        let header = datum.header();
        let changed: Vec<&str> = datum.metadata().modified().chain(force.iter().copied()).collect();
        let is_due = |key: &str| match header.contains_key(key) {
            true => blob.is_some() || !OF_SAMPLES.contains(&key),
            false => {
                let bare = key.strip_prefix("READONLYERROR_").unwrap_or(key);
                let named = |name: &&str| self.schema.unique_name(T::COLLECTION, name) == bare;
                changed.iter().any(named) || options.extra.contains_key(key)
            }
        };
        let differs = |key: &str, value| old.get(key) != Some(value) || force.contains(&key);
        let mut set: Document = full
            .iter()
            .filter(|(key, value)| is_due(key) && differs(key, value))
            .filter(|(key, _)| !options.exclude.contains(key))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        if let Some(tag) = &options.data_tag {
            set.insert("data_tag", tag);
        }
        let gone = changed.iter().filter(|key| {
            datum.metadata().get(key).is_none() && old.contains_key(**key) && **key != "_id"
        });
        let gone = gone.filter(|key| !fields::OF_PLACE.contains(key));
        let unset = gone.map(|key| ((*key).to_owned(), bson::Bson::from(""))).collect();
        if let Some(blob) = &blob {
            if !old.get_str("storage_mode").is_ok_and(|mode| mode == "gridfs") {
                let reason = "its samples are not in the database: save it anew".to_owned();
                return Err(fields::refused(old, reason));
            }
            set.insert("gridfs_id", blob.id);
            set.insert("nbytes", fields::whole(blob.bytes.len() as u64));
        }
        Ok(Changes { set, unset, blob })
    }

    fn write_changes<T: Waveform>(
        &self,
        collection: &str,
        datum: &mut T,
        old: &Document,
        changes: Changes,
        options: &SaveOptions,
    ) -> Result<()> {
        let Changes { mut set, unset, blob } = changes;
        let Some(id) = object_id_of(datum.metadata(), "_id") else { return Ok(()) };
        if !datum.log().is_empty() {
            let elog_id = ObjectId::new();
            let about = doc! { format!("{collection}_id"): id };
            let elog = remains::elog_document(elog_id, datum.log(), options.job_id, &about);
            self.database.documents.insert(ELOG, &[elog])?;
            set.insert("elog_id", elog_id);
        }
        if let Some(blob) = &blob {
            self.database.blobs.put(std::slice::from_ref(blob))?;
            datum.metadata_mut().insert("gridfs_id", crate::db::from_bson(&blob.id.into()));
            datum.metadata_mut().insert("nbytes", blob.bytes.len() as i64);
        }
        let mut update = Document::new();
        if !set.is_empty() {
            update.insert("$set", set);
        }
        if !unset.is_empty() {
            update.insert("$unset", unset);
        }
        if !update.is_empty() {
            self.database.documents.update(collection, &doc! { "_id": id }, &update)?;
        }
        if blob.is_some() {
            self.delete_blob(old)?;
        }
        Ok(())
    }

    /// Deletes a waveform with all that hangs on it: logs, history, its blob, and, where
    /// `with_file` says so and no other document names it, its file or object. The document goes
    /// last, so a call that was cut short can be repeated. Whether there was one.
    ///
    /// # Errors
    /// What the store or the file system says.
    pub fn delete(&self, collection: &str, id: ObjectId, with_file: bool) -> Result<bool> {
        let Some(document) = self.find_in(collection, id)? else { return Ok(false) };
        let about = doc! { format!("{collection}_id"): id };
        for (held, key) in [(ELOG, "elog_id"), (HISTORY_OBJECT, "history_object_id")] {
            self.database.documents.delete(held, &about)?;
            if let Ok(named) = document.get_object_id(key) {
                self.database.documents.delete(held, &doc! { "_id": named })?;
            }
        }
        self.delete_blob(&document)?;
        if with_file {
            self.delete_file(id, &document)?;
        }
        self.database.documents.delete(collection, &doc! { "_id": id }).map(|count| count > 0)
    }

    fn delete_file(&self, id: ObjectId, document: &Document) -> Result<()> {
        let text = |key| document.get_str(key).unwrap_or_default();
        let named = match text("storage_mode") {
            "file" => doc! { "dir": text("dir"), "dfile": text("dfile") },
            "url" => doc! { "url": text("url") },
            _ => return Ok(()),
        };
        let mut others = named;
        others.insert("_id", doc! { "$ne": id });
        // A document whose samples are elsewhere may still name the file that they came from.
        others.insert("storage_mode", text("storage_mode"));
        for collection in [WF_TIME_SERIES, WF_SEISMOGRAM, WF_MINISEED] {
            if self.database.documents.count(collection, &others)? > 0 {
                return Ok(());
            }
        }
        if text("storage_mode") == "url" {
            return self.objects.delete(text("url"));
        }
        let path = Path::new(text("dir")).join(text("dfile"));
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::file("delete", path)(error))
            }
            _ => Ok(()),
        }
    }
}

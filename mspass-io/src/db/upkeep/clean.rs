//! Mending what is not as the schema says.

use std::collections::BTreeMap;
use std::sync::Arc;

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};

use super::batches::in_batches;
use super::references::{ReferenceKeys, References};
use crate::db::collection::{ELOG, WF_SEISMOGRAM, WF_TIME_SERIES};
use crate::db::schema::Schema;
use crate::error::{Error, Result};
use crate::store::{Database, Find};

/// Which keys that the schema does not know are removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Removal {
    /// None.
    #[default]
    Nothing,
    /// These.
    Keys(Vec<String>),
    /// All; copies of `site`, `channel` and `source` stay.
    All,
}

/// What to mend, and how.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CleanOptions {
    /// What documents should be.
    pub schema: Arc<Schema>,
    /// Which documents; default all.
    pub filter: Document,
    /// Whether values of another type are converted where nothing is lost; default true.
    pub convert: bool,
    /// Keys that the schema does not know, with their new names.
    pub rename: Vec<(String, String)>,
    /// Keys that the schema does not know, to be removed.
    pub remove: Removal,
    /// Keys that name documents elsewhere: a document in which one names none is deleted.
    pub delete_missing_xref: Vec<String>,
    /// Whether a document that lacks a required key is deleted.
    pub delete_missing_required: bool,
    /// Only tell what would be done.
    pub dry_run: bool,
    /// Threads; default 1.
    pub threads: usize,
}

impl Default for CleanOptions {
    fn default() -> Self {
        Self {
            schema: Schema::mspass(),
            filter: Document::new(),
            convert: true,
            rename: Vec::new(),
            remove: Removal::Nothing,
            delete_missing_xref: Vec::new(),
            delete_missing_required: false,
            dry_run: false,
            threads: 1,
        }
    }
}

/// What was done to one collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionClean {
    /// Its name.
    pub name: String,
    /// Documents looked at.
    pub documents: u64,
    /// Documents changed.
    pub changed: u64,
    /// Documents deleted.
    pub deleted: u64,
    /// Blobs of samples deleted with them.
    pub blobs: u64,
    /// Values converted, by key.
    pub converted: BTreeMap<String, u64>,
    /// Values of another type that cannot be converted, by key; they stay.
    pub unconvertible: BTreeMap<String, u64>,
    /// Keys renamed, by old name.
    pub renamed: BTreeMap<String, u64>,
    /// Keys removed.
    pub removed: BTreeMap<String, u64>,
    /// Reasons for which documents were deleted, by key.
    pub reasons: BTreeMap<String, u64>,
}

/// Mends the documents of a collection.
///
/// A deleted waveform takes the blob of its samples, where no other document has it, and its
/// entries of `elog` along. Repeating it changes nothing more. Nobody else should write to the
/// collection meanwhile: a document is written back whole.
///
/// # Errors
/// [`Error::Refused`] where the schema does not know the collection or the new name of a key, and
/// what the store says; what was mended before stays so.
pub fn clean(
    database: &Database,
    collection: &str,
    options: &CleanOptions,
) -> Result<CollectionClean> {
    check(collection, options)?;
    let references = ReferenceKeys::of(&options.schema, collection, &options.delete_missing_xref);
    let mut work = Work { database, collection, options, references };
    work.references.0.retain(|(key, _)| options.delete_missing_xref.contains(key));
    let work = &work;
    let cursor = database.documents.find(collection, &Find::filter(options.filter.clone()))?;
    let states = in_batches(cursor, options.threads, Default::default, |state, batch| {
        work.mend(state, batch)
    })?;
    let mut report = CollectionClean { name: collection.to_owned(), ..Default::default() };
    for (_, state) in states {
        report.add(state);
    }
    Ok(report)
}

fn check(collection: &str, options: &CleanOptions) -> Result<()> {
    let schema = &options.schema;
    if schema.collection(collection).is_none() {
        let known: Vec<&str> = schema.collections().collect();
        return Err(Error::Refused(format!(
            "the schema has no collection '{collection}'; it has {}",
            known.join(", ")
        )));
    }
    let defined = |key: &String| schema.key(collection, key).is_some();
    match options.rename.iter().find(|(old, new)| defined(old) || !defined(new)) {
        Some((old, _)) if defined(old) => {
            Err(Error::Refused(format!("{old} is a key of {collection}: it is not renamed")))
        }
        Some((_, new)) => {
            Err(Error::Refused(format!("{new} is no key of {collection}: no key gets that name")))
        }
        None => Ok(()),
    }
}

impl CollectionClean {
    fn add(&mut self, other: Self) {
        self.documents += other.documents;
        self.changed += other.changed;
        self.deleted += other.deleted;
        self.blobs += other.blobs;
        for (into, from) in [
            (&mut self.converted, other.converted),
            (&mut self.unconvertible, other.unconvertible),
            (&mut self.renamed, other.renamed),
            (&mut self.removed, other.removed),
            (&mut self.reasons, other.reasons),
        ] {
            from.into_iter().for_each(|(key, count)| *into.entry(key).or_default() += count);
        }
    }
}

fn one_more(counts: &mut BTreeMap<String, u64>, key: &str) {
    *counts.entry(key.to_owned()).or_default() += 1;
}

struct Work<'w> {
    database: &'w Database,
    collection: &'w str,
    options: &'w CleanOptions,
    references: ReferenceKeys,
}

type State = (References, CollectionClean);

impl Work<'_> {
    fn mend(&self, (known, report): &mut State, batch: Vec<Document>) -> Result<()> {
        known.look_up(self.database, &self.references, &batch)?;
        let (mut changed, mut doomed) = (Vec::new(), Vec::new());
        report.documents += batch.len() as u64;
        for mut document in batch {
            let is_changed = self.mend_keys(&mut document, report);
            if let Some(reason) = self.doom(&document, known) {
                one_more(&mut report.reasons, &reason);
                doomed.push(document);
            } else if is_changed {
                changed.push(document);
            }
        }
        report.changed += changed.len() as u64;
        report.deleted += doomed.len() as u64;
        if self.options.dry_run {
            return Ok(());
        }
        if !changed.is_empty() {
            self.database.documents.upsert(self.collection, &changed)?;
        }
        if !doomed.is_empty() {
            report.blobs += self.delete(&doomed)?;
        }
        Ok(())
    }

    /// Renames, removes and converts; true where anything changed.
    fn mend_keys(&self, document: &mut Document, report: &mut CollectionClean) -> bool {
        let schema = &self.options.schema;
        let mut changed = false;
        let old = std::mem::take(document);
        for (key, value) in old {
            let known = schema.key(self.collection, schema.unique_name(self.collection, &key));
            let Some(definition) = known else {
                let new = self.options.rename.iter().find(|(name, _)| *name == key);
                if let Some((_, new)) = new.filter(|(_, new)| !document.contains_key(new)) {
                    one_more(&mut report.renamed, &key);
                    document.insert(new.clone(), value);
                } else if self.removes(&key) {
                    one_more(&mut report.removed, &key);
                } else {
                    document.insert(key, value);
                    continue;
                }
                changed = true;
                continue;
            };
            if !self.options.convert || key == "_id" || definition.key_type.admits(&value) {
                document.insert(key, value);
                continue;
            }
            match definition.key_type.convert(&value) {
                Some(converted) => {
                    one_more(&mut report.converted, &key);
                    document.insert(key, converted);
                    changed = true;
                }
                None => {
                    one_more(&mut report.unconvertible, &key);
                    document.insert(key, value);
                }
            }
        }
        changed
    }

    fn removes(&self, key: &str) -> bool {
        match &self.options.remove {
            Removal::Nothing => false,
            Removal::Keys(keys) => keys.iter().any(|one| one == key),
            Removal::All => !self.options.schema.is_copy(key),
        }
    }

    /// Why a document is deleted.
    fn doom(&self, document: &Document, known: &References) -> Option<String> {
        let schema = &self.options.schema;
        if self.options.delete_missing_required {
            let mut required = schema.required_keys(self.collection).into_iter();
            let has = |due: &str| {
                document.keys().any(|key| schema.unique_name(self.collection, key) == due)
            };
            if let Some(key) = required.find(|key| !has(key)) {
                return Some(key.to_owned());
            }
        }
        let names_one = |(key, target): &&(String, String)| match document.get(key) {
            Some(Bson::ObjectId(id)) => known.holds(target, *id),
            _ => false,
        };
        self.references.0.iter().find(|pair| !names_one(pair)).map(|(key, _)| key.clone())
    }

    /// Deletes documents and what hangs on them; gives how many blobs went.
    fn delete(&self, doomed: &[Document]) -> Result<u64> {
        let store = &self.database.documents;
        let ids: Vec<Bson> = doomed.iter().filter_map(|d| d.get("_id").cloned()).collect();
        store.delete(self.collection, &doc! { "_id": { "$in": &ids } })?;
        store.delete(ELOG, &doc! { format!("{}_id", self.collection): { "$in": &ids } })?;
        let is_gridfs = |document: &&Document| {
            document.get_str("storage_mode").is_ok_and(|mode| mode == "gridfs")
        };
        let blobs =
            doomed.iter().filter(is_gridfs).filter_map(|d| d.get_object_id("gridfs_id").ok());
        let mut blobs: Vec<ObjectId> = blobs.collect();
        for collection in [WF_TIME_SERIES, WF_SEISMOGRAM] {
            let shared = store.distinct(
                collection,
                "gridfs_id",
                &doc! { "gridfs_id": { "$in": &blobs } },
            )?;
            blobs.retain(|id| !shared.contains(&Bson::ObjectId(*id)));
        }
        self.database.blobs.delete(&blobs)
    }
}

//! From files into a database.

use std::collections::HashSet;
use std::path::Path;

use bson::{Bson, Document, doc};

use super::documents::{Documents, Placed, damaged};
use super::folder::{DumpFile, Listing};
use super::indexes::read_indexes;
use super::samples::{Assembly, Descriptions};
use super::{BATCH_BYTES_MAX, BATCH_DOCUMENTS, FILES, Progress};
use crate::error::{Error, Result};
use crate::store::{Blob, Database, Find, prepare};

/// What to import, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Collections to import; empty means all.
    pub collections: Vec<String>,
    /// Whether a document or blob that is there with other content is replaced; else it stays.
    pub replace: bool,
    /// Folders that moved: a `dir` that is the first, or within it, is written as the second.
    pub moved: Vec<(String, String)>,
}

/// What became of one collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionImport {
    /// Its name; `fs.files` stands for the samples.
    pub name: String,
    /// Documents or blobs in the file.
    pub found: u64,
    /// Those that were not there and now are.
    pub new: u64,
    /// Those that were there already, equal in every bit.
    pub present: u64,
    /// Those that were there with other content, and now are as in the file.
    pub replaced: u64,
    /// Those that are there with other content, and stay so.
    pub kept: u64,
    /// `_id` of the first of these, as relaxed extended JSON.
    pub first_kept: Option<String>,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// By collection; the samples come last.
    pub collections: Vec<CollectionImport>,
    /// Indexes made, or there already.
    pub indexes: u64,
    /// Chunks of samples that no description names; they are not imported.
    pub orphans: u64,
    /// Files of the folder that are none of a dump's.
    pub passed_over: Vec<String>,
}

impl ImportReport {
    /// Documents and blobs that are in the database with other content than in the files.
    pub fn kept(&self) -> u64 {
        self.collections.iter().map(|collection| collection.kept).sum()
    }
}

/// Imports the files of `folder` into `database`: [`check`], then [`Checked::import`].
///
/// # Errors
/// As those two.
pub fn import(
    database: &Database,
    folder: &Path,
    options: &ImportOptions,
    progress: &mut dyn FnMut(&Progress),
) -> Result<ImportReport> {
    check(folder, options, progress)?.import(database, progress)
}

/// A folder of which all files were read through and found sound.
#[derive(Debug)]
pub struct Checked {
    listing: Listing,
    options: ImportOptions,
    indexes: Vec<(String, Document)>,
    blobs: Option<Descriptions>,
}

/// Reads all files of `folder` that are to be imported through and checks them.
///
/// # Errors
/// [`Error::Refused`], naming file and byte, where a file is damaged; [`Error::File`] where one
/// cannot be read.
pub fn check(
    folder: &Path,
    options: &ImportOptions,
    progress: &mut dyn FnMut(&Progress),
) -> Result<Checked> {
    let listing = Listing::of(folder, &options.collections)?;
    let mut tracker = Tracker::new("check", listing.bytes(), progress);
    for file in &listing.files {
        for placed in Documents::open(file)? {
            tracker.count(&file.collection, placed?.raw.as_bytes().len());
        }
    }
    let indexes = read_indexes(&listing)?;
    let blobs = describe(&listing, options)?;
    let checked = Checked { listing, options: options.clone(), indexes, blobs };
    if let Some(samples) = checked.samples() {
        samples.each(&mut tracker, &mut |_| Ok(()))?;
    }
    Ok(checked)
}

impl Checked {
    /// Writes what of the files is not in `database` yet.
    ///
    /// Documents and blobs are matched by `_id`: one that is there already is not written again, so
    /// an import that was interrupted is completed by repeating it, and a second one changes
    /// nothing.
    ///
    /// # Errors
    /// What the store says, and [`Error::File`] where a file has gone since it was checked; what
    /// was written before stays.
    pub fn import(
        &self,
        database: &Database,
        progress: &mut dyn FnMut(&Progress),
    ) -> Result<ImportReport> {
        let Self { listing, options, .. } = self;
        let mut tracker = Tracker::new("import", listing.bytes(), progress);
        let mut report =
            ImportReport { passed_over: listing.passed_over.clone(), ..ImportReport::default() };
        for file in &listing.files {
            report.collections.push(import_file(database, file, options, &mut tracker)?);
        }
        if let Some(samples) = self.samples() {
            let (imported, orphans) = import_samples(database, &samples, options, &mut tracker)?;
            report.collections.push(imported);
            report.orphans = orphans;
        }
        for (collection, keys) in &self.indexes {
            database.documents.create_index(collection, keys)?;
            report.indexes += 1;
        }
        Ok(report)
    }

    fn samples(&self) -> Option<Samples<'_>> {
        let Listing { chunks, descriptions, .. } = &self.listing;
        let (chunks, descriptions) = (chunks.as_ref()?, descriptions.as_ref()?);
        Some(Samples { chunks, descriptions, known: self.blobs.as_ref()? })
    }
}

/// Counts and tells how far things are.
pub(super) struct Tracker<'p> {
    state: Progress,
    told: u64,
    tell: &'p mut dyn FnMut(&Progress),
}

/// Bytes between two reports of progress.
const TELL_BYTES: u64 = 1 << 20;

impl<'p> Tracker<'p> {
    pub(super) fn new(
        doing: &'static str,
        bytes_total: u64,
        tell: &'p mut dyn FnMut(&Progress),
    ) -> Self {
        let state =
            Progress { doing, collection: String::new(), bytes: 0, bytes_total, documents: 0 };
        Self { state, told: 0, tell }
    }

    pub(super) fn count(&mut self, collection: &str, bytes: usize) {
        self.state.bytes += bytes as u64;
        self.state.documents += 1;
        let moved_on = self.state.collection != collection;
        if moved_on {
            collection.clone_into(&mut self.state.collection);
        }
        if moved_on || self.state.bytes >= self.told + TELL_BYTES {
            self.told = self.state.bytes;
            (self.tell)(&self.state);
        }
    }
}

fn import_file(
    database: &Database,
    file: &DumpFile,
    options: &ImportOptions,
    tracker: &mut Tracker<'_>,
) -> Result<CollectionImport> {
    let mut imported =
        CollectionImport { name: file.collection.clone(), ..CollectionImport::default() };
    let (mut batch, mut bytes) = (Vec::new(), 0);
    for placed in Documents::open(file)? {
        let mut placed = placed?;
        tracker.count(&file.collection, placed.raw.as_bytes().len());
        if relocate(&mut placed.document, &options.moved) {
            placed.raw = prepare(&placed.document)?.raw;
        }
        bytes += placed.raw.as_bytes().len();
        batch.push(placed);
        if batch.len() == BATCH_DOCUMENTS || bytes >= BATCH_BYTES_MAX {
            write_batch(database, &mut imported, std::mem::take(&mut batch), options)?;
            bytes = 0;
        }
    }
    write_batch(database, &mut imported, batch, options)?;
    Ok(imported)
}

/// Puts the new place of a folder that moved into a document, its inner ones included.
fn relocate(document: &mut Document, moved: &[(String, String)]) -> bool {
    let Some(Bson::String(dir)) = document.get_mut("dir") else { return false };
    let found = moved.iter().find_map(|(old, new)| {
        let rest = dir.strip_prefix(old.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then(|| format!("{new}{rest}"))
    });
    match found {
        Some(new) => *dir = new,
        None => return false,
    }
    true
}

/// Writes what of a batch is not there.
fn write_batch(
    database: &Database,
    imported: &mut CollectionImport,
    batch: Vec<Placed>,
    options: &ImportOptions,
) -> Result<()> {
    let store = &*database.documents;
    imported.found += batch.len() as u64;
    let mut missing = Vec::new();
    let mut there = existing(database, &imported.name, &batch)?;
    for Placed { document, raw, .. } in batch {
        let id = document.get("_id").cloned().unwrap_or(Bson::Null);
        match there.get(&id_text(&id)) {
            None => imported.new += 1,
            Some(stored) if stored == raw.as_bytes() => {
                imported.present += 1;
                continue;
            }
            Some(_) if options.replace => imported.replaced += 1,
            Some(_) => {
                imported.kept += 1;
                imported.first_kept.get_or_insert_with(|| relaxed(&id));
                continue;
            }
        }
        // The same `_id` may come again within the batch.
        there.insert(id_text(&id), raw.into_bytes());
        missing.push(document);
    }
    if missing.is_empty() {
        return Ok(());
    }
    store.upsert(&imported.name, &missing)
}

type Existing = std::collections::HashMap<String, Vec<u8>>;

/// The stored bytes of those documents of a batch that are there, by the text of their `_id`.
fn existing(database: &Database, collection: &str, batch: &[Placed]) -> Result<Existing> {
    let ids: Vec<Bson> =
        batch.iter().filter_map(|placed| placed.document.get("_id").cloned()).collect();
    let find = Find::filter(doc! { "_id": { "$in": ids } });
    let mut there = Existing::new();
    if batch.is_empty() {
        return Ok(there);
    }
    for document in database.documents.find(collection, &find)? {
        let document = document?;
        let id = document.get("_id").map(id_text).unwrap_or_default();
        there.insert(id, prepare(&document)?.raw.into_bytes());
    }
    Ok(there)
}

/// A text that two `_id`s share exactly when a store takes them for the same.
fn id_text(id: &Bson) -> String {
    let raw = bson::RawBson::try_from(id.clone());
    let mut key = Vec::new();
    if let Ok(raw) = &raw {
        crate::query::encode_key(&mut key, raw.as_raw_bson_ref());
    }
    key.iter().map(|byte| char::from(*byte)).collect()
}

fn relaxed(id: &Bson) -> String {
    id.clone().into_relaxed_extjson().to_string()
}

/// The files of the samples, and their descriptions.
struct Samples<'c> {
    chunks: &'c DumpFile,
    descriptions: &'c DumpFile,
    known: &'c Descriptions,
}

/// Reads the descriptions of the samples, where there are any.
fn describe(listing: &Listing, options: &ImportOptions) -> Result<Option<Descriptions>> {
    match (&listing.descriptions, &listing.chunks) {
        (None, None) => Ok(None),
        (Some(descriptions), Some(_)) => Descriptions::read(descriptions).map(Some),
        (one, other) => {
            let there = one.as_ref().or(other.as_ref()).map(|file| file.path.display());
            let there = there.map(|path| path.to_string()).unwrap_or_default();
            let remedy = match options.collections.is_empty() {
                true => "; dump both, or name the collections to import",
                false => "; dump both",
            };
            Err(Error::Refused(format!(
                "{there} is there, but samples need fs.files and fs.chunks both{remedy}"
            )))
        }
    }
}

impl Samples<'_> {
    /// Calls `sink` with every blob, whole, and gives the number of chunks of none.
    fn each(
        &self,
        tracker: &mut Tracker<'_>,
        sink: &mut dyn FnMut(Blob) -> Result<()>,
    ) -> Result<u64> {
        let path = &self.chunks.path;
        let mut assembly = Assembly::new(self.known);
        assembly.empty_ones().into_iter().try_for_each(&mut *sink)?;
        for placed in Documents::open(self.chunks)? {
            let placed = placed?;
            tracker.count(FILES, placed.raw.as_bytes().len());
            let taken = assembly.take(&placed.document);
            if let Some(blob) = taken.map_err(|reason| damaged(path, placed.offset, &reason))? {
                sink(blob)?;
            }
        }
        match assembly.unfinished() {
            Some((id, offset)) => {
                let reason = format!("not all chunks of the blob {id} are in {}", path.display());
                Err(damaged(&self.descriptions.path, offset, &reason))
            }
            None => Ok(assembly.orphans()),
        }
    }
}

fn import_samples(
    database: &Database,
    samples: &Samples<'_>,
    options: &ImportOptions,
    tracker: &mut Tracker<'_>,
) -> Result<(CollectionImport, u64)> {
    let there: HashSet<_> = database.blobs.ids()?.into_iter().collect();
    let mut imported = CollectionImport { name: FILES.to_owned(), ..CollectionImport::default() };
    let (mut batch, mut bytes): (Vec<Blob>, usize) = (Vec::new(), 0);
    let orphans = samples.each(tracker, &mut |blob| {
        imported.found += 1;
        if there.contains(&blob.id) {
            if database.blobs.read(blob.id)? == blob.bytes {
                imported.present += 1;
                return Ok(());
            }
            if !options.replace {
                imported.kept += 1;
                imported.first_kept.get_or_insert_with(|| blob.id.to_hex());
                return Ok(());
            }
            imported.replaced += 1;
        } else {
            imported.new += 1;
        }
        bytes += blob.bytes.len();
        batch.push(blob);
        if bytes >= BATCH_BYTES_MAX || batch.len() == BATCH_DOCUMENTS {
            database.blobs.put(&batch)?;
            batch.clear();
            bytes = 0;
        }
        Ok(())
    })?;
    database.blobs.put(&batch)?;
    Ok((imported, orphans))
}

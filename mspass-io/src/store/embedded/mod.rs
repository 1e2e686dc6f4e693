//! The embedded store: documents and samples in a folder, without a server.
//!
//! # What is in the folder
//! - `FORMAT`: name and number of the format; a newer one is refused.
//! - `LOCK`: locked by the process that holds the store, and names it.
//! - `documents.redb`: documents as raw BSON by the byte key of their `_id`, index entries, and the
//!   places of the samples; a [redb](https://docs.rs/redb) database.
//! - `blobs.dat`: the samples.
//!
//! # What is durable when
//! Every write returns after a commit that was synced to the disk; writers that wait at the same
//! time share one. A call writes all it was given or nothing (`insert` stops before a taken `_id`
//! and keeps what came before). After a kill or a power loss the next opening repairs the database
//! by itself.
//!
//! # Samples beside the database
//! The samples could be values of the database. Measured on a virtual machine of two cores whose
//! disk writes 0.4 to 1.1 GB/s, with 1,700 blobs of 5 to 600 KB (532 MB) put in batches of 24 MB,
//! each batch durable, 32 MiB of cache:
//!
//! | samples are | seconds | file, then replaced once | read |
//! | --- | --- | --- | --- |
//! | values of redb, whole | 1.1 to 1.5 | 1,160 MB, 1,160 MB | 4 GB/s |
//! | values of redb, pieces of 65,000 bytes | 1.2 | 784 MB, 784 MB | 2 GB/s |
//! | values of redb, pieces of 260,000 bytes | 1.1 to 1.3 | 580 MB, 1,160 MB | 2 GB/s |
//! | a file of their own | 0.35 to 0.8 | 510 MB, 534 MB | 4 to 6 GB/s |
//!
//! A file of their own writes each byte once, straight from the caller's memory. It holds nothing
//! but samples: where they are and their CRC-32C is in the database, so that one commit makes a
//! batch visible, and no log has to be read or compacted. Places of deleted samples are used anew.
//!
//! # Opening after a crash
//! Takes about 6 seconds for each GB of documents (not of samples); after an orderly end it takes
//! milliseconds.
//!
//! # Reading
//! A query reads a snapshot: it sees no later write, and as long as its cursor lives the pages of
//! that snapshot are not used anew. Documents come in the order of their `_id`s where no sort is
//! asked for. A sort that no index serves holds sort keys and ids, 128 MiB at most.

mod blobs;
mod commit;
mod fault;
mod folder;
mod index;
mod job;
mod plan;
mod scan;
mod space;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bson::oid::ObjectId;
use bson::{Bson, Document};
use bytes::Bytes;
use redb::{
    Database, ReadTransaction, ReadableDatabase, ReadableTableMetadata, TableDefinition,
    TableHandle,
};

use self::blobs::{BlobFile, Place};
use self::commit::Committer;
use self::fault::{failed, open_failed};
use self::folder::Folder;
use self::job::{Answer, Job};
use self::scan::{Reader, found};
use self::writer::{DOCUMENTS, DocumentTable};
use super::prepare::{check_collection, id_of, prepare};
use super::select::Selection;
use super::{Aggregate, Blob, BlobStore, Cursor, DocumentStore, Explanation, Find};
use crate::error::{Error, Result};
use crate::query::{Grouping, Matcher, Sort, Update, distinct_values};

/// Places of the samples by id.
const BLOBS: TableDefinition<'static, [u8; 12], Place> = TableDefinition::new("blobs");

const DATABASE_FILE: &str = "documents.redb";
const NEW_DATABASE_FILE: &str = "documents.redb.new";
const BLOB_FILE: &str = "blobs.dat";

/// How an embedded store is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// Bytes of memory that the database keeps pages in; default 32 MiB.
    pub cache_bytes: usize,
    /// Name of this program, told to others that find the store in use; default: that of the
    /// executable.
    pub holder: Option<String>,
    /// Whether to make the store where there is none; default true.
    pub create: bool,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self { cache_bytes: 32 * 1024 * 1024, holder: None, create: true }
    }
}

/// A store in a folder, held by one process at a time.
///
/// ```
/// use bson::doc;
/// use mspass_io::store::{DocumentStore, EmbeddedOptions, EmbeddedStore, Find};
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("db");
/// let store = EmbeddedStore::open(&path, &EmbeddedOptions::default())?;
/// store.upsert("site", &[doc! { "_id": 1, "sta": "ANMO", "lat": 34.95 }])?;
/// let found = store.find("site", &Find::filter(doc! { "lat": { "$gt": 30 } }))?;
/// assert_eq!(found.count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EmbeddedStore {
    shared: Arc<Shared>,
}

/// What the store and its cursors share; the folder stays locked until the last of them ends.
#[derive(Debug)]
struct Shared {
    committer: Committer,
    blobs: BlobFile,
    _folder: Folder,
}

impl Shared {
    fn begin_read(&self) -> Result<ReadTransaction> {
        self.committer.database().begin_read().map_err(failed("begin to read"))
    }

    fn place(&self, id: ObjectId) -> Result<Option<Place>> {
        let Some(table) = found(self.begin_read()?.open_table(BLOBS))? else { return Ok(None) };
        let place = table.get(id.bytes()).map_err(failed("look up a blob"))?;
        Ok(place.map(|place| place.value()))
    }
}

/// Makes an empty database beside its place and puts it there: whoever is killed while it is made
/// leaves nothing that the next one takes for a database.
fn make_database(folder: &Folder, place: &Path) -> Result<()> {
    let new = folder.file(NEW_DATABASE_FILE);
    match std::fs::remove_file(&new) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::File { action: "delete", path: new, source });
        }
        _ => {}
    }
    drop(Database::create(&new).map_err(|error| open_failed(error, &new))?);
    std::fs::rename(&new, place).map_err(Error::file("create", place))
}

impl EmbeddedStore {
    /// Opens the store in the folder `path`, and makes both if they are not there and
    /// `options.create` holds.
    ///
    /// Fails with [`Error::StoreInUse`] naming the process that holds it, [`Error::StoreTooNew`],
    /// [`Error::Refused`] for a folder of something else or, not to be made, of none, and
    /// [`Error::File`] where the system refuses.
    pub fn open(path: impl AsRef<Path>, options: &EmbeddedOptions) -> Result<Self> {
        let holder = options.holder.clone().unwrap_or_else(program_name);
        let folder = Folder::open(path.as_ref(), &holder, options.create)?;
        let file = folder.file(DATABASE_FILE);
        if !file.exists() {
            make_database(&folder, &file)?;
        }
        let database = Database::builder()
            .set_cache_size(options.cache_bytes)
            .create(&file)
            .map_err(|error| open_failed(error, &file))?;
        let places = places_in_use(&database)?;
        let blobs = BlobFile::open(folder.file(BLOB_FILE), places)?;
        folder::sync_folder(path.as_ref())?;
        let committer = Committer::new(database);
        Ok(Self { shared: Arc::new(Shared { committer, blobs, _folder: folder }) })
    }

    fn submit(&self, job: Job) -> Result<Answer> {
        self.shared.committer.submit(job)
    }

    /// The documents that match.
    fn each(
        &self,
        collection: &str,
        filter: &Document,
    ) -> Result<Box<dyn Iterator<Item = Result<scan::Stored>> + Send>> {
        check_collection(collection)?;
        let matcher = Matcher::parse(filter)?;
        let Some(reader) = Reader::open(&self.shared, collection)? else {
            return Ok(Box::new(std::iter::empty()));
        };
        let documents = reader.scan(reader.plan(&matcher, &Sort::default())?)?;
        Ok(Box::new(documents.filter(move |document| match document {
            Ok(document) => matcher.matches(document.as_ref()),
            Err(_) => true,
        })))
    }
}

fn program_name() -> String {
    let path = std::env::current_exe().unwrap_or_default();
    path.file_stem().map_or_else(|| "a program".to_owned(), |name| name.to_string_lossy().into())
}

fn places_in_use(database: &Database) -> Result<impl Iterator<Item = Result<Place>>> {
    let transaction = database.begin_read().map_err(failed("begin to read"))?;
    let table = found(transaction.open_table(BLOBS))?;
    let range = table.map(|table| table.range::<[u8; 12]>(..)).transpose();
    let rows = range.map_err(failed("read the blobs"))?.into_iter().flatten();
    Ok(rows.map(|row| row.map(|(_, place)| place.value()).map_err(failed("read the blobs"))))
}

impl DocumentStore for EmbeddedStore {
    fn find(&self, collection: &str, find: &Find) -> Result<Cursor> {
        check_collection(collection)?;
        let mut selection = Selection::parse(find)?;
        let Some(reader) = Reader::open(&self.shared, collection)? else {
            return Ok(Box::new(std::iter::empty()));
        };
        let plan = reader.plan(&selection.matcher, &selection.sort)?;
        if plan.sorted {
            selection.sort = Sort::default();
        }
        selection.run(reader.scan(plan)?, reader.fetch())
    }

    fn insert(&self, collection: &str, documents: &[Document]) -> Result<Vec<Bson>> {
        check_collection(collection)?;
        let documents = documents.iter().map(prepare).collect::<Result<Vec<_>>>()?;
        if documents.is_empty() {
            return Ok(Vec::new());
        }
        let mut ids = documents.iter().map(|d| id_of(&d.raw)).collect::<Result<Vec<_>>>()?;
        let job = Job::Insert { collection: collection.to_owned(), documents };
        let Answer::Inserted(count) = self.submit(job)? else { return Ok(ids) };
        if count == ids.len() {
            return Ok(ids);
        }
        let id = ids.swap_remove(count).into_relaxed_extjson().to_string();
        Err(Error::DuplicateKey { collection: collection.to_owned(), id })
    }

    fn upsert(&self, collection: &str, documents: &[Document]) -> Result<()> {
        check_collection(collection)?;
        let documents = documents.iter().map(prepare).collect::<Result<Vec<_>>>()?;
        if documents.is_empty() {
            return Ok(());
        }
        self.submit(Job::Upsert { collection: collection.to_owned(), documents }).map(drop)
    }

    fn update(&self, collection: &str, filter: &Document, update: &Document) -> Result<u64> {
        check_collection(collection)?;
        let (matcher, update) = (Matcher::parse(filter)?, Update::parse(update)?);
        let job = Job::Update { collection: collection.to_owned(), matcher, update };
        Ok(self.submit(job)?.count())
    }

    fn delete(&self, collection: &str, filter: &Document) -> Result<u64> {
        check_collection(collection)?;
        let matcher = Matcher::parse(filter)?;
        let job = Job::Delete { collection: collection.to_owned(), matcher };
        Ok(self.submit(job)?.count())
    }

    fn count(&self, collection: &str, filter: &Document) -> Result<u64> {
        check_collection(collection)?;
        if filter.is_empty() {
            return Reader::open(&self.shared, collection)?.map_or(Ok(0), |reader| reader.len());
        }
        self.each(collection, filter)?.try_fold(0, |count, document| document.map(|_| count + 1))
    }

    fn distinct(&self, collection: &str, path: &str, filter: &Document) -> Result<Vec<Bson>> {
        distinct_values(path, self.each(collection, filter)?)
    }

    fn group(
        &self,
        collection: &str,
        filter: &Document,
        keys: &[&str],
        aggregates: &[(&str, Aggregate, &str)],
    ) -> Result<Vec<Document>> {
        let mut grouping = Grouping::new(keys, aggregates)?;
        for document in self.each(collection, filter)? {
            grouping.add(document?.as_ref())?;
        }
        Ok(grouping.finish())
    }

    fn create_index(&self, collection: &str, keys: &Document) -> Result<()> {
        check_collection(collection)?;
        index::Index::parse(keys)?;
        self.submit(Job::CreateIndex { collection: collection.to_owned(), keys: keys.clone() })
            .map(drop)
    }

    fn explain(&self, collection: &str, find: &Find) -> Result<Explanation> {
        check_collection(collection)?;
        let mut selection = Selection::parse(find)?;
        let Some(reader) = Reader::open(&self.shared, collection)? else {
            return Ok(Explanation::default());
        };
        let plan = reader.plan(&selection.matcher, &selection.sort)?;
        if plan.sorted {
            selection.sort = Sort::default();
        }
        let by_id = plan.index.is_none() && plan.is_bounded();
        let index = match &plan.index {
            Some(index) => Some(index.name.clone()),
            None => by_id.then(|| "_id_".to_owned()),
        };
        let answer = selection.run(reader.scan(plan)?, reader.fetch())?;
        let returned = answer.map(|document| document.map(|_| 1)).sum::<Result<u64>>()?;
        let documents_examined = reader.examined.documents.load(Ordering::Relaxed);
        let keys = reader.examined.keys.load(Ordering::Relaxed);
        let keys_examined = if by_id { documents_examined } else { keys };
        Ok(Explanation { index, keys_examined, documents_examined, returned })
    }

    fn collections(&self) -> Result<Vec<String>> {
        let transaction = self.shared.begin_read()?;
        let mut names = Vec::new();
        for table in transaction.list_tables().map_err(failed("list the collections"))? {
            let Some(name) = table.name().strip_prefix(DOCUMENTS) else { continue };
            let documents = found(transaction.open_table(DocumentTable::new(table.name())))?;
            let Some(documents) = documents else { continue };
            if !documents.is_empty().map_err(failed("count the documents"))? {
                names.push(name.to_owned());
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

impl BlobStore for EmbeddedStore {
    fn put(&self, blobs: &[Blob]) -> Result<()> {
        if blobs.is_empty() {
            return Ok(());
        }
        let places = self.shared.blobs.write(blobs)?;
        let named = blobs.iter().map(|blob| blob.id).zip(places.iter().copied()).collect();
        match self.submit(Job::PlaceBlobs(named)) {
            Ok(answer) => self.shared.blobs.free(&answer.freed()),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn read(&self, id: ObjectId) -> Result<Bytes> {
        let bytes = self.shared.blobs.read(|| self.shared.place(id))?;
        bytes.ok_or_else(|| Error::NoBlob { id: id.to_hex() })
    }

    fn delete(&self, ids: &[ObjectId]) -> Result<u64> {
        let freed = self.submit(Job::DeleteBlobs(ids.to_vec()))?.freed();
        self.shared.blobs.free(&freed);
        Ok(freed.len() as u64)
    }

    fn ids(&self) -> Result<Vec<ObjectId>> {
        let Some(table) = found(self.shared.begin_read()?.open_table(BLOBS))? else {
            return Ok(Vec::new());
        };
        let rows = table.range::<[u8; 12]>(..).map_err(failed("read the blobs"))?;
        rows.map(|row| {
            let (id, _) = row.map_err(failed("read the blobs"))?;
            Ok(ObjectId::from_bytes(id.value()))
        })
        .collect()
    }
}

impl Answer {
    fn count(self) -> u64 {
        match self {
            Self::Count(count) => count,
            _ => 0,
        }
    }

    fn freed(self) -> Vec<Place> {
        match self {
            Self::Freed(places) => places,
            _ => Vec::new(),
        }
    }
}

//! A store in memory, for tests and as the measure of the others: every query is a full scan.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bson::oid::ObjectId;
use bson::raw::{RawDocument, RawDocumentBuf};
use bson::{Bson, Document};
use bytes::Bytes;

use super::prepare::{check_collection, id_of, prepare};
use super::select::Selection;
use super::{Aggregate, Blob, BlobStore, Cursor, DocumentStore, Explanation, Find};
use crate::error::{Error, Result};
use crate::query::{Grouping, Matcher, Sort, Update, distinct_values};

/// Documents and samples in memory; they end with the process.
///
/// Queries see the documents as they were when the query began. Documents without a sort come in
/// the order of their `_id`s.
#[derive(Debug, Default)]
pub struct MemoryStore {
    collections: Mutex<BTreeMap<String, Collection>>,
    blobs: Mutex<BTreeMap<ObjectId, Bytes>>,
}

/// Documents by the byte key of their `_id`; shared with the cursors that read it.
type Collection = Arc<BTreeMap<Vec<u8>, Stored>>;

#[derive(Clone, Debug)]
struct Stored(Arc<RawDocumentBuf>);

impl AsRef<RawDocument> for Stored {
    fn as_ref(&self) -> &RawDocument {
        self.0.as_ref()
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Collection>> {
        self.collections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_blobs(&self) -> MutexGuard<'_, BTreeMap<ObjectId, Bytes>> {
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn snapshot(&self, collection: &str) -> Result<Collection> {
        check_collection(collection)?;
        Ok(self.lock().get(collection).cloned().unwrap_or_default())
    }

    fn matching(&self, collection: &str, filter: &Document) -> Result<Vec<(Vec<u8>, Stored)>> {
        let matcher = Matcher::parse(filter)?;
        let documents = self.snapshot(collection)?;
        let found = documents.iter().filter(|(_, document)| matcher.matches(document.as_ref()));
        Ok(found.map(|(key, document)| (key.clone(), document.clone())).collect())
    }
}

/// One document after another, in the order of their keys.
fn iterate(documents: Collection) -> impl Iterator<Item = Stored> + Send {
    let mut last: Option<Vec<u8>> = None;
    std::iter::from_fn(move || {
        let start = last.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let (key, document) = documents.range::<[u8], _>((start, Bound::Unbounded)).next()?;
        last = Some(key.clone());
        Some(document.clone())
    })
}

impl DocumentStore for MemoryStore {
    fn find(&self, collection: &str, find: &Find) -> Result<Cursor> {
        let selection = Selection::parse(find)?;
        let documents = self.snapshot(collection)?;
        let by_key = Arc::clone(&documents);
        let fetch = move |key: &[u8]| Ok(by_key.get(key).cloned());
        selection.run(iterate(documents).map(Ok), fetch)
    }

    fn insert(&self, collection: &str, documents: &[Document]) -> Result<Vec<Bson>> {
        check_collection(collection)?;
        let prepared = documents.iter().map(prepare).collect::<Result<Vec<_>>>()?;
        let mut collections = self.lock();
        let stored = Arc::make_mut(collections.entry(collection.to_owned()).or_default());
        let mut ids = Vec::with_capacity(prepared.len());
        for document in prepared {
            let id = id_of(&document.raw)?;
            if stored.contains_key(&document.key) {
                let (collection, id) =
                    (collection.to_owned(), id.into_relaxed_extjson().to_string());
                return Err(Error::DuplicateKey { collection, id });
            }
            stored.insert(document.key, Stored(Arc::new(document.raw)));
            ids.push(id);
        }
        Ok(ids)
    }

    fn upsert(&self, collection: &str, documents: &[Document]) -> Result<()> {
        check_collection(collection)?;
        let prepared = documents.iter().map(prepare).collect::<Result<Vec<_>>>()?;
        let mut collections = self.lock();
        let stored = Arc::make_mut(collections.entry(collection.to_owned()).or_default());
        stored.extend(prepared.into_iter().map(|d| (d.key, Stored(Arc::new(d.raw)))));
        Ok(())
    }

    fn update(&self, collection: &str, filter: &Document, update: &Document) -> Result<u64> {
        let update = Update::parse(update)?;
        check_collection(collection)?;
        let matcher = Matcher::parse(filter)?;
        let mut collections = self.lock();
        let Some(stored) = collections.get_mut(collection) else { return Ok(0) };
        let (mut matched, mut changed) = (0, Vec::new());
        for document in stored.values().filter(|d| matcher.matches(d.as_ref())) {
            matched += 1;
            let mut document = Document::try_from(document.as_ref())
                .map_err(|e| Error::Format { format: "BSON", offset: 0, reason: e.to_string() })?;
            if update.apply(&mut document)? {
                changed.push(prepare(&document)?);
            }
        }
        let stored = Arc::make_mut(stored);
        stored.extend(changed.into_iter().map(|d| (d.key, Stored(Arc::new(d.raw)))));
        Ok(matched)
    }

    fn delete(&self, collection: &str, filter: &Document) -> Result<u64> {
        let matcher = Matcher::parse(filter)?;
        check_collection(collection)?;
        let mut collections = self.lock();
        let Some(stored) = collections.get_mut(collection) else { return Ok(0) };
        let before = stored.len();
        Arc::make_mut(stored).retain(|_, document| !matcher.matches((*document).as_ref()));
        Ok((before - stored.len()) as u64)
    }

    fn count(&self, collection: &str, filter: &Document) -> Result<u64> {
        Ok(self.matching(collection, filter)?.len() as u64)
    }

    fn distinct(&self, collection: &str, path: &str, filter: &Document) -> Result<Vec<Bson>> {
        let matching = self.matching(collection, filter)?;
        distinct_values(path, matching.into_iter().map(|(_, document)| Ok(document)))
    }

    fn group(
        &self,
        collection: &str,
        filter: &Document,
        keys: &[&str],
        aggregates: &[(&str, Aggregate, &str)],
    ) -> Result<Vec<Document>> {
        let mut grouping = Grouping::new(keys, aggregates)?;
        for (_, document) in self.matching(collection, filter)? {
            grouping.add(document.as_ref())?;
        }
        Ok(grouping.finish())
    }

    fn create_index(&self, collection: &str, keys: &Document) -> Result<()> {
        check_collection(collection)?;
        match Sort::parse(keys)?.is_empty() {
            true => Err(Error::query("an index needs at least one key")),
            false => Ok(()),
        }
    }

    fn explain(&self, collection: &str, find: &Find) -> Result<Explanation> {
        let selection = Selection::parse(find)?;
        let documents = self.snapshot(collection)?;
        let by_key = Arc::clone(&documents);
        let examined = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&examined);
        let counted = iterate(documents).inspect(move |_| {
            counter.fetch_add(1, Ordering::Relaxed);
        });
        let answer =
            selection.run(counted.map(Ok), move |key: &[u8]| Ok(by_key.get(key).cloned()))?;
        let returned = answer.map(|document| document.map(|_| 1)).sum::<Result<u64>>()?;
        let documents_examined = examined.load(Ordering::Relaxed);
        Ok(Explanation { documents_examined, returned, ..Explanation::default() })
    }

    fn collections(&self) -> Result<Vec<String>> {
        let collections = self.lock();
        let full = collections.iter().filter(|(_, documents)| !documents.is_empty());
        Ok(full.map(|(name, _)| name.clone()).collect())
    }
}

impl BlobStore for MemoryStore {
    fn put(&self, blobs: &[Blob]) -> Result<()> {
        self.lock_blobs().extend(blobs.iter().map(|blob| (blob.id, blob.bytes.clone())));
        Ok(())
    }

    fn read(&self, id: ObjectId) -> Result<Bytes> {
        let found = self.lock_blobs().get(&id).cloned();
        found.ok_or_else(|| Error::NoBlob { id: id.to_hex() })
    }

    fn delete(&self, ids: &[ObjectId]) -> Result<u64> {
        let mut blobs = self.lock_blobs();
        Ok(ids.iter().filter(|id| blobs.remove(id).is_some()).count() as u64)
    }

    fn ids(&self) -> Result<Vec<ObjectId>> {
        Ok(self.lock_blobs().keys().copied().collect())
    }
}

//! Where documents and samples live.
//!
//! Two small object-safe traits, [`DocumentStore`] and [`BlobStore`], one contract suite for all
//! their implementations, and [`Database`], the pair that a database name opens. The traits block:
//! a store call belongs on a thread of its own (the db-proxy has a bounded set of them), never on
//! one that polls sockets.

pub mod contract;
pub mod embedded;
pub mod memory;
pub mod mongo;
mod name;
pub mod objects;
mod prepare;
mod select;

use std::fmt;
use std::sync::Arc;

use bson::oid::ObjectId;
use bson::{Bson, Document};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::Result;

pub use embedded::{EmbeddedOptions, EmbeddedStore};
pub use memory::MemoryStore;
pub use name::{DatabaseName, MongoUri};
pub use objects::Objects;

pub(crate) use prepare::prepare;

/// Documents of a query, one after another, without holding them all.
pub type Cursor = Box<dyn Iterator<Item = Result<Document>> + Send>;

/// What to find: MongoDB's filter, sort and projection documents; empty ones ask for everything.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Find {
    /// MongoDB filter.
    pub filter: Document,
    /// Keys with 1 or -1, in order of weight.
    pub sort: Document,
    /// Keys with 1 (only these and `_id`) or 0 (all but these).
    pub projection: Document,
    /// Documents passed over first.
    pub skip: u64,
    /// Documents returned at most; 0 means all.
    pub limit: u64,
}

impl Find {
    /// All documents that match `filter`.
    pub fn filter(filter: Document) -> Self {
        Self { filter, ..Self::default() }
    }

    /// Sorted by `sort`.
    #[must_use]
    pub fn sort(self, sort: Document) -> Self {
        Self { sort, ..self }
    }

    /// With the keys of `projection` only.
    #[must_use]
    pub fn projection(self, projection: Document) -> Self {
        Self { projection, ..self }
    }

    /// `limit` documents at most; 0 means all.
    #[must_use]
    pub fn limit(self, limit: u64) -> Self {
        Self { limit, ..self }
    }
}

/// What [`DocumentStore::group`] computes of a numeric key over the documents of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Aggregate {
    /// Sum of the numbers found.
    Sum,
    /// Number of documents; the key is not looked at.
    Count,
    /// Smallest value in BSON order, missing and null passed over.
    Min,
    /// Largest value in BSON order, missing and null passed over.
    Max,
    /// Mean of the numbers found; null when there are none.
    Avg,
}

/// How a store answers a query, and what it looked at to do so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Index that led to the documents (`_id_` for the ids), as MongoDB names it; none where all
    /// documents were scanned.
    pub index: Option<String>,
    /// Entries of the index that were looked at.
    pub keys_examined: u64,
    /// Documents that were looked at.
    pub documents_examined: u64,
    /// Documents of the answer.
    pub returned: u64,
}

/// Collections of documents, queried with MongoDB's filter documents.
///
/// A write that returned is durable: it survives a kill of this process. Writes by `_id` are
/// idempotent, so a caller that does not know whether one arrived may repeat it.
pub trait DocumentStore: Send + Sync + fmt::Debug {
    /// The documents that match; an unknown collection is an empty one.
    fn find(&self, collection: &str, find: &Find) -> Result<Cursor>;

    /// Adds documents in order and returns their `_id`s; one without gets a new ObjectId. Stops at
    /// the first whose `_id` is taken with [`crate::Error::DuplicateKey`].
    fn insert(&self, collection: &str, documents: &[Document]) -> Result<Vec<Bson>>;

    /// Puts each document in the place of the one with its `_id`, or adds it.
    fn upsert(&self, collection: &str, documents: &[Document]) -> Result<()>;

    /// Applies update operators (`$set`, `$unset`, `$inc`, `$push`, `$rename`, ...) to all
    /// documents that match and returns how many matched.
    fn update(&self, collection: &str, filter: &Document, update: &Document) -> Result<u64>;

    /// Deletes all documents that match and returns how many.
    fn delete(&self, collection: &str, filter: &Document) -> Result<u64>;

    /// How many documents match.
    fn count(&self, collection: &str, filter: &Document) -> Result<u64>;

    /// The different values at a dotted path among the documents that match, arrays taken apart,
    /// in BSON order.
    fn distinct(&self, collection: &str, path: &str, filter: &Document) -> Result<Vec<Bson>>;

    /// Groups the documents that match by the values at `keys` and computes aggregates: each
    /// `(name, aggregate, path)`. Returns `{_id: {key: value, ...}, name: value, ...}` per group,
    /// sorted by `_id` (dots in a key become `_`, a missing value counts as null).
    fn group(
        &self,
        collection: &str,
        filter: &Document,
        keys: &[&str],
        aggregates: &[(&str, Aggregate, &str)],
    ) -> Result<Vec<Document>>;

    /// Makes an index over `keys` (1 or -1 each) if there is none; it only speeds queries.
    fn create_index(&self, collection: &str, keys: &Document) -> Result<()>;

    /// Answers a query, throws the answer away and tells how it was found.
    ///
    /// # Errors
    /// As [`find`](Self::find); [`crate::Error::Refused`] where the store cannot tell.
    fn explain(&self, collection: &str, find: &Find) -> Result<Explanation> {
        let _ = find;
        Err(crate::Error::Refused(format!(
            "this store cannot explain how it reads {collection}: ask the store behind it"
        )))
    }

    /// Names of the collections that hold a document, sorted; none that the store keeps for itself.
    fn collections(&self) -> Result<Vec<String>>;
}

/// One block of bytes with its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The id (`gridfs_id` in documents).
    pub id: ObjectId,
    /// Its bytes.
    pub bytes: Bytes,
}

/// Blocks of bytes by id: the samples.
pub trait BlobStore: Send + Sync + fmt::Debug {
    /// Stores each blob, in the place of the one with its id if there is one. Durable on return.
    fn put(&self, blobs: &[Blob]) -> Result<()>;

    /// The bytes of one; [`crate::Error::NoBlob`] when there is none.
    fn read(&self, id: ObjectId) -> Result<Bytes>;

    /// Deletes those that exist and returns how many did.
    fn delete(&self, ids: &[ObjectId]) -> Result<u64>;

    /// All ids, ascending.
    fn ids(&self) -> Result<Vec<ObjectId>>;
}

/// A database: documents and samples behind one name.
#[derive(Clone, Debug)]
pub struct Database {
    /// Documents.
    pub documents: Arc<dyn DocumentStore>,
    /// Samples.
    pub blobs: Arc<dyn BlobStore>,
}

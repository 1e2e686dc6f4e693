//! The message set that db-proxy and shard-router speak, whatever store is behind it.

use bson::oid::ObjectId;
use bson::{Bson, Document, RawBsonRef, RawDocument};
use bytes::Bytes;
use mspass_io::store::{Aggregate, Explanation, Find};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::mailbox::{Lane, Message};
use crate::wire::Blob;

/// How deep documents may lie in a document that travels, itself included: MongoDB's own limit.
pub const DOCUMENT_DEPTH_MAX: usize = 100;

/// A BSON document that travels as BSON bytes, whatever codec is around it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Packed(pub Document);

impl Serialize for Packed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = self.0.to_vec().map_err(S::Error::custom)?;
        Bytes::from(bytes).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Packed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Bytes::deserialize(deserializer)?;
        if is_deep(&bytes).map_err(D::Error::custom)? {
            return Err(D::Error::custom("documents lie in documents beyond all measure"));
        }
        Document::from_reader(&bytes[..]).map(Self).map_err(D::Error::custom)
    }
}

/// Whether documents or arrays lie in each other deeper than [`DOCUMENT_DEPTH_MAX`]: they are read
/// by functions that call themselves, and a peer must not choose how often.
fn is_deep(bytes: &[u8]) -> bson::error::Result<bool> {
    let mut inside = vec![(1, RawDocument::from_bytes(bytes)?)];
    while let Some((depth, document)) = inside.pop() {
        if depth > DOCUMENT_DEPTH_MAX {
            return Ok(true);
        }
        for element in document {
            let inner = match element?.1 {
                RawBsonRef::Document(inner) => inner,
                RawBsonRef::Array(inner) => RawDocument::from_bytes(inner.as_bytes())?,
                RawBsonRef::JavaScriptCodeWithScope(code) => code.scope,
                _ => continue,
            };
            inside.push((depth + 1, inner));
        }
    }
    Ok(false)
}

/// A query as it travels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PackedFind {
    filter: Packed,
    sort: Packed,
    projection: Packed,
    skip: u64,
    limit: u64,
}

impl From<&Find> for PackedFind {
    fn from(find: &Find) -> Self {
        Self {
            filter: Packed(find.filter.clone()),
            sort: Packed(find.sort.clone()),
            projection: Packed(find.projection.clone()),
            skip: find.skip,
            limit: find.limit,
        }
    }
}

impl From<PackedFind> for Find {
    fn from(find: PackedFind) -> Self {
        Self {
            filter: find.filter.0,
            sort: find.sort.0,
            projection: find.projection.0,
            skip: find.skip,
            limit: find.limit,
        }
    }
}

/// One call of the document or blob store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreCall {
    /// Collection it concerns; empty where none.
    pub collection: String,
    /// What to do.
    pub action: Action,
}

/// What a [`StoreCall`] does; see [`mspass_io::store::DocumentStore`] for the meaning of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each repeats a method of the traits in mspass_io::store")]
pub enum Action {
    Find(PackedFind),
    Explain(PackedFind),
    /// The next page of a cursor, by its number (the first came with the cursor): no page is given
    /// twice. The cursor is gone when not asked for ten minutes.
    Next {
        cursor: u64,
        page: u64,
    },
    /// Ends a cursor early.
    Close {
        cursor: u64,
    },
    Insert(Vec<Packed>),
    Upsert(Vec<Packed>),
    Update {
        filter: Packed,
        update: Packed,
    },
    Delete(Packed),
    Count(Packed),
    Distinct {
        path: String,
        filter: Packed,
    },
    Group {
        filter: Packed,
        keys: Vec<String>,
        aggregates: Vec<(String, Aggregate, String)>,
    },
    CreateIndex(Packed),
    Collections,
    BlobIds,
    DeleteBlobs(Vec<ObjectId>),
}

/// What a [`StoreCall`] gives.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Answer {
    /// Documents; with a cursor there are more.
    Page {
        /// Documents of this page.
        documents: Vec<Packed>,
        /// Where the next page is to be had.
        cursor: Option<u64>,
    },
    /// Values, each as `{"": value}`.
    Values(Vec<Packed>),
    /// A number of documents or blobs.
    Count(u64),
    /// Names of collections.
    Names(Vec<String>),
    /// Ids of blobs.
    Ids(Vec<ObjectId>),
    /// How a query is answered.
    Explained(Explanation),
    /// Done.
    Done,
}

impl Answer {
    /// Values as they travel.
    pub(crate) fn of_values(values: Vec<Bson>) -> Self {
        let pack = |value| Packed(Document::from_iter([(String::new(), value)]));
        Self::Values(values.into_iter().map(pack).collect())
    }
}

/// Samples and documents to be written: samples first, then documents, then the reply. Idempotent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Save {
    /// Blocks of samples; they travel beside the message.
    #[serde(with = "beside")]
    pub blobs: Vec<(ObjectId, Bytes)>,
    /// Collections with documents to upsert.
    pub documents: Vec<(String, Vec<Packed>)>,
}

mod beside {
    use super::{Blob, Bytes, Deserialize, Deserializer, ObjectId, Serialize, Serializer};

    type Blobs<B> = Vec<(ObjectId, B)>;

    pub(super) fn serialize<S: Serializer>(
        blobs: &Blobs<Bytes>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let blobs = blobs.iter().map(|(id, bytes)| (*id, Blob(bytes.clone())));
        blobs.collect::<Blobs<Blob>>().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Blobs<Bytes>, D::Error> {
        let blobs = Blobs::<Blob>::deserialize(deserializer)?;
        Ok(blobs.into_iter().map(|(id, Blob(bytes))| (id, bytes)).collect())
    }
}

impl Save {
    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.blobs.is_empty() && self.documents.iter().all(|(_, group)| group.is_empty())
    }

    /// Bytes of samples.
    pub fn blob_bytes(&self) -> usize {
        self.blobs.iter().map(|(_, bytes)| bytes.len()).sum()
    }
}

/// Asks for one block of samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadBlob(pub ObjectId);

/// Why a store could not do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum StoreFault {
    /// As [`mspass_io::Error::DuplicateKey`].
    #[error("collection {collection} already holds a document with _id {id}")]
    DuplicateKey {
        /// Collection.
        collection: String,
        /// The `_id`.
        id: String,
    },
    /// As [`mspass_io::Error::NoBlob`].
    #[error("no samples are stored under the id {0}")]
    NoBlob(String),
    /// As [`mspass_io::Error::Query`]: asking again cannot help.
    #[error("query: {0}")]
    Query(String),
    /// As [`mspass_io::Error::Refused`]: asking again cannot help.
    #[error("{0}")]
    Refused(String),
    /// The cursor is gone, or its page was given already.
    #[error("the cursor is gone: its proxy was restarted, or it was not read for ten minutes")]
    NoCursor,
    /// Too many cursors are open; asking again later helps.
    #[error("the db-proxy has {0} cursors open and takes no more: read some to their ends")]
    TooManyCursors(usize),
    /// The store failed; asking again may help.
    #[error("{0}")]
    Failed(String),
}

impl From<mspass_io::Error> for StoreFault {
    fn from(error: mspass_io::Error) -> Self {
        match error {
            mspass_io::Error::DuplicateKey { collection, id } => {
                Self::DuplicateKey { collection, id }
            }
            mspass_io::Error::NoBlob { id } => Self::NoBlob(id),
            mspass_io::Error::Query { reason } => Self::Query(reason),
            mspass_io::Error::Refused(sentence) => Self::Refused(sentence),
            disk @ mspass_io::Error::Disk { .. } => Self::Refused(disk.to_string()),
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<StoreFault> for mspass_io::Error {
    fn from(fault: StoreFault) -> Self {
        match fault {
            StoreFault::DuplicateKey { collection, id } => Self::DuplicateKey { collection, id },
            StoreFault::NoBlob(id) => Self::NoBlob { id },
            StoreFault::Query(reason) => Self::Query { reason },
            StoreFault::Refused(sentence) => Self::Refused(sentence),
            other => Self::store("database", "do what was asked")(other.to_string()),
        }
    }
}

impl Message for StoreCall {
    const TYPE: &'static str = "mspass.store.call";
    type Reply = Result<Answer, StoreFault>;
}

impl Message for Save {
    const TYPE: &'static str = "mspass.store.save";
    const LANE: Lane = Lane::Bulk;
    type Reply = Result<(), StoreFault>;
}

impl Message for ReadBlob {
    const TYPE: &'static str = "mspass.store.read_blob";
    const LANE: Lane = Lane::Bulk;
    type Reply = Result<Blob, StoreFault>;
}

#[cfg(test)]
mod tests {
    use bson::doc;

    use super::*;

    #[test]
    fn deep_documents_are_refused() {
        let travels = |depth| {
            let nested = |inner, _| doc! { "a": [1, inner] };
            let packed = Packed((0..depth).fold(Document::new(), nested));
            let bytes = rmp_serde::to_vec_named(&packed).unwrap();
            rmp_serde::from_slice::<Packed>(&bytes).is_ok_and(|back| back == packed)
        };
        // Each level is a document and an array.
        assert!(travels((DOCUMENT_DEPTH_MAX - 1) / 2));
        assert!(!travels(DOCUMENT_DEPTH_MAX / 2));
    }

    #[test]
    fn calls_survive_the_codec() {
        let find = Find::filter(doc! { "_id": ObjectId::from_bytes([7; 12]), "n": 3i64 });
        let call =
            StoreCall { collection: "wf".into(), action: Action::Find(PackedFind::from(&find)) };
        let bytes = rmp_serde::to_vec_named(&call).unwrap();
        assert_eq!(rmp_serde::from_slice::<StoreCall>(&bytes).unwrap(), call);
        let save = Save {
            blobs: vec![(ObjectId::from_bytes([1; 12]), Bytes::from_static(b"samples"))],
            documents: vec![("wf".into(), vec![Packed(doc! { "x": 1.5 })])],
        };
        let bytes = rmp_serde::to_vec_named(&save).unwrap();
        assert_eq!(rmp_serde::from_slice::<Save>(&bytes).unwrap(), save);
    }
}

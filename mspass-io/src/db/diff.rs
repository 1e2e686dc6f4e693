//! Whether two databases are equal document for document, and where they first differ.

mod jobs;
mod report;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::BTreeSet;

use bson::{Bson, Document, doc};
use bytes::Bytes;

use crate::error::{Error, Result};
use crate::query::encode_key;
use crate::store::{BlobStore, Database, DocumentStore, Find};

pub use jobs::{Count, DatumDifference, DatumName, JobsDiff, diff_jobs};

/// Keys that need not agree, in any collection and at any depth (`logdata` carries `process_id`).
///
/// The rule of the project: *two results are equal document for document when, matched by `_id`,
/// all keys agree except `job_id`, `build`, `process_id`, `hostname`, `dir`, `_mslot`, and `time`
/// in `history_*` only (in `source` and `arrival` it is data), and samples are equal bit for bit;
/// `fs.*` is compared only through the samples of the documents that name it.*
///
/// [`is_passed_over`] adds `time`; nothing else states this list.
pub const KEYS_PASSED_OVER: [&str; 6] =
    ["job_id", "build", "process_id", "hostname", "dir", "_mslot"];

/// Whether `key` of a document in `collection` need not agree; see [`KEYS_PASSED_OVER`].
pub fn is_passed_over(collection: &str, key: &str) -> bool {
    KEYS_PASSED_OVER.contains(&key) || (key == "time" && collection.starts_with("history_"))
}

/// What [`diff`] compares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DiffOptions {
    /// Only these collections; all that either database holds when empty.
    pub collections: Vec<String>,
}

impl DiffOptions {
    /// Only `collections`.
    #[must_use]
    pub fn collections<I: IntoIterator<Item: Into<String>>>(self, collections: I) -> Self {
        Self { collections: collections.into_iter().map(Into::into).collect() }
    }
}

/// How two databases differ. Displayed, it is a summary for a person.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Diff {
    /// Each collection compared, by name.
    pub collections: Vec<CollectionDiff>,
}

/// How one collection differs between two databases.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CollectionDiff {
    /// Name of the collection.
    pub name: String,
    /// Documents in the left database.
    pub left: u64,
    /// Documents in the right database.
    pub right: u64,
    /// Documents of both whose keys or samples differ.
    pub differing: u64,
    /// Documents that only the left database has.
    pub only_left: u64,
    /// Documents that only the right database has.
    pub only_right: u64,
    /// Blobs compared byte by byte.
    pub blobs: u64,
    /// The first difference in order of `_id`.
    pub first: Option<Difference>,
}

/// One difference between two databases.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Difference {
    /// The `_id` of the document.
    pub id: Bson,
    /// What differs.
    pub kind: DifferenceKind,
}

/// What differs between two documents of one `_id`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DifferenceKind {
    /// Only the left database has the document.
    OnlyLeft,
    /// Only the right database has the document.
    OnlyRight,
    /// A key has another value, or is in one of the two only.
    Key {
        /// Dotted path of the key, with the places in arrays.
        path: String,
        /// Its value in the left database.
        left: Option<Bson>,
        /// Its value in the right database.
        right: Option<Bson>,
    },
    /// The samples differ.
    Samples(SamplesDiff),
}

/// How the samples of two documents differ.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SamplesDiff {
    /// Bytes in the left database; none where it lacks the blob.
    pub left: Option<usize>,
    /// Bytes in the right database; none where it lacks the blob.
    pub right: Option<usize>,
    /// The first byte that differs, counted from 0; none where one is the beginning of the other.
    pub at: Option<usize>,
}

impl Diff {
    /// Whether the databases are equal document for document.
    pub fn is_equal(&self) -> bool {
        self.collections.iter().all(CollectionDiff::is_equal)
    }

    /// The first collection that differs.
    pub fn first(&self) -> Option<&CollectionDiff> {
        self.collections.iter().find(|collection| !collection.is_equal())
    }
}

impl CollectionDiff {
    /// Whether the collection is equal document for document.
    pub fn is_equal(&self) -> bool {
        self.first.is_none()
    }
}

/// Compares two databases document for document, by the rule of [`KEYS_PASSED_OVER`].
///
/// Both sides are read sorted by `_id` and merged, so memory does not grow with the databases.
/// The order of keys in a document does not matter. Integers are equal by value, whichever of
/// MongoDB's two integer types holds them; an integer never equals a double; doubles are equal bit
/// for bit, and NaN equals NaN. The blob of a document with `storage_mode` "gridfs" is read from
/// both sides through its `gridfs_id`; one that is missing on either side, or on both, is a
/// difference. Samples in files are not read.
///
/// # Errors
/// What reading a store gives; [`Error::Format`] when a store breaks the order of `_id`.
///
/// ```
/// use std::sync::Arc;
/// use bson::doc;
/// use mspass_io::db::diff::{DiffOptions, diff};
/// use mspass_io::store::{Database, DocumentStore, MemoryStore};
///
/// let (a, b) = (Arc::new(MemoryStore::new()), Arc::new(MemoryStore::new()));
/// a.insert("site", &[doc! {"_id": 1, "sta": "ANMO", "hostname": "here"}])?;
/// b.insert("site", &[doc! {"_id": 1, "sta": "COLA", "hostname": "there"}])?;
/// let diff = diff(&Database::of(a), &Database::of(b), &DiffOptions::default())?;
/// assert!(!diff.is_equal());
/// assert!(diff.to_string().contains(r#"sta is "ANMO" and "COLA""#));
/// # Ok::<(), mspass_io::Error>(())
/// ```
pub fn diff(left: &Database, right: &Database, options: &DiffOptions) -> Result<Diff> {
    let mut names: BTreeSet<String> = options.collections.iter().cloned().collect();
    if names.is_empty() {
        names.extend(left.documents.collections()?);
        names.extend(right.documents.collections()?);
    }
    names.retain(|name| !name.starts_with("fs."));
    let compared = names.into_iter().map(|name| diff_collection(left, right, name));
    Ok(Diff { collections: compared.collect::<Result<_>>()? })
}

fn diff_collection(left: &Database, right: &Database, name: String) -> Result<CollectionDiff> {
    let mut lefts = Sorted::open(&*left.documents, &name)?;
    let mut rights = Sorted::open(&*right.documents, &name)?;
    let mut counts = CollectionDiff { name, ..CollectionDiff::default() };
    let (mut l, mut r) = (lefts.next()?, rights.next()?);
    loop {
        let order = match (&l, &r) {
            (None, None) => return Ok(counts),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(l), Some(r)) => l.key.cmp(&r.key),
        };
        let found = match (order, &l, &r) {
            (Ordering::Equal, Some(l), Some(r)) => {
                let kind = compare(&mut counts, left, right, &l.document, &r.document)?;
                counts.differing += u64::from(kind.is_some());
                kind.map(|kind| Difference { id: l.id(), kind })
            }
            (Ordering::Less, Some(l), _) => {
                counts.only_left += 1;
                Some(Difference { id: l.id(), kind: DifferenceKind::OnlyLeft })
            }
            (_, _, Some(r)) => {
                counts.only_right += 1;
                Some(Difference { id: r.id(), kind: DifferenceKind::OnlyRight })
            }
            _ => None,
        };
        if counts.first.is_none() {
            counts.first = found;
        }
        if order.is_le() {
            counts.left += 1;
            l = lefts.next()?;
        }
        if order.is_ge() {
            counts.right += 1;
            r = rights.next()?;
        }
    }
}

/// The first difference between two documents, their samples included.
fn compare(
    counts: &mut CollectionDiff,
    left: &Database,
    right: &Database,
    l: &Document,
    r: &Document,
) -> Result<Option<DifferenceKind>> {
    if let Some(kind) = first_difference(&counts.name, l, r) {
        return Ok(Some(kind));
    }
    Ok(differing_samples((left, l), (right, r), &mut counts.blobs)?.map(DifferenceKind::Samples))
}

/// How the samples of two waveforms differ, where they are in the databases; counts them in
/// `blobs`.
fn differing_samples(
    (left, l): (&Database, &Document),
    (right, r): (&Database, &Document),
    blobs: &mut u64,
) -> Result<Option<SamplesDiff>> {
    if !l.get_str("storage_mode").is_ok_and(|mode| mode == "gridfs") {
        return Ok(None);
    }
    let Ok(id) = l.get_object_id("gridfs_id") else { return Ok(None) };
    *blobs += 1;
    let read = |blobs: &dyn BlobStore, id| match blobs.read(id) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(Error::NoBlob { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    let l: Option<Bytes> = read(&*left.blobs, id)?;
    let r: Option<Bytes> = match r.get_object_id("gridfs_id") {
        Ok(id) => read(&*right.blobs, id)?,
        Err(_) => None,
    };
    Ok(samples_difference(l.as_deref(), r.as_deref()))
}

/// How two blocks of samples differ; none where both are there and equal.
pub fn samples_difference(left: Option<&[u8]>, right: Option<&[u8]>) -> Option<SamplesDiff> {
    if left.is_some() && left == right {
        return None;
    }
    let at = left.zip(right).and_then(|(l, r)| l.iter().zip(r).position(|(l, r)| l != r));
    let (left, right) = (left.map(<[u8]>::len), right.map(<[u8]>::len));
    Some(SamplesDiff { left, right, at })
}

/// The first key in which two documents of a collection differ, by the rule of
/// [`KEYS_PASSED_OVER`].
pub fn first_difference(
    collection: &str,
    left: &Document,
    right: &Document,
) -> Option<DifferenceKind> {
    let mut path = String::new();
    let (l, r) = differing_key(collection, &mut path, left, right)?;
    let (left, right) = (l.cloned(), r.cloned());
    Some(DifferenceKind::Key { path, left, right })
}

type Values<'a> = (Option<&'a Bson>, Option<&'a Bson>);

/// The values at the first key that differs; `path` is left at it.
fn differing_key<'a>(
    collection: &str,
    path: &mut String,
    left: &'a Document,
    right: &'a Document,
) -> Option<Values<'a>> {
    let lefts = left.iter().map(|(key, value)| (key, Some(value), right.get(key)));
    let rights = right.iter().filter(|(key, _)| !left.contains_key(key));
    let rights = rights.map(|(key, value)| (key, None, Some(value)));
    for (key, left, right) in lefts.chain(rights) {
        if !is_passed_over(collection, key)
            && let Some(values) = differing_value(collection, path, key, left, right)
        {
            return Some(values);
        }
    }
    None
}

fn differing_value<'a>(
    collection: &str,
    path: &mut String,
    key: &str,
    left: Option<&'a Bson>,
    right: Option<&'a Bson>,
) -> Option<Values<'a>> {
    let length = path.len();
    if length > 0 {
        path.push('.');
    }
    path.push_str(key);
    let found = match (left, right) {
        (Some(Bson::Document(l)), Some(Bson::Document(r))) => differing_key(collection, path, l, r),
        (Some(Bson::Array(l)), Some(Bson::Array(r))) => (0..l.len().max(r.len()))
            .find_map(|i| differing_value(collection, path, &i.to_string(), l.get(i), r.get(i))),
        (Some(l), Some(r)) if is_same(l, r) => None,
        other => Some(other),
    };
    if found.is_none() {
        path.truncate(length);
    }
    found
}

fn is_same(left: &Bson, right: &Bson) -> bool {
    let integer = |value: &Bson| value.as_i64().or_else(|| value.as_i32().map(i64::from));
    match (left, right) {
        (Bson::Double(l), Bson::Double(r)) => {
            l.to_bits() == r.to_bits() || (l.is_nan() && r.is_nan())
        }
        _ => match (integer(left), integer(right)) {
            (Some(l), Some(r)) => l == r,
            _ => left == right,
        },
    }
}

/// The documents of a collection in order of `_id`.
struct Sorted {
    cursor: crate::store::Cursor,
    collection: String,
    last: Option<Vec<u8>>,
}

struct Keyed {
    /// Compares as the `_id` does in BSON order.
    key: Vec<u8>,
    document: Document,
}

impl Keyed {
    fn id(&self) -> Bson {
        self.document.get("_id").cloned().unwrap_or(Bson::Null)
    }
}

impl Sorted {
    fn open(store: &dyn DocumentStore, collection: &str) -> Result<Self> {
        let cursor = store.find(collection, &Find::default().sort(doc! {"_id": 1}))?;
        Ok(Self { cursor, collection: collection.to_owned(), last: None })
    }

    fn next(&mut self) -> Result<Option<Keyed>> {
        let Some(document) = self.cursor.next().transpose()? else { return Ok(None) };
        let key = id_key(&document)?;
        if self.last.as_ref().is_some_and(|last| *last >= key) {
            return Err(Error::Format {
                format: "store",
                offset: 0,
                reason: format!("{} is not sorted by _id", self.collection),
            });
        }
        self.last = Some(key.clone());
        Ok(Some(Keyed { key, document }))
    }
}

fn id_key(document: &Document) -> Result<Vec<u8>> {
    let id = document.get("_id").unwrap_or(&Bson::Null);
    let id = bson::RawBson::try_from(id.clone()).map_err(|error| Error::Format {
        format: "BSON",
        offset: 0,
        reason: error.to_string(),
    })?;
    let mut key = Vec::new();
    encode_key(&mut key, id.as_raw_bson_ref());
    Ok(key)
}

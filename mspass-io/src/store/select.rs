//! From stored documents to the answer of a query: filter, sort, skip, limit, projection.

use std::collections::BinaryHeap;

use bson::raw::RawDocument;

use super::{Cursor, Find};
use crate::error::{Error, Result};
use crate::query::{Matcher, Projection, Sort, SortKey, encode_key};

/// Bytes of sort keys and ids that a sort without an index may hold at most.
pub(super) const SORT_BYTES_MAX: usize = 128 * 1024 * 1024;

/// What a [`Find`] asks for, compiled.
#[derive(Debug)]
pub(super) struct Selection {
    pub(super) matcher: Matcher,
    pub(super) sort: Sort,
    projection: Projection,
    skip: u64,
    limit: u64,
}

impl Selection {
    pub(super) fn parse(find: &Find) -> Result<Self> {
        Ok(Self {
            matcher: Matcher::parse(&find.filter)?,
            sort: Sort::parse(&find.sort)?,
            projection: Projection::parse(&find.projection)?,
            skip: find.skip,
            limit: if find.limit == 0 { u64::MAX } else { find.limit },
        })
    }

    /// The answer from `documents`, which come in the order of their ids; `fetch` gives one by the
    /// key of its id. Without a sort the documents stream; with one, only sort keys and ids are
    /// held, and the documents fetched again.
    pub(super) fn run<D: AsRef<RawDocument> + 'static>(
        self,
        documents: impl Iterator<Item = Result<D>> + Send + 'static,
        fetch: impl Fn(&[u8]) -> Result<Option<D>> + Send + 'static,
    ) -> Result<Cursor> {
        let Self { matcher, sort, projection, skip, limit } = self;
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        let count = usize::try_from(limit).unwrap_or(usize::MAX);
        let matching = documents.filter(move |document| match document {
            Ok(document) => matcher.matches(document.as_ref()),
            Err(_) => true,
        });
        if sort.is_empty() {
            let apply = move |document: Result<D>| projection.apply(document?.as_ref());
            return Ok(Box::new(matching.skip(skip).take(count).map(apply)));
        }
        let keys = sorted_ids(matching, &sort, skip.saturating_add(count))?;
        let sorted = keys.into_iter().skip(skip).filter_map(move |id| match fetch(&id) {
            Ok(document) => document.map(|document| projection.apply(document.as_ref())),
            Err(error) => Some(Err(error)),
        });
        Ok(Box::new(sorted))
    }
}

/// The keys of the first `count` documents' ids in sorted order, ties in the order of ids.
fn sorted_ids<D: AsRef<RawDocument>>(
    documents: impl Iterator<Item = Result<D>>,
    sort: &Sort,
    count: usize,
) -> Result<Vec<Vec<u8>>> {
    let mut heap: BinaryHeap<(SortKey, Vec<u8>)> = BinaryHeap::new();
    let mut bytes = 0;
    let size = |(sort, id): &(SortKey, Vec<u8>)| sort.len() + id.len() + 2 * size_of::<Vec<u8>>();
    for document in documents {
        let document = document?;
        let entry = (sort.key(document.as_ref())?, id_key(document.as_ref()));
        if heap.len() >= count {
            match heap.peek() {
                Some(last) if entry < *last => {
                    bytes -= heap.pop().as_ref().map_or(0, size);
                }
                _ => continue,
            }
        }
        bytes += size(&entry);
        if bytes > SORT_BYTES_MAX {
            return Err(Error::query(format!(
                "a sort without an index needs more than {} MiB: make an index over its keys, or \
                 set a limit",
                SORT_BYTES_MAX >> 20
            )));
        }
        heap.push(entry);
    }
    Ok(heap.into_sorted_vec().into_iter().map(|(_, id)| id).collect())
}

/// The byte key of a stored document's `_id`.
pub(super) fn id_key(document: &RawDocument) -> Vec<u8> {
    let mut key = Vec::with_capacity(16);
    if let Ok(Some(id)) = document.get("_id") {
        encode_key(&mut key, id);
    }
    key
}

//! What every store must do, as a list of checks to run against one.
//!
//! A check panics where the store breaks the contract and returns what the store refuses. Each
//! works in collections, or with ids, of its own, so that all can run against one empty store.

mod blobs;
mod documents;
mod queries;
mod updates;

use bson::raw::CString;
use bson::{Bson, Document, Regex};

use super::{BlobStore, DocumentStore, Find};
use crate::error::Result;

/// A check of a [`DocumentStore`], with the collection that it may use.
pub type DocumentCheck = fn(&dyn DocumentStore, &str) -> Result<()>;

/// A check of a [`BlobStore`].
pub type BlobCheck = fn(&dyn BlobStore) -> Result<()>;

/// Every check of a document store, by name.
pub const DOCUMENT_CHECKS: &[(&str, DocumentCheck)] = &[
    ("unknown_collection_is_empty", documents::unknown_collection_is_empty),
    ("insert_gives_ids_and_stops_at_a_taken_one", documents::insert_gives_ids),
    ("insert_stops_at_a_taken_id", documents::insert_stops_at_a_taken_id),
    ("upsert_replaces_whole_documents", documents::upsert_replaces_whole_documents),
    ("every_type_comes_back", documents::every_type_comes_back),
    ("unsound_documents_are_refused", documents::unsound_documents_are_refused),
    ("delete_and_count", documents::delete_and_count),
    ("find_skips_limits_and_sorts", documents::find_skips_limits_and_sorts),
    ("distinct_takes_arrays_apart", documents::distinct_takes_arrays_apart),
    ("group_computes_aggregates", documents::group_computes_aggregates),
    ("collections_are_those_with_documents", documents::collections_are_those_with_documents),
    ("big_batches_arrive_whole", documents::big_batches_arrive_whole),
    ("writers_do_not_disturb_each_other", documents::writers_do_not_disturb_each_other),
    ("filters", queries::filters),
    ("filters_with_indexes", queries::filters_with_indexes),
    ("explain_tells_index_from_scan", queries::explain_tells_index_from_scan),
    ("sorts", queries::sorts),
    ("projections", queries::projections),
    ("unknown_queries_are_refused", queries::unknown_queries_are_refused),
    ("updates", updates::updates),
    ("update_counts_what_matched", updates::update_counts_what_matched),
    ("unsound_updates_are_refused", updates::unsound_updates_are_refused),
];

/// Every check of a blob store, by name.
pub const BLOB_CHECKS: &[(&str, BlobCheck)] = &[
    ("blobs_of_every_size_come_back", blobs::blobs_of_every_size_come_back),
    ("missing_blobs_are_named", blobs::missing_blobs_are_named),
    ("put_replaces", blobs::put_replaces),
    ("delete_counts_those_that_were_there", blobs::delete_counts_those_that_were_there),
    ("ids_ascend", blobs::ids_ascend),
    ("blobs_of_many_writers", blobs::blobs_of_many_writers),
];

/// Runs every check against an empty document store.
pub fn check_documents(store: &dyn DocumentStore) -> Result<()> {
    DOCUMENT_CHECKS.iter().try_for_each(|(name, check)| check(store, name))
}

/// Runs every check against an empty blob store.
pub fn check_blobs(store: &dyn BlobStore) -> Result<()> {
    BLOB_CHECKS.iter().try_for_each(|(_, check)| check(store))
}

fn all(store: &dyn DocumentStore, collection: &str, find: &Find) -> Result<Vec<Document>> {
    store.find(collection, find)?.collect()
}

/// The `_id`s of the documents found, in the order given.
fn ids(store: &dyn DocumentStore, collection: &str, find: &Find) -> Result<Vec<Bson>> {
    let documents = all(store, collection, find)?;
    Ok(documents.into_iter().filter_map(|mut document| document.remove("_id")).collect())
}

fn regex(pattern: &str, options: &str) -> Bson {
    let text = |text| CString::try_from(text).expect("the checks write no zero bytes");
    Bson::RegularExpression(Regex { pattern: text(pattern), options: text(options) })
}

//! The rule, key by key.

use std::sync::Arc;

use bson::oid::ObjectId;
use bson::{Bson, Document, doc};

use super::*;
use crate::store::{Blob, MemoryStore};

fn database(collection: &str, documents: &[Document]) -> Database {
    let store = Arc::new(MemoryStore::new());
    store.insert(collection, documents).unwrap();
    Database::of(store)
}

/// Compares two documents with `_id` 1 as the whole of their databases.
fn compare_in(collection: &str, left: Document, right: Document) -> Diff {
    let with_id = |mut document: Document| {
        document.insert("_id", 1);
        database(collection, &[document])
    };
    diff(&with_id(left), &with_id(right), &DiffOptions::default()).unwrap()
}

fn key(path: &str, left: impl Into<Bson>, right: impl Into<Bson>) -> DifferenceKind {
    let some = |value: Bson| (value != Bson::Undefined).then_some(value);
    DifferenceKind::Key { path: path.into(), left: some(left.into()), right: some(right.into()) }
}

fn first(diff: &Diff) -> &DifferenceKind {
    &diff.first().unwrap().first.as_ref().unwrap().kind
}

#[test]
fn keys_of_the_run_need_not_agree_anywhere() {
    for key in ["job_id", "build", "process_id", "hostname", "dir", "_mslot"] {
        for collection in ["wf_TimeSeries", "elog", "history_global", "source"] {
            assert!(compare_in(collection, doc! {key: 1}, doc! {key: 2}).is_equal(), "{key}");
            assert!(compare_in(collection, doc! {key: 1}, doc! {}).is_equal(), "{key}");
            let nested = |value: i32| doc! {"logdata": [{key: value, "badness": 1}]};
            assert!(compare_in(collection, nested(1), nested(2)).is_equal(), "{key}");
        }
    }
}

#[test]
fn time_is_passed_over_in_history_only() {
    for (collection, equal) in
        [("history_global", true), ("history_object", true), ("source", false), ("arrival", false)]
    {
        let diff = compare_in(collection, doc! {"time": 1.0}, doc! {"time": 2.0});
        assert_eq!(diff.is_equal(), equal, "{collection}");
    }
}

#[test]
fn every_other_key_must_agree() {
    let at = |left: Document, right: Document| {
        let diff = compare_in("c", left, right);
        assert!(!diff.is_equal());
        assert_eq!(diff.collections[0].differing, 1);
        first(&diff).clone()
    };
    assert_eq!(at(doc! {"a": 1}, doc! {"a": 2}), key("a", 1, 2));
    assert_eq!(at(doc! {"a": 1}, doc! {}), key("a", 1, Bson::Undefined));
    assert_eq!(at(doc! {}, doc! {"a": Bson::Null}), key("a", Bson::Undefined, Bson::Null));
    assert_eq!(at(doc! {"a": "x", "b": 1}, doc! {"a": "x", "b": "1"}), key("b", 1, "1"));
    let (l, r) = (doc! {"a": {"b": [1, {"c": 2}]}}, doc! {"a": {"b": [1, {"c": 3}]}});
    assert_eq!(at(l, r), key("a.b.1.c", 2, 3));
    assert_eq!(at(doc! {"a": [1]}, doc! {"a": [1, 2]}), key("a.1", Bson::Undefined, 2));
    assert_eq!(at(doc! {"a": {}}, doc! {"a": []}), key("a", doc! {}, Bson::Array(vec![])));
}

#[test]
fn numbers_are_equal_by_bits_and_integers_by_value() {
    let equal =
        |left: Bson, right: Bson| compare_in("c", doc! {"a": left}, doc! {"a": right}).is_equal();
    assert!(equal(Bson::Int32(5), Bson::Int64(5)));
    assert!(!equal(Bson::Int32(5), Bson::Int64(1 << 32 | 5)));
    assert!(!equal(Bson::Int32(5), Bson::Double(5.0)));
    assert!(equal(Bson::Double(f64::NAN), Bson::Double(-f64::NAN)));
    assert!(!equal(Bson::Double(0.0), Bson::Double(-0.0)));
    assert!(!equal(Bson::Double(0.1), Bson::Double(0.1_f64.next_up())));
    assert!(equal(Bson::Null, Bson::Null) && !equal(Bson::Boolean(true), Bson::Int32(1)));
}

#[test]
fn the_order_of_keys_and_of_insertion_does_not_matter() {
    let left = database("c", &[doc! {"_id": 2, "a": {"x": 1, "y": 2}}, doc! {"_id": 1, "b": 1}]);
    let right = database("c", &[doc! {"b": 1, "_id": 1}, doc! {"a": {"y": 2, "x": 1}, "_id": 2}]);
    let diff = diff(&left, &right, &DiffOptions::default()).unwrap();
    assert!(diff.is_equal(), "{diff}");
    assert_eq!(diff.to_string(), "equal: 2 documents in 1 collections, the samples of 0");
}

#[test]
fn documents_are_matched_by_id_whatever_its_type() {
    let object = ObjectId::from_bytes([7; 12]);
    let shared = [doc! {"_id": "b"}, doc! {"_id": object}, doc! {"_id": 3}, doc! {"_id": -1}];
    let mut lefts = shared.to_vec();
    lefts.push(doc! {"_id": 2.5});
    lefts.push(doc! {"_id": "a"});
    let mut rights = shared.to_vec();
    rights.push(doc! {"_id": "c"});
    let (left, right) = (database("c", &lefts), database("c", &rights));
    let diff = diff(&left, &right, &DiffOptions::default()).unwrap();
    let counts = &diff.collections[0];
    assert_eq!((counts.left, counts.right), (6, 5));
    assert_eq!((counts.only_left, counts.only_right, counts.differing), (2, 1, 0));
    let only_left = Difference { id: 2.5.into(), kind: DifferenceKind::OnlyLeft };
    assert_eq!(counts.first, Some(only_left));
}

#[test]
fn a_collection_of_one_side_is_a_difference_and_can_be_left_out() {
    let (left, right) = (database("a", &[doc! {"_id": 1}]), database("b", &[doc! {"_id": 1}]));
    left.documents.insert("both", &[doc! {"_id": 1}]).unwrap();
    right.documents.insert("both", &[doc! {"_id": 1}]).unwrap();
    let all = diff(&left, &right, &DiffOptions::default()).unwrap();
    let names: Vec<_> = all.collections.iter().map(|c| (c.name.as_str(), c.is_equal())).collect();
    assert_eq!(names, [("a", false), ("b", false), ("both", true)]);
    let options = DiffOptions::default().collections(["both"]);
    assert!(diff(&left, &right, &options).unwrap().is_equal());
}

/// A database with one document that names a blob, which holds `bytes`, if any.
fn with_samples(storage_mode: &str, bytes: Option<&'static [u8]>) -> Database {
    let id = ObjectId::from_bytes([9; 12]);
    let document = doc! {"_id": 1, "storage_mode": storage_mode, "gridfs_id": id};
    let database = database("wf_TimeSeries", &[document]);
    if let Some(bytes) = bytes {
        database.blobs.put(&[Blob { id, bytes: bytes.into() }]).unwrap();
    }
    database
}

#[test]
fn samples_agree_bit_for_bit() {
    let compare = |mode: &str, left: Option<&'static [u8]>, right: Option<&'static [u8]>| {
        let (left, right) = (with_samples(mode, left), with_samples(mode, right));
        diff(&left, &right, &DiffOptions::default()).unwrap()
    };
    let equal = compare("gridfs", Some(b"12345678"), Some(b"12345678"));
    assert!(equal.is_equal());
    assert_eq!(equal.collections[0].blobs, 1);
    let samples = |left: Option<usize>, right: Option<usize>, at: Option<usize>| {
        DifferenceKind::Samples(SamplesDiff { left, right, at })
    };
    for (left, right, due) in [
        (Some(&b"12345678"[..]), Some(&b"12345x78"[..]), samples(Some(8), Some(8), Some(5))),
        (Some(&b"1234"[..]), Some(&b"12345678"[..]), samples(Some(4), Some(8), None)),
        (Some(&b"1234"[..]), None, samples(Some(4), None, None)),
        (None, None, samples(None, None, None)),
    ] {
        let found = compare("gridfs", left, right);
        assert_eq!((first(&found), found.collections[0].differing), (&due, 1));
        // A stale gridfs_id of a document whose samples are elsewhere says nothing.
        assert!(compare("file", left, right).is_equal());
    }
}

#[test]
fn the_summary_shows_where() {
    let diff = compare_in("site", doc! {"lat": 10.0}, doc! {"lat": 10.5, "new": "x".repeat(500)});
    let text = diff.to_string();
    assert_eq!(
        text,
        "different: 1 documents in 1 collections\n  site: 1 and 1 documents, 1 differ, 0 only \
         left, 0 only right; first _id 1: lat is 10.0 and 10.5"
    );
    let long = compare_in("site", doc! {}, doc! {"new": "x".repeat(500)}).to_string();
    assert!(long.contains("new is missing and \"xxx") && long.len() < 300, "{long}");
}

#[test]
fn large_collections_are_merged_to_the_end() {
    let documents: Vec<_> = (0..5000).map(|i| doc! {"_id": i, "v": i % 7}).collect();
    let mut others = documents.clone();
    others[4999].insert("v", "other");
    others.remove(2500);
    let (left, right) = (database("c", &documents), database("c", &others));
    let diff = diff(&left, &right, &DiffOptions::default()).unwrap();
    let counts = &diff.collections[0];
    assert_eq!((counts.left, counts.right), (5000, 4999));
    assert_eq!((counts.only_left, counts.only_right, counts.differing), (1, 0, 1));
    assert_eq!(counts.first.as_ref().unwrap().id, Bson::Int32(2500));
}

//! A small database with every fault.

use std::sync::Arc;

use bson::oid::ObjectId;
use bson::{Document, doc};

use super::*;
use crate::db::collection::{ELOG, WF_TIME_SERIES};
use crate::store::{Blob, Database, Find, MemoryStore};

fn id(number: u32) -> ObjectId {
    let mut bytes = [0; 12];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    ObjectId::from_bytes(bytes)
}

fn waveform(number: u32) -> Document {
    doc! {
        "_id": id(number), "npts": 2, "delta": 0.05, "starttime": 0.0, "starttime_shift": 0.0,
        "utc_convertible": true, "time_standard": "UTC", "storage_mode": "gridfs",
        "gridfs_id": id(100_000 + number), "site_id": id(1), "calib": 1.0,
    }
}

/// Many sound waveforms, and some that are not.
fn database() -> Database {
    let database = Database::of(Arc::new(MemoryStore::new()));
    let site = doc! { "_id": id(1), "net": "IU", "sta": "ANMO", "lat": 1.0, "lon": 2.0, "elev": 0.1,
    "loc": "", "starttime": 0.0, "endtime": 1.0 };
    database.documents.insert("site", &[site]).unwrap();
    let mut all: Vec<Document> = (0..2500).map(waveform).collect();
    all[10].insert("npts", "2");
    all[11].insert("npts", "two");
    all[1700].insert("site_id", id(2));
    all[1701].remove("site_id");
    all[1702].remove("delta");
    all[1703].insert("my_key", 5);
    all[1704].insert("sampling", 20.0);
    all[1705].insert("site_lat", 20.0);
    database.documents.insert(WF_TIME_SERIES, &all).unwrap();
    let blob = |number: u32| Blob { id: id(100_000 + number), bytes: vec![0; 16].into() };
    database.blobs.put(&[1700, 1702].map(blob)).unwrap();
    let log = doc! { "_id": id(9), "logdata": [], "wf_TimeSeries_id": id(1702) };
    database.documents.insert(ELOG, &[log]).unwrap();
    database
}

fn faults(report: &CollectionVerify) -> Vec<(&'static str, &str, u64)> {
    report.problems.iter().map(|p| (p.test.name(), p.key.as_str(), p.count)).collect()
}

#[test]
fn every_fault_is_found_on_any_number_of_threads() {
    let database = database();
    for threads in [1, 3, 1000] {
        let options =
            VerifyOptions { tests: Test::ALL.to_vec(), threads, ..VerifyOptions::default() };
        let options = VerifyOptions { normalize_keys: vec!["site_id".into()], ..options };
        let report = verify(&database, WF_TIME_SERIES, &options).unwrap();
        assert_eq!((report.documents, report.unsound), (2500, 7));
        let due = [
            ("xref", "site_id", 1),
            ("type", "npts", 1),
            ("type", "npts", 1),
            ("undefined", "my_key", 1),
            ("undefined", "sampling", 1),
            ("required", "delta", 1),
            ("normalization", "site_id", 1),
            ("normalization", "site_id", 1),
        ];
        assert_eq!(faults(&report), due, "{report:#?}");
        assert_eq!(report.problems[0].examples, [format!("{{\"$oid\":\"{}\"}}", id(1700))]);
        assert_eq!(report.problems[0].what, "it names no document of site");
    }
    let site = verify(&database, "site", &VerifyOptions::default()).unwrap();
    assert!(site.is_sound(), "{site:?}");
    let error = verify(&database, "sites", &VerifyOptions::default()).unwrap_err().to_string();
    assert!(error.starts_with("the schema has no collection 'sites'; it has "), "{error}");
}

#[test]
fn what_is_named_is_mended_and_nothing_else() {
    let database = database();
    let options = CleanOptions {
        rename: vec![("sampling".into(), "sampling_rate".into())],
        remove: Removal::All,
        delete_missing_xref: vec!["site_id".into()],
        delete_missing_required: true,
        threads: 2,
        ..CleanOptions::default()
    };
    let before: Vec<_> =
        database.documents.find(WF_TIME_SERIES, &Find::default()).unwrap().collect();
    let dry = CleanOptions { dry_run: true, ..options.clone() };
    let told = clean(&database, WF_TIME_SERIES, &dry).unwrap();
    let after: Vec<_> =
        database.documents.find(WF_TIME_SERIES, &Find::default()).unwrap().collect();
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
    let report = clean(&database, WF_TIME_SERIES, &options).unwrap();
    assert_eq!((told.changed, told.deleted), (report.changed, report.deleted));
    assert_eq!((report.documents, report.changed, report.deleted), (2500, 3, 3));
    let one = |key: &str| [(key.to_owned(), 1)].into();
    assert_eq!((&report.converted, &report.unconvertible), (&one("npts"), &one("npts")));
    assert_eq!((&report.renamed, &report.removed), (&one("sampling"), &one("my_key")));
    assert_eq!(report.reasons, [("site_id".to_owned(), 2), ("delta".to_owned(), 1)].into());
    assert_eq!(report.blobs, 2);
    assert_eq!(database.blobs.ids().unwrap(), Vec::new());
    assert_eq!(database.documents.count(ELOG, &doc! {}).unwrap(), 0);
    let count = |filter| database.documents.count(WF_TIME_SERIES, &filter).unwrap();
    assert_eq!(count(doc! { "npts": { "$type": "int" } }), 2496);
    assert_eq!((count(doc! { "sampling_rate": 20 }), count(doc! { "site_lat": 20 })), (1, 1));
    let again = clean(&database, WF_TIME_SERIES, &options).unwrap();
    assert_eq!((again.changed, again.deleted), (0, 0));
}

#[test]
fn a_blob_that_another_document_has_stays() {
    let database = database();
    let mut other = waveform(5000);
    other.insert("gridfs_id", id(100_000 + 1700));
    database.documents.insert(WF_TIME_SERIES, &[other]).unwrap();
    let delete_missing_xref = vec!["site_id".to_owned()];
    let options = CleanOptions { delete_missing_xref, ..CleanOptions::default() };
    let report = clean(&database, WF_TIME_SERIES, &options).unwrap();
    assert_eq!((report.deleted, report.blobs), (2, 0));
    assert_eq!(database.blobs.ids().unwrap().len(), 2);
}

#[test]
fn names_that_make_no_sense_are_refused() {
    let refusal = |old: &str, new: &str| {
        let rename = vec![(old.to_owned(), new.to_owned())];
        let options = CleanOptions { rename, ..CleanOptions::default() };
        clean(&database(), WF_TIME_SERIES, &options).unwrap_err().to_string()
    };
    assert!(refusal("npts", "delta").starts_with("npts is a key of wf_TimeSeries"));
    assert!(refusal("a", "b").starts_with("b is no key of wf_TimeSeries"));
}

//! Databases carried in files: what goes out comes in again, and damage is refused whole.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

mod mongod;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, doc};
use mspass_io::dump::{ExportOptions, Form, ImportOptions, ImportReport, export, import};
use mspass_io::store::{Blob, Database, EmbeddedOptions, EmbeddedStore, Find, MemoryStore};
use mspass_io::{Error, Result};

fn memory() -> Database {
    Database::of(Arc::new(MemoryStore::new()))
}

fn bring_in(database: &Database, folder: &Path) -> Result<ImportReport> {
    import(database, folder, &ImportOptions::default(), &mut |_| {})
}

fn shared(name: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mspass").join(name);
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}

/// A value of every type, and samples of several lengths.
fn full() -> Database {
    let database = memory();
    let regex = serde_json::json!({ "$regularExpression": { "pattern": "^a/", "options": "im" } });
    let code = serde_json::json!({ "$code": "f()", "$scope": { "x": 1 } });
    let pointer = serde_json::json!({ "$dbPointer": {
        "$ref": "c", "$id": { "$oid": "0123456789abcdef01234567" } } });
    let of = |json: serde_json::Value| Bson::try_from(json).unwrap();
    let bytes = |subtype| Binary { subtype, bytes: vec![0, 1, 255] };
    let values = doc! {
        "_id": ObjectId::from_bytes([7; 12]), "double": 0.1, "whole": 3.0, "tiny": 5e-324,
        "minus": -0.0, "not": f64::NAN, "inf": f64::NEG_INFINITY, "text": "é \u{0} \"}",
        "doc": { "a": { "b": [] } }, "array": [1, 1_i64, 1.0, Bson::Null, [true]],
        "bin": bytes(BinarySubtype::Generic), "old": bytes(BinarySubtype::BinaryOld),
        "own": bytes(BinarySubtype::UserDefined(0x90)), "undefined": Bson::Undefined,
        "time": bson::DateTime::from_millis(-1), "null": Bson::Null, "regex": of(regex),
        "pointer": of(pointer), "js": Bson::JavaScriptCode("1".into()),
        "symbol": Bson::Symbol("s".into()), "scoped": of(code), "i32": i32::MIN, "i64": i64::MAX,
        "small": 5_i64, "stamp": Bson::Timestamp(bson::Timestamp { time: 1, increment: u32::MAX }),
        "decimal": Bson::Decimal128("1.10E-7".parse().unwrap()), "min": Bson::MinKey,
        "max": Bson::MaxKey, "far": bson::DateTime::from_millis(253_402_300_800_000),
    };
    let ids =
        vec![doc! { "_id": 1.5 }, doc! { "_id": "x", "v": 1_i64 }, doc! { "_id": { "a": 1 } }];
    database.documents.insert("every type", &[values]).unwrap();
    database.documents.insert("ids", &ids).unwrap();
    let blob = |seed: u8, length: usize| Blob {
        id: ObjectId::from_bytes([seed; 12]),
        bytes: (0..length).map(|at| (at * 31 + usize::from(seed)) as u8).collect(),
    };
    let lengths = [(1, 0), (2, 8), (3, 255 * 1024), (4, 600_001)];
    database.blobs.put(&lengths.map(|(seed, length)| blob(seed, length))).unwrap();
    database
}

/// A collection's name and its documents as bytes.
type Dumped = (String, Vec<Vec<u8>>);

/// All documents and all blobs.
fn contents(database: &Database) -> (Vec<Dumped>, Vec<Blob>) {
    let all = |name: &String| {
        let found = database.documents.find(name, &Find::default().sort(doc! { "_id": 1 }));
        let bytes =
            |document: Result<Document>| bson::serialize_to_vec(&document.unwrap()).unwrap();
        (name.clone(), found.unwrap().map(bytes).collect())
    };
    let names = database.documents.collections().unwrap();
    let blob = |id| Blob { id, bytes: database.blobs.read(id).unwrap() };
    (names.iter().map(all).collect(), database.blobs.ids().unwrap().into_iter().map(blob).collect())
}

#[test]
fn every_store_and_form_gives_the_same_bits_back() {
    let folder = tempfile::tempdir().unwrap();
    let embedded =
        EmbeddedStore::open(folder.path().join("db"), &EmbeddedOptions::default()).unwrap();
    let stores = [memory(), Database::of(Arc::new(embedded)), mongod::store("dump").database()];
    let (mut from, due) = (full(), contents(&full()));
    for (number, to) in stores.into_iter().enumerate() {
        let form = if number == 1 { Form::Bson } else { Form::Json };
        let files = folder.path().join(format!("dump-{number}"));
        let options = ExportOptions { form, ..ExportOptions::default() };
        let mut told = 0;
        let written = export(&from, &files, &options, &mut |_| told += 1).unwrap();
        assert_eq!((written.collections.len(), written.blobs), (2, 4));
        assert!(told >= 3 && !files.with_extension("partial").exists(), "{told}");
        let report = bring_in(&to, &files).unwrap();
        let counts = |r: &ImportReport| r.collections.iter().map(|c| (c.new, c.present)).collect();
        let first: Vec<_> = counts(&report);
        assert_eq!(first, [(1, 0), (3, 0), (4, 0)]);
        assert_eq!(contents(&to), due, "{form:?}");
        let again: Vec<_> = counts(&bring_in(&to, &files).unwrap());
        assert_eq!(again, [(0, 1), (0, 3), (0, 4)]);
        from = to;
    }
}

#[test]
fn the_same_database_gives_the_same_files_and_a_full_folder_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    fs::create_dir(&a).unwrap();
    for path in [&a, &b] {
        export(&full(), path, &ExportOptions::default(), &mut |_| {}).unwrap();
    }
    for entry in fs::read_dir(&a).unwrap() {
        let name = entry.unwrap().file_name();
        assert_eq!(fs::read(a.join(&name)).unwrap(), fs::read(b.join(&name)).unwrap(), "{name:?}");
    }
    let error = export(&memory(), &a, &ExportOptions::default(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().ends_with("is not empty: name a new folder"), "{error}");
    assert_eq!(fs::read_dir(&a).unwrap().count(), 4);
}

#[test]
fn a_document_that_differs_stays_unless_it_shall_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("c.json"), "{\"_id\":1,\"v\":1}\n{\"_id\":2,\"v\":1}\n").unwrap();
    let database = memory();
    database.documents.insert("c", &[doc! { "_id": 1, "v": 1_i64 }]).unwrap();
    let report = bring_in(&database, folder.path()).unwrap();
    let c = &report.collections[0];
    assert_eq!((c.found, c.new, c.kept, report.kept()), (2, 1, 1, 1));
    assert_eq!(c.first_kept.as_deref(), Some("1"));
    assert_eq!(database.documents.count("c", &doc! { "v": { "$type": "long" } }).unwrap(), 1);
    let options = ImportOptions { replace: true, ..ImportOptions::default() };
    let report = import(&database, folder.path(), &options, &mut |_| {}).unwrap();
    let c = &report.collections[0];
    assert_eq!((c.new, c.present, c.replaced, c.kept), (0, 1, 1, 0));
    assert_eq!(database.documents.count("c", &doc! { "v": { "$type": "int" } }).unwrap(), 2);
}

#[test]
fn damage_is_one_sentence_and_nothing_is_imported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let whole = path.join("whole");
    export(&full(), &whole, &ExportOptions::default(), &mut |_| {}).unwrap();
    let cut = |name: &str, keep: usize| {
        let bytes = fs::read(whole.join(name)).unwrap();
        fs::write(path.join("case").join(name), &bytes[..keep]).unwrap();
    };
    let ids = fs::read(whole.join("ids.bson")).unwrap().len();
    let chunks = fs::read(whole.join("fs.chunks.bson")).unwrap().len();
    type Harm<'a> = &'a dyn Fn();
    let cases: [(Harm<'_>, &str); 6] = [
        (&|| cut("ids.bson", ids - 1), "ids.bson is damaged at byte 45: a document of "),
        (&|| cut("ids.bson", 2), "ids.bson is damaged at byte 0: the file ends within"),
        (&|| cut("fs.chunks.bson", chunks - 9), "fs.chunks.bson is damaged at byte "),
        (&|| cut("fs.chunks.bson", 0), "fs.files.bson is damaged at byte "),
        (
            &|| fs::write(path.join("case/ids.bson"), [255, 255, 255, 127, 0]).unwrap(),
            "ids.bson is damaged at byte 0: a document of 2147483647 bytes",
        ),
        (
            &|| fs::remove_file(path.join("case/fs.files.bson")).unwrap(),
            "fs.chunks.bson is there, but samples need fs.files and fs.chunks both",
        ),
    ];
    for (harm, due) in cases {
        let case = path.join("case");
        let _ = fs::remove_dir_all(&case);
        fs::create_dir(&case).unwrap();
        for entry in fs::read_dir(&whole).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), case.join(entry.file_name())).unwrap();
        }
        harm();
        let database = memory();
        let error = bring_in(&database, &case).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::Refused(_)) && text.contains(due), "{text}");
        assert!(!text.contains('\n'), "{text}");
        assert_eq!(contents(&database), (vec![], vec![]), "{text}");
    }
}

#[test]
fn any_bytes_are_refused_or_read_without_a_panic() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    export(&full(), &whole, &ExportOptions::default(), &mut |_| {}).unwrap();
    let file = folder.path().join("case/every type.bson");
    let json = folder.path().join("json/c.json");
    let bytes = fs::read(whole.join("every type.bson")).unwrap();
    let text = Bson::Document(Document::from_reader(bytes.as_slice()).unwrap());
    let text = text.into_canonical_extjson().to_string().into_bytes();
    for path in [&file, &json] {
        fs::create_dir(path.parent().unwrap()).unwrap();
    }
    for (path, whole) in [(&file, &bytes), (&json, &text)] {
        for at in 0..whole.len() {
            let mut harmed = whole.clone();
            harmed[at] ^= 1 << (at % 8);
            fs::write(path, &harmed).unwrap();
            match bring_in(&memory(), path.parent().unwrap()) {
                Ok(report) => assert!(report.collections.len() == 1),
                Err(error) => assert!(error.to_string().contains("is damaged at byte "), "{error}"),
            }
        }
    }
}

#[test]
fn folders_without_a_dump_are_told_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("quakes")).unwrap();
    let refusal = || bring_in(&memory(), folder.path()).unwrap_err().to_string();
    assert!(refusal().ends_with("holds no .bson or .json file of a collection"), "{}", refusal());
    fs::write(folder.path().join("quakes/site.bson"), []).unwrap();
    assert!(refusal().contains("; is it ") && refusal().ends_with("quakes?"), "{}", refusal());
    fs::write(folder.path().join("site.bson.gz"), []).unwrap();
    assert!(refusal().ends_with("site.bson.gz is compressed: gunzip it"), "{}", refusal());
}

#[test]
fn a_dump_of_mongodump_brings_its_indexes_and_folders_move() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = bson::serialize_to_vec(&doc! { "_id": 1, "dir": "/old/a", "sta": "X" }).unwrap();
    fs::write(folder.path().join("wf.bson"), bytes).unwrap();
    let metadata = r#"{"indexes":[{"v":{"$numberInt":"2"},"key":{"_id":{"$numberInt":"1"}},
        "name":"_id_"},{"key":{"sta":{"$numberInt":"1"},"chan":-1},"name":"a"},
        {"key":{"coords":"2dsphere"},"name":"b"}],"collectionName":"wf","type":"collection"}"#;
    fs::write(folder.path().join("wf.metadata.json"), metadata).unwrap();
    fs::write(folder.path().join("prelude.json"), "{}").unwrap();
    let database = memory();
    let moved = vec![("/old".to_owned(), "/new".to_owned()), ("/o".to_owned(), "/x".to_owned())];
    let options = ImportOptions { moved, ..ImportOptions::default() };
    let report = import(&database, folder.path(), &options, &mut |_| {}).unwrap();
    assert_eq!((report.indexes, report.passed_over.as_slice()), (1, &["prelude.json".into()][..]));
    assert_eq!(database.documents.count("wf", &doc! { "dir": "/new/a" }).unwrap(), 1);
}

#[test]
fn a_database_of_mspass_goes_round() {
    let Some(made) = shared("made") else { return };
    let folder = tempfile::tempdir().unwrap();
    let first = memory();
    let report = bring_in(&first, &made).unwrap();
    assert_eq!(report.collections.iter().map(|c| c.new).sum::<u64>(), 180 + 32);
    assert_eq!(report.passed_over, ["README.md", "expected.json"]);
    for form in [Form::Bson, Form::Json] {
        let files = folder.path().join(form.extension());
        let options = ExportOptions { form, ..ExportOptions::default() };
        export(&first, &files, &options, &mut |_| {}).unwrap();
        let second = memory();
        bring_in(&second, &files).unwrap();
        assert_eq!(contents(&first), contents(&second));
    }
}

#[test]
fn a_legacy_dump_loads_goes_round_and_is_queried() {
    let Some(dump) = shared("db_dump") else { return };
    let folder = tempfile::tempdir().unwrap();
    let embedded =
        EmbeddedStore::open(folder.path().join("db"), &EmbeddedOptions::default()).unwrap();
    for first in [Database::of(Arc::new(embedded)), mongod::store("db_dump").database()] {
        let report = bring_in(&first, &dump).unwrap();
        for c in &report.collections {
            println!("{}: {} documents", c.name, c.new);
            assert!(c.new > 0 && c.new == c.found, "{c:?}");
        }
        let count =
            |collection, filter: Document| first.documents.count(collection, &filter).unwrap();
        let pickles = count("source", doc! { "serialized_event": { "$type": "binData" } });
        assert_eq!(pickles, count("source", doc! {}));
        let of_arrays = doc! { "net": "TA", "elev": { "$gte": 0.0, "$lt": 1 } };
        assert!(count("site", of_arrays) > 10);
        let gathers =
            doc! { "dfile": { "$regex": r"^test_\d+\.mseed$" }, "npts": { "$type": "int" } };
        assert!(count("wf_miniseed", gathers) > 100);
        assert!(count("wf_TimeSeries", doc! { "mseed.encoding": "STEIM2" }) > 100);
        for form in [Form::Bson, Form::Json] {
            let files = tempfile::tempdir().unwrap();
            let options = ExportOptions { form, ..ExportOptions::default() };
            export(&first, &files.path().join("x"), &options, &mut |_| {}).unwrap();
            let second = memory();
            bring_in(&second, &files.path().join("x")).unwrap();
            assert_eq!(contents(&first), contents(&second));
        }
    }
}

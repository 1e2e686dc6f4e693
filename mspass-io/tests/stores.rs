//! Every store keeps the contract; an embedded one says clearly why it cannot be opened.

mod mongod;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use bson::{doc, oid::ObjectId};
use mspass_io::Error;
use mspass_io::store::{
    Blob, BlobStore, Database, DatabaseName, DocumentStore, EmbeddedOptions, EmbeddedStore, Find,
    MemoryStore, contract,
};

fn open(path: &Path) -> mspass_io::Result<EmbeddedStore> {
    EmbeddedStore::open(path, &EmbeddedOptions::default())
}

#[test]
fn memory_documents() {
    contract::check_documents(&MemoryStore::new()).unwrap();
}

#[test]
fn memory_blobs() {
    contract::check_blobs(&MemoryStore::new()).unwrap();
}

#[test]
fn embedded_documents() {
    let folder = tempfile::tempdir().unwrap();
    contract::check_documents(&open(folder.path()).unwrap()).unwrap();
}

#[test]
fn embedded_blobs() {
    let folder = tempfile::tempdir().unwrap();
    contract::check_blobs(&open(folder.path()).unwrap()).unwrap();
}

#[test]
fn mongo_documents() {
    contract::check_documents(&mongod::store("contract_documents")).unwrap();
}

#[test]
fn mongo_blobs() {
    contract::check_blobs(&mongod::store("contract_blobs")).unwrap();
}

#[test]
fn what_was_written_is_there_when_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/db");
    let blobs: Vec<Blob> = (0..50_u8)
        .map(|i| Blob { id: ObjectId::from_bytes([i; 12]), bytes: vec![i; 9_000].into() })
        .collect();
    {
        let store = open(&path).unwrap();
        store.create_index("site", &doc! { "sta": 1 }).unwrap();
        store.upsert("site", &[doc! { "_id": 1, "sta": "ANMO" }]).unwrap();
        store.put(&blobs).unwrap();
        let every_other: Vec<_> = blobs.iter().step_by(2).map(|blob| blob.id).collect();
        BlobStore::delete(&store, &every_other).unwrap();
    }
    let store = open(&path).unwrap();
    let find = Find::filter(doc! { "sta": "ANMO" });
    assert_eq!(store.find("site", &find).unwrap().count(), 1);
    let length = || fs::metadata(path.join("blobs.dat")).unwrap().len();
    let before = length();
    store.put(&blobs).unwrap();
    for blob in &blobs {
        assert_eq!(store.read(blob.id).unwrap(), blob.bytes);
    }
    assert!(length() <= before + 26 * 12_288, "free places were used: {before} {}", length());
    let ids = store.ids().unwrap();
    assert_eq!(BlobStore::delete(&store, &ids).unwrap(), 50);
    assert_eq!(length(), 0);
}

#[test]
fn a_cursor_sees_the_documents_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let stores: [Arc<dyn DocumentStore>; 2] =
        [Arc::new(open(folder.path()).unwrap()), Arc::new(MemoryStore::new())];
    for store in stores {
        let documents: Vec<_> = (0..1_000).map(|i| doc! { "_id": i }).collect();
        store.insert("a", &documents).unwrap();
        let mut cursor = store.find("a", &Find::default()).unwrap();
        assert!(cursor.next().is_some());
        store.delete("a", &doc! { "_id": { "$gte": 10 } }).unwrap();
        store.insert("a", &[doc! { "_id": 5_000 }]).unwrap();
        assert_eq!(cursor.count(), 999);
        drop(store);
    }
}

#[test]
fn a_cursor_outlives_its_store() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).unwrap();
    store.insert("a", &[doc! { "_id": 1 }, doc! { "_id": 2 }]).unwrap();
    let cursor = store.find("a", &Find::default()).unwrap();
    drop(store);
    assert_eq!(cursor.filter_map(Result::ok).count(), 2);
}

#[test]
fn a_store_in_use_is_refused_naming_its_holder() {
    let folder = tempfile::tempdir().unwrap();
    let options = EmbeddedOptions { holder: Some("desktop".to_owned()), ..Default::default() };
    let store = EmbeddedStore::open(folder.path(), &options).unwrap();
    match open(folder.path()) {
        Err(Error::StoreInUse { holder, .. }) => {
            assert_eq!(holder, format!("desktop (pid {})", std::process::id()));
        }
        other => panic!("{other:?}"),
    }
    drop(store);
    open(folder.path()).unwrap();
}

#[test]
fn other_folders_are_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let newer = folder.path().join("newer");
    drop(open(&newer).unwrap());
    fs::write(newer.join("FORMAT"), "mspass-embedded 7\n").unwrap();
    assert!(matches!(open(&newer), Err(Error::StoreTooNew { found: 7, known: 1, .. })));

    let strange = folder.path().join("strange");
    drop(open(&strange).unwrap());
    fs::write(strange.join("FORMAT"), "something else\n").unwrap();
    assert!(matches!(open(&strange), Err(Error::Refused(_))));

    let full = folder.path().join("full");
    fs::create_dir(&full).unwrap();
    fs::write(full.join("thesis.tex"), "").unwrap();
    let text = open(&full).unwrap_err().to_string();
    assert!(text.contains("not an embedded store and not empty"), "{text}");
    assert_eq!(fs::read_dir(&full).unwrap().count(), 1);

    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(matches!(open(&file), Err(Error::File { .. })));
    assert!(matches!(open(&file.join("db")), Err(Error::File { .. })));
}

#[test]
fn a_damaged_database_is_an_error_and_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    fs::write(folder.path().join("documents.redb"), vec![7; 40_000]).unwrap();
    assert!(matches!(open(folder.path()), Err(Error::Store { .. } | Error::File { .. })));
}

#[test]
fn a_store_whose_making_was_killed_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()).unwrap());
    let (whole, new) =
        (folder.path().join("documents.redb"), folder.path().join("documents.redb.new"));
    // What a kill leaves: the beginning of a file, not yet in its place.
    let bytes = fs::read(&whole).unwrap();
    fs::remove_file(&whole).unwrap();
    fs::write(&new, vec![0; bytes.len() / 2]).unwrap();
    let store = open(folder.path()).unwrap();
    assert!(whole.exists() && !new.exists());
    store.upsert("site", &[doc! { "_id": 1 }]).unwrap();
    drop(store);
    assert_eq!(open(folder.path()).unwrap().count("site", &doc! {}).unwrap(), 1);
}

#[test]
fn changed_samples_are_found_out() {
    let folder = tempfile::tempdir().unwrap();
    let id = ObjectId::from_bytes([1; 12]);
    let store = open(folder.path()).unwrap();
    store.put(&[Blob { id, bytes: vec![3; 10_000].into() }]).unwrap();
    let file = folder.path().join("blobs.dat");
    let mut bytes = fs::read(&file).unwrap();
    bytes[5_000] ^= 1;
    fs::write(&file, bytes).unwrap();
    assert!(matches!(store.read(id), Err(Error::Format { .. })));
}

#[test]
fn names_of_databases() {
    let folder = tempfile::tempdir().unwrap();
    let name: DatabaseName = format!("embedded:{}", folder.path().display()).parse().unwrap();
    let database = Database::open(&name).unwrap();
    database.documents.insert("a", &[doc! { "_id": 1 }]).unwrap();
    assert_eq!(database.documents.count("a", &doc! {}).unwrap(), 1);
    assert_eq!(database.blobs.ids().unwrap(), []);
    let memory = Database::open(&"memory:".parse().unwrap()).unwrap();
    assert_eq!(memory.documents.collections().unwrap(), Vec::<String>::new());

    let name: DatabaseName = "mongodb://me:secret@h1:1,h2:2/seis?w=1".parse().unwrap();
    let DatabaseName::MongoDb(uri) = &name else { panic!("{name}") };
    assert_eq!(uri.database(), "seis");
    assert_eq!(uri.as_str(), "mongodb://me:secret@h1:1,h2:2/seis?w=1");
    assert_eq!(name.to_string(), "mongodb://me:***@h1:1,h2:2/seis?w=1");
    for bad in ["", "embedded:", "mongodb://h", "mongodb://h/", "mongodb:///x", "sqlite:x"] {
        let text = bad.parse::<DatabaseName>().unwrap_err().to_string();
        assert!(text.contains("embedded:PATH"), "{text}");
    }
}

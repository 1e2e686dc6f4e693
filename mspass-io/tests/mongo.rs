//! The MongoDB store against a real `mongod`: what the contract of all stores does not cover.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]
#![allow(clippy::disallowed_methods, reason = "these tests measure how long calls wait")]

mod mongod;

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::oid::ObjectId;
use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document, doc};
use bytes::Bytes;
use mspass_io::Error;
use mspass_io::db::diff::{DiffOptions, diff};
use mspass_io::store::mongo::{MongoOptions, MongoStore};
use mspass_io::store::{Blob, BlobStore, Database, DocumentStore, Find, MemoryStore};

/// Bytes in a chunk of GridFS.
const CHUNK: usize = 261_120;

fn blob(seed: u8, length: usize) -> Blob {
    let bytes: Vec<u8> = (0..length).map(|i| (i * 7 + i / 251) as u8 ^ seed).collect();
    Blob { id: ObjectId::new(), bytes: bytes.into() }
}

fn all(store: &MongoStore, collection: &str, sort: Document) -> Vec<Document> {
    let found = store.find(collection, &Find::default().sort(sort)).unwrap();
    found.collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_long_answer_is_read_in_batches_and_may_be_left_unread() {
    let store = mongod::store("long_answer");
    let documents: Vec<_> = (0..5500).map(|i| doc! {"_id": i, "text": "x".repeat(100)}).collect();
    store.upsert("c", &documents).unwrap();
    let mut answer = store.find("c", &Find::default().sort(doc! {"_id": 1})).unwrap();
    for i in 0..1500 {
        assert_eq!(answer.next().unwrap().unwrap().get_i32("_id").unwrap(), i);
    }
    // The cursor outlives the last handle of its store, and leaves nothing waiting when dropped.
    drop(store);
    assert_eq!(answer.next().unwrap().unwrap().get_i32("_id").unwrap(), 1500);
    let before = Instant::now();
    drop(answer);
    assert!(before.elapsed() < Duration::from_secs(2), "{:?}", before.elapsed());
}

#[test]
fn calls_work_within_another_runtime() {
    let store = mongod::store("within_runtime");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async move {
        store.upsert("c", &[doc! {"_id": 1}]).unwrap();
        assert_eq!(store.count("c", &doc! {}).unwrap(), 1);
        assert_eq!(store.find("c", &Find::default()).unwrap().count(), 1);
        drop(store);
    });
}

#[test]
fn upserts_of_any_number_and_size_arrive() {
    let store = mongod::store("upserts");
    let mut documents: Vec<_> = (0..2500).map(|i| doc! {"_id": i, "v": 1}).collect();
    let large = Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: vec![7; 9 << 20] });
    documents.extend((0..3).map(|i| doc! {"_id": format!("large {i}"), "data": large.clone()}));
    store.upsert("c", &documents).unwrap();
    store.upsert("c", &documents).unwrap();
    assert_eq!(store.count("c", &doc! {}).unwrap(), 2503);
    // The last of several with one `_id` stays.
    store.upsert("c", &[doc! {"_id": 0, "v": 2}, doc! {"_id": 0, "v": 3}]).unwrap();
    assert_eq!(all(&store, "c", doc! {"_id": 1})[0], doc! {"_id": 0, "v": 3});
}

#[test]
fn the_largest_document_is_stored_and_a_larger_one_refused() {
    let store = mongod::store("largest");
    let sized = |length: usize| {
        let binary = Binary { subtype: BinarySubtype::Generic, bytes: vec![1; length] };
        doc! {"_id": 1, "data": binary}
    };
    let empty = bson::serialize_to_vec(&sized(0)).unwrap().len();
    let largest = sized((16 << 20) - empty);
    store.upsert("c", std::slice::from_ref(&largest)).unwrap();
    assert_eq!(all(&store, "c", doc! {}), [largest]);
    for refused in [
        store.upsert("c", &[sized((16 << 20) - empty + 1)]).unwrap_err(),
        store.insert("c", &[sized((16 << 20) - empty + 1)]).map(drop).unwrap_err(),
    ] {
        assert!(refused.to_string().contains("has 16777217 bytes"), "{refused}");
    }
}

#[test]
fn an_interrupted_insert_keeps_what_came_before_the_duplicate() {
    let store = mongod::store("duplicate");
    store.insert("c", &[doc! {"_id": 3}]).unwrap();
    let ids = (1..=5).map(|i| doc! {"_id": i}).collect::<Vec<_>>();
    let error = store.insert("c", &ids).unwrap_err();
    let Error::DuplicateKey { collection, id } = &error else { panic!("{error}") };
    assert_eq!((collection.as_str(), id.as_str()), ("c", "3"));
    assert_eq!(store.count("c", &doc! {}).unwrap(), 3);

    // The same where the duplicate is in a later command than the first.
    store.insert("long", &[doc! {"_id": 11_000}]).unwrap();
    let ids = (0..12_000).map(|i| doc! {"_id": i}).collect::<Vec<_>>();
    let error = store.insert("long", &ids).unwrap_err();
    let Error::DuplicateKey { collection, id } = &error else { panic!("{error}") };
    assert_eq!((collection.as_str(), id.as_str()), ("long", "11000"));
    assert_eq!(store.count("long", &doc! {}).unwrap(), 11_001);
}

#[test]
fn a_bad_query_is_told_from_a_failed_server() {
    let store = mongod::store("bad_query");
    store.upsert("c", &[doc! {"_id": 1, "a": 1}]).unwrap();
    let bad = doc! {"a": {"$nonsense": 1}};
    let errors = [
        store.find("c", &Find::filter(bad.clone())).map(drop).unwrap_err(),
        store.find("c", &Find::default().sort(doc! {"a": 7})).map(drop).unwrap_err(),
        store.find("c", &Find::default().projection(doc! {"a": 1, "b": 0})).map(drop).unwrap_err(),
        store.count("c", &bad).map(drop).unwrap_err(),
        DocumentStore::delete(&store, "c", &bad).map(drop).unwrap_err(),
        store.update("c", &doc! {}, &doc! {"a": 1}).map(drop).unwrap_err(),
        store.update("c", &doc! {}, &doc! {"$nonsense": {"a": 1}}).map(drop).unwrap_err(),
        store.distinct("c", "a", &bad).map(drop).unwrap_err(),
        store.group("c", &bad, &["a"], &[]).map(drop).unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Query { .. }), "{error:?}");
    }
}

#[test]
fn blobs_have_the_layout_of_gridfs() {
    let store = mongod::store("layout");
    let blob = blob(1, 2 * CHUNK + 100);
    store.put(std::slice::from_ref(&blob)).unwrap();
    let files = all(&store, "fs.files", doc! {});
    let [file] = files.as_slice() else { panic!("{files:?}") };
    let keys: Vec<_> = file.keys().map(String::as_str).collect();
    assert_eq!(keys, ["_id", "length", "chunkSize", "uploadDate"]);
    assert_eq!(file.get_object_id("_id").unwrap(), blob.id);
    assert_eq!(file.get_i64("length").unwrap(), blob.bytes.len() as i64);
    assert_eq!(file.get_i32("chunkSize").unwrap(), 261_120);
    file.get_datetime("uploadDate").unwrap();
    let chunks = all(&store, "fs.chunks", doc! {"n": 1});
    let lengths: Vec<_> =
        chunks.iter().map(|chunk| chunk.get_binary_generic("data").unwrap().len()).collect();
    assert_eq!(lengths, [CHUNK, CHUNK, 100]);
    for (n, chunk) in chunks.iter().enumerate() {
        let keys: Vec<_> = chunk.keys().map(String::as_str).collect();
        assert_eq!(keys, ["_id", "files_id", "n", "data"]);
        assert_eq!(chunk.get_object_id("files_id").unwrap(), blob.id);
        assert_eq!(chunk.get_i32("n").unwrap() as usize, n);
    }
    assert!(store.collections().unwrap().is_empty());
    // Written again, the same documents are there.
    store.put(std::slice::from_ref(&blob)).unwrap();
    assert_eq!(all(&store, "fs.chunks", doc! {"n": 1}), chunks);
    // A database that was dropped gets its indexes again.
    for round in 0..2 {
        store.put(std::slice::from_ref(&blob)).unwrap();
        let find = Find::filter(doc! {"files_id": blob.id}).sort(doc! {"n": 1});
        let index = store.explain("fs.chunks", &find).unwrap().index;
        assert_eq!(index.as_deref(), Some("files_id_1_n_1"), "round {round}");
        store.drop_database().unwrap();
    }
}

/// Uploads and downloads with the driver's own GridFS client.
mod other_client {
    use futures_util::io::{AsyncReadExt, AsyncWriteExt};
    use mongodb::options::GridFsUploadOptions;

    use super::*;

    fn run<T>(uri: String, work: impl AsyncFnOnce(mongodb::gridfs::GridFsBucket) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let client = mongodb::Client::with_uri_str(&uri).await.unwrap();
            work(client.default_database().unwrap().gridfs_bucket(None)).await
        })
    }

    pub(super) fn download(uri: String, id: ObjectId) -> Vec<u8> {
        run(uri, async |bucket| {
            let mut stream = bucket.open_download_stream(id.into()).await.unwrap();
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).await.unwrap();
            bytes
        })
    }

    pub(super) fn upload(uri: String, id: ObjectId, bytes: &[u8]) {
        run(uri, async |bucket| {
            let options = GridFsUploadOptions::builder().chunk_size_bytes(1000).build();
            let upload = bucket.open_upload_stream("name").id(Bson::from(id)).with_options(options);
            let mut stream = upload.await.unwrap();
            stream.write_all(bytes).await.unwrap();
            stream.close().await.unwrap();
        });
    }
}

#[test]
fn other_gridfs_clients_and_this_one_read_each_other() {
    let store = mongod::store("other_client");
    let ours = blob(2, CHUNK + 1);
    store.put(std::slice::from_ref(&ours)).unwrap();
    assert_eq!(other_client::download(mongod::uri("other_client"), ours.id), ours.bytes);
    let theirs = blob(3, 2500);
    other_client::upload(mongod::uri("other_client"), theirs.id, &theirs.bytes);
    assert_eq!(store.read(theirs.id).unwrap(), theirs.bytes);
    // Replaced: their chunks have other ids and another size.
    let longer = Blob { id: theirs.id, bytes: blob(4, CHUNK + 77).bytes };
    store.put(std::slice::from_ref(&longer)).unwrap();
    assert_eq!(store.read(longer.id).unwrap(), longer.bytes);
    assert_eq!(other_client::download(mongod::uri("other_client"), longer.id), longer.bytes);
}

#[test]
fn a_blob_half_written_is_not_there_and_is_repaired_by_writing_it_again() {
    let store = mongod::store("half_written");
    let blob = blob(5, 3 * CHUNK);
    store.put(std::slice::from_ref(&blob)).unwrap();
    let whole = all(&store, "fs.chunks", doc! {"n": 1});
    // The state in which a kill may leave a write: no description, some chunks.
    DocumentStore::delete(&store, "fs.files", &doc! {}).unwrap();
    DocumentStore::delete(&store, "fs.chunks", &doc! {"n": 1}).unwrap();
    store.update("fs.chunks", &doc! {"n": 2}, &doc! {"$set": {"data": "old"}}).unwrap();
    let error = store.read(blob.id).unwrap_err();
    assert!(matches!(error, Error::NoBlob { .. }), "{error}");
    assert!(store.ids().unwrap().is_empty());
    store.put(std::slice::from_ref(&blob)).unwrap();
    assert_eq!(store.read(blob.id).unwrap(), blob.bytes);
    assert_eq!(all(&store, "fs.chunks", doc! {"n": 1}), whole);
    // A shorter one in its place leaves no chunks behind.
    let shorter = Blob { id: blob.id, bytes: blob.bytes.slice(..10) };
    store.put(&[blob.clone(), shorter.clone()]).unwrap();
    assert_eq!(store.read(blob.id).unwrap(), shorter.bytes);
    assert_eq!(store.count("fs.chunks", &doc! {}).unwrap(), 1);
    let none = Blob { id: blob.id, bytes: Bytes::new() };
    store.put(std::slice::from_ref(&none)).unwrap();
    assert!(store.read(blob.id).unwrap().is_empty());
    assert_eq!(store.count("fs.chunks", &doc! {}).unwrap(), 0);
}

#[test]
fn a_damaged_blob_is_an_error() {
    let store = mongod::store("damaged");
    let damage = |filter: Document, update: Option<Document>, due: &str| {
        let blob = blob(6, 2 * CHUNK + 5);
        store.put(std::slice::from_ref(&blob)).unwrap();
        let collection = if filter.contains_key("n") { "fs.chunks" } else { "fs.files" };
        match update {
            Some(update) => store.update(collection, &filter, &update).unwrap(),
            None => DocumentStore::delete(&store, collection, &filter).unwrap(),
        };
        let error = store.read(blob.id).unwrap_err().to_string();
        assert!(error.contains(due) && error.contains(&blob.id.to_hex()), "{error}");
        store.drop_database().unwrap();
    };
    damage(doc! {"n": 0}, None, "chunk 0 of 3 is missing");
    damage(doc! {"n": 2}, None, "chunk 2 of 3 is missing");
    damage(doc! {"n": 2}, Some(doc! {"$set": {"n": 3}}), "chunk 2 of 3 is missing");
    damage(
        doc! {"n": 1},
        Some(doc! {"$set": {"data": Binary {
            subtype: BinarySubtype::Generic, bytes: vec![1],
        }}}),
        "chunk 1 of 3 has 1 bytes in place of 261120",
    );
    damage(doc! {"n": 1}, Some(doc! {"$unset": {"data": 1}}), "data");
    damage(doc! {}, Some(doc! {"$inc": {"length": -6}}), "chunk 1 of 2 has 261120 bytes");
    damage(doc! {}, Some(doc! {"$set": {"length": CHUNK as i64}}), "more than its 1 chunks");
    damage(doc! {}, Some(doc! {"$set": {"length": i64::MAX}}), "chunk 2 of 35");
    damage(doc! {}, Some(doc! {"$set": {"length": -1}}), "no valid length");
    damage(doc! {}, Some(doc! {"$set": {"chunkSize": 0}}), "chunkSize");
}

#[test]
fn an_unreachable_server_is_one_clear_sentence_in_good_time() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // One that accepts connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [closed, silent.local_addr().unwrap()] {
        let before = Instant::now();
        let uri = format!("mongodb://user:secret@{address}/x");
        let error = MongoStore::open(&uri, &MongoOptions::default()).unwrap_err();
        assert!(before.elapsed() < Duration::from_secs(6), "{:?}", before.elapsed());
        let text = error.to_string();
        assert!(matches!(error, Error::Refused(_)), "{text}");
        assert!(text.starts_with(&format!("no MongoDB server answers at {address} ")), "{text}");
        assert!(!text.contains("secret") && !text.contains('\n') && text.len() < 200, "{text}");
        println!("{text}");
    }
}

#[test]
fn a_database_compares_equal_to_the_same_in_memory() {
    let mongo = mongod::store("compared").database();
    let memory = Database::of(Arc::new(MemoryStore::new()));
    let date = bson::DateTime::from_millis(1_267_252_407_969);
    let binary = Binary { subtype: BinarySubtype::Generic, bytes: vec![1, 2, 3] };
    let samples = blob(8, CHUNK + 8);
    // Of all types that an `_id` may have, in no order.
    let ids: Vec<Bson> = vec![
        Bson::from("b"),
        Bson::from(2.5),
        Bson::from(samples.id),
        Bson::from(-3),
        Bson::from(1_i64 << 40),
        Bson::from(f64::NAN),
        Bson::Null,
        Bson::from(date),
        Bson::from(binary),
        Bson::from(true),
        Bson::from(doc! {"b": 1, "a": "x"}),
        Bson::from(doc! {"b": 1}),
        Bson::from("a longer text"),
        Bson::from(""),
        Bson::MaxKey,
        Bson::Timestamp(bson::Timestamp { time: 5, increment: 6 }),
    ];
    let documents: Vec<_> = ids
        .iter()
        .map(|id| {
            doc! {"v": 1.5, "_id": id.clone(), "storage_mode": "gridfs",
            "gridfs_id": samples.id}
        })
        .collect();
    for database in [&mongo, &memory] {
        database.documents.insert("c", &documents).unwrap();
        database.blobs.put(std::slice::from_ref(&samples)).unwrap();
    }
    let equal = diff(&mongo, &memory, &DiffOptions::default()).unwrap();
    assert!(equal.is_equal(), "{equal}");
    assert_eq!((equal.collections[0].left, equal.collections[0].blobs), (16, 16));
    memory.documents.update("c", &doc! {"_id": "b"}, &doc! {"$set": {"v": 2}}).unwrap();
    memory.documents.delete("c", &doc! {"_id": true}).unwrap();
    let changed = diff(&mongo, &memory, &DiffOptions::default()).unwrap();
    let counts = &changed.collections[0];
    assert_eq!((counts.differing, counts.only_left, counts.only_right), (1, 1, 0));
    assert_eq!(counts.first.as_ref().unwrap().id, Bson::from("b"), "{changed}");
}

#[test]
fn a_database_written_by_mspass_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/mspass/made");
    if !folder.is_dir() {
        println!("skipped: {} is not there", folder.display());
        return;
    }
    let store = mongod::store("mspass");
    let expected = std::fs::read_to_string(folder.join("expected.json")).unwrap();
    let expected: serde_json::Value = serde_json::from_str(&expected).unwrap();
    for (collection, count) in expected["counts"].as_object().unwrap() {
        let dump = std::fs::read(folder.join(format!("{collection}.bson"))).unwrap();
        let mut rest = dump.as_slice();
        let mut documents = Vec::new();
        while !rest.is_empty() {
            documents.push(Document::from_reader(&mut rest).unwrap());
        }
        assert_eq!(documents.len() as u64, count.as_u64().unwrap());
        store.insert(collection, &documents).unwrap();
    }
    let mut compared = 0;
    for read in expected["reads"].as_array().unwrap() {
        let metadata = &read["metadata"];
        let is_whole = read["elog"].as_array().is_some_and(Vec::is_empty);
        if metadata["storage_mode"] != "gridfs" || read["live"] != true || !is_whole {
            continue;
        }
        let id = ObjectId::parse_str(metadata["gridfs_id"].as_str().unwrap()).unwrap();
        let samples = store.read(id).unwrap();
        let npts = read["npts"].as_u64().unwrap() as usize;
        // A Seismogram is stored component after component.
        for (i, component) in read["components"].as_array().unwrap().iter().enumerate() {
            let from = i * npts * 8;
            let first = f64::from_le_bytes(samples[from..from + 8].try_into().unwrap());
            let due = component["first"][0].as_f64().unwrap();
            // The JSON reader may round the last digit in another way.
            assert!((first - due).abs() <= 1e-15 * due.abs(), "{first} {due} {metadata}");
        }
        compared += 1;
    }
    assert!(compared > 20, "{compared}");
    assert_eq!(store.ids().unwrap().len(), 32);
}

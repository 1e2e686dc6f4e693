//! The MongoDB store and its server against a real `mongod`.

mod mongod;

use bson::oid::ObjectId;
use bson::{Bson, doc};
use mspass_io::store::{Aggregate, Blob, BlobStore, DocumentStore, Find};

#[test]
fn speeds() {
    let store = mongod::store("speeds");
    let documents: Vec<_> = (0..20_000)
        .map(|i| doc! {"_id": ObjectId::new(), "npts": i, "sta": format!("S{}", i % 50), "delta": 0.05, "starttime": 1.0e9 + i as f64, "net": "IU", "chan": "BHZ", "loc": "", "storage_mode": "gridfs", "gridfs_id": ObjectId::new(), "sampling_rate": 20.0, "time_standard": "UTC"})
        .collect();
    for round in 0..2 {
        let t = std::time::Instant::now();
        for batch in documents.chunks(500) {
            store.upsert("wf", batch).unwrap();
        }
        println!("upsert {round}: {:.0}/s", 20_000.0 / t.elapsed().as_secs_f64());
    }
    let t = std::time::Instant::now();
    for batch in documents.chunks(500) {
        store.insert("wf2", batch).unwrap();
    }
    println!("insert: {:.0}/s", 20_000.0 / t.elapsed().as_secs_f64());
    let t = std::time::Instant::now();
    let n = store.find("wf", &Find::default()).unwrap().map(|d| d.unwrap()).count();
    println!("find {n}: {:.0}/s", 20_000.0 / t.elapsed().as_secs_f64());
    let mut x = 1u64;
    let bytes: Vec<u8> = (0..576_000).map(|_| { x ^= x << 13; x ^= x >> 7; x ^= x << 17; x as u8 }).collect();
    let bytes = bytes::Bytes::from(bytes);
    let blobs: Vec<_> = (0..28 * 16).map(|_| Blob { id: ObjectId::new(), bytes: bytes.clone() }).collect();
    let mb = blobs.len() as f64 * 0.576;
    for round in 0..2 {
        let t = std::time::Instant::now();
        for batch in blobs.chunks(28) {
            let t = std::time::Instant::now();
            BlobStore::put(&store, batch).unwrap();
            print!("{:.0}ms ", t.elapsed().as_secs_f64()*1e3);
        }
        println!("put {round}: {:.0} MB/s", mb / t.elapsed().as_secs_f64());
    }
    let t = std::time::Instant::now();
    for blob in &blobs {
        assert_eq!(store.read(blob.id).unwrap().len(), 576_000);
    }
    println!("get: {:.0} MB/s", mb / t.elapsed().as_secs_f64());
}

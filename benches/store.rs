//! A database: documents and samples, written durably and read back, one thread.
//!
//! The embedded store in `target/tmp`, or the database that `MSPASS_BENCH_DB` names, whose
//! collection `bench` and blobs this overwrites.
//!
//! Units: documents of 312 bytes and bytes of samples per second. Reference: pymongo 4.20 on a
//! mongod 6.0.5 of the same 2-core 2.8 GHz Xeon virtual machine, 2026-11-23, whose writes wait for
//! no sync:
//!
//! | operation | peer | here | limit of the machine |
//! |---|---|---|---|
//! | upsert 500, documents/s | 95,000 | 88,000 | 2,600,000: a sync takes 0.19 ms |
//! | insert 10,000 (370 bytes, new), documents/s | 95,000 | | 2,600,000 |
//! | upsert one, documents/s | 2,310 | 4,320 | 5,200: a sync each |
//! | find by `_id`, documents/s | 2,020 | 155,000 | 1,000,000: down a tree in memory, 1 us |
//! | find 200 by an index, documents/s | | 394,000 | 1,000,000 |
//! | find all, documents/s | 79,000 | 470,000 | 12,000,000: 312 bytes each at 4 GB/s |
//! | put 24 MB of samples, GB/s | 0.16 (GridFS) | 1.4 | that of the disk |
//! | read 576 kB of samples, GB/s | 0.43 (GridFS) | 10.7 | 11: one copy |
//!
//! "Here" is the embedded store on a 2-core 2.6 GHz Xeon virtual machine that others used too,
//! 2026-11-23.
//!
//! ```sh
//! cargo bench --bench store
//! ```

use std::hint::black_box;
use std::path::Path;

use bson::oid::ObjectId;
use bson::{Document, doc};
use criterion::{BatchSize, Criterion, Throughput};
use mspass_io::db::encode_samples;
use mspass_io::db::id::Derived;
use mspass_io::store::{Blob, Database, DatabaseName, Find};

const BATCH: usize = 500;
const BATCHES: usize = 40;
const INSERTED: usize = 10_000;
const STATIONS: usize = 100;
const BLOBS: usize = 42;
const BLOB_NPTS: usize = 72_000; // an hour at 20 Hz

fn id(kind: &str, number: usize) -> ObjectId {
    Derived::new(kind).number(number as u64).object_id()
}

fn document(number: usize) -> Document {
    let start = 1_705_449_600.0 + 3600.0 * (number / STATIONS) as f64;
    doc! {
        "_id": id("document", number), "net": "XX", "sta": format!("S{:03}", number % STATIONS),
        "loc": "00", "chan": "HHZ", "npts": BLOB_NPTS as i64, "delta": 0.05, "sampling_rate": 20.0,
        "starttime": start, "endtime": start + 3599.95,
        "starttime_ns": start as i64 * 1_000_000_000, "time_standard": "UTC",
            "utc_convertible": true, "storage_mode": "gridfs",
        "gridfs_id": id("blob", number), "nbytes": 8 * BLOB_NPTS as i64, "data_tag": "prepared",
    }
}

fn documents(criterion: &mut Criterion, database: &Database) {
    let store = &*database.documents;
    let all: Vec<Document> = (0..BATCHES * BATCH).map(document).collect();
    let bytes = bson::serialize_to_vec(&all[0]).expect("a document").len();
    println!("{} documents of {bytes} bytes", all.len());
    store.delete("bench", &doc! {}).expect("the database is writable");
    store.create_index("bench", &doc! { "sta": 1, "chan": 1 }).expect("an index");
    all.chunks(BATCH).for_each(|batch| store.upsert("bench", batch).expect("an upsert"));

    let mut group = criterion.benchmark_group("documents");
    group.sample_size(20);
    let mut batches = all.chunks(BATCH).cycle();
    group.throughput(Throughput::Elements(BATCH as u64));
    group.bench_function("upsert_500", |bencher| {
        bencher.iter(|| {
            store.upsert("bench", batches.next().expect("endless")).expect("an upsert");
        });
    });
    let mut ones = all.chunks(1).cycle();
    group.throughput(Throughput::Elements(1));
    group.bench_function("upsert_one", |bencher| {
        bencher.iter(|| {
            store.upsert("bench", ones.next().expect("endless")).expect("an upsert");
        });
    });
    let found = |find: &Find| -> usize {
        let cursor = store.find("bench", find).expect("a cursor");
        cursor.inspect(|document| assert!(black_box(document).is_ok())).count()
    };
    let mut numbers = (0..all.len()).cycle().step_by(7919);
    group.bench_function("find_by_id", |bencher| {
        bencher.iter(|| {
            let number = numbers.next().expect("endless");
            assert_eq!(found(&Find::filter(doc! { "_id": id("document", number) })), 1);
        });
    });
    let of_station = all.len() / STATIONS;
    group.throughput(Throughput::Elements(of_station as u64));
    group.bench_function("find_by_index", |bencher| {
        let find = Find::filter(doc! { "sta": "S042" });
        bencher.iter(|| assert_eq!(found(&find), of_station));
    });
    group.throughput(Throughput::Elements(all.len() as u64));
    group.bench_function("find_all", |bencher| {
        bencher.iter(|| assert_eq!(found(&Find::default()), all.len()));
    });
    group.finish();
}

/// A document like those of wf_TimeSeries, 370 bytes.
fn waveform(number: usize) -> Document {
    let mut document = document(number);
    document.insert("calib", 1.0);
    document.insert("site_id", id("site", number % STATIONS));
    document.insert("note", "x".repeat(11));
    document
}

/// Inserts of new documents in batches, and point queries by an index.
fn inserts(criterion: &mut Criterion, database: &Database) {
    let store = &*database.documents;
    let bytes = bson::serialize_to_vec(&waveform(0)).expect("a document").len();
    println!("documents of {bytes} bytes");
    store.delete("inserts", &doc! {}).expect("the database is writable");
    let mut group = criterion.benchmark_group("inserts");
    group.sample_size(20);
    group.throughput(Throughput::Elements(INSERTED as u64));
    let mut next = 0;
    group.bench_function("insert_10000", |bencher| {
        bencher.iter_batched(
            || {
                next += INSERTED;
                (next - INSERTED..next).map(waveform).collect::<Vec<Document>>()
            },
            |batch| store.insert("inserts", &batch).expect("an insert"),
            BatchSize::LargeInput,
        );
    });
    // Those that are looked for are there even where the measurement before was left out.
    let looked_for: Vec<Document> = (0..INSERTED).map(waveform).collect();
    store.upsert("inserts", &looked_for).expect("an upsert");
    store.create_index("inserts", &doc! { "gridfs_id": 1 }).expect("an index");
    let mut numbers = (0..next.max(INSERTED)).cycle().step_by(7919);
    group.throughput(Throughput::Elements(1));
    group.bench_function("find_one_by_index", |bencher| {
        bencher.iter(|| {
            let number = numbers.next().expect("endless");
            let find = Find::filter(doc! { "gridfs_id": id("blob", number) });
            let mut found = store.find("inserts", &find).expect("a cursor");
            assert!(black_box(found.next()).is_some_and(|document| document.is_ok()));
        });
    });
    group.finish();
}

fn blobs(criterion: &mut Criterion, database: &Database) {
    let store = &*database.blobs;
    let samples: Vec<f64> = (0..BLOB_NPTS).map(|at| (at as f64).sin()).collect();
    let bytes = encode_samples(&samples);
    let blob = |number| Blob { id: id("blob", number), bytes: bytes.clone() };
    let batch: Vec<Blob> = (0..BLOBS).map(blob).collect();
    store.put(&batch).expect("the database is writable");

    let mut group = criterion.benchmark_group("samples");
    group.sample_size(20);
    group.throughput(Throughput::Bytes((BLOBS * bytes.len()) as u64));
    group.bench_function("put_24_mb", |bencher| bencher.iter(|| store.put(&batch).expect("a put")));
    let mut ids = batch.iter().map(|blob| blob.id).cycle();
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("read_576_kb", |bencher| {
        bencher.iter(|| {
            let read = store.read(ids.next().expect("endless")).expect("a blob");
            assert_eq!(read.len(), bytes.len());
            read
        });
    });
    group.finish();
    let ids: Vec<ObjectId> = batch.iter().map(|blob| blob.id).collect();
    store.delete(&ids).expect("the database is writable");
}

fn main() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-store");
    let name = match std::env::var("MSPASS_BENCH_DB") {
        Ok(name) => name.parse().expect("MSPASS_BENCH_DB names a database"),
        Err(_) => {
            let _ = std::fs::remove_dir_all(&folder);
            DatabaseName::Embedded(folder.clone())
        }
    };
    let database = Database::open(&name).expect("the database opens");
    let mut criterion = Criterion::default().configure_from_args();
    documents(&mut criterion, &database);
    inserts(&mut criterion, &database);
    blobs(&mut criterion, &database);
    criterion.final_summary();
    drop(database);
    let _ = std::fs::remove_dir_all(&folder);
}

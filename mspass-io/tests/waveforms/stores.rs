//! The stores that every check runs over, and the data it runs with.

use std::path::Path;
use std::sync::Arc;

use bson::oid::ObjectId;
use bson::{Document, doc};
use mspass_core::series::Seismogram;
use mspass_core::{Hertz, TimeSeries, UtcTime};
use mspass_io::db::{Outcome, Waveforms};
use mspass_io::store::{Database, EmbeddedOptions, EmbeddedStore, Find, MemoryStore};

/// Runs a check over an in-memory and an embedded store, and a real `mongod`.
pub(crate) fn over_stores(check: impl Fn(&Database, &Waveforms, &Path)) {
    let folder = tempfile::tempdir().unwrap();
    let files = |name: &str| {
        let files = folder.path().join(name);
        std::fs::create_dir_all(&files).unwrap();
        files
    };
    let memory = Database::of(Arc::new(MemoryStore::new()));
    check(&memory, &Waveforms::new(&memory), &files("memory"));
    let path = folder.path().join("store");
    let embedded = EmbeddedStore::open(&path, &EmbeddedOptions::default()).unwrap();
    let embedded = Database::of(Arc::new(embedded));
    check(&embedded, &Waveforms::new(&embedded), &files("embedded"));
    let thread = std::thread::current();
    // The server takes names of 63 bytes.
    let name = thread.name().unwrap_or("waveforms").replace("::", "_");
    let name = &name[..name.len().min(40)];
    let mongo = Database::of(Arc::new(crate::mongod::store(name)));
    check(&mongo, &Waveforms::new(&mongo), &files("mongod"));
}

pub(crate) fn memory() -> (Database, Waveforms) {
    let database = Database::of(Arc::new(MemoryStore::new()));
    let waveforms = Waveforms::new(&database);
    (database, waveforms)
}

pub(crate) fn trace() -> TimeSeries {
    let start = UtcTime::from_nanos(1_283_299_200_123_456_789);
    let samples = (0..1000).map(|i| f64::from(i * i % 701) - 0.25).collect();
    let id = "YA.UV05.00.HHZ".parse().unwrap();
    let mut trace = TimeSeries::new(id, start, Hertz::new(100.0).unwrap(), samples);
    trace.metadata.insert("snr", 7.5);
    trace
}

pub(crate) fn seismogram() -> Seismogram {
    let mut axis = trace().axis;
    axis.to_relative(UtcTime::from_nanos(1_283_299_205_000_000_001));
    let samples = (0..300).map(f64::from).collect();
    let id = mspass_core::SeedId::new("YA", "UV05", "", "").unwrap();
    let mut seismogram = Seismogram::from_planar(id, axis, samples).unwrap();
    seismogram.set_tmatrix([[0.0, 1.0, 0.25], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]]);
    seismogram
}

pub(crate) fn saved(outcome: Outcome) -> ObjectId {
    match outcome {
        Outcome::Saved(id) => id,
        other => panic!("not saved: {other:?}"),
    }
}

pub(crate) fn all(database: &Database, collection: &str) -> Vec<Document> {
    let find = Find::default().sort(doc! { "_id": 1 });
    database.documents.find(collection, &find).unwrap().map(Result::unwrap).collect()
}

pub(crate) fn one(database: &Database, collection: &str) -> Document {
    let mut all = all(database, collection);
    assert_eq!(all.len(), 1, "{collection}: {all:?}");
    all.remove(0)
}

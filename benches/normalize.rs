//! Normalises 100,000 waveforms against 5,000 channel epochs from the cache, and builds that cache.
//!
//! The target is under 1 s for all waveforms, on one thread.

use std::sync::Arc;

use bson::{Document, doc};
use criterion::{Criterion, criterion_group, criterion_main};
use mspass::io::db::normalize::{MatchSpec, Matcher, Outcome};
use mspass::io::store::{Database, DocumentStore, MemoryStore};

const CHANNELS: usize = 500;
const EPOCHS: usize = 10;
const WAVEFORMS: usize = 100_000;

/// Seconds of one epoch.
const SPAN: f64 = 1e7;

fn codes(number: usize) -> Document {
    let chan = ["HHZ", "HHN", "HHE"][number % 3];
    doc! { "net": "XX", "sta": format!("S{:03}", number / 3), "loc": "00", "chan": chan }
}

fn channels() -> Vec<Document> {
    let of = |number: usize| {
        let start = (number % EPOCHS) as f64 * SPAN;
        let mut document = codes(number / EPOCHS);
        document.extend(doc! {
            "lat": 1.0, "lon": 2.0, "elev": 0.3, "hang": 0.0, "vang": 90.0,
            "starttime": start, "endtime": start + SPAN - 1.0,
        });
        document
    };
    (0..CHANNELS * EPOCHS).map(of).collect()
}

fn waveforms() -> Vec<Document> {
    let of = |number: usize| {
        let mut document = codes(number % CHANNELS);
        let start = (number * 7919 % (EPOCHS * 100)) as f64 / 100.0 * SPAN;
        document.extend(doc! { "starttime": start, "npts": 8640 });
        document
    };
    (0..WAVEFORMS).map(of).collect()
}

fn normalize(criterion: &mut Criterion) {
    let store = Arc::new(MemoryStore::new());
    store.insert("channel", &channels()).expect("documents are stored");
    let database = Database { documents: store.clone(), blobs: store };
    let waveforms = waveforms();
    let matcher = Matcher::cached(&database, MatchSpec::channel()).expect("a cache");
    let mut group = criterion.benchmark_group("normalize");
    group.sample_size(10);
    group.bench_function("100,000 waveforms, 5,000 epochs", |bencher| {
        bencher.iter(|| {
            let found = waveforms
                .iter()
                .filter(|waveform| matches!(matcher.find(waveform), Ok(Outcome::Found(_))));
            assert!(found.count() > WAVEFORMS * 9 / 10);
        });
    });
    group.bench_function("cache of 5,000 epochs", |bencher| {
        bencher.iter(|| Matcher::cached(&database, MatchSpec::channel()).expect("a cache"));
    });
    group.finish();
}

criterion_group!(benches, normalize);
criterion_main!(benches);

//! Reading, writing and indexing raw data, one thread where not said otherwise.
//!
//! Unit: samples and bytes of the file per second, on hours of three channels at 100 Hz, Steim-2,
//! records of 512 bytes. Reference: ObsPy 1.5.1, libmseed (pymseed 1.0.1) and MsPASS 2.4.3 on a
//! 2.8 GHz Xeon virtual machine, 2026-11-23:
//!
//! | operation | peers | here | limit of the machine |
//! |---|---|---|---|
//! | decode, Msamples/s | 112 ObsPy, 279 libmseed, 39 MsPASS | 651 | 1,200: 9 bytes at 11 GB/s |
//! | encode, Msamples/s | 167 ObsPy, 232 libmseed | 307 | 1,200 |
//! | header scan, GB/s | 1.2 libmseed, 0.8 MsPASS | 6.7 | 11: the file is copied once |
//! | the same, 24 files, 2 cores | | 8.8 | 20 |
//!
//! "Here" is a 2-core 2.6 GHz Xeon virtual machine that others used too, 2026-11-23.
//!
//! ```sh
//! cargo bench --bench archive
//! ```

mod raw_archive;
mod signal;

use std::fs;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput};
use mspass_io::archive::{ScanOptions, scan_file, scan_files};
use mspass_io::format::mseed::{self, Integrity, Records, WriteOptions};
use raw_archive::{CHANNEL_NPTS, CHANNELS};

const FILES: usize = 24;
const SAMPLES: u64 = (CHANNEL_NPTS * CHANNELS.len()) as u64;

fn miniseed(criterion: &mut Criterion, path: &Path) {
    let bytes = fs::read(path).expect("the file was written");
    let contents = mseed::read(&bytes);
    assert!(contents.errors.is_empty(), "{:?}", contents.errors);

    let mut group = criterion.benchmark_group("miniseed");
    group.throughput(Throughput::Elements(SAMPLES));
    let mut samples: Vec<f64> = Vec::new();
    group.bench_function("decode", |bencher| {
        bencher.iter(|| {
            samples.clear();
            let mut records = Records::of_slice(&bytes);
            while let Some(record) = records.next_record() {
                let integrity = record.and_then(|record| record.decode_f64(&mut samples));
                assert!(integrity.is_ok_and(|integrity| integrity == Integrity::Sound));
            }
            assert_eq!(samples.len() as u64, SAMPLES);
        });
    });
    group.bench_function("read_traces", |bencher| {
        bencher.iter(|| black_box(mseed::read(&bytes)).traces.len());
    });
    let options = WriteOptions { record_length: 512, ..WriteOptions::default() };
    let mut sink = Vec::with_capacity(bytes.len());
    group.bench_function("encode", |bencher| {
        bencher.iter(|| {
            sink.clear();
            for trace in &contents.traces {
                mseed::write(trace.into(), &options, &mut sink).expect("a sound trace");
            }
            assert_eq!(sink.len(), bytes.len());
        });
    });
    group.finish();
}

fn index(criterion: &mut Criterion, paths: &[PathBuf]) {
    let size = |path: &PathBuf| fs::metadata(path).expect("the file was written").len();
    let options = ScanOptions::default();
    let mut group = criterion.benchmark_group("index");
    group.throughput(Throughput::Bytes(size(&paths[0])));
    group.bench_function("scan_file", |bencher| {
        bencher.iter(|| {
            let scan = scan_file(&paths[0], &options).expect("the file can be read");
            assert_eq!(scan.runs.len(), CHANNELS.len());
        });
    });
    let threads = std::thread::available_parallelism().map_or(1, |threads| threads.get());
    group.throughput(Throughput::Bytes(paths.iter().map(size).sum()));
    group.bench_function("scan_24_files_all_cores", |bencher| {
        bencher.iter(|| {
            let mut runs = 0;
            scan_files(paths, &options, threads, |_, scan| {
                runs += scan.expect("the file can be read").runs.len();
                ControlFlow::Continue(())
            });
            assert_eq!(runs, FILES * CHANNELS.len());
        });
    });
    group.finish();
}

fn main() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-archive");
    raw_archive::write(&folder, FILES, 1).expect("the target folder is writable");
    let listing = fs::read_dir(&folder).expect("the folder was made");
    let paths: Vec<PathBuf> = listing.map(|entry| entry.expect("an entry").path()).collect();
    let mut criterion = Criterion::default().configure_from_args();
    miniseed(&mut criterion, &paths[0]);
    index(&mut criterion, &paths);
    criterion.final_summary();
    let _ = fs::remove_dir_all(&folder);
}

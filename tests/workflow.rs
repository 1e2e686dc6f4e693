//! Jobs through foreman, worker and db-proxy, as a program that embeds them would run them.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bson::{Document, doc};
use mspass::actors::foreman::JobStatus;
use mspass::actors::job::PARTITION_BYTES;
use mspass::actors::workflow::stage::{Stage, UNSAVED_BYTES_MAX};
use mspass::cluster::launch::LocalCluster;
use mspass::io::archive::{IndexOptions, IndexProgress, ScanOptions, index};
use mspass::io::db::collection::{
    ABORTIONS, CEMETERY, HISTORY_GLOBAL, WF_MINISEED, WF_TIME_SERIES,
};
use mspass::io::db::diff::{DiffOptions, diff};
use mspass::io::format::SampleSlice;
use mspass::io::format::mseed::{TraceSlice, WriteOptions, write};
use mspass::process::Detrend;
use mspass::{ArchivePieces, Database, DatabaseName, Find, Save, TimeSeries, UtcTime, Workflow};

/// A folder of miniSEED files and a workdir beside it.
struct Desk {
    folder: tempfile::TempDir,
    database: Database,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("archive")).unwrap();
        Self { folder, database: Database::open(&DatabaseName::Memory).unwrap() }
    }

    fn archive(&self) -> PathBuf {
        self.folder.path().join("archive")
    }

    /// Writes a file of `npts` counts and returns them.
    fn file(&self, name: &str, start: &str, npts: usize, seed: i32) -> Vec<i32> {
        let counts = counts(npts, seed);
        let start = start.parse().unwrap();
        write_counts(&self.archive().join(name), name, start, &counts);
        counts
    }

    fn run(&self, workflow: Workflow, threads: usize) -> (IndexProgress, JobStatus) {
        let cluster = LocalCluster::start(self.database.clone()).unwrap();
        let options = IndexOptions {
            root: self.archive(),
            name: "test".into(),
            exclude: None,
            threads: 2,
            scan: ScanOptions::default(),
        };
        let indexed = index(&cluster.database(), &options, &mut |_| {}).unwrap();
        let stage = Arc::new(Stage::new(workflow, "test"));
        let journal = self.folder.path().join("test.journal");
        let driver = cluster.submit(&stage, &journal, threads, false).unwrap();
        loop {
            let status = driver.status().unwrap();
            assert_eq!(status.failure, None);
            if status.finished {
                assert!(status.totals.balances());
                return (indexed, status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn all(&self, collection: &str) -> Vec<Document> {
        let find = Find::default().sort(doc! { "starttime_ns": 1 });
        self.database.documents.find(collection, &find).unwrap().map(Result::unwrap).collect()
    }

    fn samples(&self, document: &Document) -> Vec<f64> {
        let id = document.get_object_id("gridfs_id").unwrap();
        let bytes = self.database.blobs.read(id).unwrap();
        bytes.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
    }
}

/// A random walk that Steim-2 cannot pack tightly.
fn counts(npts: usize, seed: i32) -> Vec<i32> {
    let mut state = seed as u32 | 1;
    let step = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as i32 % 100_000
    };
    (0..npts).map(step).collect()
}

fn write_counts(path: &Path, station: &str, start: UtcTime, counts: &[i32]) {
    let trace = TraceSlice {
        id: &mspass::SeedId::new("XX", station, "00", "HHZ").unwrap(),
        publication: 2,
        starttime: start,
        sampling_rate: 100.0,
        samples: SampleSlice::Int(counts),
    };
    let mut bytes = Vec::new();
    write(trace, &WriteOptions::default(), &mut bytes).unwrap();
    std::fs::write(path, bytes).unwrap();
}

fn raw(piece_seconds: u32) -> Workflow {
    let pieces = ArchivePieces { archive: "test".into(), piece_seconds };
    Workflow::read(pieces).save(Save::new()).unwrap()
}

#[test]
fn pieces_hold_every_sample_once_and_in_place() {
    let desk = Desk::new();
    // Longer than a partition, so that several tasks share the file.
    let counts = desk.file("LONG", "2024-01-17T00:10:00.37", 2_000_000, 1);
    let (_, status) = desk.run(raw(600), 2);
    let pieces = desk.all(WF_TIME_SERIES);
    assert_eq!(status.totals.entered, pieces.len() as u64);
    assert_eq!(pieces.len(), 34);
    let mut all = Vec::new();
    for piece in &pieces {
        let start = UtcTime::from_nanos(piece.get_i64("starttime_ns").unwrap());
        let expected = "2024-01-17T00:10:00.37".parse::<UtcTime>().unwrap();
        assert_eq!(start - expected, all.len() as i64 * 10_000_000);
        all.extend(desk.samples(piece));
    }
    assert_eq!(all.len(), counts.len());
    assert!(all.iter().zip(&counts).all(|(sample, count)| *sample == f64::from(*count)));
}

#[test]
fn the_answer_does_not_depend_on_threads() {
    let (one, three) = (Desk::new(), Desk::new());
    for desk in [&one, &three] {
        for number in 0..20 {
            let name = format!("S{number}");
            desk.file(&name, "2024-01-17T23:59:00", 10_000 + 100 * number, number as i32);
        }
    }
    // Same file times, as if it were one archive.
    let shared = Desk { folder: one.folder, database: three.database.clone() };
    let own = Desk { folder: shared.folder, database: one.database };
    own.run(raw(60), 1);
    std::fs::remove_file(own.folder.path().join("test.journal")).unwrap();
    let other = Desk { folder: own.folder, database: three.database };
    other.run(raw(60), 3);
    let found = diff(&own.database, &other.database, &DiffOptions::default()).unwrap();
    assert!(found.is_equal(), "{found}");
}

#[test]
fn a_step_that_panics_or_fails_kills_one_datum() {
    let desk = Desk::new();
    desk.file("ONE", "2024-01-17T00:00:00", 60_000, 3);
    let workflow = Workflow::read(ArchivePieces { archive: "test".into(), piece_seconds: 60 })
        .map(Detrend::linear())
        .try_map("mine", |trace: TimeSeries| {
            let minute = trace.axis.starttime().unwrap().nanos() / 60_000_000_000 % 10;
            assert!(minute != 3, "minute 3 is cursed");
            if minute == 7 { Err("minute 7 is dull".to_owned()) } else { Ok(trace) }
        })
        .save(Save::new())
        .unwrap();
    let (_, status) = desk.run(workflow, 2);
    let totals = &status.totals;
    assert_eq!((totals.entered, totals.live, totals.dead, totals.aborted), (10, 8, 2, 0));
    let buried = desk.all(CEMETERY);
    let told: Vec<String> = buried.iter().map(|document| format!("{document}")).collect();
    assert!(told.iter().any(|text| text.contains("minute 3 is cursed")), "{told:?}");
    assert!(told.iter().any(|text| text.contains("minute 7 is dull")), "{told:?}");
    assert!(buried[0].get_document("tombstone").unwrap().get_str("sta").is_ok());
}

#[test]
fn a_job_run_again_does_only_what_is_new() {
    let desk = Desk::new();
    desk.file("A", "2024-01-17T00:00:00", 30_000, 1);
    desk.file("B", "2024-01-17T00:00:00", 30_000, 2);
    let (indexed, status) = desk.run(raw(60), 2);
    assert_eq!((indexed.scanned, status.totals.entered, status.resumed), (2, 10, 0));

    let (indexed, status) = desk.run(raw(60), 2);
    assert_eq!((indexed.scanned, indexed.unchanged), (0, 2), "indexing twice adds nothing");
    assert_eq!((status.totals.entered, status.resumed), (10, 10));

    desk.file("C", "2024-01-17T00:00:00", 12_000, 3);
    let (indexed, status) = desk.run(raw(60), 2);
    assert_eq!((indexed.scanned, status.totals.entered, status.resumed), (1, 12, 10));

    // B gets shorter: indexed again, its outputs made anew, and those that are no more are gone.
    let short = desk.file("B", "2024-01-17T00:00:00", 13_000, 4);
    let (indexed, status) = desk.run(raw(60), 2);
    assert_eq!((indexed.changed, indexed.unchanged), (1, 2));
    assert_eq!((status.totals.entered, status.resumed), (10, 7));
    let saved = desk.all(WF_TIME_SERIES);
    assert_eq!(saved.len(), 10);
    let of_b = |document: &&Document| document.get_str("sta").unwrap() == "B";
    let samples: Vec<f64> =
        saved.iter().filter(of_b).flat_map(|document| desk.samples(document)).collect();
    assert_eq!(samples, short.iter().map(|count| f64::from(*count)).collect::<Vec<_>>());
    assert_eq!(desk.database.blobs.ids().unwrap().len(), 10, "no samples are left behind");
    assert_eq!(desk.all(WF_MINISEED).len(), 3);
}

#[test]
fn a_gap_and_a_broken_record_cost_only_themselves() {
    let desk = Desk::new();
    let start: UtcTime = "2024-01-17T00:00:00".parse().unwrap();
    let all = counts(40_000, 9);
    let path = desk.archive().join("GAP");
    write_counts(&path, "GAP", start, &all[..10_000]);
    let mut bytes = std::fs::read(&path).unwrap();
    write_counts(&path, "GAP", start.plus_seconds(110.0), &all[11_000..]);
    bytes.extend(std::fs::read(&path).unwrap());
    std::fs::write(&path, &bytes).unwrap();
    let (indexed, status) = desk.run(raw(3600), 1);
    assert_eq!((indexed.runs, status.totals.entered, status.totals.live), (2, 2, 2));

    // The payload of one record turns into nonsense, its header stays.
    let record = 4096 * 3;
    bytes[record + 64..record + 4096].fill(0xff);
    std::fs::write(&path, &bytes).unwrap();
    let (_, status) = desk.run(raw(3600), 1);
    let totals = &status.totals;
    assert_eq!((totals.entered, totals.live, totals.aborted), (3, 3, 0), "{totals:?}");
    assert!(totals.reasons.iter().any(|reason| reason.count == 1), "{totals:?}");
    let rest: usize = desk.all(WF_TIME_SERIES).iter().map(|d| desk.samples(d).len()).sum();
    assert!(rest > 36_000 && rest < 39_000, "{rest}");
}

#[test]
fn every_document_of_a_job_names_it() {
    let desk = Desk::new();
    desk.file("A", "2024-01-17T00:00:00", 30_000, 1);
    desk.run(raw(60), 1);
    for collection in [WF_TIME_SERIES, HISTORY_GLOBAL] {
        let documents = desk.all(collection);
        assert!(!documents.is_empty());
        assert!(documents.iter().all(|document| document.contains_key("job_id")), "{collection}");
    }
}

#[test]
fn a_task_larger_than_its_budget_stores_as_it_goes() {
    let desk = Desk::new();
    let path = desk.archive().join("CALM");
    // Calm data pack so well that one partition unpacks to more than a task may hold.
    let calm: Vec<i32> = (0..3_000_000).map(|number| number / 1000 % 3).collect();
    assert!(calm.len() * size_of::<f64>() > UNSAVED_BYTES_MAX);
    write_counts(&path, "CALM", "2024-01-17T00:00:00".parse().unwrap(), &calm);
    assert!(std::fs::metadata(&path).unwrap().len() < PARTITION_BYTES);
    let (_, status) = desk.run(raw(600), 1);
    assert_eq!((status.totals.entered, status.totals.saved), (50, 50));
    let saved = desk.all(WF_TIME_SERIES);
    let all = saved.iter().flat_map(|document| desk.samples(document));
    assert!(all.eq(calm.iter().map(|count| f64::from(*count))));
}

#[test]
fn a_file_that_comes_back_is_done_again() {
    let desk = Desk::new();
    let path = desk.archive().join("A");
    desk.file("A", "2024-01-17T00:00:00", 30_000, 1);
    let (first, time) = (std::fs::read(&path).unwrap(), path.metadata().unwrap().modified());
    assert_eq!(desk.run(raw(60), 1).1.totals.live, 5);
    let saved = desk.all(WF_TIME_SERIES);
    // A link that leads nowhere for a while, as when a disk is not mounted.
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/nowhere", &path).unwrap();
    let (_, status) = desk.run(raw(60), 1);
    assert_eq!((status.totals.live, status.totals.aborted, status.resumed), (0, 1, 0));
    assert_eq!((desk.all(WF_TIME_SERIES).len(), desk.all(ABORTIONS).len()), (0, 1));
    // Back as it was, to the time of its last change.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, first).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    file.set_modified(time.unwrap()).unwrap();
    let (_, status) = desk.run(raw(60), 1);
    assert_eq!((status.totals.live, status.totals.aborted, status.resumed), (5, 0, 0));
    assert_eq!(desk.all(WF_TIME_SERIES), saved);
    assert_eq!(desk.all(ABORTIONS).len(), 0);
}

//! Where results come from: told, made again, and compared between runs of other names.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bson::oid::ObjectId;
use bson::{Document, doc};
use mspass::actors::foreman::JobStatus;
use mspass::actors::job::{Replayed, Verdict, replay};
use mspass::actors::workflow::stage::{Build, Stage};
use mspass::cluster::launch::LocalCluster;
use mspass::core::series::Ensemble;
use mspass::io::archive::{IndexOptions, ScanOptions, index};
use mspass::io::db::collection::{CEMETERY, HISTORY_OBJECT, WF_TIME_SERIES};
use mspass::io::db::diff::{JobsDiff, diff_jobs};
use mspass::io::db::provenance::{TraceLimits, provenance};
use mspass::process::{Bandpass, Detrend, Resample, Stack, members};
use mspass::{
    ArchivePieces, Database, DatabaseName, Find, Hertz, Numbered, Query, Save, TimeSeries, UtcTime,
    Workflow,
};

fn memory() -> Database {
    Database::open(&DatabaseName::Memory).unwrap()
}

/// Trace number `number`.
fn trace(number: u64) -> TimeSeries {
    let sample = |at: usize| ((number * 31 + at as u64 * 17) % 1009) as f64 / 7.0;
    let id = mspass::SeedId::new("XX", &format!("S{}", number % 7), "00", "HHZ").unwrap();
    let samples = (0..64).map(sample).collect();
    TimeSeries::new(id, UtcTime::default(), Hertz::new(20.0).unwrap(), samples)
}

fn run(database: &Database, job: &str, workflow: Workflow) -> JobStatus {
    let folder = tempfile::tempdir().unwrap();
    let cluster = LocalCluster::start(database.clone()).unwrap();
    let build = Build { program: "provenance".into(), executable: "0".repeat(32) };
    let stage = Arc::new(Stage::new(workflow, job).of_build(build));
    let driver = cluster.submit_to(&stage, &folder.path().join("journal"), &[2], false).unwrap();
    loop {
        let status = driver.status().unwrap();
        assert_eq!(status.failure, None);
        if status.finished {
            return status;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn all(database: &Database, collection: &str, filter: Document) -> Vec<Document> {
    let find = Find::filter(filter).sort(doc! { "_id": 1 });
    database.documents.find(collection, &find).unwrap().map(Result::unwrap).collect()
}

fn saved(database: &Database, job: &str) -> Vec<ObjectId> {
    let filter = doc! { "job_id": mspass::io::db::id::job_id(job) };
    let documents = all(database, WF_TIME_SERIES, filter);
    documents.iter().map(|document| document.get_object_id("_id").unwrap()).collect()
}

fn filtered(count: u64, freqmax: f64) -> Workflow {
    Workflow::generate(Numbered::new("synthetic", count).per_task(13), trace)
        .map(Detrend::demean())
        .tee(&Save::new().data_tag("raw"))
        .map(Bandpass { freqmin: 0.5, freqmax, corners: 2, zerophase: true })
        .filter("odd", |trace: &TimeSeries| trace.id.station() != "S0")
        .save(Save::new())
        .unwrap()
}

fn stacks(of: &str) -> Workflow {
    Workflow::read_stored::<TimeSeries>(Query::all().data_tag(of))
        .map(Detrend::demean())
        .group_by(&["sta"])
        .fold(Stack::mean())
        .save(Save::new().data_tag("stacks"))
        .unwrap()
}

fn compare(left: (&Database, &str), right: (&Database, &str)) -> JobsDiff {
    diff_jobs(left, right).unwrap()
}

#[test]
fn runs_of_other_names_are_equal_where_their_data_are() {
    let (one, two) = (memory(), memory());
    run(&one, "monday", filtered(50, 4.0));
    run(&two, "tuesday", filtered(50, 4.0));
    let found = compare((&one, "monday"), (&two, "tuesday"));
    assert!(found.is_equal() && found.equal > 80, "{found}");
    assert_eq!(found.steps, None);
    let text = found.to_string();
    assert!(text.starts_with("equal: 92 data of jobs 'monday' and 'tuesday'"), "{text}");

    run(&two, "wider", filtered(50, 6.0));
    let found = compare((&one, "monday"), (&two, "wider"));
    // What was saved before the band-pass is the same.
    assert_eq!((found.equal, found.differing, found.only), (50, 42, [0, 0]));
    let text = found.to_string();
    assert!(text.contains("steps: step 4 'bandpass' has parameters"), "{text}");
    assert!(text.contains("\"freqmax\":4.0") && text.contains("\"freqmax\":6.0"), "{text}");
    assert!(text.contains("first: XX.S"), "{text}");

    run(&two, "some", filtered(30, 4.0));
    let found = compare((&one, "monday"), (&two, "some"));
    assert_eq!((found.differing, found.only[1]), (0, 0), "{found}");
    assert_eq!(found.equal + found.only[0], found.data[0]);
    assert!(!found.is_equal() && found.only[0] > 0, "{found}");
    let text = found.to_string();
    assert!(text.contains("only in 'monday': wf_TimeSeries "), "{text}");
    assert!(found.to_string().contains("0 differ"), "{text}");
}

#[test]
fn what_was_made_of_outputs_is_matched_through_them() {
    let (one, two) = (memory(), memory());
    for (database, first, then) in [(&one, "a", "b"), (&two, "c", "d")] {
        run(database, first, filtered(21, 4.0));
        run(database, then, stacks("raw"));
    }
    let found = compare((&one, "b"), (&two, "d"));
    assert_eq!((found.data, found.only), ([7, 7], [0, 0]), "{found}");
    // Members are added in order of ids that names of jobs decide: sums may differ in their bits.
    let is_samples = found.first.is_none_or(|first| first.to_string().contains("the samples"));
    assert!(is_samples);
}

/// Makes a waveform again.
fn again(
    database: &Database,
    workflow: Workflow,
    id: ObjectId,
) -> mspass::actors::Result<Replayed> {
    let folder = tempfile::tempdir().unwrap();
    // Under the name of its own job, whatever name is given.
    replay(database, Stage::new(workflow, "any"), id, folder.path())
}

#[test]
fn every_waveform_is_made_again_bit_for_bit() {
    let database = memory();
    run(&database, "first", filtered(40, 4.0));
    run(&database, "then", stacks("raw"));
    for id in saved(&database, "first") {
        let replayed = again(&database, filtered(40, 4.0), id).unwrap();
        assert!(replayed.is_equal() && replayed.bytes == 64 * 8, "{replayed}");
    }
    let stacked = saved(&database, "then");
    assert_eq!(stacked.len(), 7);
    for id in &stacked {
        let replayed = again(&database, stacks("raw"), *id).unwrap();
        assert!(replayed.is_equal() && replayed.job == "then", "{replayed}");
    }
    // Nothing was stored on the way.
    assert_eq!(saved(&database, "then"), stacked);
    assert!(all(&database, CEMETERY, doc! {}).is_empty());

    let id = saved(&database, "first")[3];
    let other = again(&database, filtered(40, 6.0), id).unwrap_err().to_string();
    let words = ["job 'first' was run with other steps", "\"freqmax\":4.0", "that it had"];
    assert!(words.iter().all(|word| other.contains(word)), "{other}");
    let unknown = again(&database, stacks("raw"), ObjectId::from_bytes([9; 12])).unwrap_err();
    assert!(unknown.to_string().starts_with("no waveform has the _id 0909"), "{unknown}");
}

#[test]
fn what_is_not_as_it_was_made_is_told() {
    let database = memory();
    run(&database, "first", filtered(10, 4.0));
    let ids = saved(&database, "first");
    let change = doc! { "$set": { "npts": 65, "hostname": "elsewhere" } };
    database.documents.update(WF_TIME_SERIES, &doc! { "_id": ids[0] }, &change).unwrap();
    let key = again(&database, filtered(10, 4.0), ids[0]).unwrap();
    assert!(key.to_string().ends_with("differs, stored and made: npts is 65 and 64"), "{key}");
    let mut bytes = database.blobs.read(ids[1]).unwrap().to_vec();
    bytes[17] ^= 1;
    let blob = mspass::io::store::Blob { id: ids[1], bytes: bytes.into() };
    database.blobs.put(&[blob]).unwrap();
    let samples = again(&database, filtered(10, 4.0), ids[1]).unwrap();
    assert!(samples.to_string().ends_with("the samples differ, first at byte 17"), "{samples}");
    assert!(matches!(samples.verdict, Verdict::Differs(_)));
}

#[test]
fn a_member_of_a_group_is_made_again_or_refused() {
    let demean = |mut group: Ensemble<TimeSeries>| {
        let mean = group.members.iter().map(|member| member.samples[0]).sum::<f64>();
        let samples = group.members.iter_mut().flat_map(|member| &mut member.samples);
        samples.for_each(|sample| *sample -= mean);
        Ok::<_, String>(group)
    };
    let workflow = || {
        Workflow::read_stored::<TimeSeries>(Query::all().data_tag("raw"))
            .group_by(&["sta"])
            .ensembles()
            .map(members::<TimeSeries, _>(Detrend::demean()))
            .try_map("common", demean)
            .save_members(Save::new().data_tag("members"))
            .unwrap()
    };
    let database = memory();
    run(&database, "first", filtered(28, 4.0));
    run(&database, "then", workflow());
    let ids = saved(&database, "then");
    assert_eq!(ids.len(), 28);
    let refused = again(&database, workflow(), ids[0]).unwrap_err().to_string();
    assert!(
        refused.contains("one of a group, whose others its history does not name"),
        "{refused}"
    );
}

#[test]
fn pieces_of_an_archive_are_told_and_made_again() {
    let database = memory();
    let options = IndexOptions {
        root: Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/sds"),
        name: String::new(),
        exclude: None,
        threads: 2,
        scan: ScanOptions::default(),
    };
    index(&database, &options, &mut |_| {}).unwrap();
    let workflow = || {
        Workflow::read(ArchivePieces { archive: String::new(), piece_seconds: 600 })
            .map(Detrend::linear())
            .map(Resample::to_hz(20.0))
            .save(Save::new())
            .unwrap()
    };
    run(&database, "archive", workflow());
    let ids = saved(&database, "archive");
    for id in ids.iter().step_by(5) {
        let replayed = again(&database, workflow(), *id).unwrap();
        assert!(replayed.is_equal(), "{replayed}");
    }
    let found = provenance(&database, ids[0], &TraceLimits::default()).unwrap();
    let made = found.made.unwrap();
    let names: Vec<&str> = made.steps.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!((made.job.as_str(), made.saved_by.as_str(), names.len()), ("archive", "save", 2));
    assert_eq!(made.program.as_deref(), Some("provenance"));
    assert_eq!(made.build.map(|build| build.len()), Some(32));
    assert_eq!(made.inputs[0].collection.as_deref(), Some("wf_miniseed"));
    assert!(made.inputs[0].document.contains_key("dfile"));
    let run = provenance(&database, made.inputs[0].id, &TraceLimits::default()).unwrap_err();
    assert!(run.to_string().contains("a run of the archive, which no job made"), "{run}");
}

#[test]
fn inputs_of_inputs_are_told_up_to_a_bound() {
    let database = memory();
    run(&database, "first", filtered(70, 4.0));
    run(&database, "then", stacks("raw"));
    let id = saved(&database, "then")[0];
    let limits = TraceLimits::default().inputs_max(4);
    let made = provenance(&database, id, &limits).unwrap().made.unwrap();
    assert_eq!((made.inputs.len(), made.left_out), (4, 6));
    for input in &made.inputs {
        let first = input.made.as_ref().unwrap();
        assert_eq!((first.job.as_str(), first.saved_by.as_str()), ("first", "tee 1"));
        // Made by a function, which no document tells of.
        assert_eq!((first.inputs.len(), &first.inputs[0].collection), (1, &None));
    }
    let histories = all(&database, HISTORY_OBJECT, doc! { "job_name": "then" });
    let collection = |document: &Document| document.get_str("collection").unwrap().to_owned();
    assert!(histories.iter().all(|document| collection(document) == WF_TIME_SERIES));
}

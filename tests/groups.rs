//! Workflows that group data: the same answer however many threads and workers made it, every datum
//! accounted for, and memory that does not grow with a group.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bson::{Document, doc};
use mspass::actors::foreman::JobStatus;
use mspass::actors::job::Driver;
use mspass::actors::workflow::collected::collected;
use mspass::actors::workflow::stage::Stage;
use mspass::cluster::launch::LocalCluster;
use mspass::core::metadata::Value;
use mspass::core::series::Ensemble;
use mspass::io::db::collection::{ABORTIONS, CEMETERY, HISTORY_OBJECT, WF_TIME_SERIES};
use mspass::io::db::diff::{DiffOptions, diff};
use mspass::process::{Detrend, Stack, members};
use mspass::{
    Database, DatabaseName, Find, Hertz, Numbered, Pipeline, Query, Save, TimeSeries, UtcTime,
    Workflow,
};

const DATA: u64 = 3000;
const GROUPS: u64 = 37;
const NPTS: usize = 16;

fn memory() -> Database {
    Database::open(&DatabaseName::Memory).unwrap()
}

/// Trace number `number`, of samples that rounding tells apart.
fn trace(number: u64) -> TimeSeries {
    let sample = |at: usize| ((number * 31 + at as u64 * 17) % 1009) as f64 / 7.0;
    let samples = (0..NPTS).map(sample).collect();
    let station = format!("S{}", number % GROUPS);
    let id = mspass::SeedId::new("XX", &station, "00", "HHZ").unwrap();
    let mut trace = TimeSeries::new(id, UtcTime::default(), Hertz::new(20.0).unwrap(), samples);
    trace.metadata.insert("number", number as i64);
    trace
}

fn traces() -> Pipeline<TimeSeries> {
    Workflow::generate(Numbered::new("synthetic", DATA).per_task(101), trace)
}

fn wait(driver: &Driver) -> JobStatus {
    loop {
        let status = driver.status().unwrap();
        assert_eq!(status.failure, None);
        if status.finished || status.drained {
            assert!(status.totals.balances(), "{:?}", status.totals);
            assert!(status.stages.iter().all(|stage| stage.tally.balances()));
            return status;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn run(database: &Database, folder: &Path, workflow: Workflow, workers: &[usize]) -> JobStatus {
    let cluster = LocalCluster::start(database.clone()).unwrap();
    let stage = Arc::new(Stage::new(workflow, "test"));
    let journal = folder.join("test.journal");
    wait(&cluster.submit_to(&stage, &journal, workers, false).unwrap())
}

fn once(workflow: Workflow, workers: &[usize]) -> (Database, JobStatus) {
    let (database, folder) = (memory(), tempfile::tempdir().unwrap());
    let status = run(&database, folder.path(), workflow, workers);
    (database, status)
}

fn all(database: &Database, collection: &str) -> Vec<Document> {
    let find = Find::default().sort(doc! { "_id": 1 });
    database.documents.find(collection, &find).unwrap().map(Result::unwrap).collect()
}

fn stacks() -> Workflow {
    traces()
        .map(Detrend::demean())
        .group_by(&["sta"])
        .fold(Stack::mean())
        .save(Save::new())
        .unwrap()
}

#[test]
fn a_stack_is_the_same_whoever_made_it() {
    let (one, status) = once(stacks(), &[1]);
    assert_eq!((status.stages[0].tally.live, status.stages[1].tally.live), (DATA, GROUPS));
    assert_eq!((status.totals.entered, status.totals.saved), (DATA + GROUPS, GROUPS));
    let saved = all(&one, WF_TIME_SERIES);
    assert_eq!(saved.len() as u64, GROUPS);
    let count = |document: &Document| i64::from(document.get_i32("stack_count").unwrap());
    assert_eq!(saved.iter().map(count).sum::<i64>(), DATA as i64);
    for workers in [&[3][..], &[1, 1], &[2, 1, 1]] {
        let (other, _) = once(stacks(), workers);
        let found = diff(&one, &other, &DiffOptions::default()).unwrap();
        assert!(found.is_equal(), "{workers:?}: {found}");
    }
    // And it is the mean.
    let station = saved[0].get_str("sta").unwrap().to_owned();
    let blob = one.blobs.read(saved[0].get_object_id("gridfs_id").unwrap()).unwrap();
    let stacked: Vec<f64> =
        blob.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect();
    let of_station: Vec<TimeSeries> =
        (0..DATA).map(trace).filter(|trace| trace.id.station() == station).collect();
    for (at, sample) in stacked.iter().enumerate() {
        let one = |trace: &TimeSeries| {
            trace.samples[at] - trace.samples.iter().sum::<f64>() / NPTS as f64
        };
        let mean = of_station.iter().map(one).sum::<f64>() / of_station.len() as f64;
        assert!((mean - sample).abs() < 1e-9, "{mean} and {sample}");
    }
}

#[test]
fn ensembles_are_whole_and_in_order() {
    let workflow = traces()
        .group_by(&["sta"])
        .sort_within(&["number"])
        .map(members::<TimeSeries, _>(Detrend::demean()))
        .try_map("look", |ensemble: Ensemble<TimeSeries>| {
            let numbers = ensemble.members.iter().map(|m| m.metadata.get("number").cloned());
            let numbers: Vec<i64> =
                numbers.map(|value| if let Some(Value::Int(n)) = value { n } else { -1 }).collect();
            let station = ensemble.metadata.get("sta").cloned();
            let alike = ensemble
                .members
                .iter()
                .all(|m| station == Some(Value::Text(m.id.station().to_owned())));
            if alike && numbers.is_sorted() { Ok(ensemble) } else { Err("out of order") }
        })
        .save_members(Save::new().data_tag("whole"))
        .unwrap();
    let (database, status) = once(workflow, &[2, 1]);
    assert_eq!((status.stages[1].tally.live, status.totals.saved), (GROUPS, DATA));
    assert_eq!(all(&database, WF_TIME_SERIES).len() as u64, DATA);
    let histories = all(&database, HISTORY_OBJECT);
    assert_eq!(histories.len() as u64, DATA);
    assert!(histories.iter().all(|document| document.contains_key("job_name")));
}

#[test]
fn what_is_left_out_made_of_others_or_dead_is_accounted_for() {
    let workflow = traces()
        .filter("even", |trace| {
            trace
                .metadata
                .get("number")
                .is_some_and(|value| matches!(value, Value::Int(number) if number % 2 == 0))
        })
        .flat_map("halves", |trace: TimeSeries| {
            let number = trace.metadata.get("number").cloned();
            if number == Some(Value::Int(100)) {
                return Err("one hundred is not halved");
            }
            let halves = trace
                .samples
                .chunks(NPTS / 2)
                .map(|half| TimeSeries { samples: half.to_vec(), ..trace.clone() });
            Ok(halves.collect())
        })
        .try_map("lose some", |mut trace: TimeSeries| {
            if trace.samples[0] < 1.0 {
                trace.metadata.remove("number");
            }
            Ok::<_, String>(trace)
        })
        .tee(&Save::new().data_tag("halves"))
        .group_by(&["number"])
        .map(mspass::process::fold_members(Stack::sum()))
        .collect()
        .unwrap();
    let (database, status) = once(workflow, &[2]);
    let first = &status.stages[0].tally;
    let halves = (DATA / 2 - 1) * 2;
    assert_eq!(first.entered, DATA / 2 + halves + 1);
    assert_eq!(first.steps[0].left_out, DATA / 2);
    let reasons: Vec<&str> = first.reasons.iter().map(|reason| reason.reason.as_str()).collect();
    assert!(reasons.contains(&"one hundred is not halved"), "{reasons:?}");
    let lost = first.dead - 1;
    assert!(lost > 0 && reasons.iter().any(|r| r.contains("'number' to group by")), "{reasons:?}");
    assert_eq!(all(&database, CEMETERY).len() as u64, first.dead);
    assert_eq!(all(&database, WF_TIME_SERIES).len() as u64, halves, "tee saves each half");
    let sums: Vec<TimeSeries> = collected(&database, "test").unwrap().map(Result::unwrap).collect();
    assert_eq!(sums.len() as u64, status.stages[1].tally.live);
    assert!(sums.iter().all(|sum| sum.samples.len() == NPTS / 2));
    let steps = |sum: &TimeSeries| -> Vec<String> {
        sum.history.passages.iter().map(|passage| passage.step.clone()).collect()
    };
    assert_eq!(steps(&sums[0]), ["even", "halves", "lose some", "group_by", "stack"]);
}

#[test]
fn the_members_of_groups_are_data_again() {
    // Members of different numbers: what is joined of them has a number of 53 bits.
    let workflow = traces()
        .group_by(&["sta"])
        .ensembles()
        .flat_map("members", |ensemble: Ensemble<TimeSeries>| Ok::<_, String>(ensemble.members))
        .flat_map("twice", |trace: TimeSeries| Ok::<_, String>(vec![trace.clone(), trace]))
        .group_by(&["net"])
        .ensembles()
        .flat_map("again", |ensemble: Ensemble<TimeSeries>| Ok::<_, String>(ensemble.members))
        .save(Save::new())
        .unwrap();
    let (database, status) = once(workflow, &[2]);
    assert_eq!((status.totals.dead, status.totals.saved), (0, 2 * DATA));
    assert_eq!(all(&database, WF_TIME_SERIES).len() as u64, 2 * DATA);
}

#[test]
fn a_group_larger_than_memory_is_folded_and_refused_as_an_ensemble() {
    let large = |number| {
        let mut trace = trace(number);
        trace.samples = vec![number as f64; 100_000];
        trace
    };
    // 480 MB in two groups, for workers with 512 MB.
    let once = |workflow| {
        let (database, folder) = (memory(), tempfile::tempdir().unwrap());
        let cluster = LocalCluster::start(database.clone()).unwrap().with_budget(512 << 20);
        let stage = Arc::new(Stage::new(workflow, "test"));
        let journal = folder.path().join("test.journal");
        let status = wait(&cluster.submit(&stage, &journal, 2, false).unwrap());
        (database, status)
    };
    let source = || {
        Workflow::generate(Numbered::new("large", 600).per_task(10), large)
            .group_by_fn("half", |trace: &TimeSeries| {
                Ok::<_, String>(i64::from(trace.samples[0] < 590.0))
            })
    };
    let (_, status) = once(source().fold(Stack::sum()).count().unwrap());
    assert_eq!(status.stages[1].tally.live, 2);
    let (database, status) = once(source().ensembles().count().unwrap());
    let second = &status.stages[1].tally;
    assert_eq!((second.entered, second.live, second.aborted), (2, 1, 1));
    let told = all(&database, ABORTIONS)[0].to_string();
    assert!(told.contains("the group of half 1 has 590 members"), "{told}");
}

#[test]
fn a_job_that_stopped_goes_on_and_one_that_ended_does_nothing() {
    let slow = || {
        let pause = |trace| {
            std::thread::sleep(Duration::from_micros(300));
            Ok::<_, String>(trace)
        };
        traces().try_map("slow", pause).group_by(&["sta"]).fold(Stack::mean()).save(Save::new())
    };
    let (whole, _) = once(slow().unwrap(), &[2]);
    let (database, folder) = (memory(), tempfile::tempdir().unwrap());
    for stop in [20, 60, 250] {
        let cluster = LocalCluster::start(database.clone()).unwrap();
        let stage = Arc::new(Stage::new(slow().unwrap(), "test"));
        let journal = folder.path().join("test.journal");
        let driver = cluster.submit_to(&stage, &journal, &[1, 1], false).unwrap();
        std::thread::sleep(Duration::from_millis(stop));
        driver.drain().unwrap();
        wait(&driver);
    }
    let status = run(&database, folder.path(), slow().unwrap(), &[2]);
    assert_eq!((status.totals.entered, status.totals.saved), (DATA + GROUPS, GROUPS));
    let found = diff(&whole, &database, &DiffOptions::default()).unwrap();
    assert!(found.is_equal(), "{found}");
    let status = run(&database, folder.path(), slow().unwrap(), &[2]);
    assert_eq!((status.resumed, status.totals.entered), (DATA + GROUPS, DATA + GROUPS));
}

#[test]
fn stored_waveforms_are_read_again_and_grouped_twice() {
    let (database, folder) = (memory(), tempfile::tempdir().unwrap());
    let save = traces().save(Save::new().data_tag("raw")).unwrap();
    let cluster = LocalCluster::start(database.clone()).unwrap();
    let stage = Arc::new(Stage::new(save, "first"));
    wait(&cluster.submit(&stage, &folder.path().join("first.journal"), 2, false).unwrap());
    drop(cluster);
    let query = Query::all().data_tag("raw");
    let workflow = Workflow::read_stored::<TimeSeries>(query)
        .group_by(&["sta"])
        .fold(Stack::mean())
        .group_by(&["net"])
        .fold(Stack::mean())
        .save(Save::new().data_tag("all"))
        .unwrap();
    let status = run(&database, folder.path(), workflow, &[1, 1]);
    let live: Vec<u64> = status.stages.iter().map(|stage| stage.tally.live).collect();
    assert_eq!(live, [DATA, GROUPS, 1]);
    let find = Find::filter(doc! { "data_tag": "all" });
    let stacked = database.documents.find(WF_TIME_SERIES, &find).unwrap().next().unwrap().unwrap();
    let history = stacked.get_object_id("history_object_id").unwrap();
    let find = Find::filter(doc! { "_id": history });
    let history = database.documents.find(HISTORY_OBJECT, &find).unwrap().next().unwrap().unwrap();
    assert_eq!(history.get_array("inputs").unwrap().len() as u64, DATA);
}

#[test]
fn a_job_does_not_read_what_it_writes() {
    let (database, folder) = (memory(), tempfile::tempdir().unwrap());
    let cluster = LocalCluster::start(database.clone()).unwrap();
    let stage = Arc::new(Stage::new(traces().save(Save::new()).unwrap(), "first"));
    wait(&cluster.submit(&stage, &folder.path().join("first.journal"), 2, false).unwrap());
    drop(cluster);
    // Into the collection that it reads, while it reads.
    let again = || {
        let all = Workflow::read_stored::<TimeSeries>(Query::all());
        all.map(Detrend::demean()).save(Save::new()).unwrap()
    };
    let status = run(&database, folder.path(), again(), &[2]);
    assert_eq!((status.totals.entered, status.totals.saved), (DATA, DATA));
    let status = run(&database, folder.path(), again(), &[2]);
    assert_eq!((status.totals.entered, status.resumed), (DATA, DATA));
    assert_eq!(all(&database, WF_TIME_SERIES).len() as u64, 2 * DATA);
}

#[test]
fn what_can_never_work_is_refused_before_anything_is_read() {
    let told = |workflow: mspass::actors::Result<Workflow>| workflow.unwrap_err().to_string();
    let no_key = told(traces().group_by(&[]).fold(Stack::mean()).count());
    assert!(no_key.contains("name at least one key"), "{no_key}");
    let buckets = told(traces().group_by(&["sta"]).buckets(0).ensembles().count());
    assert!(buckets.contains("buckets"), "{buckets}");
    let sample = told(traces().sample(0).count());
    assert!(sample.contains("one_in"), "{sample}");
}

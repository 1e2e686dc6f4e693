//! The plan of a job: what can never work is refused before any datum is read, and what is told of
//! a job beforehand is what it then does.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

mod program;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bson::{Document, doc};
use mspass::actors::foreman::JobStatus;
use mspass::actors::job::{ExplainOptions, Plan, Range, explain, foresee};
use mspass::actors::workflow::stage::Stage;
use mspass::cluster::launch::LocalCluster;
use mspass::io::db::collection::WF_TIME_SERIES;
use mspass::io::db::normalize::{MatchSpec, OnFailure, Rule};
use mspass::process::{
    Bandpass, Detrend, HeaderEdit, Is, Kill, Origin, Resample, Stack, ToRelative, Window,
};
use mspass::{
    Database, DatabaseName, Hertz, Numbered, Pipeline, Query, Save, SeedId, TimeSeries, UtcTime,
    Workflow,
};
use program::{built, counts_of, embedded, refused, text};

/// Documents that are looked at first.
const LOOKED_AT: usize = 4096;

fn memory() -> Database {
    Database::open(&DatabaseName::Memory).unwrap()
}

fn stage(workflow: Workflow) -> Stage {
    Stage::new(workflow, "test")
}

/// A document of a trace, whose samples nobody reads.
fn document(rate: f64) -> Document {
    doc! {
        "net": "XX", "sta": "S1", "loc": "", "chan": "HHZ", "npts": 100, "snr": 3.0,
        "sampling_rate": rate, "delta": 1.0 / rate, "starttime": 0.0, "time_standard": "UTC",
        "utc_convertible": true, "storage_mode": "gridfs",
    }
}

fn stored(documents: &[Document]) -> Database {
    let database = memory();
    database.documents.insert(WF_TIME_SERIES, documents).unwrap();
    database
}

fn read() -> Pipeline<TimeSeries> {
    Workflow::read_stored(Query::all())
}

fn band(freqmax: f64) -> Bandpass {
    Bandpass { freqmin: 0.1, freqmax, corners: 4, zerophase: true }
}

fn everything(database: &Database) -> Vec<(String, u64)> {
    let names = database.documents.collections().unwrap();
    let count = |name: String| {
        let count = database.documents.count(&name, &doc! {}).unwrap();
        (name, count)
    };
    names.into_iter().map(count).collect()
}

/// The sentence with which a job is refused; nothing may have changed by then.
#[track_caller]
fn sentence(database: &Database, workflow: mspass::actors::Result<Workflow>) -> String {
    let (folder, before) = (tempfile::tempdir().unwrap(), everything(database));
    let cluster = LocalCluster::start(database.clone()).unwrap();
    let journal = folder.path().join("test.journal");
    let stage = Arc::new(stage(workflow.unwrap()));
    let error = cluster.submit(&stage, &journal, 1, true).unwrap_err();
    assert_eq!(mspass::cluster::Error::from(error).exit_code(), 2);
    assert!(!journal.exists());
    assert_eq!(everything(database), before);
    let told = foresee(database, &stage).unwrap_err().to_string();
    assert!(!told.contains('\n'), "{told}");
    told
}

#[track_caller]
fn remarks(database: &Database, workflow: mspass::actors::Result<Workflow>) -> Vec<String> {
    foresee(database, &stage(workflow.unwrap())).unwrap()
}

#[track_caller]
fn says(told: &str, words: &[&str]) {
    assert!(words.iter().all(|word| told.contains(word)), "{told}");
}

#[test]
fn corners_above_the_nyquist_frequency_of_all_data_are_refused() {
    let database = stored(&[document(10.0), document(8.0)]);
    let told = sentence(&database, read().map(Detrend::linear()).map(band(6.0)).count());
    says(&told, &["step 2 'bandpass'", "freqmax = 6 Hz", "Nyquist frequency of 4 Hz", "8 Hz"]);
    let told = sentence(&database, read().map(Resample::to_hz(4.0)).map(band(3.0)).count());
    says(&told, &["Nyquist frequency of 2 Hz"]);
    assert!(remarks(&database, read().map(band(3.0)).count()).is_empty());
    // Who knows what a function gives.
    let mine = read().try_map("mine", |trace: TimeSeries| Ok::<_, String>(trace));
    assert!(remarks(&database, mine.map(band(300.0)).count()).is_empty());
}

#[test]
fn corners_above_that_of_some_are_a_remark() {
    let database = stored(&[document(100.0), document(10.0), document(10.0)]);
    let told = remarks(&database, read().map(band(8.0)).count());
    assert_eq!(told.len(), 1);
    says(&told[0], &["step 1 'bandpass'", "2 of 3 documents", "sampled at 10 Hz", "Nyquist"]);
    // What is left can do no better.
    let told = sentence(&database, read().map(band(8.0)).map(band(60.0)).count());
    says(&told, &["step 2", "100 Hz"]);
}

#[test]
fn one_that_was_not_looked_at_first_can_save_a_job() {
    let mut documents = vec![document(1.0); LOOKED_AT];
    let database = stored(&documents);
    says(&sentence(&database, read().map(band(8.0)).count()), &["sampled at 1 Hz"]);
    documents.push(document(100.0).into_iter().chain(doc! { "event_id": 7 }).collect());
    let database = stored(&documents);
    let told = remarks(&database, read().map(band(8.0)).count());
    says(&told[0], &["4096 of 4097 documents"]);
    assert!(
        remarks(&database, read().group_by(&["event_id"]).fold(Stack::mean()).count()).len() == 1
    );
}

#[test]
fn keys_that_no_datum_has_are_refused() {
    let database = stored(&[document(10.0), document(10.0)]);
    let grouped =
        |data: Pipeline<TimeSeries>| data.group_by(&["sta", "event_id"]).fold(Stack::mean());
    let told = sentence(&database, grouped(read()).count());
    says(&told, &["step 1 'group_by'", "'event_id'", "group"]);
    let given = HeaderEdit::default().set("event_id", 7);
    assert!(remarks(&database, grouped(read().map(given)).count()).is_empty());
    let sorted = read().group_by(&["sta"]).sort_within(&["distance"]).fold(Stack::mean());
    says(&sentence(&database, sorted.count()), &["'distance'", "sort"]);
    let killed = read().map(Kill::when("depth", Is::above(3.0)));
    says(&sentence(&database, killed.count()), &["'kill'", "'depth'"]);
    // After a grouping there are what it was grouped by, and what the data had.
    let twice = grouped(read().map(HeaderEdit::default().set("event_id", 7)));
    assert!(
        remarks(
            &database,
            twice.group_by(&["event_id", "stack_count"]).fold(Stack::mean()).count()
        )
        .is_empty()
    );
    let ensembles = read().group_by(&["sta"]).ensembles().map(Kill::when("snr", Is::below(1.0)));
    says(&sentence(&database, ensembles.count()), &["'snr'"]);
}

#[test]
fn joins_need_what_they_match_by() {
    let database = stored(&[document(10.0)]);
    let spec = || MatchSpec::new("source", Rule::Id { key: None }).load(&["lat"]);
    let told = sentence(&database, read().join(spec(), OnFailure::Kill).count());
    says(&told, &["'join'", "'source_id'"]);
    let named = || read().map(HeaderEdit::default().set("source_id", 1));
    let joined = named().join(spec(), OnFailure::Kill).group_by(&["source_lat"]);
    assert!(remarks(&database, joined.fold(Stack::mean()).count()).is_empty());
    let other = named().join(spec(), OnFailure::Kill).group_by(&["source_lon"]);
    says(&sentence(&database, other.fold(Stack::mean()).count()), &["'source_lon'"]);
}

#[test]
fn windows_of_the_other_kind_of_time_are_refused() {
    let database = stored(&[document(10.0)]);
    let told = sentence(&database, read().map(Window::relative(-1.0, 1.0)).count());
    says(&told, &["step 1 'window'", "a window in relative time, but data in UTC"]);
    let aligned = read().map(ToRelative { origin: Origin::Start }).map(Window::relative(0.0, 1.0));
    assert!(remarks(&database, aligned.count()).is_empty());
    let relative = doc! { "time_standard": "Relative", "utc_convertible": false };
    let relative = document(10.0).into_iter().chain(relative).collect();
    let utc = Window::utc(UtcTime::default(), UtcTime::from_seconds(1.0));
    let told = sentence(&stored(&[relative]), read().map(utc).count());
    says(&told, &["a window in UTC", "in relative time"]);
    let arrivals = read().map(ToRelative { origin: Origin::Key("arrival_time".into()) });
    says(&sentence(&database, arrivals.count()), &["'to_relative'", "'arrival_time'"]);
}

#[test]
fn what_is_not_there_is_refused_with_what_there_is() {
    let database = stored(&[document(10.0)]);
    let from = |query| Workflow::read_stored::<TimeSeries>(query).count();
    let told = sentence(&database, from(Query::all().collection("wf_Timeseries")));
    says(&told, &["wf_Timeseries", "its collections of waveforms are wf_TimeSeries"]);
    let told = sentence(&database, from(Query::filter(doc! { "sta": "S7" }).data_tag("raw")));
    says(&told, &["S7", "raw", "finds nothing", "wf_TimeSeries"]);
    says(&sentence(&memory(), from(Query::all())), &["wf_TimeSeries", "no waveforms"]);
    let archive = Workflow::read(mspass::ArchivePieces::hours("noise")).count();
    says(&sentence(&database, archive), &["'noise'", "index"]);
}

#[test]
fn what_a_file_says_of_itself_is_not_foretold() {
    // The reader takes rate and times of a miniSEED file from the file.
    let mut document = document(1.0);
    document.extend(doc! {
        "storage_mode": "file", "format": "mseed", "dir": "", "dfile": "a",
        "time_standard": "Relative",
    });
    let database = stored(&[document]);
    let day = Window::utc("2020-01-01".parse().unwrap(), "2020-01-02".parse().unwrap());
    assert_eq!(remarks(&database, read().map(band(4.0)).map(day).save(Save::new())), [""; 0]);
}

#[test]
fn native_files_that_cannot_be_reached_are_told() {
    let away = doc! { "storage_mode": "file", "dir": "/mnt/away", "dfile": "a" };
    let away: Document = document(10.0).into_iter().chain(away).collect();
    says(
        &sentence(&stored(std::slice::from_ref(&away)), read().count()),
        &["/mnt/away", "reached"],
    );
    let told = remarks(&stored(&[away, document(10.0)]), read().count());
    says(&told[0], &["/mnt/away"]);
}

fn run(example: &str, workdir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(built(example));
    command.arg("--workdir").arg(workdir).args(arguments);
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_program_refuses_before_it_runs_on_one_machine_and_on_a_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let words = ["'bandpass'", "freqmax = 60 Hz", "Nyquist frequency of 50 Hz", "100 Hz"];
    let high = ["--freqmax", "60"];
    refused(&run("examples/desktop", &path("one"), &high), &words);
    refused(&run("examples/noise_correlation", &path("noise"), &high), &words);
    refused(
        &run("examples/cluster", &path("two"), &[&high[..], &["--workers", "1"]].concat()),
        &words,
    );
    for work in ["one", "two"] {
        let left = everything(&embedded(&path(work)));
        let names: Vec<&str> = left.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["archive", "archive_file", "wf_miniseed"], "the index alone");
    }
    refused(&run("examples/desktop", &path("one"), &["--explain", "--freqmax", "60"]), &words);
}

#[test]
fn an_archive_without_a_file_is_refused_and_one_of_faulty_files_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, work) = (folder.path().join("archive"), folder.path().join("work"));
    std::fs::create_dir(&archive).unwrap();
    let named = ["--archive", archive.to_str().unwrap()];
    refused(&run("examples/desktop", &work, &named), &["no file", archive.to_str().unwrap()]);
    std::fs::write(archive.join("notes.txt"), "buy batteries").unwrap();
    let counts = counts_of("examples/desktop", &work, &named);
    assert_eq!((&counts["in"], &counts["aborted"]), (&1.into(), &1.into()));
}

#[test]
fn a_store_that_cannot_be_reached_is_refused_before_the_archive_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    for flags in [
        &["--db", "mongodb://127.0.0.1:1/x"][..],
        &["--db", "mongodb://127.0.0.1:1/x", "--explain"],
    ] {
        refused(&run("examples/desktop", folder.path(), flags), &["127.0.0.1:1"]);
    }
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    refused(&run("examples/desktop", &file, &["--explain"]), &["file", "--workdir"]);
}

fn told(output: &Output) -> (Plan, String) {
    assert!(output.status.success(), "{}", text(&output.stderr));
    let out = text(&output.stdout);
    let (table, last) = out.trim_end().rsplit_once('\n').unwrap();
    (serde_json::from_str(last).unwrap(), table.to_owned())
}

#[test]
fn the_plan_of_the_sample_is_what_the_job_then_does() {
    let folder = tempfile::tempdir().unwrap();
    for (example, stages) in
        [("examples/desktop", 1), ("examples/noise_correlation", 3), ("examples/event_gathers", 3)]
    {
        let work = folder.path().join(example);
        let output = run(example, &work, &["--explain", "--json", "--workers", "2"]);
        let (plan, table) = told(&output);
        let left = everything(&embedded(&work));
        let names: Vec<&str> = left.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["archive", "archive_file", "wf_miniseed"], "the index alone");
        assert!(embedded(&work).blobs.ids().unwrap().is_empty());
        let nothing: Vec<_> =
            std::fs::read_dir(&work).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(nothing.iter().all(|name| name == "db" || name == "work"), "{nothing:?}");
        assert_eq!((plan.stages.len(), plan.threads), (stages, 2));
        says(&table, &["2 threads", "nothing is run", "stage 1", "exact", "a thread"]);
        let counts = counts_of(example, &work, &["--workers", "2"]);
        let exactly = |range: Range, key: &str| {
            assert!(range.is_exact(), "{range:?}");
            assert_eq!(range.best, counts[key].as_f64().unwrap(), "{example}: {key}");
        };
        assert!(plan.sample_is_whole);
        exactly(plan.data, "in");
        exactly(plan.saved, "saved");
        let sum = |of: fn(&mspass::actors::job::StagePlan) -> f64| {
            plan.stages.iter().map(of).sum::<f64>()
        };
        assert_eq!(sum(|stage| stage.dead.best), counts["dead"].as_f64().unwrap());
        assert_eq!(sum(|stage| stage.aborted.best), counts["aborted"].as_f64().unwrap());
        assert_eq!(plan.stages[0].samples.best, counts["samples_in"].as_f64().unwrap());
        assert!(plan.thread_bytes > 0 && plan.cpu_seconds.best > 0.0);
        assert_eq!(plan.stages[stages - 1].bytes_shuffled, Range::exact(0.0));
        assert!(plan.stages[..stages - 1].iter().all(|stage| stage.bytes_shuffled.best > 0.0));
    }
}

#[test]
fn a_program_of_a_cluster_explains_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        run("examples/noise_correlation", folder.path(), &["--processes", "--explain", "--json"]);
    let (plan, table) = told(&output);
    assert_eq!(plan.stages.len(), 3);
    says(&table, &["shuffle", "correlate_pairs", "stack"]);
    assert!(!folder.path().join("cluster").exists());
}

const DATA: u64 = 40_000;
const GROUPS: u64 = 40;

fn trace(number: u64) -> TimeSeries {
    let id = SeedId::new("XX", &format!("S{}", number % GROUPS), "00", "HHZ").unwrap();
    let samples = (0..32).map(|at| ((number * 31 + at * 17) % 1009) as f64).collect();
    let mut trace = TimeSeries::new(id, UtcTime::default(), Hertz::new(20.0).unwrap(), samples);
    trace.metadata.insert("number", number as i64);
    trace
}

/// A third of the data is dull, and of those that are left every hundredth dies.
fn stacks() -> Workflow {
    Workflow::generate(Numbered::new("synthetic", DATA).per_task(500), trace)
        .filter("not dull", |trace| !(trace.samples[0] as u64).is_multiple_of(3))
        .try_map("odd ones die", |trace: TimeSeries| match trace.samples[1] as u64 % 100 {
            7 => Err("it is odd"),
            _ => Ok(trace),
        })
        .tee(&Save::new().data_tag("raw"))
        .group_by(&["sta"])
        .fold(Stack::mean())
        .save(Save::new())
        .unwrap()
}

fn finish(database: &Database, folder: &Path, workflow: Workflow) -> JobStatus {
    let cluster = LocalCluster::start(database.clone()).unwrap();
    let stage = Arc::new(stage(workflow));
    let driver = cluster.submit(&stage, &folder.join("test.journal"), 2, false).unwrap();
    loop {
        let status = driver.status().unwrap();
        assert_eq!(status.failure, None);
        if status.finished {
            return status;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_sample_of_much_gives_ranges_in_which_the_job_then_lies() {
    let (database, folder) = (memory(), tempfile::tempdir().unwrap());
    let options = ExplainOptions { threads: 2, folder: folder.path().join("work") };
    let plan = explain(&database, &stage(stacks()), &options).unwrap();
    assert!(everything(&database).is_empty());
    assert!(!plan.sample_is_whole && plan.sample_partitions < 80, "{}", plan.sample_partitions);
    assert_eq!(plan.stages[0].partitions, 80);
    says(&plan.reasons[0].reason, &["it is odd"]);
    let status = finish(&database, folder.path(), stacks());
    let within = |range: Range, number: u64| {
        assert!(range.holds(number as f64), "{number} is not in {range:?}");
        assert!(range.high < 3.0 * range.low, "{range:?} says little");
    };
    let (source, groups) = (&status.stages[0].tally, &status.stages[1].tally);
    within(plan.stages[0].data, source.entered);
    within(plan.stages[0].live, source.live);
    within(plan.stages[0].dead, source.dead);
    within(plan.stages[0].saved, source.saved);
    within(plan.stages[0].bytes_saved, source.bytes_saved);
    assert!(plan.stages[1].data.holds(groups.entered as f64), "{:?}", plan.stages[1].data);
    assert!(plan.stages[1].saved.holds(GROUPS as f64), "{:?}", plan.stages[1].saved);
}

#[test]
fn what_some_data_will_die_of_is_told_by_the_job_itself() {
    let (database, folder) =
        (stored(&[document(1.0), document(20.0)]), tempfile::tempdir().unwrap());
    let status = finish(&database, folder.path(), read().map(band(4.0)).count().unwrap());
    let [remark] = &status.remarks[..] else { panic!("{:?}", status.remarks) };
    says(remark, &["1 of 2 documents", "sampled at 1 Hz"]);
}

#[test]
fn a_start_beside_a_running_job_is_refused_and_deletes_nothing() {
    let (database, folder) = (memory(), tempfile::tempdir().unwrap());
    let journal = folder.path().join("test.journal");
    let job = Arc::new(stage(stacks()));
    let cluster = LocalCluster::start(database.clone()).unwrap();
    let driver = cluster.submit(&job, &journal, 1, false).unwrap();
    while !driver.status().unwrap().finished {
        std::thread::sleep(Duration::from_millis(2));
    }
    // Its foreman is there yet, and has the journal.
    let before = everything(&database);
    for fresh in [false, true] {
        let other = LocalCluster::start(database.clone()).unwrap();
        let refused = other.submit(&job, &journal, 1, fresh).unwrap_err().to_string();
        says(&refused, &["'test' is being run by another process", "--workdir"]);
    }
    assert_eq!(everything(&database), before);
    drop(cluster);
    assert!(LocalCluster::start(database).unwrap().submit(&job, &journal, 1, true).is_ok());
}

#[test]
fn a_job_whose_inputs_are_done_runs_again() {
    let (database, folder) = (memory(), tempfile::tempdir().unwrap());
    let raw = || Workflow::generate(Numbered::new("few", 20), trace).save(Save::new()).unwrap();
    finish(&database, folder.path(), raw());
    std::fs::remove_file(folder.path().join("test.journal")).unwrap();
    // Under the same name the stored data are the job's own: there is nothing else to read.
    let told = foresee(&database, &stage(read().count().unwrap())).unwrap_err().to_string();
    says(&told, &["this job itself"]);
    let stacked = || Stage::new(read().map(Detrend::demean()).save(Save::new()).unwrap(), "second");
    for resumed in [0, 20] {
        let cluster = LocalCluster::start(database.clone()).unwrap();
        let journal = folder.path().join("second.journal");
        let driver = cluster.submit(&Arc::new(stacked()), &journal, 1, false).unwrap();
        let status = loop {
            let status = driver.status().unwrap();
            if status.finished {
                break status;
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        assert_eq!((status.totals.entered, status.resumed), (20, resumed));
    }
}

//! What a workflow costs beyond its kernels.
//!
//! ```sh
//! cargo bench --bench workflow              # all three
//! cargo bench --bench workflow -- small     # one: small, loop or history
//! ```
//! - `small`: a million traces of 16 samples through three steps and a `group_by` into 1,000
//!   groups, into `count`; data a second, in one process on two threads.
//! - `loop`: 1,000 one-hour traces at 100 Hz through detrend, band-pass and resampling, beside a
//!   plain loop over the same processes; CPU time, user and system, interleaved pairs, the median.
//! - `history`: what the document of a datum's history takes, microseconds.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark may panic and wait"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bson::doc;
use bson::oid::ObjectId;
use mspass::actors::foreman::JobStatus;
use mspass::actors::workflow::stage::Stage;
use mspass::cluster::launch::LocalCluster;
use mspass::core::process::{Process, Scratch};
use mspass::core::{DocumentId, History};
use mspass::io::db::history_document;
use mspass::process::{Bandpass, Detrend, Resample};
use mspass::{Database, DatabaseName, Hertz, Numbered, SeedId, TimeSeries, UtcTime, Workflow};

const SMALL: u64 = 1_000_000;
const GROUPS: u64 = 1000;
const HOURS: u64 = 1000;
const HOUR_NPTS: usize = 360_000;
const PAIRS: usize = 9;

fn run(workflow: Workflow, threads: usize) -> (JobStatus, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&DatabaseName::Memory).unwrap();
    let cluster = LocalCluster::start(database).unwrap();
    let stage = Arc::new(Stage::new(workflow, "bench"));
    let began = Instant::now();
    let journal = folder.path().join("bench.journal");
    let driver = cluster.submit(&stage, &journal, threads, false).unwrap();
    loop {
        let status = driver.status().unwrap();
        assert_eq!(status.failure, None);
        if status.finished {
            return (status, began.elapsed());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn small() {
    let id = SeedId::new("XX", "S", "", "HHZ").unwrap();
    let rate = Hertz::new(20.0).unwrap();
    let make = move |number: u64| {
        let samples = (0..16).map(|at| (number + at) as f64).collect();
        TimeSeries::new(id.clone(), UtcTime::default(), rate, samples)
    };
    let workflow = || {
        Workflow::generate(Numbered::new("small", SMALL), make.clone())
            .map(Detrend::demean())
            .try_map("double", |mut trace: TimeSeries| {
                trace.scale(2.0);
                Ok::<_, String>(trace)
            })
            .map(Detrend::demean())
            .group_by_fn("group", |trace: &TimeSeries| {
                Ok::<_, String>((trace.history.output % GROUPS) as i64)
            })
            .ensembles()
            .count()
            .unwrap()
    };
    let mut rates: Vec<f64> = Vec::new();
    let before = cpu();
    for _ in 0..5 {
        let (status, took) = run(workflow(), 2);
        assert_eq!(status.stages[1].tally.live, GROUPS);
        rates.push(SMALL as f64 / took.as_secs_f64());
    }
    let micros = (cpu() - before) / 5.0 / SMALL as f64 * 1e6;
    rates.sort_by(f64::total_cmp);
    let (median, best) = (rates[2], rates[4]);
    println!("small: {median:.0} data/s, median of 5, best {best:.0}; {micros:.2} us of CPU each");
}

fn hour(number: u64) -> TimeSeries {
    let id = SeedId::new("XX", "S", "", "HHZ").unwrap();
    let mut state = number as u32 | 1;
    let sample = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8)
    };
    let samples = (0..HOUR_NPTS).map(sample).collect();
    TimeSeries::new(id, UtcTime::default(), Hertz::new(100.0).unwrap(), samples)
}

fn bandpass() -> Bandpass {
    Bandpass { freqmin: 0.05, freqmax: 2.0, corners: 4, zerophase: true }
}

/// CPU time of this process, user and system.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

fn plain_loop() {
    let mut scratch = Scratch::default();
    for number in 0..HOURS {
        let mut trace = hour(number);
        let mut trace: TimeSeries = Detrend::linear().apply(&mut trace, &mut scratch).unwrap();
        let mut trace: TimeSeries = bandpass().apply(&mut trace, &mut scratch).unwrap();
        let trace: TimeSeries = Resample::to_hz(20.0).apply(&mut trace, &mut scratch).unwrap();
        black_box(&trace.samples);
    }
}

fn beside_a_loop() {
    let workflow = || {
        Workflow::generate(Numbered::new("hours", HOURS).per_task(10), hour)
            .map(Detrend::linear())
            .map(bandpass())
            .map(Resample::to_hz(20.0))
            .count()
            .unwrap()
    };
    let mut ratios: Vec<f64> = Vec::new();
    for pair in 0..PAIRS {
        let timed = |call: &mut dyn FnMut()| {
            let before = cpu();
            call();
            cpu() - before
        };
        let mut ours = || drop(run(workflow(), 1));
        let (a, b) = if pair % 2 == 0 {
            let a = timed(&mut plain_loop);
            (a, timed(&mut ours))
        } else {
            let b = timed(&mut ours);
            (timed(&mut plain_loop), b)
        };
        ratios.push(b / a);
        println!("  pair {}: loop {a:.2} s, workflow {b:.2} s, ratio {:.3}", pair + 1, b / a);
    }
    ratios.sort_by(f64::total_cmp);
    println!("loop: median ratio {:.3}, {:.3} to {:.3}", ratios[4], ratios[0], ratios[8]);
}

fn history() {
    let mut history = History::of(DocumentId([7; 12]), 3);
    for process in ["detrend", "bandpass", "resample"] {
        let parameters = r#"{"freqmin":0.05,"freqmax":2.0,"corners":4,"zerophase":true}"#.into();
        let passage = mspass::core::history::Passage { step: process.into(), parameters };
        history.record(&Arc::new(passage));
    }
    let about = doc! { "wf_TimeSeries_id": ObjectId::from_bytes([1; 12]), "job_name": "bench" };
    let count: u32 = 100_000;
    let before = cpu();
    for number in 0..count {
        history.output = u64::from(number);
        let id = ObjectId::from_bytes([2; 12]);
        black_box(history_document(id, "TimeSeries", &history, &about));
    }
    println!("history: {:.2} us of CPU a datum", (cpu() - before) / f64::from(count) * 1e6);
}

fn main() {
    let asked: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|asked| asked == name);
    let parts: [(&str, fn()); 3] =
        [("history", history), ("small", small), ("loop", beside_a_loop)];
    parts.iter().filter(|(name, _)| wanted(name)).for_each(|(_, part)| part());
}

//! The example noise_correlation as a person runs it, its stacks beside those of ObsPy and SciPy.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

mod program;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use mspass::core::metadata::Value;
use mspass::io::db::{ReadOptions, Waveforms};
use mspass::{Database, Find, TimeSeries};
use program::{
    assert_equal, built, counts_of, embedded, goes_on_when_killed, same_however_it_runs, until,
};

const EXAMPLE: &str = "examples/noise_correlation";
/// Whole windows of five minutes that the three channels of the sample share.
const WINDOWS: u64 = 13;
/// Three pairs of three channels.
const PAIRS: u64 = 3;
/// Part of a stack's largest value by which ObsPy's may differ.
const TOLERANCE: f64 = 1e-6;

fn stacks(database: &Database) -> BTreeMap<String, TimeSeries> {
    let (all, read) = (Find::default(), ReadOptions::default());
    let found = Waveforms::new(database).cursor::<TimeSeries>(&all, &read).unwrap();
    let named = found.map(|stack| {
        let stack = stack.unwrap();
        let Some(Value::Text(pair)) = stack.metadata.get("pair") else { panic!("{stack:?}") };
        (pair.clone(), stack)
    });
    named.collect()
}

#[test]
fn the_stacks_are_those_of_obspy() {
    let folder = tempfile::tempdir().unwrap();
    let counts = counts_of(EXAMPLE, folder.path(), &[]);
    assert_eq!((&counts["saved"], &counts["dead"]), (&PAIRS.into(), &0.into()));
    let stages = [45, WINDOWS, PAIRS];
    assert!(counts["in"].as_u64().unwrap() >= stages.iter().sum(), "{counts}");
    // Written by benches/noise/compare.py.
    let reference = include_str!("fixtures/noise_stacks.json");
    let reference: Vec<serde_json::Value> = serde_json::from_str(reference).unwrap();
    let stacks = stacks(&embedded(folder.path()));
    assert_eq!((reference.len(), stacks.len()), (PAIRS as usize, PAIRS as usize));
    for due in &reference {
        let stack = &stacks[due["pair"].as_str().unwrap()];
        assert_eq!(due["stack_count"], WINDOWS);
        assert_eq!(stack.metadata.get("stack_count"), Some(&Value::Int(WINDOWS as i64)));
        let due: Vec<f64> =
            due["samples"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).collect();
        assert_eq!((stack.axis.start(), stack.npts()), (-20.0, due.len()));
        let largest = due.iter().fold(0.0, |largest: f64, sample| largest.max(sample.abs()));
        let off = stack.samples.iter().zip(&due).map(|(here, due)| (here - due).abs());
        let off = off.fold(0.0, f64::max) / largest;
        println!("largest difference from ObsPy: {off:.1e} of the maximum");
        assert!(off < TOLERANCE, "{off:e}");
    }
}

#[test]
fn the_picture_names_the_pairs() {
    let folder = tempfile::tempdir().unwrap();
    let counts = counts_of(EXAMPLE, folder.path(), &[]);
    let picture = counts["picture"].as_str().unwrap();
    let svg = std::fs::read_to_string(picture).unwrap();
    for pair in ["UV05 – UV06", "UV05 – UV10", "UV06 – UV10", "lag, s"] {
        assert!(svg.contains(pair), "{pair}");
    }
    let page = std::fs::read_to_string(counts["report"].as_str().unwrap()).unwrap();
    assert!(page.contains("correlate_pairs") && page.contains("whiten"));
    let again = counts_of(EXAMPLE, folder.path(), &[]);
    assert_eq!(again["resumed"], again["in"]);
}

#[test]
fn threads_and_processes_give_equal_stacks() {
    let folder = tempfile::tempdir().unwrap();
    let (counts, _) = same_however_it_runs(EXAMPLE, folder.path());
    assert!(Path::new(counts["picture"].as_str().unwrap()).exists());
}

/// Many short windows, so that there is a middle.
const SHORT: [&str; 5] = ["--window-seconds", "20", "--max-lag", "5", "--one-bit"];

#[test]
fn killed_in_the_middle_it_goes_on() {
    goes_on_when_killed(EXAMPLE, &SHORT, &[30, 60, 120, 200]);
}

#[test]
fn workers_killed_in_the_middle_cost_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole");
    counts_of(EXAMPLE, &whole, &SHORT);
    for after_millis in [50, 150, 250] {
        let work = folder.path().join(format!("killed-{after_millis}"));
        let mut cluster = Command::new(built(EXAMPLE));
        cluster.arg("--workdir").arg(&work).args(SHORT).args(["--processes", "--workers", "3"]);
        let mut cluster = cluster.arg("--quiet").stdin(Stdio::null()).spawn().unwrap();
        let computing = until(|| computing(&work).ok_or_else(|| "no worker computes".to_owned()));
        std::thread::sleep(Duration::from_millis(after_millis));
        // It may have ended by then.
        drop(Command::new("kill").args(["-9", &computing]).stderr(Stdio::null()).status());
        assert!(cluster.wait().unwrap().success());
        assert_equal(&embedded(&whole), &embedded(&work));
    }
}

/// The process id of a worker's child: the last worker that was started.
fn computing(workdir: &Path) -> Option<String> {
    let pids = std::fs::read_to_string(workdir.join("pids")).ok()?;
    let workers: Vec<&str> = pids.lines().filter_map(|line| line.strip_prefix("worker ")).collect();
    workers.get(5).map(|pid| (*pid).to_owned())
}

//! The example event_gathers as a person runs it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

mod program;

use std::path::Path;
use std::process::{Command, Stdio};

use bson::doc;
use mspass::io::db::{ReadOptions, Waveforms};
use mspass::{Database, Find, TimeSeries};
use program::{built, counts_of, embedded, goes_on_when_killed, same_however_it_runs};

const EXAMPLE: &str = "examples/event_gathers";
const EVENTS: u64 = 13;
/// One event's three records are cut at midnight: the parts before it hold no arrival, and die.
const CUT: u64 = 3;

fn tagged(database: &Database, tag: &str) -> Vec<TimeSeries> {
    let find = Find::filter(doc! { "data_tag": tag }).sort(doc! { "chan": 1, "arrival_time": 1 });
    let read = ReadOptions::default();
    let found = Waveforms::new(database).cursor::<TimeSeries>(&find, &read).unwrap();
    found.map(Result::unwrap).collect()
}

#[test]
fn thirteen_events_are_aligned_and_stacked() {
    let folder = tempfile::tempdir().unwrap();
    let counts = counts_of(EXAMPLE, folder.path(), &[]);
    assert_eq!((&counts["dead"], &counts["aborted"]), (&CUT.into(), &0.into()));
    assert_eq!(counts["saved"], (EVENTS + 1) * 3);
    let database = embedded(folder.path());
    let (gather, stacks) = (tagged(&database, "gather"), tagged(&database, "stack"));
    assert_eq!((gather.len() as u64, stacks.len()), (EVENTS * 3, 3));
    let channels: Vec<&str> = stacks.iter().map(|stack| stack.id.channel()).collect();
    assert_eq!(channels, ["BHR", "BHT", "BHZ"]);
    for (stack, traces) in stacks.iter().zip(gather.chunks(EVENTS as usize)) {
        assert_eq!((stack.axis.start(), stack.npts()), (-10.0, 261));
        for (at, sample) in stack.samples.iter().enumerate() {
            let mean = traces.iter().map(|trace| trace.samples[at]).sum::<f64>() / EVENTS as f64;
            assert!((mean - sample).abs() < 1e-12);
        }
        assert!(traces.iter().all(|trace| trace.id == stack.id));
    }
    // P is on the vertical, and not before it arrives.
    let vertical = &stacks[2];
    let largest = |from: f64, to: f64| {
        let [from, to] = [from, to].map(|time| vertical.axis.sample_number(time) as usize);
        vertical.samples[from..to].iter().fold(0.0, |most: f64, s| most.max(s.abs()))
    };
    assert!(largest(0.0, 5.0) > 2.0 * largest(-10.0, -1.0));
}

#[test]
fn the_picture_names_events_and_directions() {
    let folder = tempfile::tempdir().unwrap();
    let counts = counts_of(EXAMPLE, folder.path(), &[]);
    let svg = std::fs::read_to_string(counts["picture"].as_str().unwrap()).unwrap();
    for text in ["2011-03-06 · P · 47°", "stack of 13", "CX.PB01..BHT", "time after P, s"] {
        assert!(svg.contains(text), "{text}");
    }
}

#[test]
fn threads_and_processes_give_equal_results() {
    let folder = tempfile::tempdir().unwrap();
    same_however_it_runs(EXAMPLE, folder.path());
}

#[test]
fn killed_in_the_middle_it_goes_on() {
    goes_on_when_killed(EXAMPLE, &[], &[20, 40, 60, 80]);
}

#[test]
fn arrivals_that_cannot_be_read_are_refused_in_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("table.csv");
    std::fs::write(&table, "origin_id,net\n1,CX\n").unwrap();
    for (path, word) in [(Path::new("/no/such/table"), "No such file"), (&table, "column")] {
        let mut command = Command::new(built(EXAMPLE));
        command.arg("--workdir").arg(folder.path()).arg("--arrivals").arg(path);
        let output = command.stdin(Stdio::null()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), told.trim().lines().count()), (Some(2), 1), "{told}");
        assert!(told.contains(word) && told.contains(&path.display().to_string()), "{told}");
    }
}

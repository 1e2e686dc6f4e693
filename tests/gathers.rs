//! The workflow of the example event_gathers over synthetic events whose stacks are known.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

#[path = "../examples/gathers/mod.rs"]
mod gathers;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bson::doc;
use gathers::{Arrival, GATHER, Gathers, JoinArrivals, STACK};
use mspass::actors::workflow::stage::Stage;
use mspass::cluster::launch::LocalCluster;
use mspass::core::metadata::Value;
use mspass::io::db::diff::{DiffOptions, diff};
use mspass::io::db::{ReadOptions, Waveforms};
use mspass::{
    Database, DatabaseName, Find, Hertz, Numbered, SeedId, TimeSeries, UtcTime, Workflow,
};

const STATIONS: u64 = 40;
const EVENTS: u64 = 13;
const TRACES: u64 = STATIONS * EVENTS * 3;
const RATE: f64 = 10.0;
/// Samples before the arrival, and in all.
const ONSET: usize = 200;
const NPTS: usize = 500;
/// When the converted wave follows P.
const CONVERTED_SECONDS: f64 = 6.0;

fn arrival_time(station: u64, event: u64) -> UtcTime {
    let day = 1_300_000_000 + 86_400 * event as i64;
    UtcTime::from_nanos((day * 1000 + 12_100 * station as i64) * 1_000_000)
}

fn back_azimuth(station: u64, event: u64) -> f64 {
    ((station * 53 + event * 97) % 360) as f64 + 0.25
}

fn station_code(station: u64) -> String {
    format!("S{station:02}")
}

/// The arrivals as the example reads them: from a table.
fn arrivals(folder: &Path) -> Vec<Arrival> {
    let mut table = "origin_id,net,sta,phase,utc,distance_deg,back_azimuth\n".to_owned();
    for (station, event) in (0..STATIONS).flat_map(|s| (0..EVENTS).map(move |e| (s, e))) {
        let (code, time) = (station_code(station), arrival_time(station, event));
        let (distance, azimuth) = (30 + event, back_azimuth(station, event));
        table.push_str(&format!("event {event},XX,{code},P,{time},{distance},{azimuth}\n"));
    }
    let path = folder.join("arrivals.csv");
    std::fs::write(&path, table).unwrap();
    Arrival::read(&path).unwrap()
}

fn pulse(seconds: f64) -> f64 {
    (-(seconds / 0.4).powi(2)).exp()
}

/// Radial, transverse and vertical motion at a time after the arrival: P, and a conversion that
/// is stronger from station to station. Events differ in size and sign, which scaling and the
/// first motion undo.
fn motion(station: u64, seconds: f64) -> [f64; 3] {
    let converted = 0.01 * station as f64 * pulse(seconds - CONVERTED_SECONDS);
    [0.4 * pulse(seconds) + converted, 0.0, pulse(seconds) - 0.5 * converted]
}

/// Trace `number`: the east, north or vertical component of an event at a station.
fn trace(number: u64) -> TimeSeries {
    let (component, event, station) = (number % 3, number / 3 % EVENTS, number / 3 / EVENTS);
    let size = [3.0, -0.5, 1e4, -7.0][(event % 4) as usize] * (1.0 + event as f64);
    let (sine, cosine) = back_azimuth(station, event).to_radians().sin_cos();
    let samples = (0..NPTS).map(|at| {
        let [radial, _, vertical] = motion(station, (at as f64 - ONSET as f64) / RATE);
        // Radial motion is away from the event.
        size * [-sine * radial, -cosine * radial, vertical][component as usize]
    });
    let channel = ["BHE", "BHN", "BHZ"][component as usize];
    let id = SeedId::new("XX", &station_code(station), "", channel).unwrap();
    let start = arrival_time(station, event).plus_seconds(-(ONSET as f64) / RATE);
    TimeSeries::new(id, start, Hertz::new(RATE).unwrap(), samples.collect())
}

fn run(threads: usize) -> Database {
    let (database, folder) =
        (Database::open(&DatabaseName::Memory).unwrap(), tempfile::tempdir().unwrap());
    let gathers = Gathers { before: 10.0, after: 16.0, sampling_rate: RATE };
    let traces = Workflow::generate(Numbered::new("synthetic", TRACES).per_task(100), trace);
    let join = JoinArrivals::new(&arrivals(folder.path())).unwrap();
    let workflow = gathers.build(traces, join).unwrap();
    let cluster = LocalCluster::start(database.clone()).unwrap();
    let stage = Arc::new(Stage::new(workflow, "gathers"));
    let journal = folder.path().join("gathers.journal");
    let driver = cluster.submit(&stage, &journal, threads, false).unwrap();
    let status = loop {
        let status = driver.status().unwrap();
        assert_eq!(status.failure, None);
        if status.finished {
            break status;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    assert!(status.totals.balances(), "{:?}", status.totals);
    assert_eq!((status.totals.dead, status.totals.aborted), (0, 0));
    let live: Vec<u64> = status.stages.iter().map(|stage| stage.tally.live).collect();
    assert_eq!(live, [TRACES, TRACES, STATIONS * 3]);
    assert_eq!(status.totals.saved, TRACES + STATIONS * 3);
    database
}

#[test]
fn synthetic_events_give_the_stacks_that_they_were_made_of() {
    let database = run(1);
    let read = ReadOptions::default();
    let find = Find::filter(doc! { "data_tag": STACK });
    let mut count = 0;
    for stack in Waveforms::new(&database).cursor::<TimeSeries>(&find, &read).unwrap() {
        let stack = stack.unwrap();
        assert_eq!(stack.metadata.get("stack_count"), Some(&Value::Int(EVENTS as i64)));
        assert_eq!((stack.axis.start(), stack.npts()), (-10.0, 261));
        let station: u64 = stack.id.station()[1..].parse().unwrap();
        let component = ["BHR", "BHT", "BHZ"].iter().position(|c| *c == stack.id.channel());
        // The longest vector of motion is that of P itself.
        let largest = motion(station, 0.0).iter().map(|part| part * part).sum::<f64>().sqrt();
        for (at, sample) in stack.samples.iter().enumerate() {
            let seconds = (at as f64 - 100.0) / RATE;
            let due = motion(station, seconds)[component.unwrap()] / largest;
            // An arrival is known to a quarter of a microsecond: seconds since 1970 as a double.
            assert!((sample - due).abs() < 1e-6, "{} {seconds} s: {sample} {due}", stack.id);
        }
        count += 1;
    }
    assert_eq!(count, STATIONS * 3);
    let gather = database.documents.count("wf_TimeSeries", &doc! { "data_tag": GATHER }).unwrap();
    assert_eq!(gather, TRACES);
    let other = run(3);
    let found = diff(&database, &other, &DiffOptions::default()).unwrap();
    assert!(found.is_equal(), "{found}");
}

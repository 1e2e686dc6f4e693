//! What it takes to make a seismogram of three traces.
#![allow(clippy::unwrap_used, reason = "tests fail by panics")]

use mspass_core::datum::Datum;
use mspass_core::process::runner::{Outcome, passage_of, run};
use mspass_core::process::{Bundle, Rotate, Scratch, members};
use mspass_core::series::{Ensemble, Seismogram};
use mspass_core::{DocumentId, Hertz, History, Severity, TimeSeries, UtcTime};

fn trace(channel: &str, samples: [f64; 2]) -> TimeSeries {
    let (start, rate) = (UtcTime::from_nanos(17), Hertz::new(20.0).unwrap());
    let id = format!("YA.UV05..{channel}").parse().unwrap();
    let mut trace = TimeSeries::new(id, start, rate, samples.to_vec());
    let number = channel.as_bytes()[2];
    trace.history = History::of(DocumentId([number; 12]), 5);
    trace
}

fn bundle(ensemble: Ensemble<TimeSeries>) -> Outcome<Seismogram> {
    let passage = passage_of::<Ensemble<TimeSeries>, _>(&Bundle);
    run(&Bundle, &passage, ensemble, &mut Scratch::default())
}

#[test]
fn codes_give_directions_where_metadata_do_not() {
    let mut dead = trace("HHZ", [9.0; 2]);
    dead.kill("test", "not wanted");
    let [z, n, e] =
        [trace("HHZ", [3.0, 30.0]), trace("HHN", [2.0, 20.0]), trace("HHE", [1.0, 10.0])];
    let mut ensemble = Ensemble::from_iter([z, dead, n, e]);
    ensemble.metadata.insert("source_depth", 12);
    ensemble.log.push("reader", Severity::Debug, "read");
    let seismogram = bundle(ensemble).unwrap();
    assert_eq!(seismogram.id.to_string(), "YA.UV05..HH");
    assert_eq!(seismogram.components(), [&[1.0, 10.0], &[2.0, 20.0], &[3.0, 30.0]]);
    assert!(seismogram.is_cardinal());
    assert_eq!(seismogram.fact("source_depth"), Some(12.into()));
    assert_eq!(seismogram.fact("channel_hang"), None);
    assert_eq!(seismogram.log.entries().len(), 1);
    assert_eq!(seismogram.history.inputs, [b'E', b'N', b'Z'].map(|code| DocumentId([code; 12])));
    assert_eq!((seismogram.history.output, seismogram.history.passages.len()), (5, 1));
}

#[test]
fn metadata_give_directions() {
    let point = |mut trace: TimeSeries, names: [&str; 2], angles: [f64; 2]| {
        names.iter().zip(angles).for_each(|(name, angle)| trace.metadata.insert(*name, angle));
        trace
    };
    let (own, joined) = (["hang", "vang"], ["channel_hang", "channel_vang"]);
    let one = point(trace("BH1", [1.0, 0.0]), own, [0.0, 90.0]); // north
    let two = point(trace("BH2", [0.0, 1.0]), joined, [90.0, 90.0]); // east
    let two = point(two, own, [45.0, 45.0]);
    let three = trace("BHZ", [5.0, 6.0]);
    let ensemble = Ensemble::from_iter([two.clone(), three.clone(), one]);
    let mut seismogram = bundle(ensemble).unwrap();
    assert!(!seismogram.is_cardinal() && seismogram.is_orthogonal());
    assert!(seismogram.metadata.is_empty());
    seismogram.rotate_to_standard().unwrap();
    let expected = [[0.0, 1.0], [1.0, 0.0], [5.0, 6.0]];
    for (row, expected) in seismogram.components().into_iter().zip(expected) {
        assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{row:?}");
    }
    let mapped = members::<Seismogram, _>(Rotate::to_standard());
    let passage = passage_of::<Ensemble<Seismogram>, _>(&mapped);
    let ensemble = Ensemble::from_iter([seismogram]);
    run(&mapped, &passage, ensemble, &mut Scratch::default()).unwrap();
    let reason = |members: Vec<TimeSeries>| {
        let tombstone = bundle(members.into_iter().collect()).unwrap_err();
        tombstone.cause().1.to_owned()
    };
    let unknown = reason(vec![trace("BH1", [0.0; 2]), two.clone(), three.clone()]);
    assert_eq!(unknown, "neither the metadata of YA.UV05..BH1 nor its code say where it points to");
    let mut half = trace("BH1", [0.0; 2]);
    half.metadata.insert("hang", 5.0);
    assert!(reason(vec![half, two.clone(), three.clone()]).contains("no 'channel_vang'"));
    let pair = reason(vec![two.clone(), three.clone()]);
    assert_eq!(pair, "2 live components (YA.UV05..BH2, YA.UV05..BHZ), not 3");
    let twins = reason(vec![two, three.clone(), three]);
    assert_eq!(twins, "two components are YA.UV05..BHZ");
}

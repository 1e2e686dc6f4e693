//! miniSEED with a gap in it, by each policy.

use bson::{Document, doc};
use mspass_core::{Life, TimeSeries};
use mspass_io::db::{GapPolicy, ReadOptions, SaveOptions, Waveforms};
use mspass_io::format::mseed::{self, WriteOptions};
use mspass_io::format::{Samples, Trace};
use mspass_io::store::Find;

use crate::stores::{memory, saved};

/// Two seconds of ones and, after a gap of three, two of fives, at 10 Hz.
fn torn(folder: &std::path::Path) -> (Waveforms, Document) {
    let mut bytes = Vec::new();
    for (second, value) in [(0, 1), (5, 5)] {
        let trace = Trace {
            id: "YA.UV05.00.HHZ".parse().unwrap(),
            publication: 2,
            starttime: format!("2010-09-01T00:00:0{second}").parse().unwrap(),
            sampling_rate: 10.0,
            samples: Samples::Int(vec![value; 20]),
        };
        mseed::write((&trace).into(), &WriteOptions::default(), &mut bytes).unwrap();
    }
    std::fs::write(folder.join("torn.mseed"), &bytes).unwrap();
    let (database, waveforms) = memory();
    let document = doc! {
        "_id": bson::oid::ObjectId::new(), "storage_mode": "file", "format": "mseed",
        "dir": folder.to_str().unwrap(), "dfile": "torn.mseed", "foff": 0,
        "nbytes": bytes.len() as i64, "npts": 40, "delta": 0.1, "starttime": 1_283_299_200.0,
    };
    database.documents.insert("wf_miniseed", std::slice::from_ref(&document)).unwrap();
    (waveforms, document)
}

fn read(waveforms: &Waveforms, document: &Document, gaps: GapPolicy) -> TimeSeries {
    waveforms.read_document(document, &ReadOptions::default().gaps(gaps)).unwrap()
}

#[test]
fn each_policy_does_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let (waveforms, document) = torn(folder.path());
    let options = ReadOptions::default().collection("wf_miniseed");
    let parts = waveforms.cursor::<TimeSeries>(&Find::default(), &options).unwrap();
    let parts: Vec<TimeSeries> = parts.map(Result::unwrap).collect();
    assert_eq!(parts.iter().map(|part| part.samples[0]).collect::<Vec<_>>(), [1.0, 5.0]);
    assert_ne!(parts[0].history, parts[1].history, "their outputs have ids of their own");

    let one = read(&waveforms, &document, GapPolicy::Segment);
    assert!(one.life == Life::Dead && one.log.entries()[0].message.contains("2 gap-free"));
    assert_eq!(read(&waveforms, &document, GapPolicy::Kill).life, Life::Dead);

    let filled = read(&waveforms, &document, GapPolicy::Fill(-9.0));
    assert_eq!((filled.life, filled.npts()), (Life::Live, 70));
    assert_eq!((filled.samples[19], filled.samples[20], filled.samples[50]), (1.0, -9.0, 5.0));
    assert!(filled.samples[20..50].iter().all(|sample| *sample == -9.0));
    let at = |index| filled.axis.time(index);
    assert!(!filled.is_gap(at(19)) && filled.is_gap(at(20)));
    assert!(filled.is_gap(at(49)) && !filled.is_gap(at(50)));

    let joined = read(&waveforms, &document, GapPolicy::Interpolate);
    assert_eq!(joined.gaps, filled.gaps);
    let rising = joined.samples[19..51].windows(2).all(|pair| pair[0] < pair[1]);
    assert!(rising, "{:?}", &joined.samples[19..51]);
}

#[test]
fn gaps_are_saved_and_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let (waveforms, document) = torn(folder.path());
    let mut filled = read(&waveforms, &document, GapPolicy::Fill(0.0));
    let gaps = filled.gaps.clone();
    assert_eq!(gaps.len(), 1);
    let id = saved(waveforms.save(&mut filled, &SaveOptions::default()).unwrap());
    let again: TimeSeries = waveforms.read(id, &ReadOptions::default()).unwrap();
    assert_eq!(again.gaps, gaps);
}

#[test]
fn a_gap_of_years_is_not_filled() {
    let folder = tempfile::tempdir().unwrap();
    let (waveforms, document) = torn(folder.path());
    let path = folder.path().join("torn.mseed");
    let mut bytes = std::fs::read(&path).unwrap();
    let mut late = mseed::read(&bytes).traces.remove(1);
    late.starttime = "2090-01-01T00:00:00".parse().unwrap();
    bytes.truncate(bytes.len() / 2);
    mseed::write((&late).into(), &WriteOptions::default(), &mut bytes).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let dead = read(&waveforms, &document, GapPolicy::Fill(0.0));
    assert_eq!(dead.life, Life::Dead);
    assert!(dead.log.entries()[0].message.contains("span more than"), "{:?}", dead.log);
}

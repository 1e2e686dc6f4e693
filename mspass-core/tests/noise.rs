//! What the steps of a noise study promise.
#![allow(clippy::unwrap_used, reason = "tests fail by panics")]

use mspass_core::datum::Datum;
use mspass_core::process::runner::{passage_of, run};
use mspass_core::process::{
    CorrelatePairs, OneBit, Process, Scratch, Stack, Whiten, fold_members, members,
};
use mspass_core::series::{Ensemble, Sampled, Seismogram, TimeStandard};
use mspass_core::{DocumentId, Hertz, History, Life, Severity, TimeSeries, UtcTime};

const DAY: f64 = 1_283_299_200.0;

fn trace(id: &str, start: f64, samples: Vec<f64>) -> TimeSeries {
    let (start, rate) = (UtcTime::from_seconds(DAY + start), Hertz::new(10.0).unwrap());
    TimeSeries::new(id.parse().unwrap(), start, rate, samples)
}

fn noise(npts: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    };
    std::iter::repeat_with(next).take(npts).collect()
}

fn step<T: Datum, P: Process<T>>(process: &P, datum: T) -> P::Output {
    process.check().unwrap();
    run(process, &passage_of::<T, P>(process), datum, &mut Scratch::default()).unwrap()
}

#[test]
fn pairs_come_in_order_of_ids_with_their_lags() {
    let source = noise(2000, 1);
    let cut = |from: usize| source[from..from + 1000].to_vec();
    // UV07 records what UV05 recorded 3 s later, UV06 what it recorded 2 s earlier.
    let mut ensemble = Ensemble::from_iter([
        trace("YA.UV07..HHZ", 0.04, cut(530)),
        trace("YA.UV05..HHZ", 0.0, cut(500)),
        trace("YA.UV06.00.HHZ", 0.0, cut(480)),
    ]);
    for (number, member) in ensemble.members.iter_mut().enumerate() {
        member.history = History::of(DocumentId([number as u8; 12]), 4);
        member.metadata.insert("day", 244);
        member.metadata.insert("number", number as i64);
    }
    ensemble.metadata.insert("network_code", "YA");
    let correlate = CorrelatePairs { autocorrelations: true, ..CorrelatePairs::up_to(6.04) };
    let output = step(&correlate, ensemble);
    let names: Vec<_> = output.members.iter().map(|pair| pair.fact("pair").unwrap()).collect();
    let [a, b, c] = ["YA.UV05..HHZ", "YA.UV06.00.HHZ", "YA.UV07..HHZ"];
    let expected = [(a, a), (a, b), (a, c), (b, b), (b, c), (c, c)];
    assert_eq!(names, expected.map(|(a, b)| format!("{a}_{b}").into()));
    let peaks = output.members.iter().map(|pair| {
        let peak = pair.samples.iter().enumerate().max_by(|x, y| x.1.total_cmp(y.1)).unwrap();
        (pair.axis.time(peak.0 as i64) * 10.0).round()
    });
    assert_eq!(peaks.collect::<Vec<_>>(), [0.0, -20.0, 30.0, 0.0, 50.0, 0.0]);
    let pair = &output.members[2];
    assert_eq!((pair.npts(), pair.axis.start(), pair.endtime()), (121, -6.0, Some(6.0)));
    assert_eq!(pair.axis.standard(), TimeStandard::Relative { origin: None });
    assert_eq!(pair.id.to_string(), "YA...HHZ");
    assert_eq!(pair.fact("sta1"), Some("UV05".into()));
    assert_eq!(pair.fact("sta2"), Some("UV07".into()));
    assert_eq!(pair.fact("day"), Some(244.into()));
    assert_eq!(pair.fact("number"), None);
    assert_eq!(pair.fact("window_start"), Some(DAY.into()));
    assert_eq!(pair.fact("window_end"), Some((DAY + 99.9).into()));
    assert_eq!(pair.history.inputs, [DocumentId([1; 12]), DocumentId([0; 12])]);
    assert_eq!((pair.history.output, pair.life), (4, Life::Live));
    let steps: Vec<_> = pair.history.passages.iter().map(|p| p.step.as_str()).collect();
    assert_eq!(steps, ["correlate_pairs"]);
    assert!(output.log.is_empty());
    assert_eq!(output.fact("network_code"), Some("YA".into()));
    // Autocorrelations are 1 at lag 0, and even.
    let auto = &output.members[0].samples;
    assert!((auto[60] - 1.0).abs() < 1e-12);
    assert!(auto.iter().zip(auto.iter().rev()).all(|(a, b)| (a - b).abs() < 1e-12));
}

#[test]
fn pairs_that_do_not_fit_are_left_out() {
    let mut faster = trace("YA.C..HHZ", 0.0, noise(100, 3));
    faster.axis = faster.axis.with_sampling_rate(Hertz::new(20.0).unwrap());
    let mut dead = trace("YA.A..HHZ", 0.0, noise(100, 9));
    dead.kill("test", "not wanted");
    let ensemble = Ensemble::from_iter([
        trace("YA.A..HHZ", 0.0, noise(100, 1)),
        trace("YA.B..HHZ", 0.06, noise(100, 2)),
        faster,
        trace("YA.D..HHZ", 0.0, noise(99, 4)),
        trace("YA.E..HHZ", -0.04, noise(100, 5)),
        trace("YA.F..HHZ", 0.0, vec![0.0; 100]),
        trace("YA.G..HHZ", 0.0, vec![]),
        dead,
    ]);
    let output = step(&CorrelatePairs::up_to(1.0), ensemble.clone());
    let names: Vec<_> = output.members.iter().map(|pair| pair.fact("pair").unwrap()).collect();
    assert_eq!(names, ["YA.A..HHZ_YA.E..HHZ".into()]);
    let entries = output.log.entries();
    assert!(entries.iter().all(|entry| entry.severity == Severity::Complaint));
    assert_eq!(entries.len(), 1 + 15 - 1);
    let reason = |pair: &str| {
        let entry = entries.iter().find(|entry| entry.message.starts_with(pair)).unwrap();
        entry.message.clone()
    };
    assert!(reason("YA.A..HHZ_YA.B..HHZ").contains("they start at"));
    assert!(reason("YA.A..HHZ_YA.C..HHZ").contains("sampling rates"));
    assert!(reason("YA.A..HHZ_YA.D..HHZ").contains("100 and 99 samples"));
    assert!(reason("YA.A..HHZ_YA.F..HHZ").contains("normalized"));
    assert!(reason("YA.G..HHZ").contains("without samples"));
    let raw = CorrelatePairs { normalize: false, ..CorrelatePairs::up_to(1.0) };
    assert_eq!(step(&raw, ensemble.clone()).live_count(), 3, "silence correlates to zeros");
    let lonely = Ensemble::from_iter([ensemble.members[0].clone()]);
    let error = raw.apply(&mut lonely.clone(), &mut Scratch::default()).unwrap_err();
    assert_eq!(error.to_string(), "no two members can be correlated");
    let negative = CorrelatePairs::up_to(-1.0).check().unwrap_err().to_string();
    assert!(negative.contains("max_lag_seconds"), "{negative}");
    let long = CorrelatePairs::up_to(1e12);
    assert!(long.apply(&mut ensemble.clone(), &mut Scratch::default()).is_err());
}

#[test]
fn pairs_of_the_same_inputs_are_numbered() {
    let mut ensemble = Ensemble::from_iter(["A", "B", "C"].map(|station| {
        trace(&format!("YA.{station}..HHZ"), 0.0, noise(50, u64::from(station.as_bytes()[0])))
    }));
    ensemble.members[0].history = History::of(DocumentId([1; 12]), 0);
    ensemble.members[1].history = History::of(DocumentId([2; 12]), 0);
    ensemble.members[2].history = History::of(DocumentId([2; 12]), 1);
    let output = step(&CorrelatePairs::up_to(1.0), ensemble);
    let history = |pair: usize| {
        let History { inputs, output, .. } = &output.members[pair].history;
        (inputs.clone(), *output)
    };
    assert_eq!(history(0), (vec![DocumentId([1; 12]), DocumentId([2; 12])], 0));
    assert!(history(0).0 == history(1).0 && history(0).1 != history(1).1);
    // Without any document there is still a number for each.
    let unknown = Ensemble::from_iter(["A", "B", "C"].map(|station| {
        trace(&format!("YA.{station}..HHZ"), 0.0, noise(50, u64::from(station.as_bytes()[0])))
    }));
    let output = step(&CorrelatePairs::up_to(1.0), unknown);
    let numbers: Vec<_> = output.members.iter().map(|pair| pair.history.output).collect();
    assert_eq!(numbers, [0, 1, 2]);
}

#[test]
fn a_noise_study_runs_from_traces_to_a_stack() {
    let source = noise(6000, 1);
    let windows = (0..5).map(|window| {
        let cut = |from: usize| source[from..from + 1000].to_vec();
        let at = |station: &str, delay: usize| {
            let id = format!("YA.{station}..HHZ");
            trace(&id, 100.0 * window as f64, cut(1000 * window + 50 - delay))
        };
        Ensemble::from_iter([at("UV05", 0), at("UV06", 12)])
    });
    let whiten = members::<TimeSeries, _>(Whiten { smooth_hz: 0.1, ..Whiten::band(0.5, 4.0) });
    let one_bit = members::<TimeSeries, _>(OneBit);
    let pairs = windows.map(|window| {
        let white = step(&whiten, step(&one_bit, window));
        step(&CorrelatePairs::up_to(5.0), white).members.remove(0)
    });
    let stack = step(&fold_members(Stack::mean()), pairs.collect());
    assert_eq!(stack.fact("stack_count"), Some(5.into()));
    assert_eq!(stack.fact("pair"), Some("YA.UV05..HHZ_YA.UV06..HHZ".into()));
    assert_eq!(stack.fact("window_start"), None, "the windows differ");
    let peak = stack.samples.iter().enumerate().max_by(|x, y| x.1.total_cmp(y.1)).unwrap();
    assert_eq!((stack.axis.time(peak.0 as i64) * 10.0).round(), -12.0);
    let steps: Vec<_> = stack.history.passages.iter().map(|p| p.step.as_str()).collect();
    assert_eq!(steps, ["one_bit", "whiten", "correlate_pairs", "stack"]);
}

#[test]
fn whitening_takes_each_component_alone() {
    let rows: Vec<Vec<f64>> = (1..4).map(|seed| noise(500, seed)).collect();
    let axis = trace("YA.A..HHZ", 0.0, vec![]).axis;
    let id = "YA.A..HH".parse().unwrap();
    let three = Seismogram::from_planar(id, axis, rows.concat()).unwrap();
    let whiten = Whiten::band(1.0, 4.0);
    let together = step(&whiten, three);
    for (row, component) in rows.into_iter().zip(together.components()) {
        assert_eq!(step(&whiten, trace("YA.A..HHZ", 0.0, row)).samples, component);
    }
    assert!(together.samples().iter().all(|sample| sample.is_finite()));
    let beyond = Whiten::band(1.0, 5.1);
    let mut datum = trace("YA.A..HHZ", 0.0, noise(100, 1));
    let error = beyond.apply(&mut datum, &mut Scratch::default()).unwrap_err().to_string();
    assert!(error.contains("Nyquist frequency of 5 Hz"), "{error}");
    let parameters = Process::<TimeSeries>::parameters(&whiten);
    assert_eq!(serde_json::from_value::<Whiten>(parameters).unwrap(), whiten);
}

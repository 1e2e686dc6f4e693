//! What the runner promises of any step, and what the processes do to data and their headers.
#![allow(clippy::unwrap_used, reason = "tests fail by panics")]

use mspass_core::datum::Datum;
use mspass_core::kernel::taper::{Shape, Side};
use mspass_core::process::runner::{Outcome, passage_of, run};
use mspass_core::process::{
    Bandpass, Bandstop, Detrend, Highpass, Lowpass, Process, Resample, Scratch, Taper, map_fn,
    members,
};
use mspass_core::series::{Ensemble, Sampled, Seismogram};
use mspass_core::{DocumentId, Hertz, History, Life, Severity, TimeSeries, UtcTime};

fn trace(rate: f64, samples: Vec<f64>) -> TimeSeries {
    let id = "YA.UV05.00.HHZ".parse().unwrap();
    let mut trace =
        TimeSeries::new(id, UtcTime::from_nanos(17), Hertz::new(rate).unwrap(), samples);
    trace.history = History::of(DocumentId([7; 12]), 2);
    trace.metadata.insert("station_note", "on rock");
    trace
}

fn noise(npts: usize) -> Vec<f64> {
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    (0..npts).map(|_| next()).collect()
}

fn seismogram(rate: f64, rows: [Vec<f64>; 3]) -> Seismogram {
    let npts = rows[0].len();
    let samples = ndarray::Array2::from_shape_vec((3, npts), rows.concat()).unwrap();
    let id = "YA.UV05.00.HH".parse().unwrap();
    Seismogram::new(id, UtcTime::from_nanos(17), Hertz::new(rate).unwrap(), samples).unwrap()
}

fn step<T: Datum, P: Process<T>>(
    process: &P,
    datum: T,
    scratch: &mut Scratch,
) -> Outcome<P::Output> {
    run(process, &passage_of::<T, P>(process), datum, scratch)
}

fn main_job() -> (Detrend, Taper, Bandpass, Resample) {
    let band = Bandpass { freqmin: 0.05, freqmax: 8.0, corners: 4, zerophase: true };
    (Detrend::linear(), Taper::hann(0.05), band, Resample::to_hz(20.0))
}

fn run_main_job<T: Sampled>(datum: T, scratch: &mut Scratch) -> Outcome<T> {
    let (detrend, taper, band, resample) = main_job();
    let datum = step(&detrend, datum, scratch)?;
    let datum = step(&taper, datum, scratch)?;
    let datum = step(&band, datum, scratch)?;
    step(&resample, datum, scratch)
}

#[test]
fn an_error_kills_with_its_reason() {
    let outcome =
        step(&Resample::to_hz(20.0), trace(100.0, vec![1.0, 2.0]), &mut Scratch::default());
    let tombstone = outcome.unwrap_err();
    assert_eq!(tombstone.life, Life::Dead);
    assert_eq!(tombstone.cause(), ("resample", "2 samples at 100 Hz give no sample at 20 Hz"));
    assert_eq!(tombstone.npts, 2);
    assert_eq!(tombstone.history.passages.len(), 1);
    assert_eq!(tombstone.log.worst(), Some(Severity::Invalid));
}

#[test]
fn a_panic_kills_with_its_text_and_later_data_are_fine() {
    let picky = map_fn("picky", |trace: TimeSeries| {
        assert!(trace.samples[0] < 2.0, "first sample is {}", trace.samples[0]);
        if trace.samples[0] < 0.0 { Err("negative".to_owned()) } else { Ok(trace) }
    });
    let mut scratch = Scratch::default();
    let firsts = [1.0, 3.0, -1.0, 0.5];
    let outcomes = firsts.map(|first| step(&picky, trace(1.0, vec![first; 4]), &mut scratch));
    let [fine, panicked, refused, fine_again] = outcomes;
    assert_eq!(fine.unwrap().samples, [1.0; 4]);
    assert_eq!(fine_again.unwrap().samples, [0.5; 4]);
    let panicked = panicked.unwrap_err();
    assert_eq!(panicked.cause(), ("picky", "panicked: first sample is 3"));
    assert_eq!(refused.unwrap_err().cause(), ("picky", "negative"));
    // What is buried still says what it was.
    assert_eq!(panicked.id.unwrap().to_string(), "YA.UV05.00.HHZ");
    assert_eq!(panicked.history.inputs, [DocumentId([7; 12])]);
    assert!(panicked.metadata.get("station_note").is_some());
    assert_eq!(panicked.history.passages[0].parameters, "null");
}

#[test]
fn the_dead_pass_untouched() {
    let touched = map_fn("touch", |_: TimeSeries| -> Result<TimeSeries, String> {
        unreachable!("a dead datum came by")
    });
    for life in [Life::Dead, Life::Aborted] {
        let mut datum = trace(1.0, vec![1.0; 5]);
        datum.life = life;
        datum.log.push("reader", Severity::Invalid, "no samples");
        let before = datum.clone().into_tombstone();
        let after = step(&touched, datum, &mut Scratch::default()).unwrap_err();
        assert_eq!(*after, before);
    }
    let killer = map_fn("killer", |mut trace: TimeSeries| {
        trace.kill("killer", "not wanted");
        Ok::<_, String>(trace)
    });
    let tombstone = step(&killer, trace(1.0, vec![1.0]), &mut Scratch::default()).unwrap_err();
    assert_eq!(tombstone.cause(), ("killer", "not wanted"));
}

#[test]
fn the_history_records_every_passage() {
    let mut scratch = Scratch::default();
    let mut datum = trace(100.0, noise(3000));
    for _ in 0..2 {
        datum = step(&Detrend::linear(), datum, &mut scratch).unwrap();
    }
    datum = step(&Detrend::polynomial(3), datum, &mut scratch).unwrap();
    datum = step(&Taper::hann(0.05), datum, &mut scratch).unwrap();
    let passages: Vec<_> =
        datum.history.passages.iter().map(|p| (p.step.as_str(), p.parameters.as_str())).collect();
    assert_eq!(
        passages,
        [
            ("detrend", r#"{"trend":"linear"}"#),
            ("detrend", r#"{"trend":"linear"}"#),
            ("detrend", r#"{"trend":{"polynomial":{"degree":3}}}"#),
            ("taper", r#"{"window":"hann","max_percentage":0.05,"side":"both"}"#),
        ]
    );
    assert_eq!((datum.history.inputs.len(), datum.history.output), (1, 2));
}

#[test]
fn parameters_say_all_and_come_back() {
    fn back<P>(process: &P)
    where
        P: Process<TimeSeries> + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let text = process.parameters().to_string();
        assert_eq!(&serde_json::from_str::<P>(&text).unwrap(), process, "{text}");
        process.check().unwrap();
    }
    let (detrend, taper, band, resample) = main_job();
    back(&detrend);
    back(&taper);
    back(&Taper { window: Shape::Blackman, max_percentage: 0.5, side: Side::Tail });
    back(&band);
    back(&resample);
    back(&Bandstop { freqmin: 0.1, freqmax: 0.3, corners: 3, zerophase: false });
    back(&Lowpass { freq: 0.1, corners: 5, zerophase: true });
    back(&Highpass { freq: 30.0, corners: 1, zerophase: false });
}

#[test]
fn impossible_parameters_are_refused_before_any_datum() {
    fn refused(process: &impl Process<TimeSeries>, word: &str) {
        let reason = process.check().unwrap_err().to_string();
        assert!(reason.contains(word), "{reason}");
    }
    let band = |freqmin, freqmax, corners| Bandpass { freqmin, freqmax, corners, zerophase: true };
    refused(&band(8.0, 0.05, 4), "freqmax");
    refused(&band(0.0, 8.0, 4), "freqmin");
    refused(&band(0.05, f64::NAN, 4), "freqmax");
    refused(&band(0.05, f64::INFINITY, 4), "freqmax");
    refused(&band(0.05, 8.0, 0), "corners");
    refused(&band(0.05, 8.0, 10_000), "corners");
    refused(&Lowpass { freq: -1.0, corners: 2, zerophase: false }, "freq");
    refused(&Taper::hann(0.51), "max_percentage");
    refused(&Taper::hann(f64::NAN), "max_percentage");
    refused(&Resample::to_hz(0.0), "sampling rate");
    refused(&Resample::to_hz(f64::NAN), "sampling rate");
    refused(&Detrend::polynomial(1000), "degree");
}

#[test]
fn corners_beyond_the_nyquist_frequency_kill() {
    let (_, _, band, _) = main_job();
    let tombstone = step(&band, trace(10.0, noise(100)), &mut Scratch::default()).unwrap_err();
    let (_, reason) = tombstone.cause();
    assert!(reason.contains("8 Hz") && reason.contains("Nyquist frequency of 5 Hz"), "{reason}");
}

#[test]
fn a_seismogram_is_processed_component_by_component() {
    let mut scratch = Scratch::default();
    let rows = [noise(3001), noise(6002)[3001..].to_vec(), vec![0.0; 3001]];
    let together = run_main_job(seismogram(100.0, rows.clone()), &mut scratch).unwrap();
    for (row, component) in rows.into_iter().zip(together.components()) {
        let alone = run_main_job(trace(100.0, row), &mut scratch).unwrap();
        assert_eq!(alone.samples, component);
        assert_eq!(alone.axis, together.axis);
    }
    assert_eq!((together.npts(), together.sampling_rate().value()), (600, 20.0));
}

#[test]
fn equal_rates_leave_the_samples_where_they_are() {
    let datum = trace(20.0, noise(777));
    let place = datum.samples.as_ptr();
    let same = step(&Resample::to_hz(20.0), datum, &mut Scratch::default()).unwrap();
    assert_eq!((same.samples.as_ptr(), same.samples), (place, noise(777)));
}

#[test]
fn the_steady_state_uses_the_same_memory_again() {
    let mut scratch = Scratch::default();
    let mut places = Vec::new();
    for _ in 0..6 {
        let mut samples = scratch.take_buffer(36_000);
        samples.copy_from_slice(&noise(36_000));
        let place = samples.as_ptr();
        let done = run_main_job(trace(100.0, samples), &mut scratch).unwrap();
        places.push((place, done.samples.as_ptr()));
        assert_eq!(done.samples.capacity(), 7_200, "no larger than it need be");
        scratch.give_back(done.samples);
    }
    assert!(places.windows(2).all(|pair| pair[0] == pair[1]), "{places:?}");
}

#[test]
fn one_scratch_gives_what_a_fresh_one_gives() {
    let mut scratch = Scratch::default();
    for npts in [36_000, 35_999, 1_000, 36_000, 17, 36_001] {
        let kept = run_main_job(trace(100.0, noise(npts)), &mut scratch).unwrap();
        let fresh = run_main_job(trace(100.0, noise(npts)), &mut Scratch::default()).unwrap();
        assert_eq!(kept.samples, fresh.samples);
    }
}

#[test]
fn members_die_alone_and_keep_their_place() {
    let mut dead = trace(100.0, vec![5.0; 3]);
    dead.kill("reader", "too noisy");
    let living = [trace(100.0, noise(1000)), trace(100.0, vec![1.0]), trace(50.0, noise(1000))];
    let [first, short, last] = living;
    let ensemble = Ensemble::from_iter([first, dead.clone(), short, last]);
    let resample = members::<TimeSeries, _>(Resample::to_hz(20.0));
    let outcome = step(&resample, ensemble, &mut Scratch::default()).unwrap();
    let lives: Vec<_> = outcome.members.iter().map(|member| member.life == Life::Live).collect();
    assert_eq!(lives, [true, false, false, true]);
    assert_eq!(outcome.members[1], dead);
    assert_eq!(outcome.members[2].npts(), 1);
    assert!(outcome.members[2].log.entries()[0].message.contains("give no sample"));
    let passages = |member: &TimeSeries| member.history.passages.len();
    assert_eq!(outcome.members.iter().map(passages).collect::<Vec<_>>(), [1, 0, 1, 1]);
    // Where all die, so does the ensemble, and its tombstone holds their reasons.
    let tombstone =
        step(&members::<TimeSeries, _>(Resample::to_hz(1e-4)), outcome, &mut Scratch::default())
            .unwrap_err();
    assert_eq!(tombstone.cause().1, "none of 4 members lives");
    assert_eq!(tombstone.log.entries().len(), 5);
}

#[test]
fn dead_members_survive_a_change_of_type() {
    let vertical = map_fn("vertical", |s: Seismogram| s.extract(2));
    let mut dead = seismogram(20.0, [noise(5), noise(5), noise(5)]);
    dead.kill("reader", "clipped");
    let ensemble =
        Ensemble::from_iter([seismogram(20.0, [noise(5), noise(5), vec![2.0; 5]]), dead]);
    let outcome =
        step(&members::<Seismogram, _>(vertical), ensemble, &mut Scratch::default()).unwrap();
    assert_eq!(outcome.members[0].samples, [2.0; 5]);
    assert_eq!(outcome.members[0].id.channel(), "HHZ");
    assert_eq!(outcome.members[1].life, Life::Dead);
    assert_eq!(outcome.members[1].log.entries()[0].message, "clipped");
}

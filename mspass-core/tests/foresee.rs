//! What can never work is refused before any datum is read, in the words that each would die of.
#![allow(clippy::unwrap_used, reason = "tests fail by panics")]

use mspass_core::process::{
    Antialias, Bandpass, Bundle, CorrelatePairs, Decimate, Facts, HeaderEdit, Highpass,
    Interpolate, Interpolation, Is, Kill, Operator, Origin, Process, Resample, Rotate, Scale,
    Scratch, Stack, ToRelative, ToUtc, Whiten, Window, fold_members, map_fn, members,
};
use mspass_core::series::{Ensemble, Seismogram, TimeStandard};
use mspass_core::{Datum, Hertz, TimeSeries, UtcTime};

const RELATIVE: TimeStandard = TimeStandard::Relative { origin: None };
const SHIFTED: TimeStandard = TimeStandard::Relative { origin: Some(UtcTime::from_nanos(0)) };

fn hertz(rate: f64) -> Hertz {
    Hertz::new(rate).unwrap()
}

/// A trace with `snr` in its metadata, and what is known of it.
fn known(rate: f64, standard: TimeStandard) -> (TimeSeries, Facts) {
    let id = "YA.UV05.00.HHZ".parse().unwrap();
    let mut trace = TimeSeries::new(id, UtcTime::default(), hertz(rate), vec![1.0; 200]);
    trace.metadata.insert("snr", 4.0);
    if let TimeStandard::Relative { origin } = standard {
        trace.axis = mspass_core::series::TimeAxis::relative(0.0, origin, hertz(rate));
    }
    let mut facts = Facts::of_waveforms(["snr"]);
    (facts.sampling_rate, facts.standard) = (Some(hertz(rate)), Some(standard));
    (trace, facts)
}

/// What the process foresees must be what it does.
#[track_caller]
fn refused<T: Datum, P: Process<T>>(process: &P, (mut datum, mut facts): (T, Facts)) -> String {
    let foreseen = process.foresee(&mut facts).unwrap_err();
    let died_of = process.apply(&mut datum, &mut Scratch::default()).err().unwrap();
    assert_eq!(foreseen, died_of);
    foreseen.to_string()
}

#[track_caller]
fn passes<T: Datum, P: Process<T>>(process: &P, (mut datum, mut facts): (T, Facts)) -> Facts {
    process.foresee(&mut facts).unwrap();
    assert!(process.apply(&mut datum, &mut Scratch::default()).is_ok());
    facts
}

#[test]
fn corners_are_compared_with_the_nyquist_frequency() {
    let band = Bandpass { freqmin: 1.0, freqmax: 8.0, corners: 4, zerophase: true };
    let told = refused(&band, known(10.0, TimeStandard::Utc));
    assert!(told.contains("8 Hz") && told.contains("Nyquist frequency of 5 Hz"), "{told}");
    refused(&Highpass { freq: 5.0, corners: 2, zerophase: false }, known(10.0, RELATIVE));
    refused(&Whiten::band(1.0, 6.0), known(10.0, TimeStandard::Utc));
    let facts = passes(&band, known(100.0, TimeStandard::Utc));
    assert_eq!(facts, known(100.0, TimeStandard::Utc).1, "a filter changes nothing");
    // Where the rate is not known, nothing is refused.
    Process::<TimeSeries>::foresee(&band, &mut Facts::default()).unwrap();
}

#[test]
fn the_rate_is_followed_through_its_changes() {
    let known = || known(100.0, TimeStandard::Utc);
    assert_eq!(passes(&Resample::to_hz(20.0), known()).sampling_rate, Some(hertz(20.0)));
    let decimate = Decimate { factor: 5, antialias: Antialias::Fir };
    assert_eq!(passes(&decimate, known()).sampling_rate, Some(hertz(20.0)));
    let method = Interpolation::Linear;
    let interpolate = Interpolate { sampling_rate: 25.0, method, aligned: false };
    assert_eq!(passes(&interpolate, known()).sampling_rate, Some(hertz(25.0)));
}

#[test]
fn windows_are_compared_with_what_times_count_from() {
    let utc = Window::utc(UtcTime::default(), UtcTime::from_seconds(1.0));
    let relative = Window::relative(0.0, 1.0);
    refused(&utc, known(10.0, RELATIVE));
    refused(&relative, known(10.0, TimeStandard::Utc));
    passes(&utc, known(10.0, SHIFTED));
    passes(&relative, known(10.0, SHIFTED));
    passes(&Window::from_start(0.0, 1.0), known(10.0, RELATIVE));
    refused(&ToUtc, known(10.0, RELATIVE));
    assert_eq!(passes(&ToUtc, known(10.0, SHIFTED)).standard, Some(TimeStandard::Utc));
    let to_relative = ToRelative { origin: Origin::Start };
    let shifted = passes(&to_relative, known(10.0, TimeStandard::Utc));
    assert_eq!(shifted.standard, Some(SHIFTED));
    Process::<TimeSeries>::foresee(&relative, &mut shifted.clone()).unwrap();
}

#[test]
fn names_are_followed_through_edits_and_tests() {
    let known = || known(10.0, TimeStandard::Utc);
    let told = refused(&Kill::when("depth", Is::above(3.0)), known());
    assert_eq!(told, "the header has no 'depth'");
    refused(&Kill::when("depth", Is::Undefined), known());
    passes(&Kill::when("depth", Is::Defined), known());
    passes(&Kill::when("depth", Is::above(3.0)).passing_missing(), known());
    passes(&Kill::when("npts", Is::below(3)), known());

    let edit = HeaderEdit::default;
    refused(&edit().rename("depth", "z"), known());
    refused(&edit().compute("z", "snr", Operator::Add, "depth"), known());
    refused(&edit().erase(["snr"]).copy("snr", "z"), known());
    refused(&edit().set("z", 1).keep_only(["z"]).copy("snr", "y"), known());
    let facts = passes(&edit().rename("snr", "z").set("event_id", 7), known());
    assert!(facts.lacks("snr") && !facts.lacks("z") && !facts.lacks("event_id"));
    assert!(!passes(&Scale::peak(), known()).lacks("calib"));
    let origin = Origin::Key("arrival_time".into());
    refused(&ToRelative { origin }, known());

    // Of what nobody knows beforehand, what a step takes away is known afterwards.
    let mut facts = Facts::default();
    Process::<TimeSeries>::foresee(&edit().erase(["snr"]), &mut facts).unwrap();
    assert!(facts.lacks("snr") && !facts.lacks("depth"));
    Process::<TimeSeries>::foresee(&edit().set("snr", 1), &mut facts).unwrap();
    assert!(!facts.lacks("snr"));
}

#[test]
fn rotations_need_their_angles() {
    let of = |names: &[&str]| {
        let mut seismogram = Seismogram::default();
        names.iter().for_each(|name| seismogram.metadata_mut().insert(*name, 30.0));
        (seismogram, Facts::of_waveforms(names.iter().copied()))
    };
    let told = refused(&Rotate::to_rtz("seaz"), of(&[]));
    assert!(told.contains("'seaz'"), "{told}");
    passes(&Rotate::to_rtz("seaz"), of(&["seaz"]));
    refused(&Rotate::to_lqt("seaz", "emergence"), of(&["seaz"]));
    passes(&Rotate::to_lqt(30.0, 20.0), of(&[]));
}

#[test]
fn a_function_of_the_users_own_makes_everything_possible() {
    let mine = map_fn("mine", |trace: TimeSeries| Ok::<_, String>(trace));
    assert_eq!(passes(&mine, known(10.0, RELATIVE)), Facts::default());
}

#[test]
fn members_are_followed_through_their_ensembles() {
    let ensemble = || {
        let (trace, facts) = known(10.0, TimeStandard::Utc);
        let mut other = trace.clone();
        other.id = "YA.UV06.00.HHZ".parse().unwrap();
        let ensemble = Ensemble::from_iter([trace, other]);
        (ensemble, Facts::of_ensembles(["window"], facts))
    };
    // A member that dies leaves its ensemble alive only beside others: all die here.
    let band = Bandpass { freqmin: 1.0, freqmax: 8.0, corners: 4, zerophase: true };
    let banded = members::<TimeSeries, _>(band);
    assert!(Process::<Ensemble<TimeSeries>>::foresee(&banded, &mut ensemble().1).is_err());
    let slower = passes(&members::<TimeSeries, _>(Resample::to_hz(5.0)), ensemble());
    assert_eq!(slower.members().sampling_rate, Some(hertz(5.0)));
    assert!(!slower.lacks("window") && slower.lacks("snr"), "an ensemble has its own names");

    let pairs = passes(&CorrelatePairs::up_to(1.0), ensemble());
    let pair = pairs.members();
    assert_eq!(pair.standard, Some(RELATIVE));
    assert!(!pair.lacks("pair") && !pair.lacks("sta2") && pair.lacks("event_id"));
    let stack = passes(&fold_members(Stack::mean()), ensemble());
    assert!(!stack.lacks("stack_count") && !stack.lacks("window") && stack.lacks("event_id"));
    assert_eq!(stack.sampling_rate, Some(hertz(10.0)));

    let three = ["HHE", "HHN", "HHZ"].map(|channel| {
        let (mut trace, _) = known(10.0, TimeStandard::Utc);
        trace.id = format!("YA.UV05.00.{channel}").parse().unwrap();
        trace
    });
    let facts = Facts::of_ensembles(["event"], known(10.0, TimeStandard::Utc).1);
    let bundled = passes(&Bundle, (Ensemble::from_iter(three), facts));
    assert!(!bundled.lacks("event") && !bundled.lacks("snr") && bundled.lacks("event_id"));
}

//! What the processes do to samples, times and headers; their numbers are checked by the golden
//! test.
#![allow(clippy::unwrap_used, reason = "tests fail by panics")]

use std::f64::consts::TAU;

use mspass_core::kernel::taper::Curve;
use mspass_core::metadata::key;
use mspass_core::process::{
    Antialias, Decimate, Differentiate, Extract, Integrate, Interpolate, Interpolation, Measure,
    Origin, Process, Rotate, Scale, Scratch, ShortSegment, Span, TimeTaper, ToRelative, ToUtc,
    Turn, Window,
};
use mspass_core::series::{Sampled, Seismogram, Slowness};
use mspass_core::{Datum, Hertz, Result, Severity, TimeSeries, TimeWindow, UtcTime};

const START: UtcTime = UtcTime::from_nanos(1_283_299_200_003_600_000);

fn trace(rate: f64, samples: Vec<f64>) -> TimeSeries {
    let id = "YA.UV05.00.HHZ".parse().unwrap();
    TimeSeries::new(id, START, Hertz::new(rate).unwrap(), samples)
}

/// Sample `i` is `i`.
fn counting(rate: f64, npts: usize) -> TimeSeries {
    trace(rate, (0..npts).map(|i| i as f64).collect())
}

fn sine(rate: f64, npts: usize, freq: f64) -> TimeSeries {
    trace(rate, (0..npts).map(|i| (TAU * freq * i as f64 / rate).sin()).collect())
}

fn seismogram(rows: [Vec<f64>; 3]) -> Seismogram {
    let samples = ndarray::Array2::from_shape_vec((3, rows[0].len()), rows.concat()).unwrap();
    let id = "YA.UV05.00.HH".parse().unwrap();
    Seismogram::new(id, START, Hertz::new(100.0).unwrap(), samples).unwrap()
}

fn apply<T: Datum, P: Process<T>>(process: P, mut datum: T) -> Result<P::Output> {
    process.check()?;
    process.apply(&mut datum, &mut Scratch::default())
}

fn refusal<T: Datum, P: Process<T>>(process: P, datum: T) -> String {
    match apply(process, datum) {
        Ok(_) => panic!("it was not refused"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_window_holds_the_nearest_samples() {
    // From the sample nearest to 1.004 s on, round(2 s * 100 Hz) + 1 of them.
    let window =
        |start: f64, end: f64| Window::utc(START.plus_seconds(start), START.plus_seconds(end));
    let cut = apply(window(1.004, 3.004), counting(100.0, 1000)).unwrap();
    assert_eq!((cut.npts(), cut.samples[0], cut.samples[200]), (201, 100.0, 300.0));
    assert_eq!(cut.axis.starttime(), Some(START.plus_seconds(1.0)));
    let cut = apply(Window::from_start(1.006, 3.0), counting(100.0, 1000)).unwrap();
    assert_eq!((cut.npts(), cut.samples[0]), (200, 101.0));
    // The last sample is data, not a zero; one further is not covered.
    let cut = apply(Window::from_start(0.0, 9.99), counting(100.0, 1000)).unwrap();
    assert_eq!((cut.npts(), cut.samples[999]), (1000, 999.0));
    let reason = refusal(Window::from_start(0.0, 10.0), counting(100.0, 1000));
    assert_eq!(reason, "1000 of the 1001 samples in the window are there");
    assert!(refusal(Window::from_start(0.0, -1.0), counting(1.0, 9)).contains("window"));
    // Beyond 2^24 samples the start is still exact.
    let far =
        apply(Window::from_start(200_000.0, 200_000.02), counting(100.0, 20_000_003)).unwrap();
    assert_eq!(far.samples, [20_000_000.0, 20_000_001.0, 20_000_002.0]);
    assert_eq!(far.axis.starttime(), Some(START.plus_seconds(200_000.0)));
}

#[test]
fn a_window_knows_its_time_standard() {
    let mut relative = counting(10.0, 100);
    relative.axis.to_relative(START.plus_seconds(4.0));
    let cut = apply(Window::relative(-1.0, 1.0), relative.clone()).unwrap();
    assert_eq!((cut.axis.start(), cut.npts(), cut.samples[0]), (-1.0, 21, 30.0));
    let utc = Window::utc(START.plus_seconds(3.0), START.plus_seconds(5.0));
    assert_eq!(apply(utc, relative.clone()).unwrap(), cut);
    let reason = refusal(Window::relative(-1.0, 1.0), counting(10.0, 100));
    assert_eq!(reason, "a window in relative time, but data in UTC");
    relative.axis = mspass_core::series::TimeAxis::relative(0.0, None, relative.sampling_rate());
    assert!(refusal(utc, relative).contains("without an origin"));
}

#[test]
fn relative_time_comes_from_a_header_and_goes_back() {
    let mut trace = counting(10.0, 100);
    let arrival = START.plus_seconds(4.0);
    trace.metadata.insert("Ptime", arrival.seconds());
    let origins = [Origin::Key("Ptime".into()), Origin::Utc(arrival), Origin::Start];
    for (origin, start) in origins.into_iter().zip([-4.0, -4.0, 0.0]) {
        let relative = apply(ToRelative { origin: origin.clone() }, trace.clone()).unwrap();
        assert!((relative.axis.start() - start).abs() < 1e-6);
        let again = apply(ToRelative { origin }, relative.clone()).unwrap();
        assert_eq!(again, relative);
        assert_eq!(apply(ToUtc, relative).unwrap(), trace);
    }
    let origin = Origin::Key("Stime".into());
    assert!(refusal(ToRelative { origin }, trace.clone()).contains("'Stime' holds nothing"));
    trace.axis = mspass_core::series::TimeAxis::relative(1.0, None, trace.sampling_rate());
    let same = apply(ToRelative { origin: Origin::Start }, trace.clone()).unwrap();
    assert_eq!(same, trace);
    assert!(refusal(ToUtc, trace).contains("never were in UTC"));
}

#[test]
fn short_segments_die_or_shrink_or_are_padded() {
    let window = Window::from_start(-0.3, 0.2);
    let whole = || seismogram([vec![1.0; 11], vec![2.0; 11], vec![3.0; 11]]);
    assert!(refusal(window, whole()).starts_with("11 of the 51 samples"));
    let mut cut = apply(window.or(ShortSegment::Truncate), whole()).unwrap();
    assert_eq!((cut.samples(), cut.axis), (whole().samples(), whole().axis));
    assert_eq!(cut.log_mut().worst(), Some(Severity::Complaint));
    let mut padded = apply(window.or(ShortSegment::Pad), whole()).unwrap();
    assert_eq!((padded.npts(), padded.axis.starttime()), (51, Some(START.plus_seconds(-0.3))));
    for (row, level) in padded.components().into_iter().zip([1.0, 2.0, 3.0]) {
        assert!(row[..30].iter().chain(&row[41..]).all(|sample| *sample == 0.0));
        assert!(row[30..41].iter().all(|sample| *sample == level));
    }
    assert_eq!(padded.log_mut().entries().len(), 1);
    for short in [ShortSegment::Kill, ShortSegment::Truncate, ShortSegment::Pad] {
        let reason = refusal(Window::from_start(5.0, 6.0).or(short), whole());
        assert_eq!(reason, "0 of the 101 samples in the window are there");
        let all_time =
            Window { span: Span::FromStart { start: 0.0, end: 1e300 }, short_segment: short };
        assert!(
            short == ShortSegment::Truncate || refusal(all_time, whole()).contains("11 of the")
        );
    }
}

#[test]
fn gaps_go_along_with_a_window_and_a_rate() {
    let mut trace = counting(10.0, 100);
    let gap =
        |from: f64, to: f64| TimeWindow::new(trace.axis.start() + from, trace.axis.start() + to);
    let gaps = [gap(1.0, 2.0).unwrap(), gap(4.0, 5.0).unwrap(), gap(8.0, 9.0).unwrap()];
    gaps.iter().for_each(|gap| trace.add_gap(*gap).unwrap());
    let cut = apply(Window::from_start(1.5, 6.0), trace).unwrap();
    let windows: Vec<_> = cut.gap_windows().collect();
    assert_eq!(windows.len(), 2);
    assert!((windows[0].length() - 0.5).abs() < 1e-6);
    assert!((windows[1].start - gaps[1].start).abs() < 1e-6);
    let mut slow = apply(Decimate { factor: 5, antialias: Antialias::None }, cut).unwrap();
    slow.zero_gaps();
    assert_eq!(slow.samples, [0.0, 0.0, 25.0, 30.0, 35.0, 0.0, 0.0, 0.0, 55.0, 60.0]);
}

#[test]
fn decimation_keeps_the_band_and_the_times() {
    for antialias in [Antialias::None, Antialias::Chebyshev2, Antialias::Fir] {
        let slow = apply(Decimate { factor: 5, antialias }, sine(100.0, 5001, 1.0)).unwrap();
        assert_eq!((slow.npts(), slow.sampling_rate().value()), (1001, 20.0));
        assert_eq!(slow.axis.starttime(), Some(START));
        let alias = apply(Decimate { factor: 5, antialias }, sine(100.0, 5001, 19.0)).unwrap();
        let loudest = |trace: &TimeSeries| {
            trace.samples[300..700].iter().fold(0.0, |m: f64, x| m.max(x.abs()))
        };
        assert!((loudest(&slow) - 1.0).abs() < 0.01, "{antialias:?}");
        assert_eq!(loudest(&alias) > 0.01, antialias == Antialias::None, "{antialias:?}");
    }
    let one = Decimate { factor: 1, antialias: Antialias::Fir };
    assert_eq!(apply(one, counting(100.0, 50)).unwrap(), counting(100.0, 50));
    assert!(refusal(Decimate { factor: 0, ..one }, counting(100.0, 50)).contains("factor"));
    let three = seismogram([vec![1.0; 101], vec![2.0; 101], vec![3.0; 101]]);
    let slow = apply(Decimate { factor: 4, antialias: Antialias::Fir }, three).unwrap();
    let middles = slow.components().map(|row| (row[13] * 1e9).round() / 1e9);
    assert_eq!((slow.npts(), middles), (26, [1.0, 2.0, 3.0]));
}

#[test]
fn interpolation_gives_the_same_signal_at_other_times() {
    let methods = [
        (Interpolation::Linear, 2e-3),
        (Interpolation::WeightedAverageSlopes, 2e-3),
        (Interpolation::Cubic, 1e-5),
        (Interpolation::Lanczos { half_width: 40 }, 1e-3),
    ];
    for (method, tolerance) in methods {
        for aligned in [false, true] {
            let interpolate = Interpolate { sampling_rate: 13.0, method, aligned };
            let other = apply(interpolate, sine(100.0, 2000, 1.0)).unwrap();
            assert_eq!(other.sampling_rate().value(), 13.0);
            let first = other.axis.starttime().unwrap().seconds_since(START);
            assert!(if aligned { (0.0..1.0 / 13.0).contains(&first) } else { first == 0.0 });
            assert_eq!(other.npts(), ((19.99 - first) * 13.0) as usize + 1);
            for (index, sample) in other.samples.iter().enumerate().skip(8).take(230) {
                let exact = (TAU * (first + index as f64 / 13.0)).sin();
                assert!((sample - exact).abs() < tolerance, "{method:?} {index}: {sample} {exact}");
            }
        }
    }
    let method = Interpolation::Linear;
    let interpolate = Interpolate { sampling_rate: 20.0, method, aligned: true };
    let aligned = apply(interpolate, counting(100.0, 1000)).unwrap();
    assert_eq!(aligned.axis.starttime().unwrap().nanos() % 50_000_000, 0);
    assert!((aligned.samples[0] - 4.64).abs() < 1e-9);
    // The same rate and place: the same samples, the last one included.
    let same = Interpolate { sampling_rate: 100.0, method, aligned: false };
    assert_eq!(apply(same, counting(100.0, 77)).unwrap(), counting(100.0, 77));
    assert!(refusal(same, counting(100.0, 0)).contains("0 samples at 100 Hz give no sample"));
}

#[test]
fn derivative_and_integral_undo_each_other() {
    let velocity = apply(Differentiate, sine(100.0, 1000, 0.5)).unwrap();
    assert!((velocity.samples[0] - TAU * 0.5).abs() < 1e-3);
    let position = apply(Integrate, velocity).unwrap();
    let original = sine(100.0, 1000, 0.5);
    let far = position.samples.iter().zip(&original.samples).map(|(a, b)| (a - b).abs());
    assert!(far.fold(0.0, f64::max) < 2e-3);
    assert!(refusal(Differentiate, counting(1.0, 1)).contains("two samples"));
}

#[test]
fn scaling_leaves_the_ground_motion() {
    let measures = [Measure::Peak, Measure::Rms, Measure::Perc { fraction: 0.9 }, Measure::Mad];
    for measure in measures {
        let mut original = sine(100.0, 1000, 1.3);
        original.scale(250.0);
        original.metadata.put(key::CALIB, 1.6);
        let scale = Scale { measure, level: 5.0, window: None };
        let scaled = apply(scale, original.clone()).unwrap();
        let calib = scaled.metadata.value(key::CALIB).unwrap().unwrap();
        for (before, after) in original.samples.iter().zip(&scaled.samples) {
            assert!((before * 1.6 - after * calib).abs() < 1e-9, "{measure:?}");
        }
        // Scaled once more it stays: its amplitude is the level.
        let again = apply(scale, scaled.clone()).unwrap();
        assert!((again.samples[10] - scaled.samples[10]).abs() < 1e-12);
    }
    // Three components by the length of their vector, inside the window.
    let mut three = seismogram([vec![3.0; 100], vec![0.0; 100], vec![4.0; 100]]);
    three.components_mut()[1][0] = 100.0;
    let start = three.axis.start();
    let window = Some(TimeWindow::new(start + 0.1, start + 9.0).unwrap());
    let scaled = apply(Scale { window, ..Scale::rms() }, three.clone()).unwrap();
    assert_eq!(scaled.vector(50), Some([3.0 / 5.0, 0.0, 4.0 / 5.0]));
    assert_eq!(scaled.metadata.value(key::CALIB), Ok(Some(5.0)));
    assert!(refusal(Scale::peak(), trace(1.0, vec![0.0; 9])).contains("amplitude 0"));
    assert!(refusal(Scale::peak(), trace(1.0, vec![f64::NAN; 9])).contains("amplitude NaN"));
    assert!(refusal(Scale::mad(), trace(1.0, vec![])).contains("no samples"));
    three.metadata.insert("calib", "unknown");
    assert!(refusal(Scale::rms(), three).contains("calib"));
}

#[test]
fn a_time_taper_mutes_outside_its_times() {
    let taper =
        TimeTaper { t0head: 1.0, t1head: 2.0, t1tail: 7.0, t0tail: 8.0, curve: Curve::Cosine };
    let mut ones = trace(10.0, vec![1.0; 101]);
    ones.axis.to_relative(START);
    let tapered = apply(taper, ones).unwrap().samples;
    assert!(tapered[..=10].iter().chain(&tapered[80..]).all(|sample| *sample == 0.0));
    assert!(tapered[20..=70].iter().all(|sample| *sample == 1.0));
    assert!((tapered[15] - 0.5).abs() < 1e-12 && (tapered[75] - 0.5).abs() < 1e-12);
    let crossed = TimeTaper { t1tail: 1.5, ..taper };
    assert!(refusal(crossed, counting(10.0, 5)).contains("t1tail"));
}

#[test]
fn rotations_take_angles_from_parameters_or_headers() {
    // Motion along the direction of propagation of a wave from the southwest.
    let along = 45.0_f64.to_radians();
    let mut wave = seismogram([vec![along.sin(); 3], vec![along.cos(); 3], vec![0.0; 3]]);
    wave.metadata.insert("seaz", 225.0);
    wave.metadata.insert("ema", 90);
    let close = |s: &Seismogram, expected: [f64; 3]| {
        let vector = s.vector(1).unwrap();
        assert!(vector.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{vector:?}");
    };
    close(&apply(Rotate::to_rtz("seaz"), wave.clone()).unwrap(), [1.0, 0.0, 0.0]);
    close(&apply(Rotate::to_rtz(315.0), wave.clone()).unwrap(), [0.0, 1.0, 0.0]);
    close(&apply(Rotate::to_lqt("seaz", "ema"), wave.clone()).unwrap(), [1.0, 0.0, 0.0]);
    close(&apply(Rotate::to_lqt(225.0, 0.0), wave.clone()).unwrap(), [0.0, 1.0, 0.0]);
    let ray = Rotate { to: Turn::Ray(mspass_core::series::Direction::of_channel(45.0, 90.0)) };
    let turned = apply(ray, wave.clone()).unwrap();
    close(&turned, [0.0, 0.0, 1.0]);
    close(&apply(Rotate::to_standard(), turned.clone()).unwrap(), wave.vector(1).unwrap());
    let vertical = apply(Extract { component: 2 }, wave.clone()).unwrap();
    assert_eq!((vertical.id.to_string(), vertical.npts()), ("YA.UV05.00.HHZ".to_owned(), 3));
    assert_eq!(vertical.metadata.value(key::CHANNEL_VANG), Ok(Some(0.0)));
    let north = apply(Extract { component: 1 }, wave.clone()).unwrap();
    assert_eq!(north.metadata.value(key::CHANNEL_HANG), Ok(Some(0.0)));
    assert_eq!(apply(Extract { component: 2 }, turned).unwrap().id.channel(), "HH3");
    let reason = refusal(Rotate::to_rtz("baz"), wave.clone());
    assert_eq!(reason, "metadata key 'baz' holds nothing, not degrees");
    assert!(refusal(Rotate::to_rtz(f64::NAN), wave.clone()).contains("back_azimuth"));
    assert!(refusal(Extract { component: 3 }, wave).contains("component"));
    let text = Process::parameters(&Rotate::to_lqt("seaz", 20.0)).to_string();
    assert_eq!(text, r#"{"to":{"lqt":{"back_azimuth":"seaz","emergence":20.0}}}"#);
}

#[test]
fn the_free_surface_is_removed() {
    // Motion of the surface under plane waves of amplitude 1 (Aki and Richards, 5.40 and
    // following).
    let (vp, vs, p) = (6.0_f64, 3.5_f64, 0.12_f64);
    let (xi, eta) = ((1.0 / (vp * vp) - p * p).sqrt(), (1.0 / (vs * vs) - p * p).sqrt());
    let half = 1.0 / (vs * vs) - 2.0 * p * p;
    let rayleigh = half * half + 4.0 * p * p * xi * eta;
    let of_p = [
        4.0 * vp * p * xi * eta / (vs * vs) / rayleigh,
        2.0 * vp * xi * half / (vs * vs) / rayleigh,
    ];
    let of_sv = [
        2.0 * vs * eta * half / (vs * vs) / rayleigh,
        -4.0 * vs * p * xi * eta / (vs * vs) / rayleigh,
    ];
    let azimuth = 30.0_f64.to_radians();
    let slowness = Slowness { ux: p * azimuth.sin(), uy: p * azimuth.cos() };
    let to = Turn::FreeSurface { slowness, vp, vs };
    for (motion, expected) in [(of_p, [0.0, 0.0, 1.0]), (of_sv, [0.0, 1.0, 0.0])] {
        let [radial, up] = motion;
        let rows = [radial * azimuth.sin(), radial * azimuth.cos(), up].map(|x| vec![x; 2]);
        let freed = apply(Rotate { to: to.clone() }, seismogram(rows)).unwrap();
        let vector = freed.vector(0).unwrap();
        assert!(vector.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{vector:?}");
    }
    // SH is doubled by the surface.
    let rows = [2.0 * azimuth.cos(), -2.0 * azimuth.sin(), 0.0].map(|x| vec![x; 2]);
    let freed = apply(Rotate { to: to.clone() }, seismogram(rows)).unwrap();
    assert!((freed.vector(0).unwrap()[0] - 1.0).abs() < 1e-12);
    let rows = || [1.0, 2.0, 3.0].map(|x| vec![x; 2]);
    let still = Turn::FreeSurface { slowness: Slowness::default(), vp, vs };
    assert_eq!(apply(Rotate { to: still }, seismogram(rows())).unwrap(), seismogram(rows()));
    let fast = Turn::FreeSurface { slowness: Slowness { ux: 0.17, uy: 0.0 }, vp, vs };
    assert!(refusal(Rotate { to: fast }, seismogram(rows())).contains("evanescent"));
}

#[test]
fn components_are_bundled_only_where_they_fit() {
    let angles = [(90.0, 90.0), (0.0, 90.0), (0.0, 0.0)];
    let channel = |index: usize, start: f64, npts: usize| {
        let mut trace = counting(100.0, npts);
        trace.id = format!("YA.UV05.00.HH{}", ["E", "N", "Z"][index]).parse().unwrap();
        trace.axis =
            mspass_core::series::TimeAxis::utc(START.plus_seconds(start), trace.sampling_rate());
        trace.metadata.put(key::CHANNEL_HANG, angles[index].0);
        trace.metadata.put(key::CHANNEL_VANG, angles[index].1);
        trace.metadata.insert("own", index as i64);
        trace.metadata.insert("shared", "yes");
        trace
    };
    let three = || [channel(0, 0.0, 50), channel(1, 0.004, 60), channel(2, -0.1, 50)];
    let bundled = Seismogram::from_traces(three()).unwrap();
    assert!(bundled.is_cardinal());
    assert_eq!((bundled.id.to_string(), bundled.npts()), ("YA.UV05.00.HH".to_owned(), 40));
    assert_eq!(bundled.vector(0), Some([0.0, 0.0, 10.0]));
    assert_eq!(bundled.vector_at(bundled.axis.time(39)), Some([39.0, 39.0, 49.0]));
    assert_eq!((bundled.vector(40), bundled.vector_at(bundled.axis.time(-1))), (None, None));
    assert_eq!(bundled.axis.starttime(), Some(START));
    let names: Vec<_> = bundled.metadata.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["shared"]);
    assert_eq!(bundled.log.worst(), Some(Severity::Complaint));
    let refused = |change: &dyn Fn(&mut TimeSeries), word: &str| {
        let mut traces = three();
        change(&mut traces[1]);
        let reason = Seismogram::from_traces(traces).unwrap_err().to_string();
        assert!(reason.contains(word), "{reason}");
    };
    refused(&|trace| trace.kill("test", "dead"), "dead");
    refused(&|trace| trace.id = "YA.UV06.00.HHN".parse().unwrap(), "station");
    refused(&|trace| trace.axis = trace.axis.advanced(1000), "in common");
    refused(
        &|trace| trace.axis = trace.axis.with_sampling_rate(Hertz::new(50.0).unwrap()),
        "differ",
    );
    refused(&|trace| trace.axis.to_relative(START), "relative");
    refused(&|trace| drop(trace.metadata.remove("channel_hang")), "channel_hang");
    refused(&|trace| trace.metadata.put(key::CALIB, 2.0), "calib");
}

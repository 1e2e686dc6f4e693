//! What the data objects promise, for any data. Failing cases print their seed and shrunk input.
#![allow(clippy::unwrap_used, reason = "tests fail by panics")]

use std::fmt::Debug;

use mspass_core::datum::Datum;
use mspass_core::history::Passage;
use mspass_core::metadata::{Value, key};
use mspass_core::series::{
    Direction, Ensemble, Gaps, Gather, PowerSpectrum, Sampled, Seismogram, Slowness, TimeAxis,
};
use mspass_core::{
    DocumentId, Hertz, History, Life, SeedId, Severity, TimeSeries, TimeWindow, UtcTime,
};
use ndarray::Array2;
use proptest::collection::vec;
use proptest::prelude::*;

const RATES: [f64; 6] = [0.1, 1.0, 20.0, 40.0, 99.999_873, 100.0];

fn rate() -> impl Strategy<Value = Hertz> {
    prop::sample::select(&RATES[..]).prop_map(|rate| Hertz::new(rate).unwrap())
}

fn instant() -> impl Strategy<Value = UtcTime> {
    (-1_000_000_000_000_000_000_i64..4_000_000_000_000_000_000).prop_map(UtcTime::from_nanos)
}

fn id() -> impl Strategy<Value = SeedId> {
    ("[A-Z0-9]{1,2}", "[A-Z0-9]{1,5}", "[0-9]{0,2}", "[A-Z0-9]{3}")
        .prop_map(|(n, s, l, c)| SeedId::new(&n, &s, &l, &c).unwrap())
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e300..1e300).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        vec(any::<u8>(), 0..8).prop_map(Value::from),
        any::<[u8; 12]>().prop_map(|id| Value::from(DocumentId(id))),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..3).prop_map(Value::from),
        ]
    })
}

fn gaps() -> impl Strategy<Value = Gaps> {
    vec((-1000_i64..1000, 0_i64..50), 0..8).prop_map(|spans| {
        let mut gaps = Gaps::default();
        spans.iter().for_each(|(first, length)| gaps.add(*first, first + length).unwrap());
        gaps
    })
}

fn dress<T: Datum>(mut datum: T, names: Vec<(String, Value)>, input: [u8; 12]) -> T {
    names.into_iter().for_each(|(name, value)| datum.metadata_mut().insert(name, value));
    datum.log_mut().push("test", Severity::Complaint, "repaired");
    *datum.history_mut() = History::of(DocumentId(input), 3);
    let passage = Passage { step: "detrend".into(), parameters: "{}".into() };
    datum.history_mut().record(&passage.into());
    datum
}

fn trace() -> impl Strategy<Value = TimeSeries> {
    let samples = vec(-1e9..1e9, 0..60);
    let names = vec((".{1,6}", value()), 0..4);
    (id(), instant(), rate(), samples, names, gaps(), any::<[u8; 12]>()).prop_map(
        |(id, start, rate, samples, names, gaps, input)| {
            let trace = TimeSeries { gaps, ..TimeSeries::new(id, start, rate, samples) };
            dress(trace, names, input)
        },
    )
}

fn seismogram() -> impl Strategy<Value = Seismogram> {
    let planar = (0..40_usize).prop_flat_map(|npts| vec(-1e6..1e6, 3 * npts));
    (id(), instant(), rate(), planar, vec((".{1,6}", value()), 0..4), any::<[u8; 12]>()).prop_map(
        |(id, start, rate, planar, names, input)| {
            let samples = Array2::from_shape_vec((3, planar.len() / 3), planar).unwrap();
            dress(Seismogram::new(id, start, rate, samples).unwrap(), names, input)
        },
    )
}

/// A matrix that can be inverted without losing more than a few digits.
fn matrix() -> impl Strategy<Value = [[f64; 3]; 3]> {
    prop::array::uniform3(prop::array::uniform3(-1.0..1.0)).prop_map(|mut rows: [[f64; 3]; 3]| {
        (0..3).for_each(|i| rows[i][i] += if rows[i][i] < 0.0 { -3.0 } else { 3.0 });
        rows
    })
}

/// Both codecs keep every bit.
fn round_trip<T: Datum + PartialEq + Debug>(datum: &T) {
    let named = rmp_serde::to_vec_named(datum).unwrap();
    assert_eq!(&rmp_serde::from_slice::<T>(&named).unwrap(), datum);
    let compact = rmp_serde::to_vec(datum).unwrap();
    assert_eq!(&rmp_serde::from_slice::<T>(&compact).unwrap(), datum);
    let json = serde_json::to_string(datum).unwrap();
    assert_eq!(&serde_json::from_str::<T>(&json).unwrap(), datum);
}

fn assert_close(a: &[f64], b: &[f64], relative: f64) {
    let scale = a.iter().chain(b).fold(1e-300, |most: f64, x| most.max(x.abs()));
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() <= relative * scale, "{a} {b}"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_failure_persistence(
        proptest::test_runner::FileFailurePersistence::WithSource("failures")
    ))]

    #[test]
    fn relative_time_and_back_gives_the_same_nanosecond(
        trace in trace(), origin in instant(), shifts in vec(-1e6..1e6, 0..4),
    ) {
        let mut moved = trace.clone();
        moved.axis.to_relative(origin);
        let relative = moved.axis;
        moved.axis.to_relative(origin + 5);
        prop_assert_eq!(moved.axis, relative, "a relative axis stays");
        for shift in &shifts {
            moved.axis.shift(*shift).unwrap();
        }
        prop_assert_eq!(moved.axis.starttime(), trace.axis.starttime());
        moved.axis.to_utc().unwrap();
        prop_assert_eq!(&moved, &trace, "gaps and samples included");
    }

    #[test]
    fn shift_and_back_gives_the_same_nanosecond(
        start in -1e9..1e9, shift in -1e6..1e6, rate in rate(),
            origin in prop::option::of(instant()),
    ) {
        let axis = TimeAxis::relative(start, origin, rate);
        let mut moved = axis;
        moved.shift(shift).unwrap();
        prop_assert!((axis.start() - moved.start() - shift).abs() < 1e-6);
        moved.shift(-shift).unwrap();
        prop_assert_eq!(moved, axis);
        prop_assert_eq!(moved.to_utc().is_ok(), origin.is_some());
    }

    #[test]
    fn sample_numbers_and_times_agree(start in instant(), rate in rate(),
        index in -5000_i64..500_000) {
        let mut axis = TimeAxis::utc(start, rate);
        prop_assert_eq!(axis.sample_number(axis.time(index)), index);
        axis.to_relative(start + 12_345);
        prop_assert_eq!(axis.sample_number(axis.time(index)), index);
        prop_assert_eq!(axis.advanced(index).sample_number(axis.time(index)), 0);
    }

    #[test]
    fn gaps_are_the_union_of_what_was_added(spans in vec((0_i64..300, 0_i64..20), 0..30),
        shift in any::<i64>()) {
        let mut gaps = Gaps::default();
        let mut marked = vec![false; 320];
        for (first, length) in &spans {
            gaps.add(*first, first + length).unwrap();
            marked[*first as usize..=(first + length) as usize].fill(true);
        }
        let spans: Vec<_> = gaps.iter().collect();
        prop_assert!(spans.iter().all(|span| span.0 <= span.1));
        prop_assert!(spans.windows(2).all(|pair| pair[0].1 < pair[1].0), "{:?}", spans);
        for (nanos, marked) in marked.iter().enumerate() {
            prop_assert_eq!(gaps.contains(nanos as i64), *marked);
        }
        for (first, last) in [(0, 30), (100, 100), (50, 200)] {
            let any = marked[first..=last].contains(&true);
            prop_assert_eq!(gaps.overlaps(first as i64, last as i64), any);
            let mut part = gaps.clone();
            part.clip(first as i64, last as i64);
            let kept: i64 = part.iter().map(|(a, b)| b - a + 1).sum();
            prop_assert!(part.iter().all(|(a, b)| first as i64 <= a && b <= last as i64));
            prop_assert!(kept <= (last - first) as i64 + 1 && part.is_empty() != any);
        }
        let mut moved = gaps.clone();
        moved.shift(shift);
        prop_assert!(moved.iter().zip(gaps.iter()).all(|(m, g)| m.1 - m.0 == g.1 - g.0)
            || moved.len() < gaps.len());
        let stored = rmp_serde::to_vec(&moved).unwrap();
        prop_assert_eq!(rmp_serde::from_slice::<Gaps>(&stored).unwrap(), moved);
    }

    #[test]
    fn gaps_stay_where_they_are_in_time(
        trace in trace(), from in 0_usize..60, count in 1_usize..60, origin in instant(),
    ) {
        let mut trace = trace;
        trace.gaps.clear();
        prop_assume!(trace.npts() > 0);
        let from = from % trace.npts();
        let count = 1 + count % (trace.npts() - from);
        let delta = trace.axis.delta();
        let gap = TimeWindow::new(trace.axis.time(from as i64),
            trace.axis.time((from + count - 1) as i64));
        trace.add_gap(gap.unwrap()).unwrap();
        let mut zeroed = trace.clone();
        zeroed.zero_gaps();
        for (index, (before, after)) in trace.samples.iter().zip(&zeroed.samples).enumerate() {
            let inside = (from..from + count).contains(&index);
            prop_assert_eq!(*after, if inside { 0.0 } else { *before });
        }
        // Cut away the first samples, in relative time: the same samples are zero.
        let mut cut = trace.clone();
        cut.axis.to_relative(origin);
        let first = from / 2;
        let window = TimeWindow { start: cut.axis.time(first as i64), end: cut.endtime().unwrap() };
        cut.cut(window).unwrap();
        cut.zero_gaps();
        prop_assert_eq!(&cut.samples[..], &zeroed.samples[first..]);
        let whole = cut.axis.span(cut.npts()).unwrap();
        prop_assert!(cut.has_gap(whole));
        prop_assert!(!cut.is_gap(cut.axis.time((from + count - first) as i64) + delta / 2.0));
    }

    #[test]
    fn adding_touches_the_intersection_alone(
        mine in trace(), theirs in vec(-1e9..1e9, 0..60), offset in -80_i64..80,
            part in -0.49..0.49_f64,
    ) {
        let start = mine.axis.time(offset) + part * mine.axis.delta();
        let nanos = ((start - mine.axis.start()) * 1e9).round() as i64;
        let starttime = mine.axis.starttime().unwrap() + nanos;
        let other = TimeSeries::new(mine.id.clone(), starttime, mine.sampling_rate(),
            theirs.clone());
        let mut sum = mine.clone();
        sum.add(&other).unwrap();
        for (index, (before, after)) in mine.samples.iter().zip(&sum.samples).enumerate() {
            let place = usize::try_from(index as i64 - offset).ok();
            let added = place.and_then(|place| theirs.get(place)).copied();
            prop_assert_eq!(*after, added.map_or(*before, |added| before + added));
        }
        sum.subtract(&other).unwrap();
        let unrounded = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-6;
        prop_assert!(sum.samples.iter().zip(&mine.samples).all(unrounded));
        let dead = TimeSeries { life: Life::Dead, ..other.clone() };
        sum = mine.clone();
        sum.add(&dead).unwrap();
        prop_assert_eq!(&sum, &mine);
        let faster = Hertz::new(mine.sampling_rate().value() * 1.01).unwrap();
        let other = TimeSeries { axis: other.axis.with_sampling_rate(faster), ..other };
        prop_assert!(sum.add(&other).is_err());
    }

    #[test]
    fn rotations_go_back(
        seismogram in seismogram(), theta in -4.0..4.0, phi in -7.0..7.0, turn in -7.0..7.0,
            m in matrix(),
    ) {
        let mut rotated = seismogram.clone();
        rotated.rotate(Direction { theta_radians: theta, phi_radians: phi }).unwrap();
        prop_assert!(rotated.is_orthogonal());
        rotated.rotate_horizontals(turn).unwrap();
        prop_assert!(rotated.is_orthogonal());
        rotated.transform(m).unwrap();
        rotated.rotate_to_standard().unwrap();
        prop_assert!(rotated.is_cardinal());
        assert_close(rotated.samples(), seismogram.samples(), 1e-12);
        for (azimuth, emergence) in [(turn.to_degrees(), theta.to_degrees()), (0.0, 0.0)] {
            rotated.transform_to_rtz(azimuth).unwrap();
            rotated.transform_to_lqt(azimuth, emergence).unwrap();
            prop_assert!(rotated.is_orthogonal());
        }
        rotated.free_surface_transformation(Slowness { ux: 0.04, uy: -0.07 }, 6.0, 3.5).unwrap();
        prop_assert!(!rotated.is_orthogonal());
        rotated.rotate_to_standard().unwrap();
        assert_close(rotated.samples(), seismogram.samples(), 1e-11);
        let mut flat = rotated.clone();
        flat.transform([[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.0, 0.0, 1.0]]).unwrap();
        let before = flat.clone();
        prop_assert!(flat.rotate_to_standard().is_err());
        prop_assert_eq!(flat, before);
    }

    #[test]
    fn components_leave_and_come_back(seismogram in seismogram(), m in matrix()) {
        prop_assume!(seismogram.npts() > 0);
        // Rows of length 1: what channels can be.
        let rows = m.map(|row| Direction::of_vector(row).unwrap().unit_vector());
        let mut turned = seismogram.clone();
        turned.transform(rows).unwrap();
        let traces = [0, 1, 2].map(|component| turned.extract(component).unwrap());
        let mut bundled = Seismogram::from_traces(traces).unwrap();
        prop_assert_eq!(bundled.samples(), turned.samples());
        prop_assert_eq!(bundled.axis, seismogram.axis);
        assert_close(bundled.tmatrix().as_flattened(), rows.as_flattened(), 1e-14);
        bundled.rotate_to_standard().unwrap();
        assert_close(bundled.samples(), seismogram.samples(), 1e-12);
        prop_assert!(seismogram.extract(3).is_err());
    }

    #[test]
    fn objects_survive_both_codecs(
        traces in vec(trace(), 0..4), seismogram in seismogram(), phi in -7.0..7.0,
            dead in any::<bool>(),
    ) {
        traces.iter().for_each(round_trip);
        let mut turned = seismogram.clone();
        turned.rotate_horizontals(phi).unwrap();
        turned.life = if dead { Life::Aborted } else { Life::Live };
        turned.axis.to_relative(UtcTime::from_nanos(77));
        round_trip(&turned);
        let mut ensemble: Ensemble<Seismogram> = [seismogram, turned].into_iter().collect();
        ensemble.metadata.put(key::SOURCE_DEPTH, 12.0);
        round_trip(&ensemble);
        round_trip(&traces.iter().cloned().collect::<Ensemble<_>>());
        let gather = Gather::new(Ensemble::from_iter(traces.first().cloned())).unwrap_or_default();
        round_trip(&gather);
        let rate = Hertz::new(20.0).unwrap();
        let spectrum = PowerSpectrum::new(SeedId::default(), "test", 0.0, 0.1, rate, vec![1.0,
            phi]);
        round_trip(&spectrum.unwrap());
    }

    #[test]
    fn an_ensemble_lives_as_long_as_a_member(lives in vec(any::<bool>(), 0..6),
        names in vec((".{1,4}", value()), 0..4)) {
        let member = |live: &bool| TimeSeries {
            life: if *live { Life::Live } else { Life::Dead },
            metadata: [("common", 1)].into_iter().collect(),
            ..TimeSeries::default()
        };
        let mut ensemble: Ensemble<TimeSeries> = lives.iter().map(member).collect();
        let any = lives.contains(&true);
        prop_assert_eq!(ensemble.validate(), any);
        prop_assert_eq!(ensemble.set_live(), any);
        prop_assert_eq!(ensemble.life() == Life::Live, any);
        ensemble.update_metadata(&names.iter().cloned().collect());
        ensemble.metadata.insert("common", 2);
        ensemble.metadata.insert("secret", 3);
        ensemble.sync_metadata(&["secret"]);
        for member in &ensemble.members {
            prop_assert_eq!(member.metadata.get("common"), Some(&Value::Int(2)));
            prop_assert_eq!(member.metadata.get("secret"), None);
            let synced = names.iter().map(|(name, _)| name.as_str()).filter(|n| *n != "secret");
            synced.for_each(|name| assert_eq!(member.metadata.get(name),
                ensemble.metadata.get(name)));
        }
        ensemble.kill("test", "not wanted");
        prop_assert!(ensemble.members.iter().all(|member| member.life == Life::Dead));
        prop_assert!(!ensemble.set_live());
        let tombstone = ensemble.into_tombstone();
        prop_assert_eq!((tombstone.life, tombstone.cause()), (Life::Dead, ("test", "not wanted")));
    }

    #[test]
    fn a_gather_holds_what_all_members_have(
        first in trace(), places in vec((-20_i64..20, -0.49..0.49_f64, 0_usize..60, any::<bool>()),
            0..5),
    ) {
        let mut first = first;
        let length = first.npts().saturating_sub(1) as f64 * first.axis.delta();
        first.gaps.clip(0, (length * 1e9) as i64);
        let mut members = vec![first.clone()];
        for (offset, part, npts, live) in places {
            let nanos = ((offset as f64 + part) * first.axis.delta() * 1e9).round() as i64;
            let start = first.axis.starttime().unwrap() + nanos;
            let samples = (0..npts).map(|index| (index as i64 + offset) as f64).collect();
            let mut member = TimeSeries::new(first.id.clone(), start, first.sampling_rate(),
                samples);
            member.life = if live { Life::Live } else { Life::Dead };
            members.push(member);
        }
        let ends = members.iter().filter(|m| m.life == Life::Live).map(|member| {
            let start = first.axis.sample_number(member.axis.start());
            (start, start + member.npts() as i64)
        });
        let (start, end) = ends.reduce(|a, b| (a.0.max(b.0), a.1.min(b.1))).unwrap();
        let gather = Gather::new(members.iter().cloned().collect());
        if end <= start {
            prop_assert!(gather.is_err());
            return Ok(());
        }
        let mut gather = gather.unwrap();
        prop_assert_eq!(gather.array().dim(), (members.len(), 1, (end - start) as usize));
        for (index, member) in members.iter().enumerate().skip(1) {
            let row = gather.member(index).unwrap();
            prop_assert_eq!(row.life, member.life);
            if member.life == Life::Live {
                prop_assert_eq!(row.samples, (start..end).map(|i| i as f64).collect::<Vec<_>>());
                prop_assert_eq!(row.axis.start(), first.axis.time(start));
            }
        }
        let whole = gather.clone();
        gather.append(first.clone()).unwrap();
        prop_assert_eq!(gather.samples(members.len()), gather.samples(0));
        let again = gather.subset(0..members.len()).unwrap();
        prop_assert_eq!(&again, &whole);
        prop_assert!(gather.subset([members.len() + 1]).is_err());
        prop_assert_eq!(Gather::new(again.clone().into_ensemble()).unwrap(), again);
        gather.kill("test", "not wanted");
        prop_assert!(!gather.is_live(0) && gather.life() == Life::Dead);
    }

    #[test]
    fn spectra_are_linear_between_their_values(values in vec(0.0..1e9, 1..20),
        place in -1.0..21.0_f64) {
        let rate = Hertz::new(50.0).unwrap();
        let spectrum = PowerSpectrum::new(SeedId::default(), "test", 0.5, 0.25, rate,
            values.clone()).unwrap();
        for (index, value) in values.iter().enumerate() {
            prop_assert_eq!(spectrum.power(spectrum.frequency(index)), Some(*value));
        }
        let between = spectrum.power(0.5 + place * 0.25);
        prop_assert_eq!(between.is_some(), 0.0 <= place && place <= (values.len() - 1) as f64);
        if let Some(power) = between {
            let (low, high) = (values[place as usize], values[place.ceil() as usize]);
            prop_assert!(power >= low.min(high) - 1e-6 && power <= low.max(high) + 1e-6);
        }
    }
}

#[test]
fn memory_is_counted_to_the_sample() {
    let rate = Hertz::new(1.0).unwrap();
    let bytes = |capacity: usize| {
        let mut samples = Vec::with_capacity(capacity);
        samples.push(1.0);
        TimeSeries::new(SeedId::default(), UtcTime::default(), rate, samples).memory_bytes()
    };
    assert_eq!(bytes(1), size_of::<TimeSeries>() + 8);
    assert_eq!(bytes(1001), size_of::<TimeSeries>() + 8008);
    let trace = TimeSeries::new(
        "YA.UV05.00.HHZ".parse().unwrap(),
        UtcTime::default(),
        rate,
        vec![0.0; 500],
    );
    assert_eq!(trace.memory_bytes(), size_of::<TimeSeries>() + 4000, "short codes take none");
    let one = trace.memory_bytes();
    let mut members = Vec::with_capacity(3);
    members.extend([trace.clone(), trace.clone()]);
    let mut ensemble = Ensemble::default();
    ensemble.members = members;
    let place = size_of::<Ensemble<TimeSeries>>() + size_of::<TimeSeries>();
    assert_eq!(ensemble.memory_bytes(), place + 2 * one);
    let gather = Gather::new(ensemble).unwrap();
    assert!(gather.memory_bytes() >= 8000 + 2 * (one - 4000));
    let samples = Array2::zeros((3, 500));
    let seismogram = Seismogram::new(trace.id.clone(), UtcTime::default(), rate, samples).unwrap();
    assert_eq!(seismogram.memory_bytes(), size_of::<Seismogram>() + 12_000);
    assert_eq!(seismogram.headstone().memory_bytes(), size_of::<Seismogram>());
    let mut noted = trace.clone();
    noted.metadata.insert("note", "x".repeat(1000));
    noted.log.push("test", Severity::Debug, "y".repeat(1000));
    assert!((one + 2000..one + 2600).contains(&noted.memory_bytes()), "{}", noted.memory_bytes());
}

#[test]
fn what_arrives_is_checked() {
    let refused = |text: &str, json: serde_json::Value, kind: &str| {
        let error = match kind {
            "seismogram" => serde_json::from_value::<Seismogram>(json).unwrap_err(),
            "gather" => serde_json::from_value::<Gather<TimeSeries>>(json).unwrap_err(),
            _ => serde_json::from_value::<TimeSeries>(json).unwrap_err(),
        };
        assert!(error.to_string().contains(text), "{error}");
    };
    let mut json = serde_json::to_value(Seismogram::default()).unwrap();
    json["samples"] = serde_json::json!([1.0, 2.0, 3.0, 4.0]);
    refused("three equal components", json, "seismogram");
    let mut json = serde_json::to_value(TimeSeries::default()).unwrap();
    json["gaps"] = serde_json::json!([[5, 6], [6, 9]]);
    refused("ordered and disjoint", json, "trace");
    let mut json = serde_json::to_value(TimeSeries::default()).unwrap();
    json["axis"]["sampling_rate"] = serde_json::json!(-1.0);
    refused("sampling rate", json, "trace");
    let mut json = serde_json::to_value(Gather::<TimeSeries>::default()).unwrap();
    json["npts"] = serde_json::json!(u64::MAX);
    refused("are not 0 members", json.clone(), "gather");
    json["npts"] = serde_json::json!(7);
    let same: Gather<TimeSeries> = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(same.array().dim(), (0, 1, 7));
    json["samples"] = serde_json::json!([1.0]);
    refused("are not 0 members", json, "gather");
}

//! What the data objects look like in serialised form.
#![allow(clippy::unwrap_used, reason = "tests fail by panics")]

use mspass_core::datum::Datum;
use mspass_core::metadata::Value;
use mspass_core::series::{Ensemble, Gather, PowerSpectrum, Sampled, Seismogram};
use mspass_core::{Hertz, SeedId, TimeSeries, UtcTime};
use proptest::collection::vec;
use proptest::prelude::*;

fn trace(samples: Vec<f64>) -> TimeSeries {
    let id = "YA.UV05.00.HHZ".parse().unwrap();
    TimeSeries::new(id, UtcTime::from_nanos(17), Hertz::new(20.0).unwrap(), samples)
}

fn seismogram(samples: Vec<f64>) -> Seismogram {
    let id = "YA.UV05.00.HH".parse().unwrap();
    Seismogram::from_planar(id, trace(vec![]).axis, samples).unwrap()
}

fn bits(samples: &[f64]) -> Vec<u64> {
    samples.iter().map(|sample| sample.to_bits()).collect()
}

/// Every pattern of bits, and those that are easily lost.
fn samples() -> impl Strategy<Value = Vec<f64>> {
    let special = vec![-0.0, f64::NAN, -f64::NAN, f64::INFINITY, f64::MIN_POSITIVE / 3.0];
    let any = any::<u64>().prop_map(f64::from_bits);
    vec(prop_oneof![any, prop::sample::select(special)], 0..50)
}

/// The datum after a way through both binary forms and, where it has no NaN, through JSON.
fn copies<T: Datum>(datum: &T, json: bool) -> Vec<T> {
    let named = rmp_serde::to_vec_named(datum).unwrap();
    let compact = rmp_serde::to_vec(datum).unwrap();
    let mut copies = vec![
        rmp_serde::from_slice(&named).unwrap(),
        rmp_serde::from_slice(&compact).unwrap(),
        rmp_serde::from_read(&named[..]).unwrap(),
    ];
    if json {
        let text = serde_json::to_string(datum).unwrap();
        copies.push(serde_json::from_str(&text).unwrap());
        copies.push(serde_json::from_reader(text.as_bytes()).unwrap());
        copies.push(serde_json::from_value(serde_json::to_value(datum).unwrap()).unwrap());
    }
    copies
}

proptest! {
    #![proptest_config(ProptestConfig::with_failure_persistence(
        proptest::test_runner::FileFailurePersistence::WithSource("failures")
    ))]

    #[test]
    fn every_bit_of_a_sample_survives(samples in samples(), finite in any::<bool>()) {
        let mut samples = samples;
        if finite {
            samples.retain(|sample| sample.is_finite());
        }
        samples.truncate(samples.len() / 3 * 3);
        let json = samples.iter().all(|sample| sample.is_finite());
        let expected = bits(&samples);
        for copy in copies(&trace(samples.clone()), json) {
            prop_assert_eq!(&bits(&copy.samples), &expected);
        }
        for copy in copies(&seismogram(samples.clone()), json) {
            prop_assert_eq!(&bits(copy.samples()), &expected);
        }
        let members = [trace(samples.clone()), trace(samples.clone())];
        if let Ok(gather) = Gather::new(Ensemble::from_iter(members)) {
            for copy in copies(&gather, json) {
                prop_assert_eq!(&bits(copy.array().as_slice().unwrap())[..samples.len()],
                    &expected[..]);
            }
        }
        let rate = Hertz::new(1.0).unwrap();
        let spectrum = PowerSpectrum::new(SeedId::default(), "test", 0.0, 1.0, rate, samples);
        for copy in copies(&spectrum.unwrap(), json) {
            prop_assert_eq!(&bits(&copy.spectrum), &expected);
        }
    }
}

#[test]
fn binary_forms_hold_eight_bytes_a_sample() {
    let length = |npts: usize| rmp_serde::to_vec(&trace(vec![0.1; npts])).unwrap().len();
    assert_eq!(length(2_000_000) - length(1_000_000), 8_000_000);
    let json = serde_json::to_value(trace(vec![0.5, -2.0])).unwrap();
    assert_eq!(json["samples"], serde_json::json!([0.5, -2.0]));
}

#[test]
fn binary_forms_may_hold_numbers() {
    let mut json = serde_json::to_value(trace(vec![])).unwrap();
    json["samples"] = serde_json::json!([1.5, -0.0, 3.0]);
    let bytes = rmp_serde::to_vec_named(&json).unwrap();
    let read: TimeSeries = rmp_serde::from_slice(&bytes).unwrap();
    assert_eq!(bits(&read.samples), bits(&[1.5, -0.0, 3.0]));
}

#[test]
fn samples_in_part_are_refused() {
    let whole = rmp_serde::to_vec_named(&trace(vec![1.0, 2.0])).unwrap();
    // The run of bytes is announced by its length: 0xc4 and one byte.
    let place = whole.windows(2).position(|pair| pair == [0xc4, 16]).unwrap();
    let mut cut = whole.clone();
    cut[place + 1] = 15;
    cut.remove(place + 2);
    let error = rmp_serde::from_slice::<TimeSeries>(&cut).unwrap_err().to_string();
    assert!(error.contains("invalid length 15") && error.contains("eight bytes"), "{error}");
    let mut json = serde_json::to_value(trace(vec![])).unwrap();
    json["samples"] = serde_json::json!("12345678");
    assert!(serde_json::from_value::<TimeSeries>(json.clone()).is_err());
    assert!(serde_json::from_str::<TimeSeries>(&json.to_string()).is_err());
}

#[test]
fn facts_are_those_of_the_fields() {
    let mut datum = trace(vec![0.0; 3]);
    datum.metadata.insert("net", "XX");
    datum.metadata.insert("snr", 2);
    let facts = [
        ("net", Value::from("YA")),
        ("sta", "UV05".into()),
        ("loc", "00".into()),
        ("chan", "HHZ".into()),
        ("npts", 3.into()),
        ("sampling_rate", 20.0.into()),
        ("delta", 0.05.into()),
        ("starttime", 1.7e-8.into()),
        ("endtime", datum.endtime().unwrap().into()),
        ("time_standard", "UTC".into()),
        ("snr", 2.into()),
    ];
    for (name, value) in facts {
        assert_eq!(datum.fact(name), Some(value), "{name}");
    }
    datum.metadata.insert("endtime", 5.0);
    datum.samples.clear();
    assert_eq!((datum.fact("endtime"), datum.fact("absent")), (None, None));
    let mut three = seismogram(vec![0.0; 6]);
    three.axis.to_relative(UtcTime::from_nanos(17));
    assert_eq!(three.fact("chan"), Some("HH".into()));
    assert_eq!(three.fact("npts"), Some(2.into()));
    assert_eq!(three.fact("time_standard"), Some("Relative".into()));
    let mut ensemble = Ensemble::from_iter([datum]);
    ensemble.metadata.insert("fold", 12);
    assert_eq!((ensemble.fact("fold"), ensemble.fact("npts")), (Some(12.into()), None));
}

use super::*;
use crate::kernel::filter::*;
use crate::kernel::sos::{SECTIONS_MAX, Section};

/// The cascade as the difference equation of each section in turn.
fn by_definition(sos: &Sos, x: &[f64]) -> Vec<f64> {
    sos.sections().iter().fold(x.to_vec(), |x, Section { b, a }| {
        let mut y: Vec<f64> = Vec::new();
        for i in 0..x.len() {
            let at = |v: &[f64], back: usize| i.checked_sub(back).map_or(0.0, |i| v[i]);
            let fed = b[0] * x[i] + b[1] * at(&x, 1) + b[2] * at(&x, 2);
            y.push(fed - a[0] * at(&y, 1) - a[1] * at(&y, 2));
        }
        y
    })
}

/// A filter of any number of sections with poles inside the unit circle.
fn cascade(sections: usize, seed: u64) -> Sos {
    let section = |v: &[f64]| {
        let (radius, angle) = (0.9 * v[0].abs(), PI * v[1]);
        Section { b: [v[2], v[3], v[4]], a: [-2.0 * radius * angle.cos(), radius * radius] }
    };
    Sos::new(noise(5 * sections, seed).chunks(5).map(section).collect()).unwrap()
}

/// Size of the filter's response to a unit sine.
fn gain(sos: &Sos, freq: f64, rate: f64) -> f64 {
    let mut impulse = vec![0.0; 1 << 16];
    impulse[0] = 1.0;
    sos.filter(&mut impulse);
    let part = |wave: fn(f64) -> f64| -> f64 {
        impulse.iter().enumerate().map(|(i, v)| v * wave(2.0 * PI * freq / rate * i as f64)).sum()
    };
    part(f64::cos).hypot(part(f64::sin))
}

proptest! {
    #[test]
    fn cascades_do_what_their_sections_say(
        sections in 1..=SECTIONS_MAX, npts in 0usize..40, more in 0usize..3, seed: u64,
    ) {
        // Lengths about the number of lanes and about whole blocks.
        let x = noise(npts + more * 2048, seed);
        let sos = cascade(sections, seed ^ 1);
        let mut y = x.clone();
        sos.filter(&mut y);
        let expected = by_definition(&sos, &x);
        let scale = expected.iter().fold(1.0, |max, v| f64::max(max, v.abs()));
        prop_assert!(largest_difference(&y, &expected) < 1e-11 * scale);
    }

    #[test]
    fn backward_is_forward_on_reversed_samples(
        sections in 1..=SECTIONS_MAX, npts in 0usize..5000, seed: u64,
    ) {
        let x = noise(npts, seed);
        let sos = cascade(sections, seed ^ 1);
        let mut once = x.clone();
        sos.filter_zerophase(&mut once);
        let mut twice = x;
        for _ in 0..2 {
            sos.filter(&mut twice);
            twice.reverse();
        }
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn pairs_are_filtered_as_singles_are(
        sections in 1..=SECTIONS_MAX, npts in 0usize..5000, seed: u64,
    ) {
        let sos = cascade(sections, seed);
        let (mut x, mut y) = (noise(npts, seed ^ 1), noise(npts, seed ^ 2));
        let (mut x_pair, mut y_pair) = (x.clone(), y.clone());
        sos.filter_zerophase(&mut x);
        sos.filter_zerophase(&mut y);
        sos.filter_zerophase_pair(&mut x_pair, &mut y_pair).unwrap();
        prop_assert_eq!((x, y), (x_pair, y_pair));
    }

    #[test]
    fn filters_are_linear(seed: u64, factor in -10.0..10.0f64) {
        let sos = butterworth_bandpass(4, 1.0, 9.0, 40.0).unwrap();
        let (x, y) = (noise(3000, seed), noise(3000, seed ^ 1));
        let mut sum: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x + factor * y).collect();
        let (mut x, mut y) = (x, y);
        sos.filter_zerophase_pair(&mut x, &mut y).unwrap();
        sos.filter_zerophase(&mut sum);
        let expected: Vec<f64> = x.iter().zip(&y).map(|(x, y)| x + factor * y).collect();
        prop_assert!(largest_difference(&sum, &expected) < 1e-12);
    }
}

#[test]
fn corners_lose_half_the_power_for_every_number_of_corners() {
    let half = 0.5f64.sqrt();
    for corners in 1..=8 {
        let pass = butterworth_bandpass(corners, 0.5, 8.0, 100.0).unwrap();
        let stop = butterworth_bandstop(corners, 0.5, 8.0, 100.0).unwrap();
        let low = butterworth_lowpass(corners, 8.0, 100.0).unwrap();
        let high = butterworth_highpass(corners, 0.5, 100.0).unwrap();
        for (sos, freq) in [(&pass, 0.5), (&pass, 8.0), (&stop, 0.5), (&stop, 8.0)] {
            assert!((gain(sos, freq, 100.0) - half).abs() < 1e-9, "{corners} at {freq}");
        }
        assert!((gain(&low, 8.0, 100.0) - half).abs() < 1e-9);
        assert!((gain(&high, 0.5, 100.0) - half).abs() < 1e-9);
        assert!((gain(&low, 0.0, 100.0) - 1.0).abs() < 1e-9);
        assert!((gain(&high, 50.0, 100.0) - 1.0).abs() < 1e-9);
        assert!(gain(&pass, 0.0, 100.0) < 1e-9 && gain(&pass, 50.0, 100.0) < 1e-9);
    }
}

#[test]
fn chebyshev_keeps_its_promise_for_every_order() {
    for order in [4, 5, 12, ORDER_MAX] {
        let sos = chebyshev2_lowpass(order, 10.0, 100.0).unwrap();
        assert!((gain(&sos, 0.0, 100.0) - 1.0).abs() < 1e-9);
        for freq in [10.0, 11.0, 17.0, 33.0, 49.0] {
            assert!(gain(&sos, freq, 100.0) < 10f64.powf(-95.9 / 20.0), "{order} at {freq}");
        }
    }
}

#[test]
fn impossible_filters_name_corner_and_limit() {
    let message = |sos: crate::Result<Sos>| sos.unwrap_err().to_string();
    let text = message(butterworth_bandpass(4, 0.05, 60.0, 100.0));
    assert!(
        text.contains("freqmax = 60 Hz") && text.contains("Nyquist frequency of 50 Hz"),
        "{text}"
    );
    let text = message(butterworth_bandpass(4, 8.0, 8.0, 100.0));
    assert!(text.contains("freqmax") && text.contains("8 Hz"), "{text}");
    assert!(message(butterworth_bandstop(4, 0.0, 8.0, 100.0)).contains("freqmin = 0 Hz"));
    assert!(message(butterworth_lowpass(4, 50.0, 100.0)).contains("freq = 50 Hz"));
    assert!(message(butterworth_highpass(0, 5.0, 100.0)).contains("corners = 0"));
    assert!(message(butterworth_bandpass(17, 1.0, 5.0, 100.0)).contains("1 to 16 corners"));
    assert!(message(chebyshev2_lowpass(0, 5.0, 100.0)).contains("order_max = 0"));
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let error = butterworth_lowpass(4, 1.0, rate).unwrap_err();
        assert!(matches!(error, Error::SamplingRate { .. }), "{error}");
    }
    for freq in [f64::NAN, f64::INFINITY, -1.0] {
        assert!(butterworth_bandpass(4, freq, 5.0, 100.0).is_err());
        assert!(butterworth_bandpass(4, 1.0, freq, 100.0).is_err());
        assert!(chebyshev2_lowpass(12, freq, 100.0).is_err());
    }
    assert!(Sos::new(vec![]).is_err());
    let section = Section { b: [1.0, f64::NAN, 0.0], a: [0.0; 2] };
    assert!(Sos::new(vec![section]).is_err());
}

#[test]
fn padding_needs_enough_samples() {
    let sos = butterworth_bandpass(4, 1.0, 9.0, 40.0).unwrap();
    assert_eq!(sos.padding(), 27);
    let text = sos.filter_zerophase_padded(&mut noise(27, 1)).unwrap_err().to_string();
    assert!(text.contains("27 samples") && text.contains("28"), "{text}");
    sos.filter_zerophase_padded(&mut noise(28, 1)).unwrap();
    // Of order 3: one section lacks its second coefficients.
    assert_eq!(butterworth_lowpass(3, 1.0, 40.0).unwrap().padding(), 12);
}

#[test]
fn padding_starts_in_the_steady_state() {
    let sos = butterworth_lowpass(4, 2.0, 40.0).unwrap();
    let mut x = vec![7.0; 500];
    sos.filter_zerophase_padded(&mut x).unwrap();
    assert_close(&x, &[7.0; 500], 1e-11);
}

#[test]
fn ringing_down_in_silence_ends_in_zeros() {
    let sos = butterworth_highpass(4, 15.0, 40.0).unwrap();
    let mut x = vec![0.0; 100_000];
    x[0] = 1.0;
    sos.filter(&mut x);
    assert!(x[..2000].iter().any(|v| *v != 0.0));
    // All but the last samples before silence are ordinary numbers, not slow denormal ones.
    assert!(x.iter().filter(|v| v.is_subnormal()).count() < 2048);
    assert_eq!(x[50_000..].iter().filter(|v| **v != 0.0).count(), 0);
}

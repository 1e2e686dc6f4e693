//! Whitening and correlation of noise.

use super::whiten::Flat;
use super::*;

/// The sum that a lag stands for.
fn lag_by_sum(a: &[f64], b: &[f64], lag: i64) -> f64 {
    let at = |n: usize| usize::try_from(n as i64 + lag).ok().and_then(|n| a.get(n));
    b.iter().enumerate().filter_map(|(n, b)| Some(b * at(n)?)).sum()
}

fn by_sum(a: &[f64], b: &[f64], max_lag: usize) -> Vec<f64> {
    let max = max_lag as i64;
    (-max..=max).map(|lag| lag_by_sum(a, b, lag)).collect()
}

/// Amplitudes of the discrete Fourier transform.
fn amplitudes(x: &[f64]) -> Vec<f64> {
    let mut scratch = Scratch::new();
    scratch.forward(&mut x.to_vec(), x.len() / 2 + 1);
    scratch.spectrum.iter().map(|bin| bin.norm()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_failure_persistence(
        proptest::test_runner::FileFailurePersistence::WithSource("failures")
    ))]

    #[test]
    fn correlation_is_the_sum_it_stands_for(
        npts in 1_usize..200, other in 1_usize..200, max_lag in 0_usize..300, seed in 1_u64..99,
    ) {
        let (a, b) = (noise(npts, seed), noise(other, seed + 1));
        let (mut scratch, mut out) = (Scratch::new(), vec![7.0; 3]);
        correlate::cross_correlate(&a, &b, max_lag, false, &mut out, &mut scratch).unwrap();
        let expected = by_sum(&a, &b, max_lag);
        assert_close(&out, &expected, 1e-12);
        let energy: f64 = [&a, &b].map(|x| x.iter().map(|v| v * v).sum::<f64>().sqrt()).iter()
            .product();
        correlate::cross_correlate(&a, &b, max_lag, true, &mut out, &mut scratch).unwrap();
        let expected: Vec<f64> = expected.iter().map(|v| v / energy).collect();
        assert_close(&out, &expected, 1e-12);
        prop_assert!(out.iter().all(|c| c.abs() < 1.0 + 1e-12));
        let b = noise(npts, seed + 1);
        correlate::cross_correlate(&a, &b, max_lag, true, &mut out, &mut scratch).unwrap();
        let [a, b] = [&a, &b].map(|x| {
            correlate::Transform::new(x, max_lag, &mut scratch).unwrap()
        });
        let mut prepared = Vec::new();
        a.cross_correlate(&b, true, &mut prepared, &mut scratch).unwrap();
        prop_assert_eq!(prepared, out, "the same work in another order");
    }

    #[test]
    fn shifted_noise_peaks_at_the_shift(shift in -400_i64..400, seed in 1_u64..99) {
        let source = noise(3000, seed);
        let cut = |start: i64| &source[start as usize..start as usize + 2000];
        // What starts later in the source is ahead.
        let (a, b) = (cut(500 - shift), cut(500));
        let mut out = Vec::new();
        correlate::cross_correlate(a, b, 500, true, &mut out, &mut Scratch::new()).unwrap();
        let peak = out.iter().enumerate().max_by(|x, y| x.1.total_cmp(y.1)).unwrap().0;
        prop_assert_eq!(peak as i64 - 500, shift);
    }

    #[test]
    fn white_means_amplitude_one(
        npts in prop_oneof![20_usize..400, Just(2053), Just(4099), Just(5000)], seed in 1_u64..99,
    ) {
        let (x, mut scratch) = (noise(npts, seed), Scratch::new());
        let band = Flat { freqmin: 10.0, freqmax: 30.0, taper_hz: 5.0, smooth_hz: 0.0 };
        let mut white = x.clone();
        whiten::flatten(&mut white, 100.0, &band, &mut scratch).unwrap();
        for (bin, amplitude) in amplitudes(&white).into_iter().enumerate() {
            let freq = bin as f64 * 100.0 / npts as f64;
            let weight = match freq {
                10.0..=30.0 => 1.0,
                5.0..10.0 => 0.5 - 0.5 * (PI * (freq - 5.0) / 5.0).cos(),
                30.0..35.0 => 0.5 + 0.5 * (PI * (freq - 30.0) / 5.0).cos(),
                _ => 0.0,
            };
            prop_assert!((amplitude - weight).abs() < 1e-6, "{} Hz: {}", freq, amplitude);
        }
        // Phases stay: whitened twice is whitened once, and scaled is the same.
        let mut twice = white.clone();
        whiten::flatten(&mut twice, 100.0, &Flat { taper_hz: 0.0, ..band }, &mut scratch).unwrap();
        let mut scaled: Vec<f64> = x.iter().map(|v| 1e5 * v).collect();
        whiten::flatten(&mut scaled, 100.0, &Flat { taper_hz: 0.0, ..band }, &mut scratch).unwrap();
        assert_close(&twice, &scaled, 1e-6);
    }

    #[test]
    fn smoothed_amplitudes_are_means(npts in 20_usize..300, half in 1_usize..40, seed in 1_u64..9) {
        let x = noise(npts, seed);
        let df = 100.0 / npts as f64;
        let band = Flat {
            freqmin: df,
            freqmax: 50.0,
            taper_hz: 0.0,
            smooth_hz: 2.0 * half as f64 * df,
        };
        let mut white = x.clone();
        whiten::flatten(&mut white, 100.0, &band, &mut Scratch::new()).unwrap();
        let raw = amplitudes(&x);
        for (bin, amplitude) in amplitudes(&white).into_iter().enumerate().skip(1) {
            let window = &raw[bin.saturating_sub(half)..raw.len().min(bin + half + 1)];
            let mean = window.iter().sum::<f64>() / window.len() as f64;
            prop_assert!((amplitude - raw[bin] / mean).abs() < 1e-9);
        }
    }
}

#[test]
fn noise_kernels_refuse_what_they_cannot_do() {
    let mut scratch = Scratch::new();
    let band = Flat { freqmin: 1.0, freqmax: 2.0, taper_hz: 0.5, smooth_hz: 0.0 };
    let mut refused = |band: Flat, npts: usize, word: &str| {
        let before = noise(npts, 1);
        let mut x = before.clone();
        let error = whiten::flatten(&mut x, 10.0, &band, &mut scratch).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
        assert_eq!(x, before);
    };
    refused(band, 0, "no frequency");
    refused(Flat { freqmax: 1.1, taper_hz: 0.0, ..band }, 7, "no frequency");
    refused(Flat { freqmax: 6.0, ..band }, 100, "Nyquist frequency of 5 Hz");
    refused(Flat { freqmin: 0.0, ..band }, 100, "freqmin");
    refused(Flat { freqmax: 0.5, ..band }, 100, "freqmax");
    refused(Flat { taper_hz: 1.5, ..band }, 100, "taper_hz");
    refused(Flat { taper_hz: f64::NAN, ..band }, 100, "taper_hz");
    refused(Flat { smooth_hz: -1.0, ..band }, 100, "smooth_hz");
    // Silence stays silence, and all below the Nyquist frequency may pass.
    let mut silence = vec![0.0; 64];
    let all = Flat { freqmax: 5.0, smooth_hz: 1e9, ..band };
    whiten::flatten(&mut silence, 10.0, &all, &mut scratch).unwrap();
    assert_eq!(silence, [0.0; 64]);
    let mut signs = [3.0, -0.5, 0.0, f64::NAN, -f64::INFINITY];
    whiten::one_bit(&mut signs);
    assert_eq!((&signs[..3], signs[4]), (&[1.0, -1.0, 0.0][..], -1.0));
    assert!(signs[3].is_nan());
    let (x, mut out) = (noise(10, 1), Vec::new());
    let mut correlated = |a: &[f64], max_lag, normalize| {
        correlate::cross_correlate(a, &x, max_lag, normalize, &mut out, &mut scratch)
    };
    assert!(correlated(&[], 3, false).is_err());
    assert!(correlated(&[0.0; 10], 3, true).is_err());
    assert!(correlated(&[f64::NAN; 10], 3, true).is_err());
    assert!(correlated(&x, usize::MAX, false).is_err());
    correlated(&[0.0; 10], 3, false).unwrap();
    assert_eq!(out, [0.0; 7]);
}

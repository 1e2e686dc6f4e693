use super::*;
use crate::kernel::taper::{Curve, Shape, Side};

proptest! {
    #[test]
    fn nothing_is_left_of_a_line(
        npts in 1usize..5000, offset in -1e9..1e9f64, slope in -1e3..1e3f64,
    ) {
        let line: Vec<f64> = (0..npts).map(|i| offset + slope * i as f64).collect();
        let scale = line.iter().fold(1.0, |max, v| f64::max(max, v.abs()));
        for remove in [detrend::linear, detrend::simple] {
            let mut x = line.clone();
            remove(&mut x);
            prop_assert!(largest_difference(&x, &vec![0.0; npts]) < 1e-14 * scale);
        }
    }

    #[test]
    fn nothing_is_left_of_a_polynomial(degree in 0usize..6, more in 1usize..3000, seed: u64) {
        let npts = degree + more;
        let coefficients = noise(degree + 1, seed);
        let mut x: Vec<f64> = (0..npts)
            .map(|i| i as f64 / npts as f64)
            .map(|t| coefficients.iter().fold(0.0, |sum, c| sum * t + c))
            .collect();
        detrend::polynomial(&mut x, degree).unwrap();
        prop_assert!(largest_difference(&x, &vec![0.0; npts]) < 1e-13);
    }

    #[test]
    fn what_is_left_has_no_mean_and_no_slope(npts in 3usize..20_000, seed: u64) {
        let mut x: Vec<f64> =
            noise(npts, seed).iter().enumerate().map(|(i, v)| 1e6 + 3.0 * i as f64 + v).collect();
        let mut with_polynomial = x.clone();
        detrend::linear(&mut x);
        detrend::polynomial(&mut with_polynomial, 1).unwrap();
        prop_assert!(largest_difference(&x, &with_polynomial) < 1e-9);
        let centre = (npts as f64 - 1.0) / 2.0;
        let mean = x.iter().sum::<f64>() / npts as f64;
        let slope: f64 = x.iter().enumerate().map(|(i, v)| v * (i as f64 - centre)).sum();
        prop_assert!(mean.abs() < 1e-9, "{mean}");
        prop_assert!(slope.abs() / (npts as f64).powi(2) < 1e-9, "{slope}");
    }

    #[test]
    fn rotations_undo_each_other(ba in -720.0..720.0f64, inc in -360.0..360.0f64, seed: u64) {
        let original = [noise(20, seed), noise(20, seed ^ 1), noise(20, seed ^ 2)];
        let [mut z, mut n, mut e] = original.clone();
        rotate::ne_to_rt(&mut n, &mut e, ba).unwrap();
        rotate::rt_to_ne(&mut n, &mut e, ba).unwrap();
        rotate::zne_to_lqt([&mut z, &mut n, &mut e], ba, inc).unwrap();
        let length = |c: [&[f64]; 3]| c.iter().map(|v| v[0] * v[0]).sum::<f64>();
        let [z0, n0, e0] = &original;
        prop_assert!((length([&z, &n, &e]) - length([z0, n0, e0])).abs() < 1e-12);
        rotate::lqt_to_zne([&mut z, &mut n, &mut e], ba, inc).unwrap();
        for (found, original) in [z, n, e].iter().zip(&original) {
            prop_assert!(largest_difference(found, original) < 1e-12);
        }
    }

    #[test]
    fn matrices_and_their_inverses_cancel(values in proptest::array::uniform9(-1.0..1.0f64)) {
        let [a, b, c, d, e, f, g, h, i] = values;
        let matrix = [[a, b, c], [d, e, f], [g, h, i]];
        let Ok(inverse) = rotate::inverse(&matrix) else { return Ok(()) };
        let mut columns = rotate::transposed(&matrix);
        let [x, y, z] = &mut columns;
        // Components are rows: each sample is one column of the matrix.
        let mut rows = [x, y, z].map(|column| column.to_vec());
        let samples: Vec<Vec<f64>> = (0..3).map(|k| rows.iter().map(|r| r[k]).collect()).collect();
        rows.clone_from_slice(&samples);
        let [p, q, r] = &mut rows;
        rotate::transform([p, q, r], &inverse).unwrap();
        for (k, row) in rows.iter().enumerate() {
            let identity: Vec<f64> = (0..3).map(|j| f64::from(u8::from(j == k))).collect();
            prop_assert!(largest_difference(row, &identity) < 1e-6);
        }
    }

    #[test]
    fn resampling_up_and_down_gives_the_samples_back(
        npts in 1usize..3000, more in 1usize..3000, seed: u64,
    ) {
        let original = noise(npts, seed);
        let mut scratch = Scratch::new();
        let mut x = original.clone();
        resample::fft(&mut x, npts + more, &mut scratch).unwrap();
        prop_assert_eq!(x.len(), npts + more);
        resample::fft(&mut x, npts, &mut scratch).unwrap();
        prop_assert!(largest_difference(&x, &original) < 1e-10);
    }

    #[test]
    fn both_ways_to_resample_agree(npts in 1usize..6000, to in 1usize..6000, seed: u64) {
        let original = noise(npts, seed);
        let mut out = vec![0.0; to];
        resample::fft_into(&mut original.clone(), &mut out, &mut Scratch::new()).unwrap();
        let mut x = original;
        resample::fft(&mut x, to, &mut Scratch::new()).unwrap();
        prop_assert_eq!(x, out);
    }

    #[test]
    fn integrals_of_derivatives_keep_the_means_of_neighbours(npts in 3usize..300, seed: u64) {
        let original = noise(npts, seed);
        let mut x = original.clone();
        calculus::integrate(&mut x, 0.01).unwrap();
        calculus::differentiate(&mut x, 0.01).unwrap();
        for i in 1..npts - 1 {
            let mean = (original[i - 1] + 2.0 * original[i] + original[i + 1]) / 4.0;
            prop_assert!((x[i] - mean).abs() < 1e-11);
        }
    }

    #[test]
    fn interpolation_at_the_samples_gives_the_samples(npts in 4usize..200, seed: u64) {
        let x = noise(npts, seed);
        for out in interpolations(&x, Grid { start: 0.0, step: 1.0 }, npts) {
            prop_assert_eq!(&x, &out);
        }
    }

    #[test]
    fn splines_are_exact_on_cubics(npts in 4usize..300, start in 0.0..1.0f64, seed: u64) {
        let c = noise(4, seed);
        let cubic = |i: f64| {
            let t = i / npts as f64;
            c[0] + t * (c[1] + t * (c[2] + t * c[3]))
        };
        let x: Vec<f64> = (0..npts).map(|i| cubic(i as f64)).collect();
        let mut out = vec![0.0; 2 * npts - 3];
        let grid = Grid { start, step: 0.5 };
        interpolate::cubic(&x, grid, &mut out, &mut Scratch::new()).unwrap();
        let expected: Vec<f64> = (0..out.len()).map(|i| cubic(start + 0.5 * i as f64)).collect();
        prop_assert!(largest_difference(&out, &expected) < 1e-12);
    }

    #[test]
    fn weighted_slopes_never_overshoot(npts in 2usize..100, seed: u64) {
        let x = noise(npts, seed);
        let steps = 16;
        let mut out = vec![0.0; steps * (npts - 1) + 1];
        let grid = Grid { start: 0.0, step: 1.0 / steps as f64 };
        interpolate::weighted_average_slopes(&x, grid, &mut out).unwrap();
        for (i, v) in out.iter().enumerate() {
            let (before, after) = (x[i / steps], x[(i / steps + 1).min(npts - 1)]);
            let (least, most) = (before.min(after), before.max(after));
            prop_assert!((least - 1e-12..=most + 1e-12).contains(v));
        }
    }

    #[test]
    fn averages_are_those_of_their_windows(
        nsta in 1usize..20, more in 1usize..50, rest in 0usize..200, seed: u64,
    ) {
        let nlta = nsta + more;
        let mut x = noise(nlta + rest, seed);
        // A glitch whose rounding errors must not stay in the sums.
        x[nlta / 2] = 1e9;
        let power = |end: usize, n: usize| {
            x[end + 1 - n..=end].iter().map(|v| v * v).sum::<f64>() / n as f64
        };
        let mut ratio = x.clone();
        trigger::classic_sta_lta(&mut ratio, nsta, nlta, &mut Vec::new()).unwrap();
        prop_assert!(ratio[..nlta - 1].iter().all(|v| *v == 0.0));
        for end in (nlta - 1..x.len()).filter(|end| *end < nlta || *end >= 3 * nlta) {
            let expected = power(end, nsta) / power(end, nlta);
            prop_assert!((ratio[end] - expected).abs() < 1e-9 * expected.max(1.0));
        }
    }

    #[test]
    fn envelopes_hold_their_signal(npts in 1usize..4000, seed: u64) {
        let x = noise(npts, seed);
        let mut envelope = x.clone();
        envelope::envelope(&mut envelope, &mut Vec::new(), &mut Scratch::new());
        prop_assert!(x.iter().zip(&envelope).all(|(v, e)| v.abs() <= *e));
        let mut twice = x.clone();
        detrend::demean(&mut twice);
        envelope::hilbert(&mut twice, &mut Scratch::new());
        envelope::hilbert(&mut twice, &mut Scratch::new());
        // Two quarter periods turn the signal over, except at frequency 0 and the Nyquist one.
        let mut expected = x;
        detrend::demean(&mut expected);
        if npts.is_multiple_of(2) {
            let sign = |i: usize| if i.is_multiple_of(2) { 1.0 } else { -1.0 };
            let sum: f64 = expected.iter().enumerate().map(|(i, v)| sign(i) * v).sum();
            for (i, v) in expected.iter_mut().enumerate() {
                *v -= sign(i) * sum / npts as f64;
            }
        }
        expected.iter_mut().for_each(|v| *v = -*v);
        prop_assert!(largest_difference(&twice, &expected) < 1e-10);
    }

    #[test]
    fn quantiles_are_those_of_sorted_samples(
        npts in 1usize..500,
        part in 0.001..1.0f64,
        seed: u64,
    ) {
        let x = noise(npts, seed);
        let mut sorted: Vec<f64> = x.iter().map(|v| v.abs()).collect();
        sorted.sort_by(f64::total_cmp);
        let found = amplitude::perc(&x, part, &mut Scratch::new()).unwrap();
        prop_assert_eq!(found, sorted[(part * npts as f64) as usize]);
        prop_assert_eq!(amplitude::peak(&x), sorted[npts - 1]);
    }
}

fn interpolations(x: &[f64], grid: Grid, npts: usize) -> [Vec<f64>; 4] {
    let mut outs = [(); 4].map(|()| vec![0.0; npts]);
    interpolate::linear(x, grid, &mut outs[0]).unwrap();
    interpolate::weighted_average_slopes(x, grid, &mut outs[1]).unwrap();
    interpolate::cubic(x, grid, &mut outs[2], &mut Scratch::new()).unwrap();
    interpolate::lanczos(x, grid, 20, &mut outs[3]).unwrap();
    outs
}

#[test]
fn lanczos_holds_near_samples_and_between() {
    let wave = |t: f64| (2.0 * PI * 0.05 * t).sin();
    let x: Vec<f64> = (0..400).map(|i| wave(i as f64)).collect();
    for t in [0.0, 1e-12, 1e-7, 0.25, 0.5, 0.75, 1.0 - 1e-7, 1.0 - 1e-12] {
        let mut out = [0.0];
        interpolate::lanczos(&x, Grid { start: 200.0 + t, step: 1.0 }, 20, &mut out).unwrap();
        assert!((out[0] - wave(200.0 + t)).abs() < 2e-4, "{t}: {}", out[0]);
    }
    // Continuous through a sample: its neighbourhood is not lost to rounding.
    let mut out = [0.0; 2];
    interpolate::lanczos(&x, Grid { start: 200.0 - 1e-10, step: 2e-10 }, 20, &mut out).unwrap();
    assert!((out[0] - x[200]).abs() < 1e-9 && (out[1] - x[200]).abs() < 1e-9);
}

#[test]
fn a_sine_survives_resampling_at_awkward_lengths() {
    let (npts, to) = (35_993, 7_199);
    let wave = |t: f64| (2.0 * PI * 500.0 * t).sin();
    let mut x: Vec<f64> = (0..npts).map(|i| wave(i as f64 / npts as f64)).collect();
    resample::fft(&mut x, to, &mut Scratch::new()).unwrap();
    let expected: Vec<f64> = (0..to).map(|i| wave(i as f64 / to as f64)).collect();
    assert_close(&x, &expected, 1e-10);
}

#[test]
fn tapers_touch_their_side_only() {
    for shape in [Shape::Hann, Shape::Hamming, Shape::Blackman, Shape::Triangle] {
        let weights = |side| {
            let mut x = vec![1.0; 101];
            taper::ends(&mut x, 20, shape, side);
            x
        };
        let (both, head, mut tail) =
            (weights(Side::Both), weights(Side::Head), weights(Side::Tail));
        assert!(both[20..81].iter().chain(&head[20..]).all(|w| *w == 1.0));
        assert_eq!(both[..50], head[..50]);
        tail.reverse();
        assert_eq!(head, tail);
        assert!(head.windows(2).all(|w| w[0] <= w[1]), "{shape:?} falls");
    }
}

#[test]
fn ramps_mute_rise_and_leave_the_rest() {
    for (curve, quarter) in [(Curve::Linear, 0.25), (Curve::Cosine, 0.5 - 0.125f64.sqrt())] {
        let mut x = vec![2.0; 20];
        taper::ramp_up(&mut x, 3.0, 7.0, curve).unwrap();
        assert_eq!(x[..4], [0.0; 4]);
        assert_close(&x[4..7], &[2.0 * quarter, 1.0, 2.0 * (1.0 - quarter)], 1e-15);
        assert_eq!(x[7..], [2.0; 13]);
        taper::ramp_down(&mut x, 12.0, 16.0, curve).unwrap();
        assert_close(&x[13..16], &[2.0 * (1.0 - quarter), 1.0, 2.0 * quarter], 1e-15);
        assert_eq!((x[12], &x[16..]), (2.0, &[0.0; 4][..]));
    }
    let mut x = vec![2.0; 20];
    taper::ramp_up(&mut x, -4.0, -1.5, Curve::Linear).unwrap();
    taper::ramp_up(&mut x, 5.0, 5.0, Curve::Linear).unwrap();
    taper::ramp_down(&mut x, 19.0, 1e300, Curve::Linear).unwrap();
    assert_eq!(x, [2.0; 20]);
    taper::ramp_up(&mut x, 0.5, 2.5, Curve::Linear).unwrap();
    assert_eq!(x[..4], [0.0, 0.5, 1.5, 2.0]);
    taper::ramp_up(&mut x, 1e300, f64::MAX, Curve::Cosine).unwrap();
    assert_eq!(x, [0.0; 20]);
    assert!(taper::ramp_up(&mut x, 2.0, 1.0, Curve::Linear).is_err());
    assert!(taper::ramp_down(&mut x, f64::NAN, 1.0, Curve::Linear).is_err());
}

#[test]
fn muting_silences_even_what_is_not_a_number() {
    let mut x = [f64::NAN, f64::INFINITY, 1.0, 1.0];
    taper::ramp_up(&mut x, 1.0, 2.0, Curve::Linear).unwrap();
    assert_eq!(x, [0.0, 0.0, 1.0, 1.0]);
}

#[test]
fn axes_must_be_independent() {
    let mut x = [[1.0], [2.0], [3.0]];
    let [u, v, w] = &mut x;
    let axes = [(0.0, 0.0), (90.0, 0.0), (45.0, 0.0)];
    let error = rotate::to_zne([u, v, w], axes).unwrap_err();
    assert!(error.to_string().contains("not independent"), "{error}");
    // Up, north, east as SEED has them.
    rotate::to_zne([u, v, w], [(0.0, -90.0), (0.0, 0.0), (90.0, 0.0)]).unwrap();
    assert_close(&x.concat(), &[1.0, 2.0, 3.0], 1e-15);
}

#[test]
fn decimation_keeps_a_slow_wave() {
    let wave = |i: usize| (2.0 * PI * i as f64 / 200.0).cos();
    let x: Vec<f64> = (0..5000).map(wave).collect();
    let mut out = Vec::new();
    decimate::FirDecimator::new(4).unwrap().apply(&x, &mut out);
    assert_eq!(out.len(), 1250);
    let expected: Vec<f64> = (0..1250).map(|i| wave(4 * i)).collect();
    assert_close(&out[10..1240], &expected[10..1240], 3e-3);
}

#[test]
fn triggers_start_at_on_and_end_before_off() {
    let cft = [5.0, 1.0, f64::NAN, 1.0, 2.0, 1.0, 2.0, 0.0, 1.0, 0.0, 9.0];
    let found = trigger::onsets(&cft, 2.0, 1.0).unwrap();
    assert_eq!(found, [0..=1, 4..=6, 10..=10]);
    assert!(trigger::onsets(&[], 2.0, 1.0).unwrap().is_empty());
}

//! Traces of no or few samples, and samples that are not numbers: refused or handled, never a
//! panic.

use super::*;
use crate::kernel::taper::{Curve, Shape, Side};

type Kernel = dyn Fn(&mut Vec<f64>, &mut Scratch) -> crate::Result<()>;

/// Every kernel of one trace in turn; what they answer does not matter here.
fn all(x: &[f64], scratch: &mut Scratch) -> usize {
    let kernels: Vec<_> = shaping().into_iter().chain(others()).collect();
    for kernel in &kernels {
        let mut x = x.to_vec();
        if let Err(error) = kernel(&mut x, scratch) {
            assert!(matches!(error, Error::Unfit(_) | Error::Parameter { .. }), "{error}");
        }
    }
    kernels.len()
}

/// Kernels that give as many samples as they take.
fn shaping() -> Vec<Box<Kernel>> {
    let mut kernels: Vec<Box<Kernel>> = vec![
        Box::new(|x, _| calculus::differentiate(x, 0.01)),
        Box::new(|x, _| calculus::integrate(x, 0.01)),
    ];
    for remove in [detrend::demean, detrend::linear, detrend::simple] {
        kernels.push(Box::new(move |x, _| {
            remove(x);
            Ok(())
        }));
    }
    for degree in [0, 1, 5, detrend::DEGREE_MAX] {
        kernels.push(Box::new(move |x, _| detrend::polynomial(x, degree)));
    }
    for fraction in [0.0, 0.04, 0.5, 0.99, 1.0] {
        kernels.push(Box::new(move |x, _| taper::cosine(x, fraction)));
        for shape in [Shape::Hann, Shape::Hamming, Shape::Blackman, Shape::Triangle] {
            kernels.push(Box::new(move |x, _| {
                let ramp = taper::ramp_npts(x.len(), fraction)?;
                taper::ends(x, ramp + 1, shape, Side::Both);
                Ok(())
            }));
        }
        kernels.push(Box::new(move |x, _| taper::ramp_up(x, -1.0, 10.0 * fraction, Curve::Cosine)));
        kernels.push(Box::new(move |x, _| taper::ramp_down(x, 3.0, 3.3, Curve::Linear)));
        kernels.push(Box::new(move |x, s| amplitude::perc(x, fraction, s).map(drop)));
    }
    for corners in [1, 2, 3, 4, 7] {
        kernels.push(Box::new(move |x, _| {
            let sos = filter::butterworth_bandpass(corners, 0.1, 0.3, 1.0)?;
            sos.filter_zerophase(x);
            sos.filter_zerophase_padded(x)
        }));
    }
    kernels
}

/// Kernels that change the number of samples, measure or detect.
fn others() -> Vec<Box<Kernel>> {
    let mut kernels: Vec<Box<Kernel>> = vec![
        Box::new(|x, _| decimate::keep_every(x, 3)),
        Box::new(|x, s| resample::fft_hann(x, 1.7, s)),
        Box::new(|x, s| resample::fft_hann(x, 0.6, s)),
        Box::new(|x, s| {
            assert!(amplitude::mad(x, s) >= 0.0 || x.iter().any(|v| v.is_nan()));
            envelope::envelope(x, &mut Vec::new(), s);
            Ok(())
        }),
    ];
    for npts in [0, 1, 2, 3, 7, 100, 3001] {
        kernels.push(Box::new(move |x, s| resample::fft(x, npts, s)));
        kernels.push(Box::new(move |x, s| {
            let (grid, mut out) = (Grid { start: 0.0, step: 0.3 }, vec![0.0; npts]);
            interpolate::linear(x, grid, &mut out)?;
            interpolate::weighted_average_slopes(x, grid, &mut out)?;
            interpolate::lanczos(x, grid, 5, &mut out)?;
            interpolate::cubic(x, grid, &mut out, s)
        }));
    }
    for (nsta, nlta) in
        [(1, 2), (3, 30), (0, 5), (5, 5), (1, usize::MAX), (usize::MAX - 1, usize::MAX)]
    {
        kernels.push(Box::new(move |x, _| {
            let mut work = Vec::new();
            trigger::z_detect(x, nsta, &mut work)?;
            trigger::classic_sta_lta(x, nsta, nlta, &mut work)?;
            trigger::recursive_sta_lta(x, nsta, nlta)?;
            let found = trigger::onsets(x, 1.5, 0.5)?;
            assert!(found.iter().all(|range| *range.end() < x.len()));
            trigger::delayed_sta_lta(x, nsta, nlta, &mut work)
        }));
    }
    for (max_lag, smooth_hz) in [(0, 0.0), (5, 0.1), (5000, 3.0)] {
        kernels.push(Box::new(move |x, s| {
            let (other, mut out) = (x.clone(), Vec::new());
            let band = whiten::Flat { freqmin: 0.1, freqmax: 0.4, taper_hz: 0.05, smooth_hz };
            let white = whiten::flatten(x, 1.0, &band, s);
            whiten::one_bit(x);
            correlate::cross_correlate(x, &other, max_lag, false, &mut out, s)?;
            assert_eq!(out.len(), 2 * max_lag + 1);
            white
        }));
    }
    for factor in [1, 2, 7] {
        kernels.push(Box::new(move |x, _| {
            let mut out = Vec::new();
            decimate::FirDecimator::new(factor)?.apply(x, &mut out);
            assert_eq!(out.len(), x.len().div_ceil(factor));
            Ok(())
        }));
    }
    kernels
}

#[test]
fn no_length_panics() {
    let mut scratch = Scratch::new();
    for npts in (0..40).chain([2047, 2048, 2049, 2050, 2053]) {
        assert!(all(&noise(npts, 3), &mut scratch) > 50);
    }
}

#[test]
fn samples_that_are_not_numbers_spread_without_a_panic() {
    let mut scratch = Scratch::new();
    for npts in [1, 2, 5, 100, 2053] {
        for strange in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 1e-320] {
            let mut x = noise(npts, 4);
            x[npts / 2] = strange;
            all(&x, &mut scratch);
            all(&vec![strange; npts], &mut scratch);
        }
    }
    let mut x = noise(100, 5);
    x[50] = f64::NAN;
    assert!(amplitude::peak(&x).is_nan() && amplitude::rms(&x).is_nan());
    assert!(amplitude::mad(&x, &mut scratch).is_nan());
    detrend::linear(&mut x);
    assert!(x.iter().all(|v| v.is_nan()));
    // Nothing stays behind in the scratch.
    let mut x = noise(2053, 6);
    resample::fft(&mut x, 1001, &mut scratch).unwrap();
    let mut y = noise(2053, 6);
    resample::fft(&mut y, 1001, &mut Scratch::new()).unwrap();
    assert_eq!(x, y);
}

#[test]
fn refusals_say_what_is_wrong() {
    let mut scratch = Scratch::new();
    let mut x = vec![1.0, 2.0, 3.0];
    let unfit = |result: crate::Result<()>| match result {
        Err(Error::Unfit(text)) => text,
        other => panic!("{other:?}"),
    };
    assert_eq!(unfit(resample::fft(&mut x, 0, &mut scratch)), "3 samples cannot become 0");
    unfit(resample::fft(&mut x, usize::MAX, &mut scratch));
    unfit(resample::fft_hann(&mut x, 1e-30, &mut scratch));
    unfit(resample::fft(&mut Vec::new(), 5, &mut scratch));
    unfit(detrend::polynomial(&mut x, 3));
    unfit(calculus::differentiate(&mut [1.0], 1.0));
    unfit(rotate::ne_to_rt(&mut [1.0], &mut [1.0, 2.0], 0.0));
    unfit(filter::butterworth_lowpass(2, 1.0, 9.0).unwrap().filter_pair(&mut [0.0], &mut []));
    unfit(trigger::recursive_sta_lta(&mut x, 1, 4));
    unfit(trigger::z_detect(&mut x, 3, &mut Vec::new()));
    unfit(amplitude::lengths([&[1.0], &[1.0], &[]], &mut Vec::new()));
    let mut out = [0.0; 3];
    let text = unfit(interpolate::linear(&x, Grid { start: 0.5, step: 1.0 }, &mut out));
    assert!(text.contains("0.5 to 2.5") && text.contains("3 samples"), "{text}");
    unfit(interpolate::linear(&x, Grid { start: -0.5, step: 1.0 }, &mut out));
    unfit(interpolate::cubic(&x, Grid { start: 0.0, step: 0.5 }, &mut out, &mut scratch));
    assert_eq!(x, [1.0, 2.0, 3.0]);
    for parameter in [
        interpolate::lanczos(&x, Grid { start: 0.0, step: 0.5 }, 0, &mut out),
        interpolate::linear(&x, Grid { start: 0.0, step: 0.0 }, &mut out),
        interpolate::linear(&x, Grid { start: f64::NAN, step: 1.0 }, &mut out),
        taper::cosine(&mut x.clone(), 1.1),
        taper::ramp_npts(5, -0.1).map(drop),
        detrend::polynomial(&mut x.clone(), 100),
        decimate::keep_every(&mut x.clone(), 0),
        decimate::FirDecimator::new(decimate::FACTOR_MAX + 1).map(drop),
        calculus::integrate(&mut x.clone(), 0.0),
        rotate::ne_to_rt(&mut [1.0], &mut [1.0], f64::NAN),
        trigger::z_detect(&mut x.clone(), 0, &mut Vec::new()),
        trigger::recursive_sta_lta(&mut x.clone(), 2, 2),
        trigger::onsets(&x, 1.0, 2.0).map(drop),
        amplitude::perc(&x, 0.0, &mut scratch).map(drop),
        resample::fft_hann(&mut x.clone(), f64::NAN, &mut scratch),
    ] {
        assert!(matches!(parameter, Err(Error::Parameter { .. })), "{parameter:?}");
    }
}

#[test]
fn two_samples_are_enough_where_they_can_be() {
    let mut x = [3.0, 5.0];
    detrend::linear(&mut x);
    assert_close(&x, &[0.0, 0.0], 1e-15);
    let mut x = [3.0, 5.0];
    calculus::differentiate(&mut x, 2.0).unwrap();
    assert_eq!(x, [1.0, 1.0]);
    let mut x = [3.0];
    detrend::linear(&mut x);
    assert_eq!(x, [0.0]);
    let mut x = vec![4.0];
    resample::fft(&mut x, 3, &mut Scratch::new()).unwrap();
    assert_close(&x, &[4.0; 3], 1e-15);
}

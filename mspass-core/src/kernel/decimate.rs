//! Keeping every n-th sample, with a finite filter against aliases.
//!
//! ObsPy's `decimate` is [`chebyshev2_lowpass`](super::filter::chebyshev2_lowpass) at the new
//! Nyquist frequency, one pass, and then [`keep_every`].

use std::f64::consts::PI;

use crate::error::{Error, Result};

/// Largest factor of one decimation.
pub const FACTOR_MAX: usize = 1000;

/// Keeps the first sample and every `factor`-th after it.
///
/// ```
/// let mut x = vec![0.0, 1.0, 2.0, 3.0, 4.0];
/// mspass_core::kernel::decimate::keep_every(&mut x, 2).unwrap();
/// assert_eq!(x, [0.0, 2.0, 4.0]);
/// ```
pub fn keep_every(x: &mut Vec<f64>, factor: usize) -> Result<()> {
    check(factor)?;
    let kept = x.len().div_ceil(factor);
    for i in 1..kept {
        x[i] = x[i * factor];
    }
    x.truncate(kept);
    Ok(())
}

/// A low-pass of `20 factor + 1` taps at the new Nyquist frequency, symmetric, so without any shift
/// of phase: a sinc under a Hamming window, as `scipy.signal.decimate(ftype='fir')` has it.
#[derive(Clone, Debug, PartialEq)]
pub struct FirDecimator {
    factor: usize,
    taps: Vec<f64>,
}

impl FirDecimator {
    /// A filter for a `factor` of 1 to [`FACTOR_MAX`].
    pub fn new(factor: usize) -> Result<Self> {
        check(factor)?;
        let half = 10 * factor;
        let mut taps: Vec<f64> = (0..=2 * half)
            .map(|i| {
                let t = PI * (i as f64 - half as f64) / factor as f64;
                let sinc = if i == half { 1.0 } else { t.sin() / t };
                sinc * (0.54 - 0.46 * (PI * i as f64 / half as f64).cos())
            })
            .collect();
        let sum: f64 = taps.iter().sum();
        taps.iter_mut().for_each(|tap| *tap /= sum);
        Ok(Self { factor, taps })
    }

    /// Writes the filtered samples 0, `factor`, `2 factor`, ... of `x` to `out`; beyond its ends
    /// `x` counts as zero.
    pub fn apply(&self, x: &[f64], out: &mut Vec<f64>) {
        let (half, npts) = (self.taps.len() / 2, x.len());
        out.clear();
        out.extend((0..npts).step_by(self.factor).map(|centre| {
            let first = centre.saturating_sub(half);
            let end = (centre + half + 1).min(npts);
            dot(&x[first..end], &self.taps[first + half - centre..end + half - centre])
        }));
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
}

fn check(factor: usize) -> Result<()> {
    if (1..=FACTOR_MAX).contains(&factor) {
        return Ok(());
    }
    let reason = format!("a decimation keeps one of 1 to {FACTOR_MAX} samples");
    Err(Error::parameter("factor", factor, reason))
}

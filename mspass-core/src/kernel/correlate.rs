//! Cross-correlation by Fourier transforms.

use rustfft::num_complex::Complex64;

use super::fft::{Scratch, fit, smooth_from};
use super::resample::NPTS_MAX;
use crate::error::{Error, Result};

/// Correlates `a` with `b`: `out[max_lag + k]` becomes the sum over all `n` of `a[n + k] * b[n]`,
/// samples outside the data being 0, for every lag `k` from `-max_lag` to `max_lag`.
///
/// This is `scipy.signal.correlate(a, b)` cut or padded about lag 0, and ObsPy's `correlate(a, b)`:
/// where `a` is `b` delayed by `d` samples, the peak stands at lag `d`. With `normalize`, all is
/// divided by the root of the product of the energies of `a` and `b` (the sums of their squares),
/// which brings it between -1 and 1.
///
/// # Errors
/// Data without samples, or too long with their lags ([`NPTS_MAX`]); energies that are not above 0
/// and finite, with `normalize`. `out` then holds anything.
///
/// ```
/// use mspass_core::kernel::{Scratch, correlate};
/// let (a, b) = ([0.0, 0.0, 2.0, 1.0], [2.0, 1.0, 0.0, 0.0]);
/// let mut out = Vec::new();
/// correlate::cross_correlate(&a, &b, 3, true, &mut out, &mut Scratch::new()).unwrap();
/// let expected = [0.0, 0.0, 0.0, 0.0, 0.4, 1.0, 0.4]; // lags -3 to 3
/// assert!(out.iter().zip(expected).all(|(c, e)| (c - e).abs() < 1e-15));
/// ```
pub fn cross_correlate(
    a: &[f64],
    b: &[f64],
    max_lag: usize,
    normalize: bool,
    out: &mut Vec<f64>,
    scratch: &mut Scratch,
) -> Result<()> {
    let npts = a.len().max(b.len());
    let length = length_for(npts, max_lag)?;
    let energy_a = transform(a, length, scratch)?;
    std::mem::swap(&mut scratch.spectrum, &mut scratch.held);
    let energy_b = transform(b, length, scratch)?;
    let scale = scale_of([energy_a, energy_b], normalize)?;
    for (bin, a) in scratch.spectrum.iter_mut().zip(&scratch.held) {
        *bin = a * bin.conj();
    }
    take_lags(length, npts, max_lag, scale, out, scratch);
    Ok(())
}

/// What is computed once of data that are correlated with several others.
///
/// It holds about 8 bytes for every sample and every lag.
#[derive(Clone, Debug)]
pub struct Transform {
    npts: usize,
    max_lag: usize,
    energy: f64,
    bins: Vec<Complex64>,
}

impl Transform {
    /// Prepares `x` for lags up to `max_lag` samples. Errors are those of [`cross_correlate`].
    pub fn new(x: &[f64], max_lag: usize, scratch: &mut Scratch) -> Result<Self> {
        let length = length_for(x.len(), max_lag)?;
        let energy = transform(x, length, scratch)?;
        Ok(Self { npts: x.len(), max_lag, energy, bins: scratch.spectrum.clone() })
    }

    /// [`cross_correlate`] of these data (`a`) with others (`b`) of the same length, prepared for
    /// the same lags; an error when they are not.
    pub fn cross_correlate(
        &self,
        b: &Self,
        normalize: bool,
        out: &mut Vec<f64>,
        scratch: &mut Scratch,
    ) -> Result<()> {
        if (self.npts, self.max_lag) != (b.npts, b.max_lag) {
            return Err(Error::unfit(format!(
                "{} and {} samples prepared for {} and {} lags do not correlate",
                self.npts, b.npts, self.max_lag, b.max_lag
            )));
        }
        let scale = scale_of([self.energy, b.energy], normalize)?;
        scratch.spectrum.clear();
        let bins = self.bins.iter().zip(&b.bins);
        scratch.spectrum.extend(bins.map(|(a, b)| a * b.conj()));
        let length = length_for(self.npts, self.max_lag)?;
        take_lags(length, self.npts, self.max_lag, scale, out, scratch);
        Ok(())
    }
}

/// Points of a transform in which no lag up to `max_lag` meets another one that wraps round.
fn length_for(npts: usize, max_lag: usize) -> Result<usize> {
    if npts == 0 {
        return Err(Error::unfit("data without samples cannot be correlated"));
    }
    let lags = max_lag.min(npts - 1);
    if npts > NPTS_MAX || max_lag > NPTS_MAX {
        return Err(Error::unfit(format!(
            "{npts} samples and {max_lag} lags are more than {NPTS_MAX}"
        )));
    }
    Ok(smooth_from(npts + lags))
}

/// Leaves the spectrum of `x`, padded with zeros to `length`, in `scratch`, and gives its energy.
fn transform(x: &[f64], length: usize, scratch: &mut Scratch) -> Result<f64> {
    if x.is_empty() {
        return Err(Error::unfit("data without samples cannot be correlated"));
    }
    // A smooth length is transformed without the grid.
    let mut samples = std::mem::take(&mut scratch.samples);
    let padded = fit(&mut samples, length, 0.0);
    let (data, zeros) = padded.split_at_mut(x.len());
    data.copy_from_slice(x);
    zeros.fill(0.0);
    scratch.forward(padded, length / 2 + 1);
    scratch.samples = samples;
    Ok(x.iter().map(|sample| sample * sample).sum())
}

fn scale_of([a, b]: [f64; 2], normalize: bool) -> Result<f64> {
    let energy = a.sqrt() * b.sqrt();
    match normalize {
        false => Ok(1.0),
        true if energy.is_normal() => Ok(1.0 / energy),
        true => Err(Error::unfit(format!("energies of {a} and {b} cannot be normalized"))),
    }
}

/// Takes the spectrum in `scratch` back and picks the lags; those without overlap are 0.
fn take_lags(
    length: usize,
    npts: usize,
    max_lag: usize,
    scale: f64,
    out: &mut Vec<f64>,
    scratch: &mut Scratch,
) {
    let mut samples = std::mem::take(&mut scratch.samples);
    let circular = fit(&mut samples, length, 0.0);
    scratch.inverse(circular);
    let scale = scale / length as f64;
    let lags = max_lag.min(npts - 1);
    out.clear();
    out.resize(max_lag - lags, 0.0);
    let (early, late) = (&circular[length - lags..], &circular[..=lags]);
    out.extend(early.iter().chain(late).map(|value| value * scale));
    out.resize(2 * max_lag + 1, 0.0);
    scratch.samples = samples;
}

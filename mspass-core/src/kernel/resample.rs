//! Change of the number of samples by Fourier's method.

use std::f64::consts::PI;

use rustfft::num_complex::Complex64;

use super::fft::Scratch;
use crate::error::{Error, Result};

/// Most samples that a trace may be resampled up to.
pub const NPTS_MAX: usize = 1 << 28;

/// Resamples `x` in place to `npts` samples over the same time, as `scipy.signal.resample` does
/// without a window: the spectrum is cut or padded with zeros, and the signal taken as periodic.
///
/// Nothing is allocated once `scratch` has seen the lengths, as long as `npts` is within the
/// capacity of `x`. [`Error::Unfit`] when `x` is empty, `npts` is 0, or above both `x.len()` and
/// [`NPTS_MAX`]; `x` is then as before.
///
/// ```
/// use mspass_core::kernel::{Scratch, resample};
/// let mut scratch = Scratch::new();
/// let mut x: Vec<f64> = (0..1000).map(|i| (0.06283185307179587 * i as f64).sin()).collect();
/// resample::fft(&mut x, 200, &mut scratch).unwrap();
/// assert_eq!(x.len(), 200);
/// assert!((x[5] - (0.06283185307179587 * 25.0f64).sin()).abs() < 1e-9);
/// ```
pub fn fft(x: &mut Vec<f64>, npts: usize, scratch: &mut Scratch) -> Result<()> {
    check(x.len(), npts)?;
    if npts == x.len() {
        return Ok(());
    }
    spectrum(x, npts, scratch);
    x.resize(npts, 0.0);
    scratch.inverse(x);
    Ok(())
}

/// [`fft`] from one slice into another; what `x` holds afterwards has no meaning.
pub fn fft_into(x: &mut [f64], out: &mut [f64], scratch: &mut Scratch) -> Result<()> {
    check(x.len(), out.len())?;
    if out.len() == x.len() {
        out.copy_from_slice(x);
        return Ok(());
    }
    spectrum(x, out.len(), scratch);
    scratch.inverse(out);
    Ok(())
}

/// Resamples `x` in place to one of `factor` samples (not necessarily whole) as ObsPy's
/// `Trace.resample` does by default: the spectrum is weighed by a Hann window over all frequencies,
/// interpolated linearly onto the bins of the new length, `x.len() / factor` rounded down but at
/// least 1, and cut there.
///
/// Here for comparison with ObsPy; [`fft`] keeps the signal below the new Nyquist frequency as it
/// is. Errors are those of [`fft`], and [`Error::Parameter`] unless `factor` is finite and above 0.
pub fn fft_hann(x: &mut Vec<f64>, factor: f64, scratch: &mut Scratch) -> Result<()> {
    if !(factor.is_finite() && factor > 0.0) {
        return Err(Error::parameter("factor", factor, "a factor is finite and above 0"));
    }
    let npts_in = x.len();
    let npts = ((npts_in as f64 / factor) as usize).max(1);
    check(npts_in, npts)?;
    scratch.forward(x, npts_in / 2 + 1);
    let offset = if npts_in.is_multiple_of(2) { 0.0 } else { 0.5 };
    let scale = 1.0 / npts_in as f64;
    for (k, bin) in scratch.spectrum.iter_mut().enumerate() {
        let angle = 2.0 * PI * (k as f64 - offset) * scale;
        *bin *= scale * (0.5 + 0.5 * angle.cos());
    }
    let (bins, last) = (npts / 2 + 1, scratch.spectrum.len() - 1);
    scratch.spectrum.resize(bins.max(last + 1), scratch.spectrum[last]);
    let step = npts_in as f64 / factor / npts as f64;
    // The step is 1 or more: no bin is overwritten before it was read.
    for k in 0..bins.min(last + 1) {
        let place = (k as f64 * step).max(k as f64);
        let below = (place as usize).min(last);
        let after = scratch.spectrum[(below + 1).min(last)];
        let before = scratch.spectrum[below];
        scratch.spectrum[k] = before + (after - before) * (place - below as f64).min(1.0);
    }
    scratch.spectrum.truncate(bins);
    x.resize(npts, 0.0);
    scratch.inverse(x);
    Ok(())
}

/// Leaves the scaled spectrum of `x`, as far as `npts` samples hold it, in `scratch`.
fn spectrum(x: &mut [f64], npts: usize, scratch: &mut Scratch) {
    let common = npts.min(x.len());
    let scale = 1.0 / x.len() as f64;
    scratch.forward(x, common / 2 + 1);
    for bin in &mut scratch.spectrum {
        *bin *= scale;
    }
    if common.is_multiple_of(2) {
        // One of the two spectra has a single bin where the other has a pair.
        let shared = &mut scratch.spectrum[common / 2];
        *shared = Complex64::new(shared.re * if npts < x.len() { 2.0 } else { 0.5 }, 0.0);
    }
}

fn check(npts: usize, npts_out: usize) -> Result<()> {
    if npts == 0 || npts_out == 0 || npts_out > NPTS_MAX.max(npts) {
        return Err(Error::unfit(format!("{npts} samples cannot become {npts_out}")));
    }
    Ok(())
}

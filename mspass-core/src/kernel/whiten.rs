//! Spectral whitening and one-bit normalisation of ambient noise (Bensen et al. 2007, Processing
//! seismic ambient noise data to obtain reliable broad-band surface wave dispersion measurements,
//! Geophys. J. Int. 169, 1239-1260).

use std::f64::consts::PI;

use super::fft::{Scratch, fit};
use crate::error::{Error, Result};

/// A bin this close to an edge of the band, relative to its frequency, lies in the band.
const EDGE: f64 = 1e-9;

/// Which frequencies become equally strong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flat {
    /// Lowest frequency of weight 1, Hz.
    pub freqmin: f64,
    /// Highest frequency of weight 1, Hz.
    pub freqmax: f64,
    /// Width of the half cosines by which the weight falls to 0 below and above, Hz.
    pub taper_hz: f64,
    /// Width of the running mean of amplitudes to divide by, Hz; 0 divides each by itself.
    pub smooth_hz: f64,
}

impl Flat {
    /// Whether it can suit any data: an error unless all are finite, `freqmin` is above 0, not
    /// above `freqmax` and not below `taper_hz`, and the widths are not negative.
    pub fn check(&self) -> Result<()> {
        let Self { freqmin, freqmax, taper_hz, smooth_hz } = *self;
        if !(freqmin.is_finite() && freqmin > 0.0) {
            return Err(Error::parameter("freqmin", freqmin, "must be finite and above 0 Hz"));
        }
        if !(freqmax.is_finite() && freqmax >= freqmin) {
            let reason = format!("must be finite and not below freqmin, {freqmin} Hz");
            return Err(Error::parameter("freqmax", freqmax, reason));
        }
        if !(0.0..=freqmin).contains(&taper_hz) {
            let reason = format!("must be 0 Hz or more and at most freqmin, {freqmin} Hz");
            return Err(Error::parameter("taper_hz", taper_hz, reason));
        }
        if !(smooth_hz.is_finite() && smooth_hz >= 0.0) {
            return Err(Error::parameter(
                "smooth_hz",
                smooth_hz,
                "must be finite and 0 Hz or more",
            ));
        }
        Ok(())
    }

    /// Whether it can suit data of this sampling rate, Hz: [`Error::Unfit`] where `freqmax` is
    /// above their Nyquist frequency.
    pub fn check_at(&self, sampling_rate: f64) -> Result<()> {
        let (freqmax, nyquist) = (self.freqmax, sampling_rate / 2.0);
        let below_nyquist = freqmax <= nyquist;
        if !below_nyquist {
            return Err(Error::unfit(format!(
                "freqmax = {freqmax} Hz is above the Nyquist frequency of {nyquist} Hz"
            )));
        }
        Ok(())
    }

    /// The weight of a frequency, 0 to 1.
    fn weight(&self, freq: f64) -> f64 {
        let outside = (self.freqmin - freq).max(freq - self.freqmax).max(0.0);
        if outside <= EDGE * freq {
            1.0
        } else if outside < self.taper_hz {
            0.5 + 0.5 * (PI * outside / self.taper_hz).cos()
        } else {
            0.0
        }
    }
}

/// Divides the spectrum of `x` by its amplitude and weighs it: in the band every bin of the
/// discrete Fourier transform (not scaled) of the result has amplitude 1, and all bins keep their
/// phase. The signal is taken as periodic; taper it first.
///
/// With `smooth_hz`, a bin is divided by the mean amplitude of the bins within half of that on
/// either side, as far as there are any; so the result is flat on average only. A bin that is 0
/// stays 0.
///
/// # Errors
/// Those of [`Flat::check`]; [`Error::Unfit`] where `freqmax` is above the Nyquist frequency, or
/// where no bin lies in the band, the tapers included. `x` is then as before.
///
/// ```
/// use mspass_core::kernel::{Scratch, whiten};
/// let wave = |i: usize, periods: f64| (std::f64::consts::TAU * periods * i as f64 / 100.0).cos();
/// let mut x: Vec<f64> = (0..100).map(|i| 5.0 * wave(i, 10.0) + 0.1 * wave(i, 30.0)).collect();
/// let band = whiten::Flat { freqmin: 5.0, freqmax: 20.0, taper_hz: 0.0, smooth_hz: 0.0 };
/// whiten::flatten(&mut x, 100.0, &band, &mut Scratch::new()).unwrap();
/// // Of the two only that at 10 Hz lies in the band; a cosine of amplitude 1 has two bins of 50.
/// let part: f64 = x.iter().enumerate().map(|(i, v)| v * wave(i, 10.0)).sum();
/// assert!((part - 1.0).abs() < 1e-12);
/// ```
pub fn flatten(
    x: &mut [f64],
    sampling_rate: f64,
    band: &Flat,
    scratch: &mut Scratch,
) -> Result<()> {
    band.check()?;
    band.check_at(sampling_rate)?;
    let npts = x.len();
    let df = sampling_rate / npts as f64;
    let weight = |bin: usize| band.weight(bin as f64 * df);
    // The bins around the band are the ones that may have weight.
    let near = |freq: f64| (freq / df).round() as usize;
    let (lowest, highest) =
        (near(band.freqmin - band.taper_hz), near(band.freqmax + band.taper_hz));
    let bins = npts / 2 + 1;
    if npts == 0 || !(lowest..(highest + 1).min(bins)).any(|bin| weight(bin) > 0.0) {
        return Err(Error::unfit(format!(
            "{npts} samples at {sampling_rate} Hz have no frequency in the band of {} to {} Hz",
            band.freqmin, band.freqmax
        )));
    }
    scratch.forward(x, bins);
    // Wider than the spectrum is no wider than it.
    let half = (band.smooth_hz / df / 2.0).round().min(bins as f64) as usize;
    let amplitudes = fit(&mut scratch.samples, 3 * bins, 0.0);
    let (amplitudes, sums) = amplitudes.split_at_mut(bins);
    for (amplitude, bin) in amplitudes.iter_mut().zip(&scratch.spectrum) {
        *amplitude = bin.norm();
    }
    if half > 0 {
        running_mean(amplitudes, half, sums);
    }
    let scale = 1.0 / npts as f64;
    for (index, (bin, amplitude)) in scratch.spectrum.iter_mut().zip(amplitudes).enumerate() {
        let silent = *amplitude == 0.0;
        *bin *= if silent { 0.0 } else { weight(index) * scale / *amplitude };
    }
    scratch.inverse(x);
    Ok(())
}

/// Replaces every value by the mean of those at most `half` places away, by sums of whole blocks
/// alone: no value that is not in the mean leaves its rounding error there. `sums` is twice as
/// long as `x` and overwritten.
fn running_mean(x: &mut [f64], half: usize, sums: &mut [f64]) {
    let width = 2 * half + 1;
    let (up_to, from) = sums.split_at_mut(x.len());
    for (block, (up_to, from)) in
        x.chunks(width).zip(up_to.chunks_mut(width).zip(from.chunks_mut(width)))
    {
        let mut sum = 0.0;
        for (value, up_to) in block.iter().zip(up_to) {
            sum += value;
            *up_to = sum;
        }
        sum = 0.0;
        for (value, from) in block.iter().zip(from).rev() {
            sum += value;
            *from = sum;
        }
    }
    let last = x.len().saturating_sub(1);
    for (index, value) in x.iter_mut().enumerate() {
        let (first, end) = (index.saturating_sub(half), (index + half).min(last));
        let sum = match (first / width == end / width, first % width == 0) {
            (true, true) => up_to[end],
            (true, false) => from[first],
            (false, _) => from[first] + up_to[end],
        };
        *value = sum / (end - first + 1) as f64;
    }
}

/// Replaces every sample by its sign: 1, -1, or 0 where it is 0.
pub fn one_bit(x: &mut [f64]) {
    for sample in x {
        if *sample != 0.0 {
            *sample = sample.signum();
        }
    }
}

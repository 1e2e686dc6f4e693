//! Whitening and one-bit normalisation of ambient noise.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::kernel::whiten::{self, Flat};
use crate::process::{Facts, Process, Scratch, by_name, in_place};
use crate::series::Sampled;

/// Makes all frequencies of a band equally strong in every component and removes the others; phases
/// stay (spectral whitening: Bensen et al. 2007, Processing seismic ambient noise data to obtain
/// reliable broad-band surface wave dispersion measurements, Geophys. J. Int. 169, 1239-1260).
///
/// In the band every bin of the discrete Fourier transform (not scaled) of the result has amplitude
/// 1. The data are taken as periodic, so taper them first.
///
/// ```
/// use mspass_core::process::{Process, Scratch, Whiten};
/// use mspass_core::{Hertz, TimeSeries, UtcTime};
/// let samples = (0..1000).map(|i| if i % 7 == 0 { 3.0 } else { (i as f64).sin() }).collect();
/// let (id, rate) = ("YA.UV05..LHZ".parse().unwrap(), Hertz::new(20.0).unwrap());
/// let mut trace = TimeSeries::new(id, UtcTime::default(), rate, samples);
/// let white = Whiten::band(1.0, 5.0).apply(&mut trace, &mut Scratch::default()).unwrap();
/// // 201 bins on either side of the spectrum have amplitude 1, and 19 each way a part of it.
/// let energy: f64 = white.samples.iter().map(|sample| sample * sample).sum();
/// assert!((402.0..440.0).contains(&(energy * 1000.0)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Whiten {
    /// Lowest frequency of full weight, Hz.
    pub freqmin: f64,
    /// Highest frequency of full weight, Hz.
    pub freqmax: f64,
    /// Width of the half cosines by which the weight falls to 0 below and above, Hz; at most
    /// `freqmin`.
    pub taper_hz: f64,
    /// Width of the running mean of amplitudes to divide by, Hz; 0 divides each by itself.
    pub smooth_hz: f64,
}

impl Whiten {
    /// From `freqmin` to `freqmax` Hz, with tapers of a tenth of `freqmin` and no running mean.
    pub const fn band(freqmin: f64, freqmax: f64) -> Self {
        Self { freqmin, freqmax, taper_hz: 0.1 * freqmin, smooth_hz: 0.0 }
    }

    const fn flat(&self) -> Flat {
        let Self { freqmin, freqmax, taper_hz, smooth_hz } = *self;
        Flat { freqmin, freqmax, taper_hz, smooth_hz }
    }
}

/// Replaces every sample by its sign, 1, 0 or -1: one-bit normalisation in time (Bensen et al.
/// 2007).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneBit;

impl<T: Sampled> Process<T> for Whiten {
    type Output = T;

    fn name(&self) -> &str {
        "whiten"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn check(&self) -> Result<()> {
        self.flat().check()
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        facts.at_rate(|rate| self.flat().check_at(rate))
    }

    fn apply(&self, datum: &mut T, scratch: &mut Scratch) -> Result<T> {
        let (rate, band) = (datum.axis().sampling_rate().value(), self.flat());
        in_place(datum, |samples| whiten::flatten(samples, rate, &band, &mut scratch.kernel))
    }
}

impl<T: Sampled> Process<T> for OneBit {
    type Output = T;

    fn name(&self) -> &str {
        "one_bit"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn foresee(&self, _: &mut Facts) -> Result<()> {
        Ok(())
    }

    fn apply(&self, datum: &mut T, _: &mut Scratch) -> Result<T> {
        in_place(datum, |samples| {
            whiten::one_bit(samples);
            Ok(())
        })
    }
}

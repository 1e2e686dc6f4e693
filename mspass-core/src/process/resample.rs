//! Change of the sampling rate.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernel::resample;
use crate::process::{Facts, Process, Scratch, by_name};
use crate::series::Sampled;
use crate::units::Hertz;

/// Resamples every component by Fourier's method, as `scipy.signal.resample` does without a window:
/// the data are taken as periodic, so taper or detrend them first. Data that have the rate already
/// pass as they are.
///
/// ```
/// use mspass_core::process::{Process, Resample, Scratch};
/// use mspass_core::{Hertz, TimeSeries, UtcTime};
/// let rate = Hertz::new(100.0).unwrap();
/// let id = "YA.UV05.00.HHZ".parse().unwrap();
/// let mut trace = TimeSeries::new(id, UtcTime::default(), rate, vec![0.0; 500]);
/// let trace = Resample::to_hz(20.0).apply(&mut trace, &mut Scratch::default()).unwrap();
/// assert_eq!((trace.npts(), trace.sampling_rate().value()), (100, 20.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Resample {
    /// The new rate, Hz.
    pub sampling_rate: f64,
}

impl Resample {
    /// To this many samples per second.
    pub const fn to_hz(sampling_rate: f64) -> Self {
        Self { sampling_rate }
    }
}

impl<T: Sampled> Process<T> for Resample {
    type Output = T;

    fn name(&self) -> &str {
        "resample"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn check(&self) -> Result<()> {
        Hertz::new(self.sampling_rate).map(drop)
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        facts.sampling_rate = Some(Hertz::new(self.sampling_rate)?);
        Ok(())
    }

    fn apply(&self, datum: &mut T, scratch: &mut Scratch) -> Result<T> {
        let (target, axis) = (Hertz::new(self.sampling_rate)?, *datum.axis());
        if target != axis.sampling_rate() {
            let npts = datum.npts();
            let npts_out = npts_at(npts, axis.sampling_rate(), target)?;
            let mut out = scratch.take_buffer(datum.component_count() * npts_out);
            let rows = datum.samples_mut().chunks_exact_mut(npts);
            for (x, out) in rows.zip(out.chunks_exact_mut(npts_out)) {
                resample::fft_into(x, out, &mut scratch.kernel)?;
            }
            scratch.give_back(datum.replace(axis.with_sampling_rate(target), out));
        }
        Ok(std::mem::take(datum))
    }
}

/// Samples that `npts` samples at `from` give at `to`: `round(npts to / from)`. An error when they
/// give none, or more than [`resample::NPTS_MAX`].
pub(super) fn npts_at(npts: usize, from: Hertz, to: Hertz) -> Result<usize> {
    let npts_out = (npts as f64 * to.value() / from.value()).round();
    if npts_out < 1.0 {
        return Err(Error::unfit(format!("{npts} samples at {from} give no sample at {to}")));
    }
    if npts_out > resample::NPTS_MAX as f64 {
        return Err(Error::unfit(format!("{npts} samples at {from} give too many at {to}")));
    }
    Ok(npts_out as usize)
}

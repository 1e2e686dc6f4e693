//! Values at other times.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernel::interpolate::{self, Grid, LANCZOS_MAX};
use crate::kernel::resample::NPTS_MAX;
use crate::process::{Facts, Process, Scratch, by_name};
use crate::series::Sampled;
use crate::units::Hertz;

/// A time no later than this after the last sample counts as the last sample, in samples.
const END_TOLERANCE: f64 = 5e-7;

/// How values between samples are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Interpolation {
    /// On straight lines.
    Linear,
    /// On the cubic spline through all samples.
    Cubic,
    /// On cubics that do not overshoot (Wiggins 1976): SAC's and ObsPy's default.
    WeightedAverageSlopes,
    /// By a windowed sinc.
    Lanczos {
        /// Samples on either side, 1 to [`LANCZOS_MAX`].
        half_width: usize,
    },
}

/// Interpolates every component at another rate, over the time that it covers. Nothing is filtered
/// before: low-pass first where the new rate is lower.
///
/// ```
/// use mspass_core::process::{Interpolate, Interpolation, Process, Scratch};
/// use mspass_core::{Hertz, TimeSeries, UtcTime};
/// let rate = Hertz::new(1.0).unwrap();
/// let (id, start) = ("YA.UV05..LHZ".parse().unwrap(), UtcTime::from_seconds(0.25));
/// let mut trace = TimeSeries::new(id, start, rate, vec![0.0, 4.0, 8.0]);
/// let interpolate =
///     Interpolate { sampling_rate: 2.0, method: Interpolation::Linear, aligned: true };
/// let trace = interpolate.apply(&mut trace, &mut Scratch::default()).unwrap();
/// assert_eq!((trace.axis.start(), trace.samples), (0.5, vec![1.0, 3.0, 5.0, 7.0]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interpolate {
    /// The new rate, Hz.
    pub sampling_rate: f64,
    /// How.
    pub method: Interpolation,
    /// Whether the new samples lie at whole multiples of the new interval since time zero, so that
    /// data of other stations get the same times; else the first stays where it is.
    pub aligned: bool,
}

impl<T: Sampled> Process<T> for Interpolate {
    type Output = T;

    fn name(&self) -> &str {
        "interpolate"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn check(&self) -> Result<()> {
        Hertz::new(self.sampling_rate)?;
        match self.method {
            Interpolation::Lanczos { half_width } if !(1..=LANCZOS_MAX).contains(&half_width) => {
                let reason = format!("must be 1 to {LANCZOS_MAX}");
                Err(Error::parameter("half_width", half_width, reason))
            }
            _ => Ok(()),
        }
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        facts.sampling_rate = Some(Hertz::new(self.sampling_rate)?);
        Ok(())
    }

    fn apply(&self, datum: &mut T, scratch: &mut Scratch) -> Result<T> {
        let (target, old, npts) = (Hertz::new(self.sampling_rate)?, *datum.axis(), datum.npts());
        let axis = if self.aligned { old.aligned(target) } else { old.with_sampling_rate(target) };
        let step = old.sampling_rate().value() / target.value();
        let start = old.nanos_to(&axis) as f64 * 1e-9 * old.sampling_rate().value();
        let room = ((npts as f64 - 1.0 - start + END_TOLERANCE) / step).floor();
        if npts == 0 || room < 0.0 {
            let from = old.sampling_rate();
            return Err(Error::unfit(format!(
                "{npts} samples at {from} give no sample at {target}"
            )));
        }
        if room >= NPTS_MAX as f64 {
            return Err(Error::unfit(format!("{npts} samples give too many at {target}")));
        }
        let npts_out = room as usize + 1;
        let mut out = scratch.take_buffer(datum.component_count() * npts_out);
        let grid = Grid { start, step };
        for (x, out) in datum.samples().chunks_exact(npts).zip(out.chunks_exact_mut(npts_out)) {
            match self.method {
                Interpolation::Linear => interpolate::linear(x, grid, out)?,
                Interpolation::Cubic => interpolate::cubic(x, grid, out, &mut scratch.kernel)?,
                Interpolation::WeightedAverageSlopes => {
                    interpolate::weighted_average_slopes(x, grid, out)?;
                }
                Interpolation::Lanczos { half_width } => {
                    interpolate::lanczos(x, grid, half_width, out)?;
                }
            }
        }
        scratch.give_back(datum.replace(axis, out));
        Ok(std::mem::take(datum))
    }
}

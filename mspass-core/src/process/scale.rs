//! Scaling to a level.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernel::amplitude;
use crate::metadata::key;
use crate::process::{Facts, Process, Scratch, by_name};
use crate::series::Sampled;
use crate::time::TimeWindow;

/// How large data are. Those of three components are measured by the lengths of their vectors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Measure {
    /// The largest absolute value.
    Peak,
    /// The root of the mean square.
    Rms,
    /// The absolute value that a part of all absolute values lie below.
    Perc {
        /// That part, above 0, at most 1.
        fraction: f64,
    },
    /// The median of the absolute values.
    Mad,
}

/// Scales data so that their amplitude is `level`, and the metadata key `calib` the other way, so
/// that samples times `calib` stay what they were; without one, it counts as 1.
///
/// ```
/// use mspass_core::metadata::key;
/// use mspass_core::process::{Process, Scale, Scratch};
/// use mspass_core::TimeSeries;
/// let mut trace = TimeSeries { samples: vec![1.0, -4.0], ..TimeSeries::default() };
/// let trace = Scale::peak().apply(&mut trace, &mut Scratch::default()).unwrap();
/// assert_eq!(trace.samples, [0.25, -1.0]);
/// assert_eq!(trace.metadata.value(key::CALIB), Ok(Some(4.0)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// What counts as the amplitude.
    pub measure: Measure,
    /// The amplitude to reach, above 0.
    pub level: f64,
    /// Where to measure, seconds of the data's own axis; everywhere without.
    pub window: Option<TimeWindow>,
}

impl Scale {
    /// To a largest absolute value of 1.
    pub const fn peak() -> Self {
        Self { measure: Measure::Peak, level: 1.0, window: None }
    }

    /// To a root mean square of 1.
    pub const fn rms() -> Self {
        Self { measure: Measure::Rms, level: 1.0, window: None }
    }

    /// So that a part of all absolute values (above 0, at most 1) lie below 1.
    pub const fn perc(fraction: f64) -> Self {
        Self { measure: Measure::Perc { fraction }, level: 1.0, window: None }
    }

    /// To a median absolute value of 1.
    pub const fn mad() -> Self {
        Self { measure: Measure::Mad, level: 1.0, window: None }
    }

    fn amplitude<T: Sampled>(&self, datum: &T, scratch: &mut Scratch) -> Result<f64> {
        let npts = datum.npts();
        let range = match self.window {
            None => 0..npts,
            Some(window) => {
                let (first, count) = datum.axis().samples_of(window)?;
                let end = first.saturating_add_unsigned(count as u64).clamp(0, npts as i64);
                (first.clamp(0, end) as usize)..(end as usize)
            }
        };
        if range.is_empty() {
            return Err(Error::unfit("there are no samples to measure the amplitude of"));
        }
        let components = datum.samples().chunks_exact(npts).map(|x| &x[range.clone()]);
        let components: Vec<&[f64]> = components.collect();
        match components[..] {
            [x] => self.measure.of(x, scratch),
            [a, b, c] => {
                let mut lengths = scratch.take_buffer(range.len());
                amplitude::lengths([a, b, c], &mut lengths)?;
                let amplitude = self.measure.of(&lengths, scratch);
                scratch.give_back(lengths);
                amplitude
            }
            _ => Err(Error::unfit(format!("{} components have no length", components.len()))),
        }
    }
}

impl Measure {
    fn of(self, x: &[f64], scratch: &mut Scratch) -> Result<f64> {
        match self {
            Self::Peak => Ok(amplitude::peak(x)),
            Self::Rms => Ok(amplitude::rms(x)),
            Self::Perc { fraction } => amplitude::perc(x, fraction, &mut scratch.kernel),
            Self::Mad => Ok(amplitude::mad(x, &mut scratch.kernel)),
        }
    }
}

impl<T: Sampled> Process<T> for Scale {
    type Output = T;

    fn name(&self) -> &str {
        "scale"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn check(&self) -> Result<()> {
        if !(self.level.is_finite() && self.level > 0.0) {
            return Err(Error::parameter("level", self.level, "must be finite and above 0"));
        }
        if let Some(TimeWindow { start, end }) = self.window {
            TimeWindow::new(start, end)?;
        }
        match self.measure {
            Measure::Perc { fraction } if !(fraction > 0.0 && fraction <= 1.0) => {
                Err(Error::parameter("fraction", fraction, "must be above 0 and at most 1"))
            }
            _ => Ok(()),
        }
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        facts.put(key::CALIB.name());
        Ok(())
    }

    /// Data without a finite amplitude above 0, or with a `calib` that is no number, are refused.
    fn apply(&self, datum: &mut T, scratch: &mut Scratch) -> Result<T> {
        let amplitude = self.amplitude(datum, scratch)?;
        let gain = amplitude / self.level;
        if !(gain.is_normal() && (1.0 / gain).is_finite()) {
            return Err(Error::unfit(format!("data of amplitude {amplitude} cannot be scaled")));
        }
        let calib = datum.metadata().value(key::CALIB).map_err(|e| Error::unfit(e.to_string()))?;
        datum.metadata_mut().put(key::CALIB, calib.unwrap_or(1.0) * gain);
        datum.samples_mut().iter_mut().for_each(|sample| *sample /= gain);
        Ok(std::mem::take(datum))
    }
}

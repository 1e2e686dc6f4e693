//! Removal of trends.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernel::detrend;
use crate::process::{Facts, Process, Scratch, by_name, in_place};
use crate::series::Sampled;

/// What [`Detrend`] removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Trend {
    /// The mean.
    Constant,
    /// The line of least squares.
    Linear,
    /// The line through the first and the last sample.
    Simple,
    /// The polynomial of least squares.
    Polynomial {
        /// Its degree, at most [`DEGREE_MAX`](crate::kernel::detrend::DEGREE_MAX).
        degree: usize,
    },
}

/// Removes a trend from every component.
///
/// ```
/// use mspass_core::TimeSeries;
/// use mspass_core::process::{Detrend, Process, Scratch};
/// let mut trace = TimeSeries { samples: vec![1.0, 3.0, 5.0], ..TimeSeries::default() };
/// let trace = Detrend::linear().apply(&mut trace, &mut Scratch::default()).unwrap();
/// assert!(trace.samples.iter().all(|sample| sample.abs() < 1e-12));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detrend {
    /// What to remove.
    pub trend: Trend,
}

impl Detrend {
    /// Removes the mean.
    pub const fn demean() -> Self {
        Self { trend: Trend::Constant }
    }

    /// Removes the line of least squares.
    pub const fn linear() -> Self {
        Self { trend: Trend::Linear }
    }

    /// Removes the line through the first and the last sample.
    pub const fn simple() -> Self {
        Self { trend: Trend::Simple }
    }

    /// Removes the polynomial of least squares of this degree.
    pub const fn polynomial(degree: usize) -> Self {
        Self { trend: Trend::Polynomial { degree } }
    }
}

impl<T: Sampled> Process<T> for Detrend {
    type Output = T;

    fn name(&self) -> &str {
        "detrend"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn check(&self) -> Result<()> {
        match self.trend {
            Trend::Polynomial { degree } if degree > detrend::DEGREE_MAX => {
                let reason = format!("must be at most {}", detrend::DEGREE_MAX);
                Err(Error::parameter("degree", degree, reason))
            }
            _ => Ok(()),
        }
    }

    fn foresee(&self, _: &mut Facts) -> Result<()> {
        Ok(())
    }

    fn apply(&self, datum: &mut T, _: &mut Scratch) -> Result<T> {
        in_place(datum, |samples| {
            match self.trend {
                Trend::Constant => detrend::demean(samples),
                Trend::Linear => detrend::linear(samples),
                Trend::Simple => detrend::simple(samples),
                Trend::Polynomial { degree } => detrend::polynomial(samples, degree)?,
            }
            Ok(())
        })
    }
}

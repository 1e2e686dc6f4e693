//! Differentiation and integration in time.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::kernel::calculus;
use crate::process::{Facts, Process, Scratch, by_name, in_place};
use crate::series::Sampled;

/// Replaces every component by its time derivative: central differences, one-sided at the ends.
///
/// ```
/// use mspass_core::process::{Differentiate, Process, Scratch};
/// use mspass_core::{Hertz, TimeSeries, UtcTime};
/// let rate = Hertz::new(2.0).unwrap();
/// let id = "YA.UV05.00.HHZ".parse().unwrap();
/// let mut trace = TimeSeries::new(id, UtcTime::default(), rate, vec![0.0, 1.0, 4.0, 9.0]);
/// let trace = Differentiate.apply(&mut trace, &mut Scratch::default()).unwrap();
/// assert_eq!(trace.samples, [2.0, 4.0, 8.0, 10.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differentiate;

/// Replaces every component by its integral from the first sample on, by the trapezoidal rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Integrate;

impl<T: Sampled> Process<T> for Differentiate {
    type Output = T;

    fn name(&self) -> &str {
        "differentiate"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn foresee(&self, _: &mut Facts) -> Result<()> {
        Ok(())
    }

    fn apply(&self, datum: &mut T, _: &mut Scratch) -> Result<T> {
        let delta = datum.axis().delta();
        in_place(datum, |samples| calculus::differentiate(samples, delta))
    }
}

impl<T: Sampled> Process<T> for Integrate {
    type Output = T;

    fn name(&self) -> &str {
        "integrate"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn foresee(&self, _: &mut Facts) -> Result<()> {
        Ok(())
    }

    fn apply(&self, datum: &mut T, _: &mut Scratch) -> Result<T> {
        let delta = datum.axis().delta();
        in_place(datum, |samples| calculus::integrate(samples, delta))
    }
}

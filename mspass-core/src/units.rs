//! Quantities that carry their unit in their type, for edges; kernels take bare `f64`.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A sampling rate in hertz: finite and above zero.
///
/// ```
/// use mspass_core::Hertz;
/// let rate = Hertz::new(40.0).unwrap();
/// assert_eq!(rate.delta(), 0.025);
/// assert!(Hertz::new(0.0).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Hertz(f64);

impl Hertz {
    /// A rate of `value` Hz.
    pub fn new(value: f64) -> Result<Self> {
        let sound = value.is_finite() && value > 0.0 && (1.0 / value).is_finite();
        if sound { Ok(Self(value)) } else { Err(Error::SamplingRate { value }) }
    }

    /// The number of hertz.
    pub const fn value(self) -> f64 {
        self.0
    }

    /// The time from one sample to the next, seconds.
    pub fn delta(self) -> f64 {
        1.0 / self.0
    }

    /// Whether the two rates differ by no more than `tolerance`, relative to the larger.
    pub fn agrees_with(self, other: Self, tolerance: f64) -> bool {
        (self.0 - other.0).abs() <= tolerance * self.0.max(other.0)
    }
}

impl fmt::Display for Hertz {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

impl TryFrom<f64> for Hertz {
    type Error = Error;
    fn try_from(value: f64) -> Result<Self> {
        Self::new(value)
    }
}

impl From<Hertz> for f64 {
    fn from(rate: Hertz) -> Self {
        rate.0
    }
}

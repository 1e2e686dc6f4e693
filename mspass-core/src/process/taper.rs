//! Tapers at the ends.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernel::taper::{self, Shape, Side};
use crate::process::{Process, Scratch, by_name, in_place};
use crate::series::Sampled;

/// Brings the ends of every component to zero, as ObsPy's `Trace.taper` does.
///
/// ```
/// use mspass_core::TimeSeries;
/// use mspass_core::process::{Process, Scratch, Taper};
/// let mut trace = TimeSeries { samples: vec![1.0; 100], ..TimeSeries::default() };
/// let trace = Taper::hann(0.05).apply(&mut trace, &mut Scratch::default()).unwrap();
/// assert_eq!((trace.samples[0], trace.samples[50]), (0.0, 1.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taper {
    /// How the weights rise.
    #[serde(with = "WindowName")]
    pub window: Shape,
    /// Part of the samples tapered at each end, 0 to 0.5.
    pub max_percentage: f64,
    /// Which ends.
    #[serde(with = "SideName")]
    pub side: Side,
}

impl Taper {
    /// Half a cosine over `max_percentage` of the samples (0 to 0.5) at each end.
    pub const fn hann(max_percentage: f64) -> Self {
        Self { window: Shape::Hann, max_percentage, side: Side::Both }
    }
}

/// The stored names of [`Shape`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "Shape", rename_all = "lowercase")]
enum WindowName {
    Hann,
    Hamming,
    Blackman,
    Triangle,
}

/// The stored names of [`Side`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "Side", rename_all = "lowercase")]
enum SideName {
    Both,
    Head,
    Tail,
}

impl<T: Sampled> Process<T> for Taper {
    type Output = T;

    fn name(&self) -> &str {
        "taper"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn check(&self) -> Result<()> {
        if (0.0..=0.5).contains(&self.max_percentage) {
            return Ok(());
        }
        let reason = "must be a part of the whole, 0 to 0.5";
        Err(Error::parameter("max_percentage", self.max_percentage, reason))
    }

    fn apply(&self, datum: &mut T, _: &mut Scratch) -> Result<T> {
        let ramp = taper::ramp_npts(datum.npts(), self.max_percentage)?;
        in_place(datum, |samples| {
            taper::ends(samples, ramp, self.window, self.side);
            Ok(())
        })
    }
}

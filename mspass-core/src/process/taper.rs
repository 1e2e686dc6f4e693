//! Tapers at the ends and at given times.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernel::taper::{self, Curve, Shape, Side};
use crate::process::{Facts, Process, Scratch, by_name, in_place};
use crate::series::Sampled;
use crate::time::TimeWindow;

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

    fn foresee(&self, _: &mut Facts) -> Result<()> {
        Ok(())
    }

    fn apply(&self, datum: &mut T, _: &mut Scratch) -> Result<T> {
        let ramp = taper::ramp_npts(datum.npts(), self.max_percentage)?;
        in_place(datum, |samples| {
            taper::ends(samples, ramp, self.window, self.side);
            Ok(())
        })
    }
}

/// Brings every component to zero outside two times and lets it rise and fall between given times:
/// MsPASS's linear and cosine tapers, and its top mute.
///
/// Times are seconds of the data's own axis; an end whose two times are equal stays as it is.
///
/// ```
/// use mspass_core::kernel::taper::Curve;
/// use mspass_core::process::{Process, Scratch, TimeTaper};
/// use mspass_core::TimeSeries;
/// let mut trace = TimeSeries { samples: vec![1.0; 7], ..TimeSeries::default() }; // 1 Hz, from 0 s
/// let mute =
///     TimeTaper { t0head: 1.0, t1head: 3.0, t1tail: 0.0, t0tail: 0.0, curve: Curve::Linear };
/// let trace = mute.apply(&mut trace, &mut Scratch::default()).unwrap();
/// assert_eq!(trace.samples, [0.0, 0.0, 0.5, 1.0, 1.0, 1.0, 1.0]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeTaper {
    /// All up to here is zero, s.
    pub t0head: f64,
    /// From here on all is as it was, s.
    pub t1head: f64,
    /// Up to here all is as it was, s.
    pub t1tail: f64,
    /// All from here on is zero, s.
    pub t0tail: f64,
    /// How the weights rise and fall.
    #[serde(with = "CurveName")]
    pub curve: Curve,
}

/// The stored names of [`Curve`].
#[derive(Serialize, Deserialize)]
#[serde(remote = "Curve", rename_all = "lowercase")]
enum CurveName {
    Linear,
    Cosine,
}

impl<T: Sampled> Process<T> for TimeTaper {
    type Output = T;

    fn name(&self) -> &str {
        "time_taper"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn check(&self) -> Result<()> {
        let Self { t0head, t1head, t1tail, t0tail, .. } = *self;
        TimeWindow::new(t0head, t1head)?;
        TimeWindow::new(t1tail, t0tail)?;
        if t0head < t1head && t1tail < t0tail && t1tail < t1head {
            let reason = format!("must not come before the end of the head, {t1head} s");
            return Err(Error::parameter("t1tail", t1tail, reason));
        }
        Ok(())
    }

    fn foresee(&self, _: &mut Facts) -> Result<()> {
        Ok(())
    }

    /// Times before the first sample and after the last one touch nothing there.
    fn apply(&self, datum: &mut T, _: &mut Scratch) -> Result<T> {
        let (start, rate) = (datum.axis().start(), datum.axis().sampling_rate().value());
        let place = |time: f64| (time - start) * rate;
        in_place(datum, |samples| {
            taper::ramp_up(samples, place(self.t0head), place(self.t1head), self.curve)?;
            taper::ramp_down(samples, place(self.t1tail), place(self.t0tail), self.curve)
        })
    }
}

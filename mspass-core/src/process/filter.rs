//! Butterworth filters.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::process::scratch::{Band, FilterDesign};
use crate::process::{Facts, Process, Scratch, by_name, in_place};
use crate::series::Sampled;

/// Lets frequencies between two corners pass.
///
/// ```
/// use mspass_core::process::{Bandpass, Process, Scratch};
/// use mspass_core::{Hertz, TimeSeries, UtcTime};
/// let band = Bandpass { freqmin: 0.05, freqmax: 8.0, corners: 4, zerophase: true };
/// let rate = Hertz::new(10.0).unwrap();
/// let id = "YA.UV05..LHZ".parse().unwrap();
/// let mut trace = TimeSeries::new(id, UtcTime::default(), rate, vec![]);
/// let refused = band.apply(&mut trace, &mut Scratch::default()).unwrap_err().to_string();
/// assert!(refused.contains("8 Hz") && refused.contains("Nyquist frequency of 5 Hz"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bandpass {
    /// Lower corner, Hz.
    pub freqmin: f64,
    /// Upper corner, Hz.
    pub freqmax: f64,
    /// Number of corners on either side.
    pub corners: usize,
    /// Whether to filter forward and backward: no phase shift, twice the order.
    pub zerophase: bool,
}

/// Stops frequencies between two corners.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bandstop {
    /// Lower corner, Hz.
    pub freqmin: f64,
    /// Upper corner, Hz.
    pub freqmax: f64,
    /// Number of corners on either side.
    pub corners: usize,
    /// Whether to filter forward and backward: no phase shift, twice the order.
    pub zerophase: bool,
}

/// Lets frequencies below a corner pass.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lowpass {
    /// Corner, Hz.
    pub freq: f64,
    /// Number of poles.
    pub corners: usize,
    /// Whether to filter forward and backward: no phase shift, twice the order.
    pub zerophase: bool,
}

/// Lets frequencies above a corner pass.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Highpass {
    /// Corner, Hz.
    pub freq: f64,
    /// Number of poles.
    pub corners: usize,
    /// Whether to filter forward and backward: no phase shift, twice the order.
    pub zerophase: bool,
}

macro_rules! filter_process {
    ($process:ty, $name:literal, $band:expr) => {
        impl<T: Sampled> Process<T> for $process {
            type Output = T;

            fn name(&self) -> &str {
                $name
            }

            fn parameters(&self) -> serde_json::Value {
                by_name(self)
            }

            fn check(&self) -> Result<()> {
                check($band(self), self.corners)
            }

            fn foresee(&self, facts: &mut Facts) -> Result<()> {
                let (band, corners) = ($band(self), self.corners);
                facts.at_rate(|sampling_rate| {
                    FilterDesign { band, corners, sampling_rate }.make().map(drop)
                })
            }

            fn apply(&self, datum: &mut T, scratch: &mut Scratch) -> Result<T> {
                filter($band(self), self.corners, self.zerophase, datum, scratch)
            }
        }
    };
}

filter_process!(Bandpass, "bandpass", |f: &Bandpass| Band::Pass(f.freqmin, f.freqmax));
filter_process!(Bandstop, "bandstop", |f: &Bandstop| Band::Stop(f.freqmin, f.freqmax));
filter_process!(Lowpass, "lowpass", |f: &Lowpass| Band::Below(f.freq));
filter_process!(Highpass, "highpass", |f: &Highpass| Band::Above(f.freq));

/// Designs the filter for a rate that has room for its corners, so that only what is wrong with the
/// parameters themselves is found.
fn check(band: Band, corners: usize) -> Result<()> {
    let (lowest, highest) = match band {
        Band::Pass(low, high) | Band::Stop(low, high) => (("freqmin", low), ("freqmax", high)),
        Band::Below(freq) | Band::Above(freq) | Band::NothingFrom(freq) => {
            (("freq", freq), ("freq", freq))
        }
    };
    for (parameter, freq) in [lowest, highest] {
        if !(freq > 0.0 && (4.0 * freq).is_finite()) {
            return Err(Error::parameter(parameter, freq, "must be finite and above 0 Hz"));
        }
    }
    let sampling_rate = 4.0 * lowest.1.max(highest.1);
    FilterDesign { band, corners, sampling_rate }.make().map(drop)
}

fn filter<T: Sampled>(
    band: Band,
    corners: usize,
    zerophase: bool,
    datum: &mut T,
    scratch: &mut Scratch,
) -> Result<T> {
    let sampling_rate = datum.axis().sampling_rate().value();
    let sos = scratch.filter(FilterDesign { band, corners, sampling_rate })?;
    in_place(datum, |samples| {
        if zerophase {
            sos.filter_zerophase(samples);
        } else {
            sos.filter(samples);
        }
        Ok(())
    })
}

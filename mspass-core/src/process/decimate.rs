//! Keeping every n-th sample.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::kernel::decimate::FACTOR_MAX;
use crate::process::scratch::{Band, FilterDesign};
use crate::process::{Facts, Process, Scratch, by_name};
use crate::series::Sampled;
use crate::units::Hertz;

/// Highest order of the Chebyshev filter, as in ObsPy.
const CHEBYSHEV_ORDER_MAX: usize = 12;

/// What keeps frequencies above the new Nyquist frequency from coming back as others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Antialias {
    /// Nothing: the data were filtered before.
    None,
    /// A Chebyshev filter of the second kind, one pass: ObsPy's `Trace.decimate`.
    Chebyshev2,
    /// A symmetric finite filter, without a shift of phase: `scipy.signal.decimate(ftype='fir')`.
    Fir,
}

/// Keeps the first sample of every component and every `factor`-th after it.
///
/// ```
/// use mspass_core::process::{Antialias, Decimate, Process, Scratch};
/// use mspass_core::{Hertz, TimeSeries, UtcTime};
/// let rate = Hertz::new(100.0).unwrap();
/// let id = "YA.UV05.00.HHZ".parse().unwrap();
/// let mut trace = TimeSeries::new(id, UtcTime::default(), rate, vec![1.0; 501]);
/// let decimate = Decimate { factor: 5, antialias: Antialias::Fir };
/// let trace = decimate.apply(&mut trace, &mut Scratch::default()).unwrap();
/// assert_eq!((trace.npts(), trace.sampling_rate().value()), (101, 20.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decimate {
    /// One of how many samples is kept.
    pub factor: usize,
    /// What is done before.
    pub antialias: Antialias,
}

impl<T: Sampled> Process<T> for Decimate {
    type Output = T;

    fn name(&self) -> &str {
        "decimate"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn check(&self) -> Result<()> {
        if (1..=FACTOR_MAX).contains(&self.factor) {
            return Ok(());
        }
        let reason = format!("must be 1 to {FACTOR_MAX}");
        Err(Error::parameter("factor", self.factor, reason))
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        if let Some(rate) = &mut facts.sampling_rate {
            *rate = Hertz::new(rate.value() / self.factor.max(1) as f64)?;
        }
        Ok(())
    }

    fn apply(&self, datum: &mut T, scratch: &mut Scratch) -> Result<T> {
        Process::<T>::check(self)?;
        let (npts, axis) = (datum.npts(), *datum.axis());
        if self.factor == 1 || npts == 0 {
            return Ok(std::mem::take(datum));
        }
        let rate = Hertz::new(axis.sampling_rate().value() / self.factor as f64)?;
        let mut kept = scratch.take_buffer(datum.component_count() * npts.div_ceil(self.factor));
        match self.antialias {
            Antialias::Fir => {
                let mut one = scratch.take_buffer(npts.div_ceil(self.factor));
                let decimator = scratch.decimator(self.factor)?;
                kept.clear();
                for samples in datum.samples().chunks_exact(npts) {
                    decimator.apply(samples, &mut one);
                    kept.extend_from_slice(&one);
                }
                scratch.give_back(one);
            }
            filter => {
                if filter == Antialias::Chebyshev2 {
                    let band = Band::NothingFrom(rate.value() / 2.0);
                    let sampling_rate = axis.sampling_rate().value();
                    let corners = CHEBYSHEV_ORDER_MAX;
                    let sos = scratch.filter(FilterDesign { band, corners, sampling_rate })?;
                    datum.samples_mut().chunks_exact_mut(npts).for_each(|x| sos.filter(x));
                }
                let all = datum.samples().chunks_exact(npts);
                let every = all.flat_map(|samples| samples.iter().step_by(self.factor));
                kept.iter_mut().zip(every).for_each(|(kept, sample)| *kept = *sample);
            }
        }
        scratch.give_back(datum.replace(axis.with_sampling_rate(rate), kept));
        Ok(std::mem::take(datum))
    }
}

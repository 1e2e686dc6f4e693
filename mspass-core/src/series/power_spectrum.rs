//! Estimates of power over frequency.

use serde::{Deserialize, Serialize};

use crate::datum::{Datum, Tombstone};
use crate::elog::{ErrorLog, Life};
use crate::error::{Error, Result};
use crate::history::History;
use crate::id::SeedId;
use crate::metadata::Metadata;
use crate::series::samples;
use crate::units::Hertz;

/// Power at evenly spaced frequencies.
///
/// ```
/// use mspass_core::series::PowerSpectrum;
/// use mspass_core::Hertz;
/// let id = "YA.UV05..HHZ".parse().unwrap();
/// let rate = Hertz::new(4.0).unwrap();
/// let mut noise = PowerSpectrum::new(id, "welch", 0.0, 1.0, rate, vec![4.0, 2.0, 1.0]).unwrap();
/// assert_eq!(noise.power(0.5), Some(3.0));
/// assert_eq!(noise.frequency(2), noise.nyquist());
/// noise.add(&noise.clone()).unwrap();
/// assert_eq!(noise.spectrum, [8.0, 4.0, 2.0]);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PowerSpectrum {
    /// Network, station, location and channel of the data.
    pub id: SeedId,
    /// How it was estimated.
    pub estimator: String,
    /// Frequency of the first value, Hz.
    pub f0: f64,
    /// From one frequency to the next, Hz.
    pub df: f64,
    /// Sampling rate of the data.
    pub sampling_rate: Hertz,
    /// Number of samples of the data, 0 where unknown.
    pub data_npts: usize,
    /// Power, square of the data's unit per Hz.
    #[serde(with = "samples")]
    pub spectrum: Vec<f64>,
    /// Everything that is not structure.
    pub metadata: Metadata,
    /// What happened to it.
    pub log: ErrorLog,
    /// Where it comes from.
    pub history: History,
    /// Whether it lives.
    pub life: Life,
}

impl Default for PowerSpectrum {
    /// A dead spectrum without values.
    fn default() -> Self {
        Self {
            id: SeedId::default(),
            estimator: String::new(),
            f0: 0.0,
            df: 1.0,
            sampling_rate: Hertz::new(1.0).expect("1 Hz is a sampling rate"),
            data_npts: 0,
            spectrum: Vec::new(),
            metadata: Metadata::default(),
            log: ErrorLog::default(),
            history: History::default(),
            life: Life::Dead,
        }
    }
}

impl PowerSpectrum {
    /// A live spectrum from `f0` on in steps of `df` (Hz) of data sampled at `sampling_rate`; an
    /// error unless `df` is above and `f0` not below zero.
    pub fn new(
        id: SeedId,
        estimator: impl Into<String>,
        f0: f64,
        df: f64,
        sampling_rate: Hertz,
        spectrum: Vec<f64>,
    ) -> Result<Self> {
        if !(df.is_finite() && df > 0.0) {
            return Err(Error::parameter("df", df, "must be finite and above 0 Hz"));
        }
        if !(f0.is_finite() && f0 >= 0.0) {
            return Err(Error::parameter("f0", f0, "must be finite and not below 0 Hz"));
        }
        let estimator = estimator.into();
        let life = Life::Live;
        Ok(Self { id, estimator, f0, df, sampling_rate, spectrum, life, ..Self::default() })
    }

    /// Number of frequencies.
    pub fn nf(&self) -> usize {
        self.spectrum.len()
    }

    /// Frequency of value `index`, Hz.
    pub fn frequency(&self, index: usize) -> f64 {
        self.f0 + index as f64 * self.df
    }

    /// All frequencies, Hz.
    pub fn frequencies(&self) -> Vec<f64> {
        (0..self.nf()).map(|index| self.frequency(index)).collect()
    }

    /// Half the sampling rate of the data, Hz.
    pub fn nyquist(&self) -> f64 {
        self.sampling_rate.value() / 2.0
    }

    /// The square roots of the powers.
    pub fn amplitude(&self) -> Vec<f64> {
        self.spectrum.iter().map(|power| power.sqrt()).collect()
    }

    /// Power at `frequency` (Hz) on the straight line between its neighbours; `None` outside the
    /// spectrum.
    pub fn power(&self, frequency: f64) -> Option<f64> {
        let place = (frequency - self.f0) / self.df;
        let last = self.nf().checked_sub(1)?;
        if !(place >= 0.0 && place <= last as f64) {
            return None;
        }
        let low = place as usize;
        let high = (low + 1).min(last);
        let weight = place - low as f64;
        Some(self.spectrum[low] * (1.0 - weight) + self.spectrum[high] * weight)
    }

    /// Adds `other`, value by value; a dead one adds nothing. An error when the frequencies differ.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        if other.life != Life::Live {
            return Ok(());
        }
        if (self.f0, self.df, self.nf()) != (other.f0, other.df, other.nf()) {
            return Err(Error::unfit(format!(
                "spectra of {} values from {} Hz by {} Hz and of {} from {} Hz by {} Hz do not add",
                self.nf(),
                self.f0,
                self.df,
                other.nf(),
                other.f0,
                other.df
            )));
        }
        self.spectrum.iter_mut().zip(&other.spectrum).for_each(|(mine, theirs)| *mine += theirs);
        Ok(())
    }
}

impl Datum for PowerSpectrum {
    const KIND: &'static str = "PowerSpectrum";

    crate::datum_fields!();

    fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.spectrum.capacity() * size_of::<f64>()
            + self.estimator.capacity()
            + self.id.heap_bytes()
            + self.metadata.heap_bytes()
            + self.log.heap_bytes()
            + self.history.heap_bytes()
    }

    fn headstone(&self) -> Self {
        Self {
            id: self.id.clone(),
            estimator: self.estimator.clone(),
            spectrum: Vec::new(),
            metadata: self.metadata.clone(),
            log: self.log.clone(),
            history: self.history.clone(),
            ..*self
        }
    }

    fn into_tombstone(self) -> Tombstone {
        Tombstone {
            kind: Self::KIND.to_owned(),
            life: self.life,
            id: Some(self.id),
            axis: None,
            npts: self.spectrum.len(),
            metadata: self.metadata,
            log: self.log,
            history: self.history,
        }
    }
}

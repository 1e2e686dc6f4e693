//! What is known of data before any of them is read.

use std::collections::BTreeSet;

use crate::error::{Error, Result};
use crate::process::header::missing;
use crate::series::{TimeAxis, TimeStandard};
use crate::time::UtcTime;
use crate::units::Hertz;

/// Names under which every waveform has a value, whatever its metadata hold.
const OF_WAVEFORMS: [&str; 10] = [
    "net",
    "sta",
    "loc",
    "chan",
    "npts",
    "sampling_rate",
    "delta",
    "starttime",
    "endtime",
    "time_standard",
];

/// What is known of the data that come to a step; by default nothing.
///
/// [`Process::foresee`](crate::Process::foresee) refuses what can never work on such data, and
/// makes of it what is known of those that the step gives.
///
/// ```
/// use mspass_core::process::{Bandpass, Facts, Process, Resample};
/// use mspass_core::{Hertz, TimeSeries};
/// let mut facts = Facts::of_waveforms(["snr"]);
/// facts.sampling_rate = Some(Hertz::new(100.0).unwrap());
/// Process::<TimeSeries>::foresee(&Resample::to_hz(10.0), &mut facts).unwrap();
/// let band = Bandpass { freqmin: 1.0, freqmax: 8.0, corners: 4, zerophase: false };
/// let refused = Process::<TimeSeries>::foresee(&band, &mut facts).unwrap_err().to_string();
/// assert!(refused.contains("Nyquist frequency of 5 Hz"));
/// assert!(facts.lacks("event_id") && !facts.lacks("snr") && !facts.lacks("npts"));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Their sampling rate, where all have the same.
    pub sampling_rate: Option<Hertz>,
    /// What their times count from, where it is alike; an origin that is there stands for any.
    pub standard: Option<TimeStandard>,
    /// The only names that may have a value; any may, where this is nothing.
    names: Option<BTreeSet<String>>,
    /// Names that have none.
    without: BTreeSet<String>,
    /// Of ensembles: what is known of their members.
    members: Option<Box<Self>>,
}

impl Facts {
    /// Of waveforms whose metadata hold these names and no others, nothing else being known.
    pub fn of_waveforms<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        let names = names.into_iter().map(N::into);
        let names = names.chain(OF_WAVEFORMS.map(str::to_owned)).collect();
        Self { names: Some(names), ..Self::default() }
    }

    /// Of ensembles whose metadata hold these names and no others, with such members.
    pub fn of_ensembles<N: Into<String>>(
        names: impl IntoIterator<Item = N>,
        members: Self,
    ) -> Self {
        let names = names.into_iter().map(N::into).collect();
        Self { names: Some(names), members: Some(Box::new(members)), ..Self::default() }
    }

    /// What is known of the members of such ensembles.
    pub fn members(&self) -> Self {
        self.members.as_deref().cloned().unwrap_or_default()
    }

    /// From now on such ensembles have members of which this is known.
    pub fn replace_members(&mut self, members: Self) {
        self.members = Some(Box::new(members));
    }

    /// Whether certainly none of the data has a value under a name.
    pub fn lacks(&self, name: &str) -> bool {
        self.without.contains(name)
            || self.names.as_ref().is_some_and(|names| !names.contains(name))
    }

    /// An error, in the words for a datum without this header value, where none of the data has it.
    ///
    /// # Errors
    /// [`Error::Unfit`] where they all lack it.
    pub fn need(&self, name: &str) -> Result<()> {
        if self.lacks(name) { Err(missing(name)) } else { Ok(()) }
    }

    /// From now on they may have a value under a name.
    pub fn put(&mut self, name: &str) {
        self.without.remove(name);
        if let Some(names) = &mut self.names {
            names.insert(name.to_owned());
        }
    }

    /// From now on none has a value under a name, unless it is one that waveforms always have.
    pub fn remove(&mut self, name: &str) {
        if OF_WAVEFORMS.contains(&name) {
            return;
        }
        self.without.insert(name.to_owned());
        if let Some(names) = &mut self.names {
            names.remove(name);
        }
    }

    /// From now on they have values under these names at most, and what waveforms always have.
    pub fn keep_only<'a>(&mut self, names: impl IntoIterator<Item = &'a str>) {
        let kept = names.into_iter().chain(OF_WAVEFORMS).filter(|name| !self.lacks(name));
        self.names = Some(kept.map(str::to_owned).collect());
    }

    /// They may have whatever values `others` have, too.
    pub(super) fn put_all(&mut self, others: &Self) {
        match &others.names {
            Some(names) => names.iter().for_each(|name| self.put(name)),
            None => (self.names, self.without) = (None, BTreeSet::new()),
        }
    }

    /// A time axis such as the data have, at this rate where they are known to have none; nothing
    /// where it is not known what their times count from.
    pub(super) fn axis(&self) -> Option<TimeAxis> {
        let rate = self.sampling_rate.or_else(|| Hertz::new(1.0).ok())?;
        Some(match self.standard? {
            TimeStandard::Utc => TimeAxis::utc(UtcTime::default(), rate),
            TimeStandard::Relative { origin } => TimeAxis::relative(0.0, origin, rate),
        })
    }

    /// Checks what depends on the sampling rate, where that is known.
    pub(super) fn at_rate(&self, check: impl FnOnce(f64) -> Result<(), Error>) -> Result<()> {
        self.sampling_rate.map_or(Ok(()), |rate| check(rate.value()))
    }
}

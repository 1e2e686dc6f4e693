//! One channel of evenly spaced samples.

use serde::{Deserialize, Serialize};

use crate::datum::{Datum, Tombstone};
use crate::elog::{ErrorLog, Life};
use crate::error::{Error, Result};
use crate::history::History;
use crate::id::SeedId;
use crate::metadata::Metadata;
use crate::series::axis::TimeAxis;
use crate::time::{TimeWindow, UtcTime};
use crate::units::Hertz;

/// Samples of one channel: what seismologists call a trace.
///
/// ```
/// use mspass_core::{Hertz, TimeSeries, UtcTime};
/// let id = "YA.UV05.00.HHZ".parse().unwrap();
/// let trace = TimeSeries::new(id, UtcTime::default(), Hertz::new(100.0).unwrap(), vec![0.0; 500]);
/// assert_eq!(trace.endtime(), Some(4.99));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeSeries {
    /// Network, station, location and channel.
    pub id: SeedId,
    /// Where the samples lie in time.
    pub axis: TimeAxis,
    /// The samples; their number is `npts`.
    pub samples: Vec<f64>,
    /// Everything that is not structure.
    pub metadata: Metadata,
    /// What happened to it.
    pub log: ErrorLog,
    /// Where it comes from.
    pub history: History,
    /// Whether it lives.
    pub life: Life,
}

impl Default for TimeSeries {
    /// A dead trace without samples at 1 Hz.
    fn default() -> Self {
        let rate = Hertz::new(1.0).expect("1 Hz is a sampling rate");
        let mut trace = Self::new(SeedId::default(), UtcTime::default(), rate, Vec::new());
        trace.life = Life::Dead;
        trace
    }
}

/// Two sampling rates within this (relative) may be added.
pub const RATE_TOLERANCE: f64 = 1e-6;

impl TimeSeries {
    /// A live trace in UTC.
    pub fn new(id: SeedId, starttime: UtcTime, sampling_rate: Hertz, samples: Vec<f64>) -> Self {
        Self {
            id,
            axis: TimeAxis::utc(starttime, sampling_rate),
            samples,
            metadata: Metadata::default(),
            log: ErrorLog::default(),
            history: History::default(),
            life: Life::Live,
        }
    }

    /// Number of samples.
    pub fn npts(&self) -> usize {
        self.samples.len()
    }

    /// Samples per second.
    pub fn sampling_rate(&self) -> Hertz {
        self.axis.sampling_rate()
    }

    /// Time of the last sample in seconds of the axis' standard; `None` without samples.
    pub fn endtime(&self) -> Option<f64> {
        self.axis.span(self.npts()).map(|span| span.end)
    }

    /// Time of every sample, seconds.
    pub fn time_axis(&self) -> Vec<f64> {
        (0..self.samples.len() as i64).map(|index| self.axis.time(index)).collect()
    }

    /// Keeps the samples from the one nearest to the window's start, `round(length / delta) + 1` of
    /// them. An error, and the trace as it was, when the window is not covered.
    pub fn cut(&mut self, window: TimeWindow) -> Result<()> {
        let first = self.axis.sample_number(window.start);
        let count = (window.length() * self.sampling_rate().value()).round() as i64 + 1;
        let end = first.saturating_add(count);
        if first < 0 || end > self.samples.len() as i64 {
            return Err(Error::unfit(format!(
                "the window {} to {} s is not covered: samples {first} to {} of 0 to {}",
                window.start,
                window.end,
                end - 1,
                self.samples.len() as i64 - 1
            )));
        }
        self.samples.truncate(end as usize);
        self.samples.drain(..first as usize);
        self.axis = self.axis.advanced(first);
        Ok(())
    }

    /// Adds `other` sample by sample where the two overlap, the nearest samples matched; a dead
    /// `other` adds nothing. An error when rates or time standards differ.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        self.combine(other, |mine, theirs| mine + theirs)
    }

    /// Subtracts as [`Self::add`] adds.
    pub fn subtract(&mut self, other: &Self) -> Result<()> {
        self.combine(other, |mine, theirs| mine - theirs)
    }

    fn combine(&mut self, other: &Self, with: impl Fn(f64, f64) -> f64) -> Result<()> {
        if other.life != Life::Live {
            return Ok(());
        }
        let first = overlap_start(&self.axis, &other.axis)?;
        let (mine, theirs) = if first >= 0 { (first as usize, 0) } else { (0, -first as usize) };
        let pairs = self.samples.iter_mut().skip(mine).zip(other.samples.iter().skip(theirs));
        pairs.for_each(|(mine, theirs)| *mine = with(*mine, *theirs));
        Ok(())
    }

    /// Multiplies every sample.
    pub fn scale(&mut self, factor: f64) {
        self.samples.iter_mut().for_each(|sample| *sample *= factor);
    }
}

/// The sample of `mine` at which `theirs` starts (negative: before); an error when rates or time
/// standards differ.
pub(super) fn overlap_start(mine: &TimeAxis, theirs: &TimeAxis) -> Result<i64> {
    let (a, b) = (mine.sampling_rate(), theirs.sampling_rate());
    if !a.agrees_with(b, RATE_TOLERANCE) {
        return Err(Error::unfit(format!("sampling rates {a} and {b} differ")));
    }
    if std::mem::discriminant(&mine.standard()) != std::mem::discriminant(&theirs.standard()) {
        return Err(Error::unfit("one is in UTC, the other in relative time"));
    }
    Ok(mine.sample_number(theirs.start()))
}

impl Datum for TimeSeries {
    const KIND: &'static str = "TimeSeries";

    fn life(&self) -> Life {
        self.life
    }

    fn set_life(&mut self, life: Life) {
        self.life = life;
    }

    fn log_mut(&mut self) -> &mut ErrorLog {
        &mut self.log
    }

    fn history_mut(&mut self) -> &mut History {
        &mut self.history
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.samples.capacity() * size_of::<f64>() + self.metadata.heap_bytes()
    }

    fn headstone(&self) -> Self {
        Self {
            id: self.id.clone(),
            axis: self.axis,
            samples: Vec::new(),
            metadata: self.metadata.clone(),
            log: self.log.clone(),
            history: self.history.clone(),
            life: self.life,
        }
    }

    fn into_tombstone(self) -> Tombstone {
        Tombstone {
            kind: Self::KIND.to_owned(),
            life: self.life,
            id: Some(self.id),
            axis: Some(self.axis),
            npts: self.samples.len(),
            metadata: self.metadata,
            log: self.log,
            history: self.history,
        }
    }
}

//! One channel of evenly spaced samples.

use serde::{Deserialize, Serialize};

use crate::datum::{Datum, Tombstone};
use crate::elog::{ErrorLog, Life};
use crate::error::{Error, Result};
use crate::history::History;
use crate::id::SeedId;
use crate::metadata::{Metadata, Value};
use crate::series::axis::TimeAxis;
use crate::series::facts;
use crate::series::gaps::Gaps;
use crate::series::sampled::Sampled;
use crate::series::samples;
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
    #[serde(with = "samples")]
    pub samples: Vec<f64>,
    /// Where data are missing, in nanoseconds since the first sample; [`Self::add_gap`] and its kin
    /// take times of the axis.
    #[serde(default)]
    pub gaps: Gaps,
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
            gaps: Gaps::default(),
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
        let (first, count) = self.axis.samples_of(window)?;
        let range = covered(first, count, self.npts()).ok_or_else(|| {
            Error::unfit(format!(
                "the window {} to {} s is not covered: it needs {count} samples from number \
                 {first} on of the {} there are",
                window.start,
                window.end,
                self.npts()
            ))
        })?;
        self.samples.truncate(range.end);
        self.samples.drain(..range.start);
        let axis = self.axis.advanced(first);
        self.gaps.follow(&self.axis, &axis, count);
        self.axis = axis;
        Ok(())
    }

    /// Marks a window (times of the axis, first and last missing sample) as a gap; an error when it
    /// ends before it starts.
    pub fn add_gap(&mut self, window: TimeWindow) -> Result<()> {
        self.gaps.add_window(&self.axis, window)
    }

    /// Whether `time` (of the axis) lies in a gap.
    pub fn is_gap(&self, time: f64) -> bool {
        self.gaps.contains(self.axis.nanos_since_start(time))
    }

    /// Whether a gap shares an instant with `window` (times of the axis).
    pub fn has_gap(&self, window: TimeWindow) -> bool {
        let [first, last] = [window.start, window.end].map(|t| self.axis.nanos_since_start(t));
        self.gaps.overlaps(first, last)
    }

    /// The gaps as windows of times of the axis, in order.
    pub fn gap_windows(&self) -> impl Iterator<Item = TimeWindow> {
        let time = |nanos| self.axis.time_after_start(nanos);
        self.gaps
            .iter()
            .map(move |(first, last)| TimeWindow { start: time(first), end: time(last) })
    }

    /// Sets every sample in a gap to zero.
    pub fn zero_gaps(&mut self) {
        self.gaps.zero(&self.axis, &mut self.samples);
    }

    /// Adds `other` sample by sample where the two overlap, the nearest samples matched; a dead
    /// `other` adds nothing. An error when rates or time standards differ.
    pub fn add(&mut self, other: &Self) -> Result<()> {
        self.combine(other, |mine, theirs| *mine += theirs)
    }

    /// Subtracts as [`Self::add`] adds.
    pub fn subtract(&mut self, other: &Self) -> Result<()> {
        self.combine(other, |mine, theirs| *mine -= theirs)
    }

    fn combine(&mut self, other: &Self, with: impl Fn(&mut f64, f64)) -> Result<()> {
        if other.life != Life::Live {
            return Ok(());
        }
        let first = overlap_start(&self.axis, &other.axis)?;
        combine_from(first, &mut self.samples, &other.samples, with);
        Ok(())
    }

    /// Multiplies every sample.
    pub fn scale(&mut self, factor: f64) {
        self.samples.iter_mut().for_each(|sample| *sample *= factor);
    }
}

/// The sample of `mine` at which `theirs` starts (negative: before); an error when rates or time
/// standards differ.
pub(crate) fn overlap_start(mine: &TimeAxis, theirs: &TimeAxis) -> Result<i64> {
    let (a, b) = (mine.sampling_rate(), theirs.sampling_rate());
    if !a.agrees_with(b, RATE_TOLERANCE) {
        return Err(Error::unfit(format!("sampling rates {a} and {b} differ")));
    }
    if std::mem::discriminant(&mine.standard()) != std::mem::discriminant(&theirs.standard()) {
        return Err(Error::unfit("one is in UTC, the other in relative time"));
    }
    Ok(mine.sample_number(theirs.start()))
}

/// Combines two components where they overlap, `theirs` starting at sample `first` of `mine`.
pub(super) fn combine_from(
    first: i64,
    mine: &mut [f64],
    theirs: &[f64],
    with: impl Fn(&mut f64, f64),
) {
    let skip = usize::try_from(first.unsigned_abs()).unwrap_or(usize::MAX);
    let (skip_mine, skip_theirs) = if first >= 0 { (skip, 0) } else { (0, skip) };
    let mine = mine.get_mut(skip_mine..).unwrap_or_default();
    let theirs = theirs.get(skip_theirs..).unwrap_or_default();
    mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| with(mine, *theirs));
}

/// The samples from `first` on, `count` of them, as a range of `npts`; `None` when some are not
/// there.
pub(crate) fn covered(first: i64, count: usize, npts: usize) -> Option<std::ops::Range<usize>> {
    let first = usize::try_from(first).ok()?;
    let end = first.checked_add(count).filter(|end| *end <= npts)?;
    Some(first..end)
}

impl Datum for TimeSeries {
    const KIND: &'static str = "TimeSeries";

    crate::datum_fields!();

    /// `net`, `sta`, `loc`, `chan`, `npts`, `sampling_rate` (Hz), `delta` (s), `starttime` and
    /// `endtime` (seconds of the axis), `time_standard` ("UTC" or "Relative"), else its metadata.
    fn fact(&self, name: &str) -> Option<Value> {
        facts::of(&self.id, &self.axis, self.npts(), &self.metadata, name)
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.samples.capacity() * size_of::<f64>()
            + self.gaps.heap_bytes()
            + self.id.heap_bytes()
            + self.metadata.heap_bytes()
            + self.log.heap_bytes()
            + self.history.heap_bytes()
    }

    fn headstone(&self) -> Self {
        Self {
            id: self.id.clone(),
            axis: self.axis,
            samples: Vec::new(),
            gaps: self.gaps.clone(),
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

impl Sampled for TimeSeries {
    fn axis(&self) -> &TimeAxis {
        &self.axis
    }

    fn axis_mut(&mut self) -> &mut TimeAxis {
        &mut self.axis
    }

    fn component_count(&self) -> usize {
        1
    }

    fn samples(&self) -> &[f64] {
        &self.samples
    }

    fn samples_mut(&mut self) -> &mut [f64] {
        &mut self.samples
    }

    fn replace(&mut self, axis: TimeAxis, samples: Vec<f64>) -> Vec<f64> {
        self.gaps.follow(&self.axis, &axis, samples.len());
        self.axis = axis;
        std::mem::replace(&mut self.samples, samples)
    }
}

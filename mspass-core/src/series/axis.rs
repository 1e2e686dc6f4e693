//! The time axis of evenly sampled data.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::time::{NANOS_PER_SECOND, TimeWindow, UtcTime};
use crate::units::Hertz;

/// Seconds in an `f64` are right to within this, sums and differences of today's included.
const SECONDS_RESOLUTION_NANOS: u64 = 1000;

/// What time zero means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TimeStandard {
    /// Times count from 1970-01-01T00:00:00 UTC.
    #[default]
    Utc,
    /// Times count from an origin of the user's choice.
    Relative {
        /// That origin in UTC; `None` where there is none (active-source data), so that the data
        /// can never be taken back to UTC.
        origin: Option<UtcTime>,
    },
}

/// Where the samples of a series lie in time: sample `i` at `start + i / sampling_rate`.
///
/// Going to relative time and back gives the same nanosecond.
///
/// ```
/// use mspass_core::series::TimeAxis;
/// use mspass_core::{Hertz, UtcTime};
/// let start: UtcTime = "2010-09-01T00:00:00".parse().unwrap();
/// let mut axis = TimeAxis::utc(start, Hertz::new(100.0).unwrap());
/// axis.to_relative(start.plus_seconds(12.5));
/// assert_eq!(axis.time(250), -10.0);
/// axis.to_utc().unwrap();
/// assert_eq!(axis.starttime(), Some(start));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeAxis {
    /// Time of the first sample, nanoseconds of `standard`.
    start_nanos: i64,
    sampling_rate: Hertz,
    standard: TimeStandard,
}

impl TimeAxis {
    /// An axis in UTC.
    pub fn utc(starttime: UtcTime, sampling_rate: Hertz) -> Self {
        Self { start_nanos: starttime.nanos(), sampling_rate, standard: TimeStandard::Utc }
    }

    /// A relative axis whose first sample lies `start` seconds after `origin`.
    pub fn relative(start: f64, origin: Option<UtcTime>, sampling_rate: Hertz) -> Self {
        let start_nanos = UtcTime::from_seconds(start).nanos();
        Self { start_nanos, sampling_rate, standard: TimeStandard::Relative { origin } }
    }

    /// What time zero means.
    pub fn standard(&self) -> TimeStandard {
        self.standard
    }

    /// Samples per second.
    pub fn sampling_rate(&self) -> Hertz {
        self.sampling_rate
    }

    /// Seconds from one sample to the next.
    pub fn delta(&self) -> f64 {
        self.sampling_rate.delta()
    }

    /// The same start with another rate.
    #[must_use]
    pub fn with_sampling_rate(self, sampling_rate: Hertz) -> Self {
        Self { sampling_rate, ..self }
    }

    /// Time of the first sample, seconds of the axis' own standard.
    pub fn start(&self) -> f64 {
        UtcTime::from_nanos(self.start_nanos).seconds()
    }

    /// Instant of the first sample; `None` where the axis has no place in UTC.
    pub fn starttime(&self) -> Option<UtcTime> {
        self.instant(0)
    }

    /// Instant of sample `index`; `None` where the axis has no place in UTC.
    pub fn instant(&self, index: i64) -> Option<UtcTime> {
        let nanos = self.nanos_of(index);
        match self.standard {
            TimeStandard::Utc => Some(UtcTime::from_nanos(nanos)),
            TimeStandard::Relative { origin } => origin.map(|origin| origin + nanos),
        }
    }

    /// Time of sample `index`, which may lie before or after the data, seconds.
    pub fn time(&self, index: i64) -> f64 {
        UtcTime::from_nanos(self.nanos_of(index)).seconds()
    }

    /// Nanoseconds from the first sample to `time` (seconds of the axis' standard), those of the
    /// nearest sample where an `f64` cannot tell the two apart.
    pub(crate) fn nanos_since_start(&self, time: f64) -> i64 {
        self.snapped_nanos(UtcTime::from_seconds(time) - UtcTime::from_nanos(self.start_nanos))
    }

    /// Nanoseconds since the first sample, those of the nearest sample where it is almost there.
    pub(crate) fn snapped_nanos(&self, nanos: i64) -> i64 {
        let index = UtcTime::from_nanos(nanos).seconds() * self.sampling_rate.value();
        let sample = self.nanos_of(index.round() as i64).saturating_sub(self.start_nanos);
        if nanos.abs_diff(sample) <= SECONDS_RESOLUTION_NANOS { sample } else { nanos }
    }

    /// Time of an instant that lies `nanos` after the first sample, seconds of the standard.
    pub(crate) fn time_after_start(&self, nanos: i64) -> f64 {
        (UtcTime::from_nanos(self.start_nanos) + nanos).seconds()
    }

    /// Nanoseconds from the first sample of this axis to that of `later`, in UTC where both have a
    /// place there.
    pub(crate) fn nanos_to(&self, later: &Self) -> i64 {
        match (self.starttime(), later.starttime()) {
            (Some(start), Some(later)) => later - start,
            _ => later.start_nanos.saturating_sub(self.start_nanos),
        }
    }

    fn nanos_of(&self, index: i64) -> i64 {
        let offset = index as f64 / self.sampling_rate.value();
        UtcTime::from_nanos(self.start_nanos).plus_seconds(offset).nanos()
    }

    /// The sample nearest to `time` (seconds of the axis' standard); may lie outside the data.
    pub fn sample_number(&self, time: f64) -> i64 {
        let since =
            UtcTime::from_seconds(time).seconds_since(UtcTime::from_nanos(self.start_nanos));
        (since * self.sampling_rate.value()).round() as i64
    }

    /// The sample nearest to an instant; may lie outside the data. `None` where the axis has no
    /// place in UTC.
    pub fn sample_at(&self, instant: UtcTime) -> Option<i64> {
        let since = instant.seconds_since(self.starttime()?);
        Some((since * self.sampling_rate.value()).round() as i64)
    }

    /// The axis of another rate whose samples lie at whole multiples of its interval since time
    /// zero, the first of them not before the first of this axis.
    pub(crate) fn aligned(self, sampling_rate: Hertz) -> Self {
        let delta = NANOS_PER_SECOND as f64 / sampling_rate.value();
        let past = if delta.fract() == 0.0 && delta < i64::MAX as f64 {
            self.start_nanos.rem_euclid(delta as i64)
        } else {
            (self.start_nanos as f64).rem_euclid(delta).round() as i64
        };
        let wait = if past == 0 { 0 } else { delta.round() as i64 - past };
        let start_nanos = self.start_nanos.saturating_add(wait);
        Self { start_nanos, sampling_rate, ..self }
    }

    /// The first sample of `window` and how many samples it holds: from the sample nearest to its
    /// start, `round(length / delta) + 1` of them; may lie outside the data. An error where the
    /// window ends before it starts.
    pub fn samples_of(&self, window: TimeWindow) -> Result<(i64, usize)> {
        let TimeWindow { start, end } = TimeWindow::new(window.start, window.end)?;
        let steps = ((end - start) * self.sampling_rate.value()).round();
        Ok((self.sample_number(start), (steps as usize).saturating_add(1)))
    }

    /// From the first to the last of `npts` samples; `None` when there are none.
    pub fn span(&self, npts: usize) -> Option<TimeWindow> {
        let last = i64::try_from(npts).ok()?.checked_sub(1).filter(|last| *last >= 0)?;
        Some(TimeWindow { start: self.start(), end: self.time(last) })
    }

    /// Lets sample `index` be the first.
    #[must_use]
    pub fn advanced(self, index: i64) -> Self {
        Self { start_nanos: self.nanos_of(index), ..self }
    }

    /// The axis that starts with `grid` and keeps its own standard and origin.
    pub(crate) fn snapped(self, grid: &Self) -> Self {
        Self { start_nanos: grid.start_nanos, sampling_rate: grid.sampling_rate, ..self }
    }

    /// From UTC to times relative to `origin` (MsPASS `ator`); a relative axis stays as it is.
    pub fn to_relative(&mut self, origin: UtcTime) {
        if self.standard == TimeStandard::Utc {
            self.start_nanos = self.start_nanos.saturating_sub(origin.nanos());
            self.standard = TimeStandard::Relative { origin: Some(origin) };
        }
    }

    /// The same times without a way back to UTC; an axis in UTC stays as it is.
    pub(crate) fn without_origin(self) -> Self {
        let standard = match self.standard {
            TimeStandard::Relative { .. } => TimeStandard::Relative { origin: None },
            TimeStandard::Utc => TimeStandard::Utc,
        };
        Self { standard, ..self }
    }

    /// Back to UTC (MsPASS `rtoa`); an axis in UTC stays as it is. An error without an origin.
    pub fn to_utc(&mut self) -> Result<()> {
        match self.standard {
            TimeStandard::Utc => Ok(()),
            TimeStandard::Relative { origin: Some(origin) } => {
                self.start_nanos = self.start_nanos.saturating_add(origin.nanos());
                self.standard = TimeStandard::Utc;
                Ok(())
            }
            TimeStandard::Relative { origin: None } => Err(Error::unfit(
                "relative times without an origin cannot become UTC: the data never were in UTC",
            )),
        }
    }

    /// Moves the origin of relative times `seconds` later, so that every time gets smaller by as
    /// much (MsPASS `shift`). An error for an axis in UTC.
    pub fn shift(&mut self, seconds: f64) -> Result<()> {
        let TimeStandard::Relative { origin } = &mut self.standard else {
            return Err(Error::unfit("times in UTC have no origin to shift: make them relative"));
        };
        if !seconds.is_finite() {
            return Err(Error::parameter("seconds", seconds, "must be finite"));
        }
        let nanos = (seconds * NANOS_PER_SECOND as f64).round() as i64;
        *origin = origin.map(|origin| origin + nanos);
        self.start_nanos = self.start_nanos.saturating_sub(nanos);
        Ok(())
    }
}

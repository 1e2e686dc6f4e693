//! The time axis of evenly sampled data.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::time::{NANOS_PER_SECOND, TimeWindow, UtcTime};
use crate::units::Hertz;

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

    /// From UTC to times relative to `origin` (MsPASS `ator`); a relative axis stays as it is.
    pub fn to_relative(&mut self, origin: UtcTime) {
        if self.standard == TimeStandard::Utc {
            self.start_nanos = self.start_nanos.saturating_sub(origin.nanos());
            self.standard = TimeStandard::Relative { origin: Some(origin) };
        }
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

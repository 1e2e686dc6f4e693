//! Instants, spans and time standards.
//!
//! An instant is a count of nanoseconds, never a float: 2^53 ns is only 104 days, so epoch seconds
//! in an `f64` lose about a quarter of a microsecond.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// An instant in UTC: integer nanoseconds since 1970-01-01T00:00:00, leap seconds not counted.
///
/// ```
/// use mspass_core::UtcTime;
/// let t: UtcTime = "2010-09-01T00:00:00.5".parse().unwrap();
/// assert_eq!(t.nanos(), 1_283_299_200_500_000_000);
/// assert_eq!(t.to_string(), "2010-09-01T00:00:00.5Z");
/// ```
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UtcTime(i64);

impl UtcTime {
    /// The instant `nanos` nanoseconds after the epoch.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// The instant nearest to `seconds` after the epoch; saturates beyond the years 1677 to 2262.
    pub fn from_seconds(seconds: f64) -> Self {
        let whole = seconds.floor();
        let nanos = ((seconds - whole) * 1e9).round() as i64;
        Self((whole as i64).saturating_mul(NANOS_PER_SECOND).saturating_add(nanos))
    }

    /// The instant of day-of-year fields as SEED and SAC write them; `None` where one is out of
    /// range. A leap second (`second` 60) is the first instant of the next minute.
    pub fn from_ordinal(
        year: i64,
        day_of_year: i64,
        hour: i64,
        minute: i64,
        second: i64,
        nanos: i64,
    ) -> Option<Self> {
        let fields_hold = (1..=366).contains(&day_of_year)
            && (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..=60).contains(&second)
            && (1678..2262).contains(&year)
            && (0..NANOS_PER_SECOND).contains(&nanos);
        if !fields_hold {
            return None;
        }
        let jan1 = jiff::civil::date(i16::try_from(year).ok()?, 1, 1);
        let days = jan1.since(jiff::civil::date(1970, 1, 1)).ok()?.get_days();
        let seconds = (i64::from(days) + day_of_year - 1) * 86_400 + hour * 3600 + minute * 60;
        Some(Self((seconds + second) * NANOS_PER_SECOND + nanos))
    }

    /// The last instant there is, in the year 2262; later ones saturate here.
    pub const MAX: Self = Self(i64::MAX);

    /// ISO 8601 text as [`str::parse`] takes it, but a year outside 1678 to 2261 saturates.
    ///
    /// ```
    /// use mspass_core::UtcTime;
    /// assert_eq!(UtcTime::parse_saturating("2599-12-31T23:59:59"), Ok(UtcTime::MAX));
    /// assert!(UtcTime::parse_saturating("tomorrow").is_err());
    /// ```
    pub fn parse_saturating(text: &str) -> Result<Self> {
        let nanos = parse_nanos(text)?.clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Ok(Self(i64::try_from(nanos).unwrap_or(i64::MAX)))
    }

    /// Nanoseconds since the epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Seconds since the epoch, rounded to the nearest `f64` (0.24 us in 2026).
    pub fn seconds(self) -> f64 {
        let whole = self.0.div_euclid(NANOS_PER_SECOND);
        whole as f64 + self.0.rem_euclid(NANOS_PER_SECOND) as f64 * 1e-9
    }

    /// The instant `seconds` later; saturates.
    pub fn plus_seconds(self, seconds: f64) -> Self {
        let whole = seconds.trunc();
        let nanos = (whole as i64)
            .saturating_mul(NANOS_PER_SECOND)
            .saturating_add(((seconds - whole) * 1e9).round() as i64);
        Self(self.0.saturating_add(nanos))
    }

    /// Seconds from `earlier` to this instant.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        let nanos = self.0.saturating_sub(earlier.0);
        (nanos / NANOS_PER_SECOND) as f64 + (nanos % NANOS_PER_SECOND) as f64 * 1e-9
    }

    /// The start of the span of `nanos` that holds this instant, spans counted from the epoch.
    ///
    /// # Panics
    /// When `nanos` is not positive.
    pub const fn floor_to(self, nanos: i64) -> Self {
        assert!(nanos > 0, "a span has a positive length");
        Self(self.0 - self.0.rem_euclid(nanos))
    }
}

impl Add<i64> for UtcTime {
    type Output = Self;
    /// The instant `nanos` later; saturates.
    fn add(self, nanos: i64) -> Self {
        Self(self.0.saturating_add(nanos))
    }
}

impl Sub for UtcTime {
    type Output = i64;
    /// Nanoseconds between two instants; saturates.
    fn sub(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for UtcTime {
    /// ISO 8601 with a trailing `Z` and only the fraction digits needed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(timestamp) => write!(f, "{timestamp}"),
            Err(_) => write!(f, "{} ns", self.0),
        }
    }
}

impl FromStr for UtcTime {
    type Err = Error;

    /// ISO 8601 date or date and time; UTC where no offset stands.
    fn from_str(text: &str) -> Result<Self> {
        let refuse = |_| Error::Time { text: text.to_owned() };
        i64::try_from(parse_nanos(text)?).map(Self).map_err(refuse)
    }
}

/// Nanoseconds of ISO 8601 text; UTC where no offset stands.
fn parse_nanos(text: &str) -> Result<i128> {
    let refuse = || Error::Time { text: text.to_owned() };
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Ok(timestamp.as_nanosecond());
    }
    let civil: jiff::civil::DateTime = text.parse().map_err(|_| refuse())?;
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| refuse())?;
    Ok(zoned.timestamp().as_nanosecond())
}

/// A closed span of time, both ends part of it, in seconds of some time standard.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimeWindow {
    /// First instant, seconds.
    pub start: f64,
    /// Last instant, seconds.
    pub end: f64,
}

impl TimeWindow {
    /// A window from `start` to `end`; an error when either is not finite or `end` comes first.
    pub fn new(start: f64, end: f64) -> Result<Self> {
        if start.is_finite() && end.is_finite() && start <= end {
            Ok(Self { start, end })
        } else {
            Err(Error::Window { start, end })
        }
    }

    /// Length in seconds.
    pub fn length(&self) -> f64 {
        self.end - self.start
    }

    /// The window moved `seconds` later.
    pub fn shifted(&self, seconds: f64) -> Self {
        Self { start: self.start + seconds, end: self.end + seconds }
    }

    /// Whether `time` lies in the window.
    pub fn contains(&self, time: f64) -> bool {
        self.start <= time && time <= self.end
    }

    /// Whether the two windows share an instant.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.start <= other.end && other.start <= self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        for nanos in [0, 1, -1, 1_283_299_200_000_000_000, 1_554_144_180_003_600_000] {
            let time = UtcTime::from_nanos(nanos);
            assert_eq!(time.to_string().parse::<UtcTime>().unwrap(), time);
        }
        assert!("yesterday".parse::<UtcTime>().is_err());
    }

    #[test]
    fn ordinal_fields_reach_the_right_day() {
        let time = UtcTime::from_ordinal(2010, 244, 0, 0, 0, 0).unwrap();
        assert_eq!(time.to_string(), "2010-09-01T00:00:00Z");
        let leap = UtcTime::from_ordinal(2016, 366, 23, 59, 60, 0).unwrap();
        assert_eq!(leap.to_string(), "2017-01-01T00:00:00Z");
        assert_eq!(UtcTime::from_ordinal(2010, 367, 0, 0, 0, 0), None);
        assert_eq!(UtcTime::from_ordinal(2010, 1, 24, 0, 0, 0), None);
    }

    #[test]
    fn seconds_keep_microseconds() {
        let time = UtcTime::from_nanos(1_554_144_180_003_600_000);
        assert!((UtcTime::from_seconds(time.seconds()) - time).abs() < 1000);
        assert_eq!(time.plus_seconds(1.5) - time, 1_500_000_000);
        assert_eq!(time.floor_to(3600 * NANOS_PER_SECOND).nanos() % 3_600_000_000_000, 0);
    }
}

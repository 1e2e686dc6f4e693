//! Cutting a window of time.

use serde::{Deserialize, Serialize};

use crate::elog::Severity;
use crate::error::{Error, Result};
use crate::process::{Facts, Process, Scratch, by_name};
use crate::series::{Sampled, TimeAxis, TimeStandard};
use crate::time::{TimeWindow, UtcTime};

/// Most samples of a component that padding may lead to.
pub const PADDED_NPTS_MAX: usize = 100_000_000;

/// What time a window spans.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Span {
    /// Instants; for any data that have a place in UTC.
    Utc {
        /// First instant.
        start: UtcTime,
        /// Last instant.
        end: UtcTime,
    },
    /// Seconds since the origin of data in relative time; data in UTC are refused.
    Relative {
        /// First time, s.
        start: f64,
        /// Last time, s.
        end: f64,
    },
    /// Seconds since the first sample of the data.
    FromStart {
        /// First time, s.
        start: f64,
        /// Last time, s.
        end: f64,
    },
}

/// What becomes of data that do not cover the window; without any sample in it they die.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShortSegment {
    /// They die.
    #[default]
    Kill,
    /// What there is of the window is kept; the log says so.
    Truncate,
    /// Zeros stand for what is missing; the log says so.
    Pad,
}

/// Keeps a window: from the sample nearest to its start, `round(length / delta) + 1` of them.
///
/// ```
/// use mspass_core::process::{Process, Scratch, ShortSegment, Window};
/// use mspass_core::{Hertz, TimeSeries, UtcTime};
/// let rate = Hertz::new(10.0).unwrap();
/// let id = "YA.UV05.00.BHZ".parse().unwrap();
/// let mut trace = TimeSeries::new(id, UtcTime::default(), rate, vec![1.0; 100]);
/// trace.axis.to_relative(UtcTime::from_seconds(5.0));
/// let window = Window::relative(-1.0, 1.0);
/// let trace = window.apply(&mut trace, &mut Scratch::default()).unwrap();
/// assert_eq!((trace.axis.start(), trace.npts()), (-1.0, 21));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// What to keep.
    pub span: Span,
    /// What to do with data that do not cover it.
    pub short_segment: ShortSegment,
}

impl Window {
    /// Between two instants; data that do not cover it die.
    pub const fn utc(start: UtcTime, end: UtcTime) -> Self {
        Self { span: Span::Utc { start, end }, short_segment: ShortSegment::Kill }
    }

    /// Between two times since the origin, s; data that do not cover it die.
    pub const fn relative(start: f64, end: f64) -> Self {
        Self { span: Span::Relative { start, end }, short_segment: ShortSegment::Kill }
    }

    /// Between two times since the first sample, s; data that do not cover it die.
    pub const fn from_start(start: f64, end: f64) -> Self {
        Self { span: Span::FromStart { start, end }, short_segment: ShortSegment::Kill }
    }

    /// The same with another way to treat data that do not cover it.
    #[must_use]
    pub const fn or(self, short_segment: ShortSegment) -> Self {
        Self { short_segment, ..self }
    }
}

impl Span {
    /// The number of its first sample on an axis, and how many samples it holds.
    fn samples_of(&self, axis: &TimeAxis) -> Result<(i64, usize)> {
        match *self {
            Self::Utc { start, end } => {
                let first = axis.sample_at(start).ok_or_else(|| {
                    Error::unfit("a window in UTC, but relative times without an origin")
                })?;
                let steps = (end.seconds_since(start) * axis.sampling_rate().value()).round();
                Ok((first, (steps as usize).saturating_add(1)))
            }
            Self::Relative { start, end } if axis.standard() != TimeStandard::Utc => {
                axis.samples_of(TimeWindow { start, end })
            }
            Self::Relative { .. } => {
                Err(Error::unfit("a window in relative time, but data in UTC"))
            }
            Self::FromStart { start, end } => {
                let [first, steps] =
                    [start, end - start].map(|time| (time * axis.sampling_rate().value()).round());
                Ok((first as i64, (steps as usize).saturating_add(1)))
            }
        }
    }
}

impl<T: Sampled> Process<T> for Window {
    type Output = T;

    fn name(&self) -> &str {
        "window"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn check(&self) -> Result<()> {
        let (start, end) = match self.span {
            Span::Utc { start, end } => (start.seconds(), end.seconds()),
            Span::Relative { start, end } | Span::FromStart { start, end } => (start, end),
        };
        TimeWindow::new(start, end).map(drop)
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        facts.axis().map_or(Ok(()), |axis| self.span.samples_of(&axis).map(drop))
    }

    fn apply(&self, datum: &mut T, scratch: &mut Scratch) -> Result<T> {
        Process::<T>::check(self)?;
        let (npts, axis) = (datum.npts(), *datum.axis());
        let (mut first, mut count) = self.span.samples_of(&axis)?;
        let end = first.saturating_add_unsigned(count as u64);
        let have = (first.clamp(0, npts as i64) as usize)..(end.clamp(0, npts as i64) as usize);
        if have.len() < count {
            let short = format!("{} of the {count} samples in the window are there", have.len());
            match self.short_segment {
                _ if have.is_empty() => return Err(Error::unfit(short)),
                ShortSegment::Kill => return Err(Error::unfit(short)),
                ShortSegment::Truncate => (first, count) = (have.start as i64, have.len()),
                ShortSegment::Pad if count > PADDED_NPTS_MAX => {
                    let reason = format!("{short}: padding stops at {PADDED_NPTS_MAX}");
                    return Err(Error::unfit(reason));
                }
                ShortSegment::Pad => {}
            }
            datum.log_mut().push("window", Severity::Complaint, short);
        }
        let mut kept = scratch.take_buffer(datum.component_count() * count);
        let before = usize::try_from((have.start as i64).saturating_sub(first)).unwrap_or(0);
        for (x, kept) in datum.samples().chunks_exact(npts).zip(kept.chunks_exact_mut(count)) {
            let (head, rest) = kept.split_at_mut(before);
            let (middle, tail) = rest.split_at_mut(have.len());
            head.fill(0.0);
            middle.copy_from_slice(&x[have.clone()]);
            tail.fill(0.0);
        }
        scratch.give_back(datum.replace(axis.advanced(first), kept));
        Ok(std::mem::take(datum))
    }
}

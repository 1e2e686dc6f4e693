//! Spans without data inside a series.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::series::axis::TimeAxis;
use crate::time::{NANOS_PER_SECOND, TimeWindow};

/// Spans without data: ordered, disjoint, both ends part of the span.
///
/// They are kept in nanoseconds since the first sample of the series they belong to, so going to
/// relative time, back, or shifting the origin moves them along; what takes another sample to be
/// the first shifts them.
///
/// ```
/// use mspass_core::series::Gaps;
/// let mut gaps = Gaps::default();
/// gaps.add(500, 700).unwrap();
/// gaps.add(600, 900).unwrap();
/// assert_eq!(gaps.iter().collect::<Vec<_>>(), [(500, 900)]);
/// assert!(gaps.contains(900) && !gaps.overlaps(0, 499));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<(i64, i64)>", into = "Vec<(i64, i64)>")]
pub struct Gaps {
    spans: Vec<(i64, i64)>,
}

impl Gaps {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// First and last nanosecond of every gap, in order.
    pub fn iter(&self) -> impl Iterator<Item = (i64, i64)> {
        self.spans.iter().copied()
    }

    /// Adds the span from `first` to `last`, one with those it touches; an error when `last` comes
    /// before `first`.
    pub fn add(&mut self, first: i64, last: i64) -> Result<()> {
        if last < first {
            return Err(Error::unfit(format!("a gap cannot run from {first} ns to {last} ns")));
        }
        let from = self.spans.partition_point(|span| span.1 < first);
        let to = self.spans.partition_point(|span| span.0 <= last);
        let merged = match self.spans.get(from..to) {
            Some([head, .., tail]) => (head.0.min(first), tail.1.max(last)),
            Some([only]) => (only.0.min(first), only.1.max(last)),
            _ => (first, last),
        };
        self.spans.splice(from..to, [merged]);
        Ok(())
    }

    /// Adds all gaps of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (first, last) in other.iter() {
            self.add(first, last).expect("a span held by gaps is in order");
        }
    }

    /// Whether `nanos` lies in a gap.
    pub fn contains(&self, nanos: i64) -> bool {
        self.overlaps(nanos, nanos)
    }

    /// Whether a gap shares an instant with the span from `first` to `last`.
    pub fn overlaps(&self, first: i64, last: i64) -> bool {
        let next = self.spans.partition_point(|span| span.1 < first);
        self.spans.get(next).is_some_and(|span| span.0 <= last && first <= last)
    }

    /// Keeps what lies between `first` and `last`.
    pub fn clip(&mut self, first: i64, last: i64) {
        self.spans.retain_mut(|span| {
            *span = (span.0.max(first), span.1.min(last));
            span.0 <= span.1
        });
    }

    /// Moves all gaps `nanos` later; one that would leave the range of an `i64` is dropped.
    pub fn shift(&mut self, nanos: i64) {
        self.spans.retain_mut(|span| {
            let moved = span.0.checked_add(nanos).zip(span.1.checked_add(nanos));
            *span = moved.unwrap_or(*span);
            moved.is_some()
        });
    }

    /// Removes all gaps.
    pub fn clear(&mut self) {
        self.spans.clear();
    }

    /// Bytes on the heap, for memory budgets.
    pub fn heap_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<(i64, i64)>()
    }

    /// Adds a window of times of `axis`, the one these gaps belong to.
    pub(crate) fn add_window(&mut self, axis: &TimeAxis, window: TimeWindow) -> Result<()> {
        let TimeWindow { start, end } = TimeWindow::new(window.start, window.end)?;
        self.add(axis.nanos_since_start(start), axis.nanos_since_start(end))
    }

    /// What is left of these gaps when the data go over from `old` to `npts` samples of `new`.
    pub(crate) fn follow(&mut self, old: &TimeAxis, new: &TimeAxis, npts: usize) {
        if self.is_empty() {
            return;
        }
        self.shift(old.nanos_to(new).saturating_neg());
        for (first, last) in std::mem::take(&mut self.spans) {
            let [first, last] = [first, last].map(|nanos| new.snapped_nanos(nanos));
            self.add(first, last.max(first)).expect("the later of two ends is not before either");
        }
        // Headstones have no samples and keep their gaps.
        if let Some(span) = new.span(npts) {
            self.clip(0, new.nanos_since_start(span.end));
        }
    }

    /// Sets the samples of one component that lie in a gap to zero, the nearest samples to its ends
    /// included.
    pub(crate) fn zero(&self, axis: &TimeAxis, samples: &mut [f64]) {
        let rate = axis.sampling_rate().value();
        let index = |nanos: i64| (nanos as f64 / NANOS_PER_SECOND as f64 * rate).round();
        for (first, last) in self.iter() {
            // A cast from float saturates: what lies before the data is 0.
            let end = (index(last) + 1.0) as usize;
            let end = end.min(samples.len());
            let start = (index(first) as usize).min(end);
            samples[start..end].fill(0.0);
        }
    }
}

impl TryFrom<Vec<(i64, i64)>> for Gaps {
    type Error = Error;
    fn try_from(spans: Vec<(i64, i64)>) -> Result<Self> {
        let ordered = spans.iter().all(|span| span.0 <= span.1);
        if ordered && spans.windows(2).all(|pair| pair[0].1 < pair[1].0) {
            Ok(Self { spans })
        } else {
            Err(Error::unfit("gaps must be ordered and disjoint"))
        }
    }
}

impl From<Gaps> for Vec<(i64, i64)> {
    fn from(gaps: Gaps) -> Self {
        gaps.spans
    }
}

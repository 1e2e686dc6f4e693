//! Stacks: sums and means, sample by sample.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::id::SeedId;
use crate::process::fold::{Fold, StackSum};
use crate::process::{Facts, by_name};
use crate::series::{
    DIRECTION_TOLERANCE, Gaps, Sampled, Seismogram, TimeSeries, TimeStandard, matrices_agree,
    overlap_start,
};

/// Metadata key of the number of data in a stack.
const COUNT: &str = "stack_count";

/// What a [`Stack`] gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stacked {
    /// The mean of all data.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

/// Which samples a [`Stack`] lays onto each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Align {
    /// Those of the same time, UTC or relative: all data start within half a sample of the first
    /// one.
    #[default]
    Time,
    /// Those of the same number, whenever the data start; the stack starts when the first one does.
    Start,
}

/// Stacks traces or seismograms sample by sample: their mean or their sum.
///
/// All must have the same number of samples (at least one), sampling rates within
/// [`RATE_TOLERANCE`](crate::series::RATE_TOLERANCE) (relative), the same time standard, and, if
/// seismograms, components of the same directions; [`Align`] says how they must lie in time. What
/// does not fit dies. Parts of a stack merge as their first data would; a part whose first datum
/// lies half a sample off may hold some that lie further off.
///
/// The stack has the axis of the first datum, without the way back to UTC where relative times
/// count from different origins; the codes of the SEED id that all data share, the others empty;
/// the metadata on which all agree, and under `stack_count` (int) their number. A gap of one is a
/// gap of the stack: its samples count as they are. The logs are joined.
///
/// ```
/// use mspass_core::metadata::Value;
/// use mspass_core::process::{Process, Scratch, Stack, fold_members};
/// use mspass_core::series::Ensemble;
/// use mspass_core::{Hertz, TimeSeries, UtcTime};
/// let trace = |id: &str, sample| {
///     let rate = Hertz::new(20.0).unwrap();
///     TimeSeries::new(id.parse().unwrap(), UtcTime::default(), rate, vec![sample; 3])
/// };
/// let traces = [trace("YA.UV05..HHZ", 1.0), trace("YA.UV06..HHZ", 4.0)];
/// let mut ensemble = Ensemble::from_iter(traces);
/// let stack = fold_members(Stack::mean());
/// let stack = stack.apply(&mut ensemble, &mut Scratch::default()).unwrap();
/// assert_eq!((stack.id.to_string().as_str(), stack.samples[0]), ("YA...HHZ", 2.5));
/// assert_eq!(stack.metadata.get("stack_count"), Some(&Value::Int(2)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stack {
    /// Mean or sum.
    pub give: Stacked,
    /// Which samples lie on each other.
    pub align: Align,
}

impl Stack {
    /// The mean of samples of the same time.
    pub const fn mean() -> Self {
        Self { give: Stacked::Mean, align: Align::Time }
    }

    /// The sum of samples of the same time.
    pub const fn sum() -> Self {
        Self { give: Stacked::Sum, align: Align::Time }
    }

    /// Samples of the same number instead, whenever the data start.
    #[must_use]
    pub const fn aligned_by_start(self) -> Self {
        Self { align: Align::Start, ..self }
    }

    /// Lays `count` data onto a sum, all or nothing.
    fn lay<T: Layer>(&self, partial: &mut StackSum<T>, datum: &mut T, count: u64) -> Result<()> {
        let sum = &mut partial.sum;
        self.compare(sum, datum)?;
        sum.samples_mut().iter_mut().zip(datum.samples()).for_each(|(sum, sample)| *sum += sample);
        if sum.axis().standard() != datum.axis().standard() {
            *sum.axis_mut() = sum.axis().without_origin();
        }
        let ((id, gaps), (other_id, other_gaps)) = (sum.fields(), datum.fields());
        id.keep_common(other_id);
        gaps.merge(other_gaps);
        sum.metadata_mut().retain(|name, value| datum.metadata().get(name) == Some(value));
        sum.log_mut().append(datum.log_mut());
        partial.count += count;
        Ok(())
    }

    /// Whether a datum may be laid onto a sum.
    fn compare<T: Layer>(&self, sum: &T, datum: &T) -> Result<()> {
        let offset = overlap_start(sum.axis(), datum.axis())?;
        if sum.npts() != datum.npts() {
            let (stacked, npts) = (sum.npts(), datum.npts());
            return Err(Error::unfit(format!("{npts} samples onto a stack of {stacked}")));
        }
        if self.align == Align::Time && offset != 0 {
            return Err(Error::unfit(format!(
                "it starts at {} s, more than half a sample off the stack, which starts at {} s",
                datum.axis().start(),
                sum.axis().start()
            )));
        }
        if !matrices_agree(&sum.directions(), &datum.directions(), DIRECTION_TOLERANCE) {
            return Err(Error::unfit(
                "its components have other directions than those of the stack",
            ));
        }
        Ok(())
    }
}

/// What a stack needs of data beside their samples.
trait Layer: Sampled {
    fn fields(&mut self) -> (&mut SeedId, &mut Gaps);

    /// What took east, north, up to the components; the same for all traces.
    fn directions(&self) -> [[f64; 3]; 3];
}

impl Layer for TimeSeries {
    fn fields(&mut self) -> (&mut SeedId, &mut Gaps) {
        (&mut self.id, &mut self.gaps)
    }

    fn directions(&self) -> [[f64; 3]; 3] {
        [[0.0; 3]; 3]
    }
}

impl Layer for Seismogram {
    fn fields(&mut self) -> (&mut SeedId, &mut Gaps) {
        (&mut self.id, &mut self.gaps)
    }

    fn directions(&self) -> [[f64; 3]; 3] {
        self.tmatrix()
    }
}

impl<T: Layer> Fold<T> for Stack {
    type Partial = StackSum<T>;
    type Output = T;

    fn name(&self) -> &str {
        "stack"
    }

    fn parameters(&self) -> serde_json::Value {
        by_name(self)
    }

    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        facts.put(COUNT);
        // Times that count from different origins lose the way back.
        if let Some(TimeStandard::Relative { .. }) = facts.standard {
            facts.standard = None;
        }
        Ok(())
    }

    fn begin(&self, first: &mut T) -> Result<StackSum<T>> {
        if first.npts() == 0 {
            return Err(Error::unfit("data without samples cannot be stacked"));
        }
        Ok(StackSum { sum: std::mem::take(first), count: 1 })
    }

    fn add(&self, partial: &mut StackSum<T>, datum: &mut T) -> Result<()> {
        self.lay(partial, datum, 1)
    }

    fn merge(&self, partial: &mut StackSum<T>, later: &mut StackSum<T>) -> Result<()> {
        self.lay(partial, &mut later.sum, later.count)
    }

    fn finish(&self, partial: &mut StackSum<T>) -> Result<T> {
        let mut stack = std::mem::take(&mut partial.sum);
        if self.give == Stacked::Mean {
            let count = partial.count as f64;
            stack.samples_mut().iter_mut().for_each(|sample| *sample /= count);
        }
        stack.metadata_mut().insert(COUNT, i64::try_from(partial.count).unwrap_or(i64::MAX));
        Ok(stack)
    }
}

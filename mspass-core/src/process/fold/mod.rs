//! Making one datum of many.

mod folded;
mod stack;
mod sum;

use crate::datum::Datum;
use crate::error::Result;
use crate::process::Facts;

pub use folded::{Folded, fold_members};
pub use stack::{Align, Stack, Stacked};
pub use sum::StackSum;

/// An algorithm that takes many data of type `T`, one after the other, and makes one of them.
///
/// Whoever runs it cuts the data into parts in their order, folds each part (`begin` with its first
/// datum, `add` for each other), merges the partial results in the order of their parts, and
/// finishes the last one. What comes out may depend on that order and on where the parts end, but
/// on nothing else.
///
/// Life, log of failures and history are the runner's: it offers live data alone, kills a datum
/// that does not fit, and writes the history of the output. A partial keeps the history of its
/// first datum until then.
///
/// ```
/// use mspass_core::process::{Fold, Stack};
/// use mspass_core::{Hertz, TimeSeries, UtcTime};
/// let trace = |samples| {
///     let (id, rate) = ("YA.UV05..HHZ".parse().unwrap(), Hertz::new(20.0).unwrap());
///     TimeSeries::new(id, UtcTime::default(), rate, samples)
/// };
/// let stack = Stack::mean();
/// let mut part = stack.begin(&mut trace(vec![1.0, 2.0])).unwrap();
/// stack.add(&mut part, &mut trace(vec![2.0, 2.0])).unwrap();
/// let mut later = stack.begin(&mut trace(vec![6.0, 2.0])).unwrap();
/// stack.merge(&mut part, &mut later).unwrap();
/// assert_eq!(stack.finish(&mut part).unwrap().samples, [3.0, 2.0]);
/// ```
pub trait Fold<T: Datum>: Send + Sync + 'static {
    /// What is made of the data so far; it travels between workers.
    type Partial: Datum;

    /// What it gives in the end.
    type Output: Datum;

    /// Name of the step in logs, counts, histories and fingerprints.
    fn name(&self) -> &str;

    /// All parameters, by name.
    fn parameters(&self) -> serde_json::Value;

    /// Whether the parameters can ever work; called once, before any datum is read.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Refuses what can never work on any of the data that come, of which `facts` are known, and
    /// makes of them what is known of the data that it gives: as
    /// [`Process::foresee`](crate::Process::foresee).
    ///
    /// # Errors
    /// What every one of the data would die of, in the same words.
    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        *facts = Facts::default();
        Ok(())
    }

    /// Begins with a live datum, moved out of `first`.
    ///
    /// # Errors
    /// The datum does not fit and dies; the next one may begin.
    fn begin(&self, first: &mut T) -> Result<Self::Partial>;

    /// Adds a live datum; what `datum` holds afterwards has no meaning, but for its log and
    /// history.
    ///
    /// # Errors
    /// The datum does not fit and dies; the partial is as it was.
    fn add(&self, partial: &mut Self::Partial, datum: &mut T) -> Result<()>;

    /// Adds what was made of later data; what `later` holds afterwards has no meaning, but for its
    /// log and history.
    ///
    /// # Errors
    /// The two do not fit; both are as they were.
    fn merge(&self, partial: &mut Self::Partial, later: &mut Self::Partial) -> Result<()>;

    /// Gives the result, moved out of `partial` where it is the same object.
    ///
    /// # Errors
    /// The data did not suffice; what `partial` holds then is buried.
    fn finish(&self, partial: &mut Self::Partial) -> Result<Self::Output>;
}

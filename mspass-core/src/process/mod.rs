//! Algorithms with parameters over the data objects.
//!
//! A process is a struct of public parameters. [`Process::check`] looks at the parameters alone,
//! when a workflow is built; [`Process::apply`] meets the data. Neither looks at life, log or
//! history: [`runner::run`] does.

mod function;
pub mod runner;

use crate::datum::Datum;
use crate::error::Result;

pub use function::{FnProcess, map_fn};

/// An algorithm that takes one `T` and gives one [`Self::Output`].
///
/// The same parameters may work on several types of data: `Detrend` takes a `TimeSeries` and gives
/// one, and likewise a `Seismogram`.
pub trait Process<T: Datum>: Send + Sync + 'static {
    /// What it gives.
    type Output: Datum;

    /// Name of the step in logs, counts, histories and fingerprints.
    fn name(&self) -> &str;

    /// All parameters, by name.
    fn parameters(&self) -> serde_json::Value;

    /// Whether the parameters can ever work; called once, before any datum is read.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Takes a live datum and gives the result, moved out of `datum` where it is the same object.
    ///
    /// # Errors
    /// Whatever the data do not allow; what `datum` holds then is buried.
    fn apply(&self, datum: &mut T, scratch: &mut Scratch) -> Result<Self::Output>;
}

/// Buffers and designs that one compute thread keeps from datum to datum.
#[derive(Debug, Default)]
pub struct Scratch {}

//! Algorithms with parameters over the data objects.
//!
//! A process is a struct of public parameters. [`Process::check`] looks at the parameters alone,
//! when a workflow is built; [`Process::apply`] meets the data. Neither looks at life, log or
//! history: [`runner::run`] does. Between the two, [`Process::foresee`] looks at what is known of
//! the data before any is read.

mod bundle;
mod calculus;
mod correlate;
mod decimate;
mod detrend;
mod facts;
mod filter;
mod fold;
mod function;
mod header;
mod interpolate;
mod members;
mod reference;
mod resample;
mod rotate;
pub mod runner;
mod scale;
mod scratch;
mod taper;
mod whiten;
mod window;

use crate::datum::Datum;
use crate::error::Result;
use crate::series::Sampled;

pub use bundle::Bundle;
pub use calculus::{Differentiate, Integrate};
pub use correlate::CorrelatePairs;
pub use decimate::{Antialias, Decimate};
pub use detrend::{Detrend, Trend};
pub use facts::Facts;
pub use filter::{Bandpass, Bandstop, Highpass, Lowpass};
pub use fold::{Align, Fold, Folded, Stack, StackSum, Stacked, fold_members};
pub use function::{FnProcess, map_fn};
pub use header::{
    Constant, Edit, HeaderEdit, HeaderTest, Interval, Is, Kill, Missing, Operand, Operator,
};
pub use interpolate::{Interpolate, Interpolation};
pub use members::{Members, members};
pub use reference::{Origin, ToRelative, ToUtc};
pub use resample::Resample;
pub use rotate::{Angle, Extract, Rotate, Turn};
pub use scale::{Measure, Scale};
pub use scratch::{DESIGNS_MAX, SPARE_BUFFERS_MAX, SPARE_BYTES_MAX, Scratch};
pub use taper::{Taper, TimeTaper};
pub use whiten::{OneBit, Whiten};
pub use window::{PADDED_NPTS_MAX, ShortSegment, Span, Window};

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

    /// Refuses what can never work on any of the data that come, of which `facts` are known, and
    /// makes of them what is known of the data that it gives; called before any datum is read.
    ///
    /// Nothing is known of those unless a process says so here.
    ///
    /// # Errors
    /// What every one of the data would die of, in the same words.
    fn foresee(&self, facts: &mut Facts) -> Result<()> {
        *facts = Facts::default();
        Ok(())
    }

    /// Takes a live datum and gives the result, moved out of `datum` where it is the same object.
    ///
    /// # Errors
    /// Whatever the data do not allow; what `datum` holds then is buried.
    fn apply(&self, datum: &mut T, scratch: &mut Scratch) -> Result<Self::Output>;
}

/// All public parameters by name.
fn by_name(parameters: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(parameters).expect("numbers and names can always be written")
}

/// Works on every component in place and moves the datum out.
fn in_place<T: Sampled>(datum: &mut T, work: impl FnMut(&mut [f64]) -> Result<()>) -> Result<T> {
    let npts = datum.npts().max(1);
    datum.samples_mut().chunks_exact_mut(npts).try_for_each(work)?;
    Ok(std::mem::take(datum))
}

//! A user's own function as a process.

use std::fmt;

use crate::datum::Datum;
use crate::error::{Error, Result};
use crate::process::{Process, Scratch};

/// A function `Fn(T) -> Result<U, E>` as a step of a workflow; made by [`map_fn`].
pub struct FnProcess<F> {
    name: String,
    function: F,
}

/// Makes a step called `name` of a function that takes a datum by value and gives one, or says why
/// the datum must die. Should the function panic, the datum dies with the panic's text.
///
/// ```
/// use mspass_core::TimeSeries;
/// use mspass_core::process::{map_fn, Process, Scratch};
/// let square = map_fn("square", |mut trace: TimeSeries| {
///     if trace.samples.is_empty() {
///         return Err("nothing to square");
///     }
///     trace.samples.iter_mut().for_each(|sample| *sample *= *sample);
///     Ok(trace)
/// });
/// let mut trace = TimeSeries { samples: vec![3.0], ..TimeSeries::default() };
/// assert_eq!(square.apply(&mut trace, &mut Scratch::default()).unwrap().samples, [9.0]);
/// ```
pub fn map_fn<T, U, E, F>(name: impl Into<String>, function: F) -> FnProcess<F>
where
    F: Fn(T) -> Result<U, E>,
{
    FnProcess { name: name.into(), function }
}

impl<F> fmt::Debug for FnProcess<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnProcess").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<T, U, E, F> Process<T> for FnProcess<F>
where
    T: Datum,
    U: Datum,
    E: fmt::Display,
    F: Fn(T) -> Result<U, E> + Send + Sync + 'static,
{
    type Output = U;

    fn name(&self) -> &str {
        &self.name
    }

    fn parameters(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    /// Leaves a headstone in the place of `datum`: an error or a panic has something to bury.
    fn apply(&self, datum: &mut T, _: &mut Scratch) -> Result<U> {
        let headstone = datum.headstone();
        let input = std::mem::replace(datum, headstone);
        (self.function)(input).map_err(|error| Error::unfit(error.to_string()))
    }
}

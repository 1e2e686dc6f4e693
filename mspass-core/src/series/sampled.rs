//! What the processes need of anything evenly sampled.

use crate::datum::Datum;
use crate::series::axis::TimeAxis;

/// A datum of one or more components sampled at the same, evenly spaced times.
///
/// Whoever implements it for data of their own has the processes of this crate work on them.
pub trait Sampled: Datum {
    /// Where the samples lie in time.
    fn axis(&self) -> &TimeAxis;

    /// The axis, for other times of the same samples.
    fn axis_mut(&mut self) -> &mut TimeAxis;

    /// Number of components, at least 1.
    fn component_count(&self) -> usize;

    /// All samples, one component after the other, each as long as the others.
    fn samples(&self) -> &[f64];

    /// All samples, to be changed.
    fn samples_mut(&mut self) -> &mut [f64];

    /// Puts other samples, as many components as before, on another axis in the place of these,
    /// and gives these back for the buffer to be used again.
    fn replace(&mut self, axis: TimeAxis, samples: Vec<f64>) -> Vec<f64>;

    /// Number of samples of each component.
    fn npts(&self) -> usize {
        self.samples().len() / self.component_count().max(1)
    }
}

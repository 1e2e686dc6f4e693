//! Pure functions over `f64` slices; the caller owns every buffer.
//!
//! Kernels know samples, not seismograms: no time, no metadata, no liveness. Lengths are in samples
//! unless a name says otherwise, frequencies in Hz, angles in degrees. Parameters that no data
//! could suit are [`Error::Parameter`](crate::Error::Parameter); data that an algorithm cannot take
//! (too short, of another length) are [`Error::Unfit`](crate::Error::Unfit). NaN spreads as
//! arithmetic spreads it and never panics.

pub mod amplitude;
pub mod calculus;
pub mod correlate;
pub mod decimate;
pub mod detrend;
pub mod envelope;
pub mod fft;
pub mod filter;
pub mod interpolate;
pub mod resample;
pub mod rotate;
pub mod sos;
pub mod taper;
pub mod trigger;
pub mod whiten;

#[cfg(test)]
mod tests;

pub use fft::Scratch;
pub use sos::Sos;

//! The data objects.

mod axis;
mod direction;
mod ensemble;
mod facts;
mod gaps;
mod gather;
mod matrix;
mod power_spectrum;
mod rotation;
mod sampled;
mod samples;
mod seismogram;
mod time_series;

pub(crate) use matrix::agree as matrices_agree;
pub(crate) use time_series::overlap_start;

pub use axis::{TimeAxis, TimeStandard};
pub use direction::{Direction, Slowness};
pub use ensemble::Ensemble;
pub use gaps::Gaps;
pub use gather::Gather;
pub use power_spectrum::PowerSpectrum;
pub use sampled::Sampled;
pub use seismogram::{DIRECTION_TOLERANCE, Seismogram};
pub use time_series::{RATE_TOLERANCE, TimeSeries};

//! The data objects.

mod axis;
mod time_series;

pub use axis::{TimeAxis, TimeStandard};
pub use time_series::{RATE_TOLERANCE, TimeSeries};

//! MsPASS data objects, kernels and processes.
//!
//! This crate never awaits, sleeps, reads a clock, opens a file or spawns.

pub mod error;
pub mod id;
pub mod kernel;
pub mod time;

pub use error::{Error, Result};
pub use id::SeedId;
pub use time::{TimeWindow, UtcTime};

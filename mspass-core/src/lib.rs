//! MsPASS data objects, kernels and processes.
//!
//! This crate never awaits, sleeps, reads a clock, opens a file or spawns.
//!
//! - [`series`]: [`TimeSeries`] and its kin; [`metadata`], [`elog`], [`history`] travel with them;
//!   [`datum`] says what every datum has in common.
//! - [`inventory`] and [`event`]: what StationXML and QuakeML say.
//! - [`kernel`]: pure functions over slices; the caller owns every buffer.
//! - [`process`]: algorithms with parameters over the objects, and the runner, the one place that
//!   knows of life and death.

pub mod datum;
pub mod elog;
pub mod error;
pub mod event;
pub mod history;
pub mod id;
pub mod inventory;
pub mod kernel;
pub mod metadata;
pub mod process;
pub mod series;
pub mod time;
pub mod units;

pub use datum::{Datum, Tombstone};
pub use elog::{ErrorLog, Life, Severity};
pub use error::{Error, Result};
pub use event::Event;
pub use history::{DocumentId, History};
pub use id::SeedId;
pub use inventory::Inventory;
pub use metadata::Metadata;
pub use process::Process;
pub use series::TimeSeries;
pub use time::{TimeWindow, UtcTime};
pub use units::Hertz;

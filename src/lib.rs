//! MsPASS: an embeddable framework for seismic data processing, from a laptop to a cluster.
//!
//! A program reads pieces of an indexed archive, puts them through typed steps, and saves them;
//! foreman, worker and db-proxy are actors behind mailboxes, and every datum is accounted for:
//! in = live + dead + aborted.
//!
//! ```
//! use mspass::process::{Bandpass, Detrend, Resample};
//! use mspass::{ArchivePieces, Save, TimeSeries, Workflow};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let workflow = Workflow::read(ArchivePieces::hours("noise"))
//!     .map(Detrend::linear())
//!     .map(Bandpass { freqmin: 0.05, freqmax: 8.0, corners: 4, zerophase: true })
//!     .try_map("my_step", |mut trace: TimeSeries| {
//!         trace.scale(1e-9);
//!         Ok::<_, String>(trace)
//!     })
//!     .map(Resample::to_hz(20.0))
//!     .save(Save::new().data_tag("prepared"))?;
//! assert_eq!(workflow.steps().len(), 4);
//! # Ok(())
//! # }
//! ```
//!
//! [`desktop::run`] runs a workflow on this machine with progress, table and report;
//! `examples/desktop.rs` is the whole of such a program. The parts are crates of their own:
//! [`core`] (objects, kernels, processes), [`io`] (formats, archives, stores), [`actors`]
//! (mailboxes, foreman, worker, db-proxy) and [`cluster`] (composition, report, command).

pub use mspass_actors as actors;
pub use mspass_cluster as cluster;
pub use mspass_core as core;
pub use mspass_io as io;

pub use mspass_actors::workflow::{
    ArchivePieces, Groups, Numbered, Pipeline, Query, Save, Workflow,
};
pub use mspass_cluster::desktop::{self, DesktopOptions};
pub use mspass_core::{
    Datum, Hertz, Metadata, Process, SeedId, TimeSeries, TimeWindow, UtcTime, process,
};
pub use mspass_io::store::{Database, DatabaseName, Find};

//! MsPASS composition, launch, report and command.
//!
//! - [`desktop`]: the all-in-one program; [`launch`]: composing the actors of a job.
//! - [`process`]: children that die with their parent, are restarted and watched.
//! - [`frontend`]: pictures and the report of a job; [`command`]: the `mspass` command.

pub mod bootstrap;
pub mod cluster;
pub mod command;
pub mod desktop;
pub mod error;
pub mod frontend;
pub mod launch;
pub mod options;
pub mod process;

pub use error::{Error, Result};

//! Composing the actors of a job.

mod embedded;
mod local;

pub use embedded::{Composition, EmbeddedCluster, EmbeddedJob};
pub use local::{LocalCluster, WORKER_MEMORY_BYTES};
pub(crate) use local::{group_bytes, slate_path};

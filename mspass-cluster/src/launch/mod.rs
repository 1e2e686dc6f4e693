//! Composing the actors of a job.

mod local;

pub use local::{LocalCluster, WORKER_MEMORY_BYTES};

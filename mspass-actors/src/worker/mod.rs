//! Worker: takes leases, runs fused steps on compute threads, has outputs stored, reports.

mod actor;
mod compute;
pub mod memory;
pub mod pieces;
pub mod slate;

pub use actor::{
    HEARTBEAT, MESSAGES_MAX, PREDICTED_BYTES_PER_FILE_BYTE, PREFETCH, ToForeman, Withdraw,
    WorkerActor, WorkerOptions,
};

//! Worker: takes leases, runs fused steps on compute threads, has outputs stored, reports.

mod actor;
mod compute;
pub mod memory;
pub mod pieces;
pub mod slate;
pub mod state;

pub use actor::{
    AwaitExhaustion, HEARTBEAT, MESSAGES_MAX, ToForeman, Withdraw, WorkerActor, WorkerOptions,
};
pub use compute::Runner;

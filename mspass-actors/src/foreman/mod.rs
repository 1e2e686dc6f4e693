//! Foreman: hands out tasks under leases, counts what comes back, and journals it.

mod actor;
pub mod journal;
pub mod lease;
pub mod state;

pub use actor::{
    AskStatus, Drain, ForemanActor, JobStatus, MESSAGES_MAX, Offer, SourceFailed, TICK,
};

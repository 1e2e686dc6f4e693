//! Foreman: hands out tasks under leases, counts what comes back, and journals it.

mod actor;
mod assign;
pub mod journal;
pub mod lease;
mod messages;
mod replay;
pub mod state;
mod task;

pub use actor::{CALLERS_MAX, DEAD_LETTERS_MAX, ForemanActor, MESSAGES_MAX, TICK};
pub use assign::STEAL_GAIN_MIN;
pub use messages::{
    AskDeadLetters, AskStatus, AwaitStage, Do, Drain, JobStatus, Offer, Outcome, Requeue, Retire,
    SourceFailed, StageStatus,
};
pub use replay::{DoneTasks, Replay};
pub use task::{Charge, DeadLetter};

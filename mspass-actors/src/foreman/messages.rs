//! What a job's driver, its callers and the cluster's status say to a foreman.

use serde::{Deserialize, Serialize};

use super::lease::WorkerName;
use super::task::{Charge, DeadLetter};
use crate::mailbox::Message;
use crate::workflow::partition::{Partition, TaskKey};
use crate::workflow::tally::Tally;

/// More tasks; answered when there is room for more, with whether more are wanted at all.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Offer {
    /// Parts of the input not done yet.
    pub partitions: Vec<Partition>,
    /// Parts that an earlier run did and counted, whose pieces are gone: they are done again, and
    /// not counted.
    pub again: Vec<Partition>,
    /// What the tasks brought that an earlier run did, by stage.
    pub taken_over: Vec<Tally>,
    /// Tasks that an earlier run set aside.
    pub set_aside: Vec<DeadLetter>,
    /// What it held against tasks; it comes before them.
    pub charges: Vec<(TaskKey, Charge)>,
    /// What some of the data will die of.
    pub remarks: Vec<String>,
    /// Whether these are the last.
    pub last: bool,
}

/// Waits until a stage is done, all of whose tasks were offered; answered with whether its results
/// are wanted at all.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct AwaitStage(pub u32);

/// The source cannot be read on: the job ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SourceFailed(pub String);

/// Asks where the job stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct AskStatus;

/// Asks the foreman to lease nothing more.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Drain;

/// Tells the foreman of a job that is over to end: another takes its place, and its journal.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Retire;

/// Where a job stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobStatus {
    /// All is done, and journaled.
    pub finished: bool,
    /// Nothing runs and nothing more is leased.
    pub drained: bool,
    /// Why it cannot go on.
    pub failure: Option<String>,
    /// Whether a person can mend that: a disk is full, say.
    pub mendable: bool,
    /// Counts of the whole job, earlier runs included.
    pub totals: Tally,
    /// The same by stage.
    pub stages: Vec<StageStatus>,
    /// Data taken over from earlier runs.
    pub resumed: u64,
    /// What some of the data will die of, as far as that was foreseen.
    pub remarks: Vec<String>,
    /// Tasks known and not done.
    pub tasks_waiting: usize,
    /// Workers known.
    pub workers: usize,
    /// Tasks that are set aside because they kept breaking workers; each counts as one aborted
    /// datum.
    pub set_aside: u64,
    /// How long there has been work and no worker, seconds, once that is longer than
    /// [`STALL_GRACE`](super::state::STALL_GRACE).
    pub stalled_seconds: Option<u64>,
}

/// Where a stage stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StageStatus {
    /// Its counts, earlier runs included.
    pub tally: Tally,
    /// Tasks of it that are done.
    pub done: u64,
    /// Tasks of it that are known and not done.
    pub waiting: u64,
}

/// Asks for one task to be done before all others; answered when it ended for good. A foreman does
/// not know what is done: a task that was is done again, over the same outputs, and counted again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Do(pub Partition);

/// How a task ended for good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Outcome {
    /// It is done and its outputs are stored.
    Done(Box<Tally>),
    /// It kept breaking workers; what happened last.
    SetAside(String),
    /// The foreman does not see to it; why.
    Refused(String),
}

/// Asks for the tasks that are set aside.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct AskDeadLetters;

/// Queues tasks anew that were set aside: these, or all when none is named; answered with how many.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Requeue(pub Vec<TaskKey>);

/// The mailbox of a worker is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct WorkerGone {
    pub(super) worker: WorkerName,
    pub(super) incarnation: u64,
}

/// Looks at the clock.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Tick;

macro_rules! message {
    ($type:ty, $name:literal, $reply:ty) => {
        impl Message for $type {
            const TYPE: &'static str = $name;
            type Reply = $reply;
        }
    };
}
message!(Offer, "mspass.foreman.offer", bool);
message!(AwaitStage, "mspass.foreman.await_stage", bool);
message!(SourceFailed, "mspass.foreman.source_failed", ());
message!(AskStatus, "mspass.foreman.status", JobStatus);
message!(Drain, "mspass.foreman.drain", ());
message!(Retire, "mspass.foreman.retire", ());
message!(Do, "mspass.foreman.do", Outcome);
message!(AskDeadLetters, "mspass.foreman.dead_letters", Vec<DeadLetter>);
message!(Requeue, "mspass.foreman.requeue", u64);
message!(WorkerGone, "mspass.foreman.worker_gone", ());
message!(Tick, "mspass.foreman.tick", ());

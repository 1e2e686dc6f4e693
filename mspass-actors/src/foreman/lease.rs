//! What passes between foreman and workers.

use serde::{Deserialize, Serialize};

use crate::mailbox::{Mailbox, Message};
use crate::worker::pieces::{FetchPiece, ListPieces};
use crate::worker::slate::Death;
use crate::workflow::partition::{Partition, TaskKey};
use crate::workflow::tally::Tally;

/// Name of a worker in its cluster.
pub type WorkerName = String;

/// The right to do a task, for a while. `(epoch, attempt)` fence it: what an older lease brings is
/// dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The task.
    pub key: TaskKey,
    /// How often it was leased before, plus one.
    pub attempt: u32,
    /// The foreman's incarnation.
    pub epoch: u64,
    /// What to do it on.
    pub partition: Partition,
    /// Whether nothing else is to be in work in the process meanwhile: it may break it.
    #[serde(default)]
    pub alone: bool,
    /// Data of it that are buried unseen.
    #[serde(default)]
    pub poison: Vec<Poison>,
}

/// A datum within its task: the same each time that the task is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskDatum {
    /// Its number, counted from 1.
    pub ordinal: u64,
    /// As people know it, as far as a slate keeps it.
    pub name: String,
}

/// A datum that breaks every process that works on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Poison {
    /// The datum.
    pub datum: TaskDatum,
    /// What it did.
    pub reason: String,
}

impl Lease {
    /// What names this lease.
    pub fn token(&self) -> Token {
        Token { key: self.key, attempt: self.attempt, epoch: self.epoch }
    }
}

/// Names one lease of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// The task.
    pub key: TaskKey,
    /// Its attempt.
    pub attempt: u32,
    /// The foreman's incarnation.
    pub epoch: u64,
}

/// Why a task could not be done; decides whether and when it is tried again. Bad data are not
/// among them: a datum dies and its task is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum FailureClass {
    /// A store or a network did not answer: again after a pause.
    Transient,
    /// A store refused it in a way that a person can mend, a full disk say: as `Transient`, but a
    /// job that ends so says that it can be mended.
    Mendable,
    /// The task panicked outside its steps: again on another worker, and set aside when it goes on.
    Panic,
    /// What the stage before made is not all there: again once it is made anew.
    Missing,
    /// No attempt can help: the job ends.
    Permanent,
}

/// What a job is, as far as a worker needs to know to take part: it builds the workflow from its
/// name and parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobSpec {
    /// Name of the job.
    pub job: String,
    /// Name of the workflow.
    pub workflow: String,
    /// Its parameters, as JSON text.
    pub parameters: String,
    /// The archive that it reads, by name.
    pub archive: String,
    /// The executable that the job runs under; a worker of another one is refused.
    pub build: String,
    /// The foreman's incarnation.
    pub epoch: u64,
    /// Stages of the workflow.
    #[serde(default)]
    pub stages: u32,
}

/// Asks who keeps the pieces that a stage made; nobody is named while some of them are missing, or
/// to the holder of a lease of another incarnation of the foreman.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct AskKeepers {
    /// The stage.
    pub stage: u32,
    /// The foreman's incarnation that leased the task.
    pub epoch: u64,
}

/// A worker that keeps pieces.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Keeper {
    /// Its name.
    pub worker: WorkerName,
    /// Where it says what it has.
    pub lists: Mailbox<ListPieces>,
    /// Where it gives pieces.
    pub fetches: Mailbox<FetchPiece>,
}

/// Who keeps the pieces that a stage made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Keepers {
    /// Parts of the stage that are done.
    pub part_count: u64,
    /// The sum of their names, wrapping.
    pub part_sum: u64,
    /// All workers that keep any.
    pub keepers: Vec<Keeper>,
}

/// Asks a foreman for its job.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct AskJob;

/// What a worker can take. It is told whole each time, so a message that is lost costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Tasks that it works on at the same time.
    pub slots: u32,
    /// Leases that it may hold at once, those in work among them.
    pub capacity: u32,
    /// How long its tasks take, microseconds; 0 when it has done none yet.
    pub task_micros: u64,
}

/// A worker is there and asks for work; its answer to being unknown, too.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Join {
    /// Its name.
    pub worker: WorkerName,
    /// Raised each time it starts.
    pub incarnation: u64,
    /// What it can take.
    pub load: Load,
    /// Where leases are sent. When this mailbox is gone, so is the worker.
    pub grants: Mailbox<Grant>,
    /// Where they are asked back.
    pub recalls: Mailbox<Recall>,
    /// Where it says which pieces it keeps.
    pub lists: Mailbox<ListPieces>,
    /// Where it gives them.
    pub fetches: Mailbox<FetchPiece>,
    /// How the process before this one died, and what was in work then.
    pub death: Death,
}

/// A worker leaves in good order: nothing more is leased to it, and what it holds ends or is
/// returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// Its name.
    pub worker: WorkerName,
    /// Its incarnation.
    pub incarnation: u64,
}

/// A worker lives and works on these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// Its name.
    pub worker: WorkerName,
    /// Its incarnation.
    pub incarnation: u64,
    /// What it can take.
    pub load: Load,
    /// Leases it holds.
    pub running: Vec<Token>,
}

/// Leases that ended on a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// The worker.
    pub worker: WorkerName,
    /// Its incarnation.
    pub incarnation: u64,
    /// What it can take.
    pub load: Load,
    /// Which, and how.
    pub tasks: Vec<(Token, TaskEnd)>,
}

/// How a lease ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum TaskEnd {
    /// All its outputs are stored.
    Done(Box<Tally>),
    /// It could not be done.
    Failed {
        /// What follows from it.
        class: FailureClass,
        /// What happened.
        reason: String,
    },
    /// Given back unstarted.
    Returned,
}

/// Leases for a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// At most [`GRANT_MAX`].
    pub leases: Vec<Lease>,
}

/// Asks a worker for leases that it has not started; they come back with what ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recall {
    /// So many at most, those granted last.
    pub count: u32,
}

/// Leases in one message at most.
pub const GRANT_MAX: usize = 256;

impl Message for AskJob {
    const TYPE: &'static str = "mspass.foreman.job";
    type Reply = JobSpec;
}

impl Message for AskKeepers {
    const TYPE: &'static str = "mspass.foreman.keepers";
    type Reply = Option<Keepers>;
}

impl Message for Leave {
    const TYPE: &'static str = "mspass.foreman.leave";
    type Reply = ();
}

impl Message for Join {
    const TYPE: &'static str = "mspass.foreman.join";
    type Reply = ();
}

impl Message for Heartbeat {
    const TYPE: &'static str = "mspass.foreman.heartbeat";
    /// Whether the foreman knows the worker; else it has to join again.
    type Reply = bool;
}

impl Message for Ended {
    const TYPE: &'static str = "mspass.foreman.ended";
    type Reply = ();
}

impl Message for Recall {
    const TYPE: &'static str = "mspass.worker.recall";
    type Reply = ();
}

impl Message for Grant {
    const TYPE: &'static str = "mspass.worker.grant";
    type Reply = ();
}

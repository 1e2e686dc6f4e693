//! A job as its driver sees it: begin or go on, plan, follow.

mod expected;
mod explain;
mod plan;
mod planner;
mod record;
mod replay;
mod survey;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mspass_core::process::runner::panic_text;
use mspass_io::store::Database;

use crate::clock;
use crate::error::Result;
use crate::foreman::journal::{Claim, Journal};
use crate::foreman::{
    AskDeadLetters, AskStatus, AwaitStage, DeadLetter, Do, Drain, ForemanActor, JobStatus, Offer,
    Outcome, Replay, Requeue, SourceFailed,
};
use crate::mailbox::{Address, Mailbox, Message};
use crate::runtime::{Waiter, spawn_thread};
use crate::workflow::partition::{Partition, TaskKey};
use crate::workflow::stage::Stage;

pub use expected::Expected;
pub use explain::{ExplainOptions, Plan, Range, StagePlan, StepPlan, explain};
pub use plan::PARTITION_BYTES;
use planner::Planner;
pub use replay::{Replayed, Verdict, replay};
pub use survey::foresee;

/// How long the foreman may let its source wait: as long as it has work.
const OFFER_DEADLINE: Duration = Duration::from_secs(30 * 86_400);
/// How long the foreman may take to say where the job stands.
const STATUS_DEADLINE: Duration = Duration::from_secs(30);

/// A job that may run: it is known to the database and its journal is open.
#[derive(Debug)]
pub struct Opened {
    /// The journal, for the foreman.
    pub journal: Journal,
    /// The foreman's incarnation.
    pub epoch: u64,
    /// For the planner.
    pub progress: Progress,
}

/// What earlier runs left.
#[derive(Debug)]
pub struct Progress {
    replay: Replay,
    /// Whether the database may hold outputs of earlier runs.
    known: bool,
    /// What some of the data will die of.
    remarks: Vec<String>,
}

/// Begins a job, or goes on with it.
///
/// With `fresh`, deletes exactly what the job of this name wrote before.
///
/// # Errors
/// [`Error::Refused`](crate::Error::Refused) when the job of this name had other steps, when
/// another process runs it, and as of [`foresee`]; nothing is changed then.
pub fn open(database: &Database, stage: &Stage, journal: &Path, fresh: bool) -> Result<Opened> {
    let remarks = foresee(database, stage)?;
    for remark in &remarks {
        tracing::warn!("job '{}': {remark}", stage.job());
    }
    // Whoever runs the job now keeps what is its own.
    let mut claim = Claim::take(journal, stage.job())?;
    if fresh {
        // First the journal: without it everything is done again, whatever is deleted by then.
        claim.clear()?;
        record::delete_job(database, stage.job())?;
    }
    let run = record::begin(database, stage, clock::utc_now())?;
    record::create_indexes(database, stage.workflow().source().archive().is_some())?;
    let (journal, replay) = claim.open(&run.name)?;
    let epoch = replay.epoch;
    Ok(Opened { journal, epoch, progress: Progress { replay, known: run.known, remarks } })
}

/// A driver's way to the foreman.
#[derive(Clone, Debug)]
pub struct Driver {
    waiter: Waiter,
    offers: Mailbox<Offer>,
    stages: Mailbox<AwaitStage>,
    failures: Mailbox<SourceFailed>,
    status: Mailbox<AskStatus>,
    drains: Mailbox<Drain>,
    tasks: Mailbox<Do>,
    dead_letters: Mailbox<AskDeadLetters>,
    requeues: Mailbox<Requeue>,
}

impl Driver {
    /// A driver of a foreman in this process.
    pub fn new(waiter: Waiter, foreman: &Address<ForemanActor>) -> Self {
        Self {
            waiter,
            offers: foreman.mailbox(),
            stages: foreman.mailbox(),
            failures: foreman.mailbox(),
            status: foreman.mailbox(),
            drains: foreman.mailbox(),
            tasks: foreman.mailbox(),
            dead_letters: foreman.mailbox(),
            requeues: foreman.mailbox(),
        }
    }

    /// Where the job stands.
    pub fn status(&self) -> Result<JobStatus> {
        self.ask(&self.status, AskStatus, STATUS_DEADLINE)
    }

    /// Lets what runs end, and leases nothing more.
    pub fn drain(&self) -> Result<()> {
        self.ask(&self.drains, Drain, STATUS_DEADLINE)
    }

    /// Has one task done before all others, and waits until it has ended for good.
    pub fn run(&self, partition: Partition) -> Result<Outcome> {
        self.ask(&self.tasks, Do(partition), OFFER_DEADLINE)
    }

    /// Offers tasks to the foreman, and waits until it has room for them; `last` are the last ones.
    /// Whether it takes tasks at all: none when the job failed or is drained.
    pub fn offer(&self, partitions: Vec<Partition>, last: bool) -> Result<bool> {
        self.make(Offer { partitions, last, ..Offer::default() })
    }

    fn make(&self, offer: Offer) -> Result<bool> {
        self.ask(&self.offers, offer, OFFER_DEADLINE)
    }

    /// Waits until all tasks of a stage that were offered have ended; whether its results are
    /// wanted.
    fn await_stage(&self, stage: u32) -> Result<bool> {
        self.ask(&self.stages, AwaitStage(stage), OFFER_DEADLINE)
    }

    /// The tasks that are set aside because they kept breaking workers.
    pub fn dead_letters(&self) -> Result<Vec<DeadLetter>> {
        self.ask(&self.dead_letters, AskDeadLetters, STATUS_DEADLINE)
    }

    /// Queues tasks anew that were set aside: these, or all when none is named. Returns how many.
    pub fn requeue(&self, tasks: Vec<TaskKey>) -> Result<u64> {
        self.ask(&self.requeues, Requeue(tasks), STATUS_DEADLINE)
    }

    fn ask<M: Message>(
        &self,
        mailbox: &Mailbox<M>,
        message: M,
        deadline: Duration,
    ) -> Result<M::Reply> {
        let mailbox = mailbox.clone();
        let asked = self.waiter.wait(async move { mailbox.ask(message, deadline).await });
        Ok(asked.unwrap_or(Err(crate::mailbox::MailError::Gone(M::TYPE)))?)
    }

    /// Plans the job on a thread of its own: parts not done yet go to the foreman as it has room.
    pub fn plan(&self, database: &Database, stage: &Arc<Stage>, progress: Progress) -> Result<()> {
        let (driver, database, stage) = (self.clone(), database.clone(), Arc::clone(stage));
        let thread = spawn_thread("plan", move || {
            let planner = Planner { driver: &driver, database: &database, stage: &stage };
            let plan = AssertUnwindSafe(|| planner.plan(&progress));
            let failure = match catch_unwind(plan) {
                Ok(planned) => planned.err().map(|error| error.to_string()),
                Err(panic) => Some(panic_text(panic.as_ref()).to_owned()),
            };
            if let Some(reason) = failure {
                let failed = SourceFailed(format!("the input cannot be read: {reason}"));
                drop(driver.ask(&driver.failures, failed, STATUS_DEADLINE));
            }
        })?;
        drop(thread);
        Ok(())
    }
}

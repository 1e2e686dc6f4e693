//! A job as its driver sees it: begin or go on, plan, follow.

mod plan;
mod record;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mspass_core::process::runner::panic_text;
use mspass_io::store::Database;

use crate::clock;
use crate::error::{Error, Result};
use crate::foreman::journal::Journal;
use crate::foreman::{
    AskDeadLetters, AskStatus, DeadLetter, Do, Drain, ForemanActor, JobStatus, Offer, Outcome,
    Replay, Requeue, SourceFailed,
};
use crate::mailbox::{Address, Mailbox, Message};
use crate::runtime::{Waiter, spawn_thread};
use crate::workflow::partition::{Partition, TaskKey};
use crate::workflow::stage::Stage;
use crate::workflow::tally::Tally;

pub use plan::PARTITION_BYTES;

/// Parts of the input in one message at most.
const OFFER_MAX: usize = 256;
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
}

/// Begins a job, or goes on with it.
///
/// With `fresh`, deletes exactly what the job of this name wrote before.
///
/// # Errors
/// [`Error::Refused`] when the job of this name had other steps.
pub fn open(database: &Database, stage: &Stage, journal: &Path, fresh: bool) -> Result<Opened> {
    if fresh {
        // First the journal: without it everything is done again, whatever is deleted by then.
        match std::fs::remove_file(journal) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let (path, reason) = (journal.to_owned(), error.to_string());
                return Err(Error::Journal { path, reason });
            }
            _ => record::delete_job(database, stage.job())?,
        };
    }
    let run = record::begin(database, stage, clock::utc_now())?;
    record::create_indexes(database)?;
    let (journal, replay) = Journal::open(journal, stage.job(), &run.name)?;
    let epoch = replay.epoch;
    Ok(Opened { journal, epoch, progress: Progress { replay, known: run.known } })
}

/// A driver's way to the foreman.
#[derive(Clone, Debug)]
pub struct Driver {
    waiter: Waiter,
    offers: Mailbox<Offer>,
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
        let offer = Offer { last, ..empty_offer(partitions) };
        self.ask(&self.offers, offer, OFFER_DEADLINE)
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
            let plan = AssertUnwindSafe(|| driver.plan_all(&database, &stage, &progress));
            let failure = match catch_unwind(plan) {
                Ok(planned) => planned.err().map(|error| error.to_string()),
                Err(panic) => Some(panic_text(panic.as_ref()).to_owned()),
            };
            if let Some(reason) = failure {
                let failed = SourceFailed(format!("the archive's index cannot be read: {reason}"));
                drop(driver.ask(&driver.failures, failed, STATUS_DEADLINE));
            }
        })?;
        drop(thread);
        Ok(())
    }

    fn plan_all(&self, database: &Database, stage: &Stage, progress: &Progress) -> Result<()> {
        let source = stage.workflow().source();
        let mut offer = empty_offer(Vec::new());
        let mut page = plan::files_after(database, source, None)?;
        while let Some(last) = page.last().map(|file| file.id) {
            for file in &page {
                if !self.plan_file(database, stage, progress, file, &mut offer)? {
                    return Ok(());
                }
            }
            page = plan::files_after(database, source, Some(last))?;
        }
        offer.last = true;
        self.ask(&self.offers, offer, OFFER_DEADLINE).map(drop)
    }

    /// Adds the parts of a file that are not done yet to the offer, and makes it when it is full.
    /// Whether more are wanted.
    fn plan_file(
        &self,
        database: &Database,
        stage: &Stage,
        progress: &Progress,
        file: &plan::IndexedFile,
        offer: &mut Offer,
    ) -> Result<bool> {
        let partitions = file.partitions(database, stage.workflow().source())?;
        let (before, count) = (offer.partitions.len(), partitions.len());
        for partition in partitions {
            let key = partition.key();
            if let Some(tally) = progress.replay.done.get(key) {
                offer.taken_over.add(&tally);
            } else if let Some(letter) = progress.replay.set_aside.get(&key) {
                offer.set_aside.push(letter.clone());
            } else {
                offer.partitions.push(partition);
            }
        }
        // Nothing of this version of the file is done: what an earlier run made of it, or of
        // another version, goes first.
        if progress.known && offer.partitions.len() == before + count {
            record::delete_file(database, stage.job(), file.id)?;
        }
        while offer.partitions.len() >= OFFER_MAX {
            let rest = offer.partitions.split_off(OFFER_MAX);
            let full = std::mem::replace(offer, empty_offer(rest));
            if !self.ask(&self.offers, full, OFFER_DEADLINE)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn empty_offer(partitions: Vec<Partition>) -> Offer {
    Offer { partitions, taken_over: Tally::default(), set_aside: Vec::new(), last: false }
}

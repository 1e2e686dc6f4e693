//! The driver: submits the job, follows it through the loss of its scheduler, and tells how it
//! ended.

use std::path::Path;
use std::time::Duration;

use mspass_actors::db_proxy::ProxyStore;
use mspass_actors::foreman::{AskDeadLetters, DeadLetter, JobStatus, Requeue};
use mspass_actors::mailbox::{MailError, Mailbox};
use mspass_actors::runtime::Waiter;
use mspass_actors::workflow::partition::TaskKey;

use super::find::{FOREMAN, SCHEDULER, await_role_within, follow_store};
use super::messages::{
    AskCluster, AskProgress, ClusterStatus, DrainJob, JobRequest, Progress, Refusal, Submit,
};
use super::node::{Member, connect};
use super::workflows::Workflows;
use super::{ClusterProgram, failed, incarnation, status};
use crate::desktop::signals::Interrupt;
use crate::desktop::{Bars, Job, Outcome};
use crate::error::{Error, Result};
use crate::options::{Role, Settings};

/// How often the job is asked where it stands.
const POLL: Duration = Duration::from_millis(50);
/// How long the scheduler may take to answer.
const DEADLINE: Duration = Duration::from_secs(30);

/// Submits to a cluster that runs already, and follows the job to its end.
pub(super) fn drive(
    program: &ClusterProgram,
    settings: &Settings,
    sample: &Path,
    workflows: &Workflows,
) -> Result<u8> {
    follow_job(program, settings, sample, workflows, &mut || Ok(0))
}

/// The same; `look` gives the largest memory that a process of the cluster took so far, or says
/// that it cannot go on.
pub(super) fn follow_job(
    program: &ClusterProgram,
    settings: &Settings,
    sample: &Path,
    workflows: &Workflows,
    look: &mut dyn FnMut() -> Result<u64>,
) -> Result<u8> {
    let ClusterProgram { desktop, workflow, parameters, .. } = program;
    let stage = workflows.stage(&program.spec())?;
    let job = Job::begin(desktop, sample, workflows.draws(workflow), stage.workflow())?;
    let request = JobRequest {
        job: desktop.job.clone(),
        workflow: workflow.clone(),
        parameters: parameters.clone(),
        archive: job.archive()?,
        archive_name: desktop.archive_name.clone(),
        fresh: desktop.fresh,
    };
    let member = connect(settings, Role::Frontend, &format!("driver-{:x}", incarnation()))?;
    let waiter = member.runtime.waiter();
    let interrupt = job.interrupt(&waiter);
    let _http = status::serve(settings, &member)?;
    let store = follow_store(&member.node, settings, waiter);
    let mut line = Line { settings, member: &member, request, scheduler: None };
    let status = line.follow(job.bars(), &interrupt, look)?;
    let outcome = Outcome {
        stage: &stage,
        status,
        database: database(&store),
        database_name: settings.store_name(),
        exit_code: interrupt.exit_code(),
        peak_rss_bytes: look()?.max(crate::desktop::peak_rss_bytes()),
    };
    job.conclude(outcome)
}

fn database(store: &ProxyStore) -> mspass_io::store::Database {
    store.database()
}

/// The scheduler's mailboxes for a driver.
struct Scheduler {
    progress: Mailbox<AskProgress>,
    drains: Mailbox<DrainJob>,
}

/// A driver's line to whichever scheduler there is.
struct Line<'a> {
    settings: &'a Settings,
    member: &'a Member,
    request: JobRequest,
    scheduler: Option<Scheduler>,
}

fn refused(refusal: Refusal) -> Error {
    match refusal.code {
        2 => Error::Option(refusal.sentence),
        _ => Error::Failed(refusal.sentence),
    }
}

impl Line<'_> {
    fn waiter(&self) -> Waiter {
        self.member.runtime.waiter()
    }

    fn ask<T: Send + 'static>(
        &self,
        asked: impl Future<Output = std::result::Result<T, MailError>> + Send + 'static,
    ) -> std::result::Result<T, MailError> {
        self.waiter().wait(asked).unwrap_or(Err(MailError::Gone("the driver")))
    }

    /// Finds the scheduler and submits the job to it, again if it was submitted before.
    fn submit(&mut self) -> Result<()> {
        let (node, settings) = (self.member.node.clone(), self.settings.clone());
        let found = self.waiter().wait(async move {
            let patience = settings.patience;
            await_role_within(&node, &settings, Role::Scheduler, patience).await
        });
        let peer = found.ok_or_else(|| failed("this process ends"))?.map_err(failed)?;
        let request = self.request.clone();
        let submitted = self.ask(async move {
            let submits = peer.lookup::<Submit>(SCHEDULER).await?;
            let submitted = submits.ask(Submit(request), DEADLINE).await?;
            let progress = peer.lookup(SCHEDULER).await?;
            let drains = peer.lookup(SCHEDULER).await?;
            Ok((submitted, Scheduler { progress, drains }))
        });
        match submitted {
            Ok((Ok(()), scheduler)) => self.scheduler = Some(scheduler),
            Ok((Err(refusal), _)) => return Err(refused(refusal)),
            // It went while we spoke; the next look finds another.
            Err(error) => tracing::debug!("the scheduler gives no answer: {error}"),
        }
        Ok(())
    }

    fn progress(&self) -> Option<Progress> {
        let mailbox = self.scheduler.as_ref()?.progress.clone();
        let ask = AskProgress { job: self.request.job.clone() };
        self.ask(async move { mailbox.ask(ask, DEADLINE).await }).ok()
    }

    fn drain(&self) {
        let Some(scheduler) = &self.scheduler else { return };
        let (mailbox, job) = (scheduler.drains.clone(), self.request.job.clone());
        let _ = self.ask(async move { mailbox.ask(DrainJob { job }, DEADLINE).await });
    }

    /// Follows the job until it is finished, failed or, after an interrupt or when time is up,
    /// drained.
    fn follow(
        &mut self,
        bars: &Bars,
        interrupt: &Interrupt,
        look: &mut dyn FnMut() -> Result<u64>,
    ) -> Result<JobStatus> {
        let mut draining = false;
        let mut last: Option<JobStatus> = None;
        let mut memory = 0;
        loop {
            match self.progress() {
                None | Some(Progress::Unknown) => {
                    if interrupt.exit_code().is_some() {
                        return Ok(last.unwrap_or_default());
                    }
                    self.submit()?;
                }
                Some(Progress::Refused(refusal)) => return Err(refused(refusal)),
                Some(Progress::Indexing { files, done }) => bars.indexing(done, files),
                Some(Progress::Running { status, expected }) => {
                    // Whatever comes now, what was done is kept.
                    self.request.fresh = false;
                    bars.processing(&status, expected, memory);
                    if status.finished || status.failure.is_some() || status.drained {
                        return Ok(*status);
                    }
                    last = Some(*status);
                }
            }
            if interrupt.exit_code().is_some() && !draining {
                draining = true;
                self.drain();
            }
            memory = look()?;
            interrupt.pause(POLL);
        }
    }
}

/// Tasks queued anew, and those still set aside, of the present job.
pub(super) async fn dead_letters(
    node: mspass_actors::node::Node,
    settings: Settings,
    requeue: Option<Vec<TaskKey>>,
) -> std::result::Result<(u64, Vec<DeadLetter>), String> {
    let peer = super::find::reach(&node, &settings, Role::Scheduler).await?;
    let asked = async {
        let mut requeued = 0;
        if let Some(keys) = requeue {
            requeued = peer.lookup(FOREMAN).await?.ask(Requeue(keys), DEADLINE).await?;
        }
        let letters = peer.lookup(FOREMAN).await?.ask(AskDeadLetters, DEADLINE).await?;
        Ok((requeued, letters))
    };
    asked.await.map_err(|error: MailError| error.to_string())
}

/// The state of a running cluster.
pub(super) async fn cluster_status(
    node: mspass_actors::node::Node,
    settings: Settings,
) -> std::result::Result<ClusterStatus, String> {
    let peer = super::find::reach(&node, &settings, Role::Scheduler).await?;
    let asked = async {
        let mailbox = peer.lookup::<AskCluster>(SCHEDULER).await?;
        mailbox.ask(AskCluster, DEADLINE).await
    };
    asked.await.map_err(|error| error.to_string())
}

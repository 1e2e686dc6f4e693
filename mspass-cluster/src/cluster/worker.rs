//! The worker role: a small parent that keeps worker processes, and what such a process does.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mspass_actors::foreman::lease::{AskJob, JobSpec};
use mspass_actors::mailbox::{Address, MailError};
use mspass_actors::node::Peer;
use mspass_actors::worker::memory::Budget;
use mspass_actors::worker::slate::{Death, Slate};
use mspass_actors::worker::{AwaitExhaustion, ToForeman, Withdraw, WorkerActor, WorkerOptions};

use super::find::{FOREMAN, await_role, follow_store};
use super::node::{Member, connect};
use super::workflows::Workflows;
use super::{failed, incarnation};
use crate::desktop::signals::Interrupt;
use crate::error::Result;
use crate::launch::{WORKER_MEMORY_BYTES, group_bytes};
use crate::options::{Role, Settings};
use crate::process::{
    ChildSpec, Exit, KeptWorker, MemoryLimit, RestartLimits, keep_worker, last_exit,
};

/// How often a worker looks whether there is another job.
const LOOK: Duration = Duration::from_millis(200);
/// How long the scheduler may take to answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// Longer than any job.
const JOB_MAX: Duration = Duration::from_secs(365 * 86_400);
/// How long a worker that leaves may work on what it has begun.
pub(super) const DRAIN_MAX: Duration = Duration::from_secs(60);
/// Exit code of a worker process that wants to be started again: its scheduler is gone, or another
/// job has begun.
const AGAIN: u8 = 75;

/// Keeps the worker processes of this machine until they have left.
pub(super) fn keep(settings: &Settings) -> Result<u8> {
    let pids = Some(settings.workdir.join("pids"));
    let base = format!("worker-{:x}", incarnation());
    let children = (1..=settings.workers).map(|number| {
        let name = format!("{base}-{number}");
        let slate = slate_of(settings, &name);
        let spec = ChildSpec {
            role: Role::Worker.name().to_owned(),
            arguments: arguments_of_child(&name, settings),
            environment: Vec::new(),
            log: None,
            restart: RestartLimits::default(),
            memory: settings.memory_limit.map(|bytes| MemoryLimit { bytes }),
            name,
        };
        (spec, slate)
    });
    let (children, datum_timeout) = (children.collect(), settings.datum_timeout);
    keep_worker(KeptWorker { children, datum_timeout, grace: DRAIN_MAX, pids })
}

/// What this process was told, for the child that it starts.
fn arguments_of_child(name: &str, settings: &Settings) -> Vec<OsString> {
    let own = crate::process::arguments_without_parent();
    let threads = settings.threads_of_each(settings.workers).to_string();
    let mut arguments: Vec<OsString> = own.into_iter().collect();
    arguments.extend(["--worker-child".into(), name.into()]);
    if settings.threads.is_none() {
        arguments.extend(["--threads".into(), threads.into()]);
    }
    arguments
}

fn slate_of(settings: &Settings, name: &str) -> PathBuf {
    settings.worker_dir.join(format!("{name}.slate"))
}

/// What a worker process does: joins the foreman, computes, and leaves when it is told to.
pub(super) fn compute(settings: &Settings, name: &str, workflows: &Workflows) -> Result<u8> {
    let threads = settings.threads_of_each(settings.workers);
    let slate = Slate::open(&slate_of(settings, name), threads);
    let (slate, mut suspects) = slate.map_err(|error| {
        failed(format!("cannot write to {}: {error}", settings.worker_dir.display()))
    })?;
    let how = last_exit();
    // One that asked to be started again did not die of what it left.
    if how == Some(Exit::Code(AGAIN.into()).to_string()) {
        suspects.clear();
    }
    let slate = (slate, Death::of(suspects, how));
    let member = connect(settings, Role::Worker, name)?;
    let waiter = member.runtime.waiter();
    let interrupt = Interrupt::listen(&waiter);
    interrupt.gives_up(slate_of(settings, name));
    let (node, owned) = (member.node.clone(), settings.clone());
    let stopped = interrupt.clone();
    let found = waiter.wait(async move {
        tokio::select! {
            peer = await_role(&node, &owned, Role::Scheduler) => {
                let job = await_job(&peer).await;
                job.map(|spec| (peer, spec))
            }
            () = stopped.come() => None,
        }
    });
    let Some((scheduler, spec)) = found.flatten() else {
        return Ok(if interrupt.exit_code().is_some() { 0 } else { AGAIN });
    };
    if spec.build != member.build {
        return Err(crate::Error::Option(format!(
            "this worker is another build of the program than the scheduler of job '{}': start \
             both from the same executable",
            spec.job
        )));
    }
    let own = Arc::clone(&slate.0);
    let work = || {
        work(settings, &member, workflows, (scheduler, spec), (name, threads, slate), &interrupt)
    };
    let ended = work();
    // It ends by itself.
    own.close();
    ended
}

/// The job of the scheduler, as soon as there is one; `None` when the scheduler is gone.
async fn await_job(scheduler: &Peer) -> Option<JobSpec> {
    loop {
        let asked = async {
            let mailbox = scheduler.lookup::<AskJob>(FOREMAN).await?;
            mailbox.ask(AskJob, DEADLINE).await
        };
        match asked.await {
            Ok(spec) => return Some(spec),
            Err(MailError::LinkLost { .. }) => return None,
            Err(_) => {}
        }
        tokio::select! {
            () = scheduler.down() => return None,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

fn work(
    settings: &Settings,
    member: &Member,
    workflows: &Workflows,
    (scheduler, spec): (Peer, JobSpec),
    (name, threads, slate): (&str, usize, (Arc<Slate>, Death)),
    interrupt: &Interrupt,
) -> Result<u8> {
    let waiter = member.runtime.waiter();
    let stage = Arc::new(workflows.stage(&spec)?);
    let store = follow_store(&member.node, settings, waiter.clone());
    let peer = scheduler.clone();
    let foreman = waiter.wait(async move { ToForeman::lookup(&peer, FOREMAN).await });
    let Some(Ok(foreman)) = foreman else { return Ok(AGAIN) };
    let budget = Budget::find(settings.memory_limit, settings.workers);
    let options = WorkerOptions {
        name: name.to_owned(),
        threads,
        group_bytes_max: group_bytes(budget.bytes, threads),
        memory_bytes_max: settings.memory_limit.map_or(WORKER_MEMORY_BYTES, |bytes| bytes / 4),
        folder: settings.worker_dir.clone(),
        budget: Some(budget.bytes),
    };
    let worker = WorkerActor::start(&member.runtime, &options, &stage, &store, &foreman, slate)?;
    let stopped = interrupt.clone();
    let code = waiter.wait(async move {
        tokio::select! {
            () = stopped.come() => leave(&worker).await,
            () = changed(&scheduler, &spec) => AGAIN,
            () = exhausted(&worker) => {
                leave(&worker).await;
                AGAIN
            }
        }
    });
    Ok(code.unwrap_or(1))
}

/// Waits until the scheduler is gone or has another job.
async fn changed(scheduler: &Peer, spec: &JobSpec) {
    let mut looks = tokio::time::interval(LOOK * 5);
    loop {
        tokio::select! {
            () = scheduler.down() => {
                tracing::warn!("the scheduler is gone; looking for it again");
                return;
            }
            _ = looks.tick() => {}
        }
        let asked = async {
            let mailbox = scheduler.lookup::<AskJob>(FOREMAN).await?;
            mailbox.ask(AskJob, DEADLINE).await
        };
        if let Ok(now) = asked.await
            && (&now.job, now.epoch) != (&spec.job, spec.epoch)
        {
            return;
        }
    }
}

/// Waits until this process takes so much memory that it should be started anew.
async fn exhausted(worker: &Address<WorkerActor>) {
    while worker.mailbox().ask(AwaitExhaustion, JOB_MAX).await.is_err() {
        // Its actor was made anew after a panic.
        tokio::time::sleep(LOOK).await;
    }
    tracing::warn!("this worker process is close to its memory limit and is started anew");
}

/// Returns what is not begun, ends what is, and goes.
async fn leave(worker: &Address<WorkerActor>) -> u8 {
    let left = worker.mailbox::<Withdraw>().ask(Withdraw, DRAIN_MAX).await;
    u8::from(left.is_err())
}

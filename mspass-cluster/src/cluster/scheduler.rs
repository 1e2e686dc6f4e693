//! The scheduler role: jobs are submitted to it; it indexes, plans, and runs their foreman.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mspass_actors::db_proxy::ProxyStore;
use mspass_actors::foreman::lease::JobSpec;
use mspass_actors::foreman::{
    AskDeadLetters, AskStatus, Drain, ForemanActor, JobStatus, Requeue, Retire,
};
use mspass_actors::job::{self, Driver, Expected};
use mspass_actors::mailbox::{Address, Context, Handler, MailError, Mailbox, Reply, start};
use mspass_actors::node::Node;
use mspass_actors::runtime::{Runtime, Waiter, spawn_thread};
use mspass_actors::worker::ToForeman;
use mspass_core::process::runner::panic_text;
use mspass_io::archive::{IndexOptions, IndexProgress, ScanOptions, index_while};
use mspass_io::store::Database;

use super::find::{FOREMAN, SCHEDULER, follow_store};
use super::messages::{
    AskCluster, AskProgress, ClusterStatus, DrainJob, JobRequest, NodeStatus, Progress, Refusal,
    Submit,
};
use super::node::{Member, connect};
use super::workflows::Workflows;
use super::{failed, incarnation};
use crate::desktop::journal_path;
use crate::desktop::signals::Interrupt;
use crate::error::{Error, Result};
use crate::options::{Role, Settings};

/// Messages waiting in each of the scheduler's mailboxes.
const MESSAGES_MAX: usize = 256;
/// How long a foreman may take to say where its job stands.
const STATUS_DEADLINE: std::time::Duration = std::time::Duration::from_secs(30);
/// How often a foreman that drains is asked.
const POLL: std::time::Duration = std::time::Duration::from_millis(50);

/// Serves jobs until it is told to end.
pub(super) fn serve(settings: &Settings, workflows: Workflows) -> Result<u8> {
    let member = begin(settings, workflows)?;
    Interrupt::listen(&member.runtime.waiter()).wait();
    Ok(0)
}

/// Starts the scheduler's actor and says where it is.
pub(super) fn begin(settings: &Settings, workflows: Workflows) -> Result<Member> {
    let name = format!("scheduler-{:x}", incarnation());
    let mut member = connect(settings, Role::Scheduler, &name)?;
    let desk = Arc::new(Desk {
        store: follow_store(&member.node, settings, member.runtime.waiter()),
        runtime: Arc::clone(&member.runtime),
        node: member.node.clone(),
        settings: settings.clone(),
        workflows,
        build: member.build.clone(),
        job: Mutex::default(),
        draining: AtomicBool::new(false),
    });
    let actor = start(&member.runtime, SCHEDULER, MESSAGES_MAX, move |_: &Context<Scheduler>| {
        Scheduler { desk: Arc::clone(&desk) }
    });
    member.node.register(SCHEDULER, actor.mailbox::<Submit>());
    member.node.register(SCHEDULER, actor.mailbox::<AskProgress>());
    member.node.register(SCHEDULER, actor.mailbox::<DrainJob>());
    member.node.register(SCHEDULER, actor.mailbox::<AskCluster>());
    member.announce(settings, Role::Scheduler)?;
    Ok(member)
}

/// What the threads of jobs need.
struct Desk {
    store: ProxyStore,
    runtime: Arc<Runtime>,
    node: Node,
    settings: Settings,
    workflows: Workflows,
    build: String,
    job: Mutex<Option<(JobRequest, State)>>,
    /// Whether the present job was told to stop.
    draining: AtomicBool,
}

/// A foreman whose place another takes, once its job is over.
struct Before {
    job: String,
    status: Mailbox<AskStatus>,
    retires: Mailbox<Retire>,
}

/// Whether a job could be begun.
type Spawned = std::result::Result<(), Refusal>;

/// How far the present job is.
#[derive(Clone)]
enum State {
    Indexing {
        files: u64,
        done: u64,
    },
    Running {
        status: Mailbox<AskStatus>,
        drains: Mailbox<Drain>,
        retires: Mailbox<Retire>,
        expected: Expected,
    },
    /// It was told to stop before it ran.
    Stopped,
    Refused(Refusal),
}

struct Scheduler {
    desk: Arc<Desk>,
}

impl Desk {
    fn job(&self) -> MutexGuard<'_, Option<(JobRequest, State)>> {
        self.job.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        if let Some((_, now)) = &mut *self.job() {
            *now = state;
        }
    }

    /// Indexes the archive, opens the job and starts its foreman and planner.
    fn run(&self, request: &JobRequest) -> Result<()> {
        let database = self.store.database();
        let mut spec = JobSpec {
            job: request.job.clone(),
            workflow: request.workflow.clone(),
            parameters: request.parameters.clone(),
            archive: request.archive_name.clone(),
            build: self.build.clone(),
            ..JobSpec::default()
        };
        let stage = Arc::new(self.workflows.stage(&spec)?);
        spec.stages = stage.workflow().stage_count();
        let indexed = match &request.archive {
            Some(root) => self.index(&database, root, &request.archive_name)?,
            None => Some(IndexProgress::default()),
        };
        let Some(indexed) = indexed else {
            self.set(State::Stopped);
            return Ok(());
        };
        let journal = journal_path(&self.settings.workdir, &request.job);
        let expected = Expected::of(&database, &stage, indexed.bytes)?;
        let opened = job::open(&database, &stage, &journal, request.fresh)?;
        spec.epoch = opened.epoch;
        let foreman = ForemanActor::start(&self.runtime, &spec, opened.journal);
        self.register(&foreman);
        let driver = Driver::new(self.runtime.waiter(), &foreman);
        driver.plan(&database, &stage, opened.progress)?;
        let (status, drains, retires) = (foreman.mailbox(), foreman.mailbox(), foreman.mailbox());
        self.set(State::Running { status, drains, retires, expected });
        // Told while it was not running yet.
        if self.draining.load(Ordering::SeqCst) {
            driver.drain()?;
        }
        Ok(())
    }

    /// Brings the index up to date; `None` when the job was to stop before that was done.
    fn index(&self, database: &Database, root: &Path, name: &str) -> Result<Option<IndexProgress>> {
        let options = IndexOptions {
            root: root.to_owned(),
            name: name.to_owned(),
            exclude: Some(self.settings.workdir.clone()),
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            scan: ScanOptions::default(),
        };
        Ok(index_while(database, &options, &mut |progress| {
            let done = progress.unchanged + progress.scanned;
            self.set(State::Indexing { files: progress.files, done });
            !self.draining.load(Ordering::SeqCst)
        })?)
    }

    /// Whether the job of a foreman is over: finished, failed, or what it was doing when it was
    /// told to drain is done.
    fn is_over(&self, status: &Mailbox<AskStatus>) -> bool {
        let status = status.clone();
        let asked = self.waiter().wait(async move { status.ask(AskStatus, STATUS_DEADLINE).await });
        match asked {
            Some(Ok(status)) => status.drained || status.finished || status.failure.is_some(),
            Some(Err(MailError::Gone(_))) | None => true,
            // It is busy, but it is there.
            Some(Err(_)) => false,
        }
    }

    /// Waits until a foreman is over, and has it let go of its journal.
    fn await_end(&self, Before { status, retires, .. }: Before) {
        while !self.is_over(&status) {
            Interrupt::default().pause(POLL);
        }
        // One that is gone holds none.
        let _ = self.waiter().wait(async move { retires.ask(Retire, STATUS_DEADLINE).await });
    }

    /// Begins a job that is the present one, once the foreman before it, if there is one, is over.
    fn begin(self: &Arc<Self>, request: JobRequest, before: Option<Before>) -> Spawned {
        let desk = Arc::clone(self);
        spawn_thread("job", move || {
            let ran = catch_unwind(AssertUnwindSafe(|| {
                if let Some(before) = before {
                    desk.await_end(before);
                }
                desk.run(&request)
            }));
            let ran = ran.unwrap_or_else(|panic| Err(failed(panic_text(panic.as_ref()))));
            if let Err(error) = ran {
                tracing::error!("job '{}': {error}", request.job);
                desk.set(State::Refused(refusal(&error)));
            }
        })
        .map(drop)
        .map_err(|error| refusal(&error.into()))
    }

    /// A job that is over makes room for another, or looks itself for what is new since; one that
    /// runs is left alone.
    fn begin_after(self: &Arc<Self>, request: JobRequest, before: Before) -> Spawned {
        if !self.draining.load(Ordering::SeqCst) && !self.is_over(&before.status) {
            if before.job == request.job {
                return Ok(());
            }
            let sentence = format!(
                "job '{}' runs on this cluster: submit again when it is over, or stop it first",
                before.job
            );
            return Err(Refusal { code: 1, sentence });
        }
        let mut job = self.job();
        match &*job {
            Some((known, State::Running { .. })) if known.job == before.job => {}
            // Somebody else was quicker.
            _ => return Ok(()),
        }
        self.make_present(&mut job, &request);
        drop(job);
        self.begin(request, Some(before))
    }

    fn make_present(&self, job: &mut Option<(JobRequest, State)>, request: &JobRequest) {
        self.draining.store(false, Ordering::SeqCst);
        *job = Some((request.clone(), State::Indexing { files: 0, done: 0 }));
    }

    fn register(&self, foreman: &Address<ForemanActor>) {
        ToForeman::register(foreman, &self.node, FOREMAN);
        self.node.register(FOREMAN, foreman.mailbox::<AskDeadLetters>());
        self.node.register(FOREMAN, foreman.mailbox::<Requeue>());
    }

    fn waiter(&self) -> Waiter {
        self.runtime.waiter()
    }
}

fn refusal(error: &Error) -> Refusal {
    Refusal { code: error.exit_code(), sentence: error.to_string() }
}

impl Handler<Submit> for Scheduler {
    fn handle(&mut self, submit: Submit, reply: Reply<Submit>, _: &Context<Self>) {
        let Submit(request) = submit;
        let known = self.desk.job().clone();
        let draining = self.desk.draining.load(Ordering::SeqCst);
        match known {
            Some((known, State::Indexing { .. })) if known.job != request.job || draining => {
                let sentence =
                    format!("job '{}' is being indexed: submit again when it runs", known.job);
                reply.send(Err(Refusal { code: 1, sentence }));
            }
            Some((_, State::Indexing { .. })) => reply.send(Ok(())),
            Some((known, State::Running { status, retires, .. })) => {
                let before = Before { job: known.job, status, retires };
                let desk = Arc::clone(&self.desk);
                let looking = spawn_thread("submit", move || {
                    reply.send(desk.begin_after(request, before));
                });
                if let Err(error) = looking {
                    tracing::error!("a job cannot be looked at: {error}");
                }
            }
            _ => {
                self.desk.make_present(&mut self.desk.job(), &request);
                reply.send(self.desk.begin(request, None));
            }
        }
    }
}

/// What a foreman says of its job.
fn told(status: std::result::Result<JobStatus, MailError>, expected: Expected) -> Progress {
    match status {
        Ok(status) => Progress::Running { status: Box::new(status), expected },
        Err(error) => Progress::Refused(Refusal { code: 1, sentence: error.to_string() }),
    }
}

async fn progress(state: Option<State>) -> Progress {
    match state {
        None => Progress::Unknown,
        Some(State::Indexing { files, done }) => Progress::Indexing { files, done },
        Some(State::Refused(refusal)) => Progress::Refused(refusal),
        Some(State::Stopped) => {
            let status = JobStatus { drained: true, ..JobStatus::default() };
            Progress::Running { status: Box::new(status), expected: Expected::default() }
        }
        Some(State::Running { status, expected, .. }) => {
            told(status.ask(AskStatus, STATUS_DEADLINE).await, expected)
        }
    }
}

impl Handler<AskProgress> for Scheduler {
    fn handle(&mut self, ask: AskProgress, reply: Reply<AskProgress>, _: &Context<Self>) {
        let job = self.desk.job().clone();
        let state = job.filter(|(known, _)| known.job == ask.job).map(|(_, state)| state);
        self.desk.waiter().spawn(async move { reply.send(progress(state).await) });
    }
}

impl Handler<DrainJob> for Scheduler {
    fn handle(&mut self, drain: DrainJob, reply: Reply<DrainJob>, _: &Context<Self>) {
        let job = self.desk.job().clone();
        let Some((known, _)) = job.filter(|(known, _)| known.job == drain.job) else { return };
        // First said, then looked up: a job that begins to run between the two sees it.
        self.desk.draining.store(true, Ordering::SeqCst);
        let job = self.desk.job().clone().filter(|(now, _)| now.job == known.job);
        match job {
            Some((_, State::Running { drains, .. })) => self.desk.waiter().spawn(async move {
                let _ = drains.ask(Drain, STATUS_DEADLINE).await;
                reply.send(());
            }),
            _ => reply.send(()),
        }
    }
}

impl Handler<AskCluster> for Scheduler {
    fn handle(&mut self, _: AskCluster, reply: Reply<AskCluster>, _: &Context<Self>) {
        let node = |peer: mspass_actors::node::Peer| NodeStatus {
            node: peer.node().to_owned(),
            roles: peer.hello().map(|hello| hello.roles).unwrap_or_default(),
            state: format!("{:?}", peer.state()).to_lowercase(),
        };
        let nodes = self.desk.node.peers().into_iter().map(node).collect();
        let mailboxes = self.desk.node.depths().into_iter();
        let mailboxes = mailboxes.map(|(actor, of, n)| (actor, of.to_owned(), n as u64)).collect();
        let job = self.desk.job().clone();
        self.desk.waiter().spawn(async move {
            let job = match job {
                Some((request, state)) => Some((request.job, progress(Some(state)).await)),
                None => None,
            };
            reply.send(ClusterStatus { nodes, mailboxes, job });
        });
    }
}

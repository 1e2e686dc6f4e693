//! A worker's coordinator: the actor around its state machine.

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::compute::{self, Reports, Runner};
use super::memory::{MemoryAdvice, MemoryWatch, resident_bytes};
use super::pieces::{
    FetchPiece, ListPieces, Others, PieceAccess, PieceKeeper, PieceOptions, PieceServer,
};
use super::slate::{Death, Slate, short};
use super::state::{Action, Finished, WorkerState};
use crate::clock;
use crate::db_proxy::ProxyStore;
use crate::error::Result;
use crate::foreman::ForemanActor;
use crate::foreman::lease::{
    AskJob, AskKeepers, Ended, Grant, Heartbeat, Join, Lease, Leave, Recall, TaskEnd, Token,
};
use crate::mailbox::{Address, Context, Handler, MailError, Mailbox, Message, Reply, start};
use crate::node::{Node, Peer};
use crate::runtime::Runtime;

/// Messages waiting in each mailbox of a worker.
pub const MESSAGES_MAX: usize = 1024;
/// How often a worker tells the foreman that it lives.
pub const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long the foreman may take to answer.
const FOREMAN_DEADLINE: Duration = Duration::from_secs(10);

/// What a worker may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerOptions {
    /// Its name in the cluster.
    pub name: String,
    /// Threads that compute.
    pub threads: usize,
    /// Bytes that running tasks and outputs not stored yet may take together; a task larger than
    /// that runs alone.
    pub memory_bytes_max: u64,
    /// Bytes that each thread may use for a group that is worked on as a whole.
    pub group_bytes_max: u64,
    /// Its folder, for pieces that memory does not hold.
    pub folder: PathBuf,
    /// Resident memory that its process may take, by which it takes less work or asks to be started
    /// anew; `None` when the process is not the worker's own.
    pub budget: Option<u64>,
}

/// Tasks' computations ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Computed {
    pub(super) tasks: Vec<Finished>,
    /// Whether that was all of what the thread was given.
    pub(super) thread_free: bool,
}

/// A task's output is stored, or cannot be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) token: Token,
    pub(super) end: TaskEnd,
}

/// Time for a heartbeat.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Beat;

/// Asks a worker to leave: answered when it holds nothing any more and all is reported.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Withdraw;

/// Answered when the process takes so much memory that it should be started anew.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct AwaitExhaustion;

/// The foreman does not know this worker.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Rejoin;

macro_rules! message {
    ($type:ty, $name:literal) => {
        impl Message for $type {
            const TYPE: &'static str = $name;
            type Reply = ();
        }
    };
}
message!(Computed, "mspass.worker.computed");
message!(Stored, "mspass.worker.stored");
message!(Beat, "mspass.worker.beat");
message!(Rejoin, "mspass.worker.rejoin");
message!(Withdraw, "mspass.worker.withdraw");
message!(AwaitExhaustion, "mspass.worker.await_exhaustion");

/// A foreman's mailboxes for workers.
#[derive(Clone, Debug)]
pub struct ToForeman {
    /// For joining.
    pub joins: Mailbox<Join>,
    /// For heartbeats.
    pub heartbeats: Mailbox<Heartbeat>,
    /// For what ended.
    pub ended: Mailbox<Ended>,
    /// For leaving.
    pub leaves: Mailbox<Leave>,
    /// For finding the pieces of others.
    pub keepers: Mailbox<AskKeepers>,
}

impl ToForeman {
    /// Those of a foreman in this process.
    pub fn of(foreman: &Address<ForemanActor>) -> Self {
        Self {
            joins: foreman.mailbox(),
            heartbeats: foreman.mailbox(),
            ended: foreman.mailbox(),
            leaves: foreman.mailbox(),
            keepers: foreman.mailbox(),
        }
    }

    /// Lets workers of other nodes find a foreman of this process under that name.
    pub fn register(foreman: &Address<ForemanActor>, node: &Node, name: &str) {
        node.register(name, foreman.mailbox::<AskJob>());
        node.register(name, foreman.mailbox::<Join>());
        node.register(name, foreman.mailbox::<Heartbeat>());
        node.register(name, foreman.mailbox::<Ended>());
        node.register(name, foreman.mailbox::<Leave>());
        node.register(name, foreman.mailbox::<AskKeepers>());
    }

    /// Those of the foreman registered under that name on another node.
    ///
    /// # Errors
    /// As of [`Peer::lookup`].
    pub async fn lookup(scheduler: &Peer, name: &str) -> Result<Self, MailError> {
        Ok(Self {
            joins: scheduler.lookup(name).await?,
            heartbeats: scheduler.lookup(name).await?,
            ended: scheduler.lookup(name).await?,
            leaves: scheduler.lookup(name).await?,
            keepers: scheduler.lookup(name).await?,
        })
    }
}

/// The coordinator.
pub struct WorkerActor {
    options: WorkerOptions,
    incarnation: u64,
    state: WorkerState,
    memory: Option<MemoryWatch>,
    foreman: ToForeman,
    /// Where its pieces are listed and given.
    pieces: (Mailbox<ListPieces>, Mailbox<FetchPiece>),
    reports: Reports,
    threads: SyncSender<Vec<Lease>>,
    /// How the process before this one died, until the foreman is told.
    death: Death,
    /// Those who wait until it has left.
    withdrawing: Vec<Reply<Withdraw>>,
    /// Those who wait until its process takes too much memory.
    exhausted: VecDeque<Reply<AwaitExhaustion>>,
}

impl fmt::Debug for WorkerActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerActor").field("options", &self.options).finish_non_exhaustive()
    }
}

impl WorkerActor {
    /// Starts a worker with its compute threads and lets it join the foreman.
    ///
    /// What its threads work on stands on the slate; what stood there when the process before this
    /// one died is told to the foreman.
    pub fn start(
        runtime: &Runtime,
        options: &WorkerOptions,
        runner: &Arc<impl Runner>,
        store: &ProxyStore,
        foreman: &ToForeman,
        (slate, mut death): (Arc<Slate>, Death),
    ) -> Result<Address<Self>> {
        let (options, runner) = (options.clone(), Arc::clone(runner));
        let (store, foreman) = (store.clone(), foreman.clone());
        let waiter = runtime.waiter();
        death.suspects.retain(|suspect| suspect.job == short(runner.job()));
        let incarnation = u64::try_from(clock::utc_now().nanos()).unwrap_or(0);
        let to_coordinator = Arc::new(OnceLock::new());
        let keeper = Arc::new(PieceKeeper::start(&PieceOptions {
            folder: options.folder.clone(),
            memory_bytes_max: options.memory_bytes_max,
        }));
        let access = PieceAccess {
            worker: options.name.clone(),
            keeper: Arc::clone(&keeper),
            others: Some(Others { foreman: foreman.keepers.clone(), waiter: waiter.clone() }),
        };
        let pieces = (&access, usize::try_from(options.group_bytes_max).unwrap_or(usize::MAX));
        let to = &to_coordinator;
        let threads = compute::start(options.threads, &runner, &store, (&slate, pieces), to)?;
        let server = PieceServer::start(runtime, &keeper)?;
        let served = (server.mailbox(), server.mailbox());
        let address = start(runtime, "worker", MESSAGES_MAX, move |context: &Context<Self>| {
            let own = context.address();
            let reports = to_coordinator.get_or_init(|| Reports {
                waiter: waiter.clone(),
                store: store.clone(),
                computed: own.mailbox(),
                stored: own.mailbox(),
            });
            Self {
                state: WorkerState::new(options.threads, options.memory_bytes_max),
                memory: options.budget.map(MemoryWatch::new),
                options: options.clone(),
                incarnation,
                foreman: foreman.clone(),
                pieces: served.clone(),
                reports: reports.clone(),
                threads: threads.clone(),
                death: death.clone(),
                withdrawing: Vec::new(),
                exhausted: VecDeque::new(),
            }
        });
        drop(address.mailbox::<Rejoin>().try_tell(Rejoin));
        address.every(runtime, HEARTBEAT, || Beat);
        Ok(address)
    }

    /// Carries out what the state machine wants.
    fn act(&mut self) {
        while let Some(action) = self.state.poll_action() {
            match action {
                Action::Start(leases) => {
                    if let Err(TrySendError::Full(leases) | TrySendError::Disconnected(leases)) =
                        self.threads.try_send(leases)
                    {
                        self.state.not_started(leases);
                    }
                }
                Action::Report(tasks) => {
                    let (worker, load) = (self.options.name.clone(), self.state.load());
                    let incarnation = self.incarnation;
                    let ended = Ended { worker, incarnation, load, tasks };
                    if let Err(full) = self.foreman.ended.try_tell(ended) {
                        // The next heartbeat tries again.
                        self.state.unsent(full.0.tasks);
                        break;
                    }
                }
            }
        }
        if self.state.has_left() {
            self.withdrawing.drain(..).for_each(|reply| reply.send(()));
        }
    }

    /// Looks at the memory of this process.
    fn look_at_memory(&mut self) {
        let Some(watch) = &mut self.memory else { return };
        let Some(resident) = resident_bytes(std::process::id()) else { return };
        let advice = watch.advise(clock::now(), resident);
        self.state.advise(advice);
        if advice == MemoryAdvice::Restart {
            self.exhausted.drain(..).for_each(|reply| reply.send(()));
        }
    }
}

impl Handler<Grant> for WorkerActor {
    fn handle(&mut self, grant: Grant, reply: Reply<Grant>, _: &Context<Self>) {
        self.state.granted(grant.leases);
        reply.send(());
        self.act();
    }
}

impl Handler<Recall> for WorkerActor {
    fn handle(&mut self, recall: Recall, reply: Reply<Recall>, _: &Context<Self>) {
        self.state.recalled(recall.count);
        reply.send(());
        self.act();
    }
}

impl Handler<Withdraw> for WorkerActor {
    fn handle(&mut self, _: Withdraw, reply: Reply<Withdraw>, _: &Context<Self>) {
        let (worker, incarnation) = (self.options.name.clone(), self.incarnation);
        drop(self.foreman.leaves.try_tell(Leave { worker, incarnation }));
        self.withdrawing.push(reply);
        self.state.leave();
        self.act();
    }
}

impl Handler<AwaitExhaustion> for WorkerActor {
    fn handle(&mut self, _: AwaitExhaustion, reply: Reply<AwaitExhaustion>, _: &Context<Self>) {
        self.exhausted.retain(Reply::is_awaited);
        self.exhausted.push_back(reply);
    }
}

impl Handler<Computed> for WorkerActor {
    fn handle(&mut self, computed: Computed, _: Reply<Computed>, _: &Context<Self>) {
        self.state.computed(computed.tasks, computed.thread_free);
        self.act();
    }
}

impl Handler<Stored> for WorkerActor {
    fn handle(&mut self, stored: Stored, _: Reply<Stored>, _: &Context<Self>) {
        self.state.stored(stored.token, stored.end);
        self.act();
    }
}

impl Handler<Beat> for WorkerActor {
    fn handle(&mut self, _: Beat, _: Reply<Beat>, context: &Context<Self>) {
        self.look_at_memory();
        self.act();
        let (worker, incarnation) = (self.options.name.clone(), self.incarnation);
        let (load, running) = (self.state.load(), self.state.answers_for());
        let heartbeats = self.foreman.heartbeats.clone();
        let rejoin = context.address().mailbox::<Rejoin>();
        self.reports.waiter.spawn(async move {
            let beat = Heartbeat { worker, incarnation, load, running };
            if let Ok(false) = heartbeats.ask(beat, FOREMAN_DEADLINE).await {
                let _ = rejoin.tell(Rejoin).await;
            }
        });
    }
}

impl Handler<Rejoin> for WorkerActor {
    fn handle(&mut self, _: Rejoin, _: Reply<Rejoin>, context: &Context<Self>) {
        self.state.forgotten();
        let (worker, incarnation) = (self.options.name.clone(), self.incarnation);
        let load = self.state.load();
        let joins = self.foreman.joins.clone();
        let (grants, recalls) = (context.address().mailbox(), context.address().mailbox());
        let (lists, fetches) = self.pieces.clone();
        let death = std::mem::take(&mut self.death);
        self.reports.waiter.spawn(async move {
            let join = Join { worker, incarnation, load, grants, recalls, lists, fetches, death };
            let _ = joins.ask(join, FOREMAN_DEADLINE).await;
        });
    }
}

//! A worker's coordinator: it holds leases, admits work by predicted bytes, and reports.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::compute::{self, Reports};
use super::slate::{Slate, Suspect};
use crate::clock;
use crate::db_proxy::ProxyStore;
use crate::error::Result;
use crate::foreman::ForemanActor;
use crate::foreman::lease::{
    Ended, GRANT_MAX, Grant, Heartbeat, Join, Lease, Leave, TaskEnd, Token,
};
use crate::mailbox::{Address, Context, Handler, MailError, Mailbox, Message, Reply, start};
use crate::node::Peer;
use crate::runtime::Runtime;
use crate::workflow::partition::TaskKey;
use crate::workflow::stage::Stage;

/// Messages waiting in each mailbox of a worker.
pub const MESSAGES_MAX: usize = 1024;
/// Leases a worker holds beyond those its threads work on.
pub const PREFETCH: usize = 4;
/// How often a worker tells the foreman that it lives.
pub const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long the foreman may take to answer.
const FOREMAN_DEADLINE: Duration = Duration::from_secs(10);
/// Memory a task is thought to need for each byte it reads, until it is done and its output known.
pub const PREDICTED_BYTES_PER_FILE_BYTE: u64 = 16;

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
}

/// A task's computation ended and its thread is free.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Computed {
    pub(super) token: Token,
    pub(super) bytes: usize,
}

/// A task's output is stored, or cannot be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    pub(super) token: Token,
    pub(super) bytes: usize,
    pub(super) end: TaskEnd,
}

/// Time for a heartbeat.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Beat;

/// Asks a worker to leave: answered when it holds nothing any more and all is reported.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Withdraw;

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
}

impl ToForeman {
    /// Those of a foreman in this process.
    pub fn of(foreman: &Address<ForemanActor>) -> Self {
        Self {
            joins: foreman.mailbox(),
            heartbeats: foreman.mailbox(),
            ended: foreman.mailbox(),
            leaves: foreman.mailbox(),
        }
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
        })
    }
}

/// The coordinator.
pub struct WorkerActor {
    options: WorkerOptions,
    incarnation: u64,
    foreman: ToForeman,
    reports: Reports,
    leases: SyncSender<Lease>,
    waiting: VecDeque<Lease>,
    /// Bytes each task started and not yet stored takes.
    running: HashMap<TaskKey, (Token, u64)>,
    idle_threads: usize,
    unreported: Vec<(Token, TaskEnd)>,
    suspects: Vec<Suspect>,
    /// Those who wait until it has left.
    withdrawing: Vec<Reply<Withdraw>>,
}

impl fmt::Debug for WorkerActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerActor").field("options", &self.options).finish_non_exhaustive()
    }
}

impl WorkerActor {
    /// Starts a worker with its compute threads and lets it join the foreman.
    ///
    /// What its threads work on stands on the slate; `suspects` stood there when the process before
    /// this one died.
    pub fn start(
        runtime: &Runtime,
        options: &WorkerOptions,
        stage: &Arc<Stage>,
        store: &ProxyStore,
        foreman: &ToForeman,
        (slate, suspects): (Arc<Slate>, Vec<Suspect>),
    ) -> Result<Address<Self>> {
        let (options, stage) = (options.clone(), Arc::clone(stage));
        let (store, foreman) = (store.clone(), foreman.clone());
        let waiter = runtime.waiter();
        let incarnation = u64::try_from(clock::utc_now().nanos()).unwrap_or(0);
        let to_coordinator = Arc::new(OnceLock::new());
        let leases = compute::start(options.threads, &stage, &store, &slate, &to_coordinator)?;
        let address = start(runtime, "worker", MESSAGES_MAX, move |context: &Context<Self>| {
            let own = context.address();
            let reports = to_coordinator.get_or_init(|| Reports {
                waiter: waiter.clone(),
                store: store.clone(),
                computed: own.mailbox(),
                stored: own.mailbox(),
            });
            Self {
                idle_threads: options.threads,
                options: options.clone(),
                incarnation,
                foreman: foreman.clone(),
                reports: reports.clone(),
                leases: leases.clone(),
                waiting: VecDeque::new(),
                running: HashMap::new(),
                unreported: Vec::new(),
                suspects: suspects.clone(),
                withdrawing: Vec::new(),
            }
        });
        drop(address.mailbox::<Rejoin>().try_tell(Rejoin));
        address.every(runtime, HEARTBEAT, || Beat);
        Ok(address)
    }

    /// Starts what threads and memory allow.
    fn admit(&mut self) {
        let mut used: u64 = self.running.values().map(|(_, bytes)| bytes).sum();
        while self.idle_threads > 0
            && let Some(lease) = self.waiting.front()
        {
            let predicted = lease.partition.bytes.saturating_mul(PREDICTED_BYTES_PER_FILE_BYTE);
            if used > 0 && used + predicted > self.options.memory_bytes_max {
                return;
            }
            let Some(lease) = self.waiting.pop_front() else { return };
            self.running.insert(lease.key, (lease.token(), predicted));
            used += predicted;
            self.idle_threads -= 1;
            if let Err(TrySendError::Full(lease) | TrySendError::Disconnected(lease)) =
                self.leases.try_send(lease)
            {
                // Threads of before a restart are still at work.
                self.running.remove(&lease.key);
                self.waiting.push_front(lease);
                self.idle_threads = 0;
            }
        }
    }

    fn report(&mut self) {
        while !self.unreported.is_empty() {
            let count = self.unreported.len().min(GRANT_MAX);
            let tasks = self.unreported.drain(..count).collect();
            let ended = Ended { worker: self.options.name.clone(), tasks };
            if let Err(full) = self.foreman.ended.try_tell(ended) {
                // The next heartbeat tries again.
                let rest = std::mem::replace(&mut self.unreported, full.0.tasks);
                self.unreported.extend(rest);
                return;
            }
        }
        if self.running.is_empty() {
            self.withdrawing.drain(..).for_each(|reply| reply.send(()));
        }
    }
}

impl Handler<Grant> for WorkerActor {
    fn handle(&mut self, grant: Grant, reply: Reply<Grant>, _: &Context<Self>) {
        self.waiting.extend(grant.leases);
        reply.send(());
        if !self.withdrawing.is_empty() {
            self.give_back();
        }
        self.admit();
    }
}

impl Handler<Withdraw> for WorkerActor {
    fn handle(&mut self, _: Withdraw, reply: Reply<Withdraw>, _: &Context<Self>) {
        let (worker, incarnation) = (self.options.name.clone(), self.incarnation);
        drop(self.foreman.leaves.try_tell(Leave { worker, incarnation }));
        self.withdrawing.push(reply);
        self.give_back();
    }
}

impl WorkerActor {
    /// Gives back what is not started.
    fn give_back(&mut self) {
        let unstarted = self.waiting.drain(..).map(|lease| (lease.token(), TaskEnd::Returned));
        self.unreported.extend(unstarted);
        self.report();
    }
}

impl Handler<Computed> for WorkerActor {
    fn handle(&mut self, computed: Computed, _: Reply<Computed>, _: &Context<Self>) {
        self.idle_threads += 1;
        if let Some((_, bytes)) = self.running.get_mut(&computed.token.key) {
            *bytes = computed.bytes as u64;
        }
        self.admit();
    }
}

impl Handler<Stored> for WorkerActor {
    fn handle(&mut self, stored: Stored, _: Reply<Stored>, _: &Context<Self>) {
        self.running.remove(&stored.token.key);
        self.unreported.push((stored.token, stored.end));
        self.report();
        self.admit();
    }
}

impl Handler<Beat> for WorkerActor {
    fn handle(&mut self, _: Beat, _: Reply<Beat>, context: &Context<Self>) {
        self.report();
        let waiting = self.waiting.iter().map(Lease::token);
        let running = self.running.values().map(|(token, _)| *token).chain(waiting).collect();
        let (worker, incarnation) = (self.options.name.clone(), self.incarnation);
        let heartbeats = self.foreman.heartbeats.clone();
        let rejoin = context.address().mailbox::<Rejoin>();
        self.reports.waiter.spawn(async move {
            let beat = Heartbeat { worker, incarnation, running };
            if let Ok(false) = heartbeats.ask(beat, FOREMAN_DEADLINE).await {
                let _ = rejoin.tell(Rejoin).await;
            }
        });
    }
}

impl Handler<Rejoin> for WorkerActor {
    fn handle(&mut self, _: Rejoin, _: Reply<Rejoin>, context: &Context<Self>) {
        // What was leased to an unknown worker is leased to another by now.
        self.waiting.clear();
        let credits = (self.options.threads + PREFETCH).saturating_sub(self.running.len());
        let (worker, incarnation) = (self.options.name.clone(), self.incarnation);
        let credits = u32::try_from(credits).unwrap_or(u32::MAX);
        let joins = self.foreman.joins.clone();
        let grants = context.address().mailbox();
        let suspects = std::mem::take(&mut self.suspects);
        let suspects = suspects.into_iter().map(|suspect| suspect.task).collect();
        self.reports.waiter.spawn(async move {
            let join = Join { worker, incarnation, credits, grants, suspects };
            let _ = joins.ask(join, FOREMAN_DEADLINE).await;
        });
    }
}

//! The actor around the foreman's state machine: it reads the clock, sends and journals.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::journal::{Journal, Record};
use super::lease::{AskJob, Ended, Grant, Heartbeat, JobSpec, Join, Leave, WorkerName};
use super::state::{Foreman, Output, Phase};
use crate::clock;
use crate::mailbox::{Address, Context, Handler, Mailbox, Message, Reply, start};
use crate::runtime::{Runtime, Waiter};
use crate::workflow::partition::Partition;
use crate::workflow::report::{ReasonCount, ReasonKind};
use crate::workflow::tally::Tally;

/// Messages waiting in each mailbox of a foreman.
pub const MESSAGES_MAX: usize = 1024;
/// How often the foreman looks at the clock.
pub const TICK: Duration = Duration::from_millis(250);

/// More tasks; answered when there is room for more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Offer {
    /// Parts of the input not done yet.
    pub partitions: Vec<Partition>,
    /// What the tasks brought that an earlier run did.
    pub taken_over: Tally,
    /// Whether these are the last.
    pub last: bool,
}

/// The source cannot be read on: the job ends.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SourceFailed(pub String);

/// Asks where the job stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct AskStatus;

/// Asks the foreman to lease nothing more.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Drain;

/// Where a job stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobStatus {
    /// All is done, and journaled.
    pub finished: bool,
    /// Nothing runs and nothing more is leased.
    pub drained: bool,
    /// Why it cannot go on.
    pub failure: Option<String>,
    /// Counts of the whole job, earlier runs included.
    pub totals: Tally,
    /// Data taken over from earlier runs.
    pub resumed: u64,
    /// Tasks known and not done.
    pub tasks_waiting: usize,
    /// Workers known.
    pub workers: usize,
}

/// The mailbox of a worker is gone.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct WorkerGone {
    worker: WorkerName,
    incarnation: u64,
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
message!(Offer, "mspass.foreman.offer", ());
message!(SourceFailed, "mspass.foreman.source_failed", ());
message!(AskStatus, "mspass.foreman.status", JobStatus);
message!(Drain, "mspass.foreman.drain", ());
message!(WorkerGone, "mspass.foreman.worker_gone", ());
message!(Tick, "mspass.foreman.tick", ());

/// The foreman of one job.
pub struct ForemanActor {
    state: Foreman,
    journal: Journal,
    spec: JobSpec,
    waiter: Waiter,
    /// Their incarnations and where their leases go.
    workers: HashMap<WorkerName, (u64, Mailbox<Grant>)>,
    gone: Mailbox<WorkerGone>,
    totals: Tally,
    resumed: u64,
    offers: VecDeque<(Offer, Reply<Offer>)>,
    finished: bool,
}

impl fmt::Debug for ForemanActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForemanActor").field("phase", self.state.phase()).finish_non_exhaustive()
    }
}

impl ForemanActor {
    /// Starts the foreman of a job; workers find it, and bring their mailboxes when they join.
    ///
    /// After a panic it is not made anew: its counts would be lost. The job fails, and goes on
    /// from the journal when it is started again.
    pub fn start(runtime: &Runtime, spec: &JobSpec, journal: Journal) -> Address<Self> {
        let (spec, waiter) = (spec.clone(), runtime.waiter());
        let mut journal = Some(journal);
        let address =
            start(runtime, "foreman", MESSAGES_MAX, move |context: &Context<Self>| Self {
                state: Foreman::new(spec.epoch),
                journal: journal.take().expect("a foreman is made once"),
                spec: spec.clone(),
                waiter: waiter.clone(),
                workers: HashMap::new(),
                gone: context.address().mailbox(),
                totals: Tally::default(),
                resumed: 0,
                offers: VecDeque::new(),
                finished: false,
            });
        address.every(runtime, TICK, || Tick);
        address
    }

    /// Carries out what the state machine wants.
    fn act(&mut self) {
        while let Some(output) = self.state.poll_output() {
            match output {
                Output::Grant { worker, leases } => self.grant(&worker, leases),
                Output::Done { key, partition, tally } => {
                    self.totals.add(&tally);
                    let Partition { file, version, .. } = partition;
                    self.write(Record::Done { key, file, version, tally });
                }
                Output::Quarantined { key, partition, reason } => {
                    let tally = quarantined(&partition, reason);
                    self.totals.add(&tally);
                    let tally = Box::new(tally);
                    let Partition { file, version, .. } = partition;
                    self.write(Record::Done { key, file, version, tally });
                }
            }
        }
        self.take_offers();
        if *self.state.phase() == Phase::Finished && !self.finished {
            match self.journal.flush() {
                Ok(()) => self.finished = true,
                Err(error) => self.state.fail(error.to_string()),
            }
        }
    }

    fn grant(&mut self, worker: &str, leases: Vec<super::lease::Lease>) {
        let Some((incarnation, mailbox)) = self.workers.get(worker).cloned() else {
            return self.state.worker_down(clock::now(), worker);
        };
        let (worker, gone) = (worker.to_owned(), self.gone.clone());
        // What waits here is bounded by the worker's credits.
        self.waiter.spawn(async move {
            if mailbox.tell(Grant { leases }).await.is_err() {
                let _ = gone.tell(WorkerGone { worker, incarnation }).await;
            }
        });
    }

    fn write(&mut self, record: Record) {
        if let Err(error) = self.journal.append(record) {
            self.state.fail(error.to_string());
        }
    }

    /// Takes in offers while there is room.
    fn take_offers(&mut self) {
        while let Some((offer, _)) = self.offers.front() {
            if offer.partitions.len() > self.state.room() {
                return;
            }
            let Some((offer, reply)) = self.offers.pop_front() else { return };
            self.resumed += offer.taken_over.entered;
            self.totals.add(&offer.taken_over);
            self.state.offer(clock::now(), offer.partitions);
            if offer.last {
                self.state.source_ended();
            }
            reply.send(());
            self.act();
        }
    }
}

/// A part that kept breaking its workers counts as one datum that never came to life.
fn quarantined(partition: &Partition, reason: String) -> Tally {
    let mut tally = Tally { entered: 1, aborted: 1, ..Tally::default() };
    tally.add_reason(ReasonCount {
        kind: ReasonKind::Aborted,
        step: "worker".into(),
        reason,
        count: 1,
        example: format!("archive_file {}", partition.file),
    });
    tally
}

impl Handler<AskJob> for ForemanActor {
    fn handle(&mut self, _: AskJob, reply: Reply<AskJob>, _: &Context<Self>) {
        reply.send(self.spec.clone());
    }
}

impl Handler<Join> for ForemanActor {
    fn handle(&mut self, join: Join, reply: Reply<Join>, _: &Context<Self>) {
        let Join { worker, incarnation, credits, grants, suspects } = join;
        self.state.suspect(&suspects);
        self.workers.insert(worker.clone(), (incarnation, grants.clone()));
        self.state.join(clock::now(), &worker, incarnation, credits);
        reply.send(());
        let gone = self.gone.clone();
        self.waiter.spawn(async move {
            grants.watch().await;
            let _ = gone.tell(WorkerGone { worker, incarnation }).await;
        });
        self.act();
    }
}

impl Handler<WorkerGone> for ForemanActor {
    fn handle(&mut self, gone: WorkerGone, _: Reply<WorkerGone>, _: &Context<Self>) {
        if self.state.knows(&gone.worker, gone.incarnation) {
            tracing::warn!("worker {} is gone: what it held is leased anew", gone.worker);
            self.workers.remove(&gone.worker);
            self.state.worker_down(clock::now(), &gone.worker);
            self.act();
        }
    }
}

impl Handler<Leave> for ForemanActor {
    fn handle(&mut self, leave: Leave, reply: Reply<Leave>, _: &Context<Self>) {
        self.state.leave(&leave.worker, leave.incarnation);
        reply.send(());
    }
}

impl Handler<Heartbeat> for ForemanActor {
    fn handle(&mut self, beat: Heartbeat, reply: Reply<Heartbeat>, _: &Context<Self>) {
        let Heartbeat { worker, incarnation, running } = beat;
        reply.send(self.state.heartbeat(clock::now(), &worker, incarnation, &running));
    }
}

impl Handler<Ended> for ForemanActor {
    fn handle(&mut self, ended: Ended, reply: Reply<Ended>, _: &Context<Self>) {
        for (token, end) in ended.tasks {
            self.state.ended(clock::now(), &ended.worker, token, end);
        }
        reply.send(());
        self.act();
    }
}

impl Handler<Offer> for ForemanActor {
    fn handle(&mut self, offer: Offer, reply: Reply<Offer>, _: &Context<Self>) {
        self.offers.push_back((offer, reply));
        self.act();
    }
}

impl Handler<SourceFailed> for ForemanActor {
    fn handle(&mut self, failed: SourceFailed, reply: Reply<SourceFailed>, _: &Context<Self>) {
        self.state.fail(failed.0);
        reply.send(());
    }
}

impl Handler<AskStatus> for ForemanActor {
    fn handle(&mut self, _: AskStatus, reply: Reply<AskStatus>, _: &Context<Self>) {
        let (tasks_waiting, workers) = self.state.load();
        let phase = self.state.phase();
        reply.send(JobStatus {
            finished: self.finished,
            drained: *phase == Phase::Draining && self.state.is_idle(),
            failure: if let Phase::Failed(reason) = phase { Some(reason.clone()) } else { None },
            totals: self.totals.clone(),
            resumed: self.resumed,
            tasks_waiting,
            workers,
        });
    }
}

impl Handler<Drain> for ForemanActor {
    fn handle(&mut self, _: Drain, reply: Reply<Drain>, _: &Context<Self>) {
        self.state.drain();
        drop(self.journal.flush());
        reply.send(());
    }
}

impl Handler<Tick> for ForemanActor {
    fn handle(&mut self, _: Tick, _: Reply<Tick>, _: &Context<Self>) {
        self.state.tick(clock::now());
        self.act();
    }
}

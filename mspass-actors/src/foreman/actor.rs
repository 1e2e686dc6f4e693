//! The actor around the foreman's state machine: it reads the clock, sends and journals.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::time::Duration;

use super::journal::{Journal, Record};
use super::lease::{
    AskJob, AskKeepers, Ended, FailureClass, Grant, Heartbeat, JobSpec, Join, Keeper, Keepers,
    Lease, Leave, Recall, TaskEnd, WorkerName,
};
use super::messages::{
    AskDeadLetters, AskStatus, AwaitStage, Do, Drain, JobStatus, Offer, Outcome, Requeue, Retire,
    SourceFailed, StageStatus, Tick, WorkerGone,
};
use super::state::{Foreman, Output, Phase};
use super::task::{Charge, DeadLetter};
use crate::clock;
use crate::mailbox::{Address, Context, Handler, Mailbox, Reply, start};
use crate::runtime::{Runtime, Waiter};
use crate::workflow::partition::{Partition, TaskKey};
use crate::workflow::report::{ReasonCount, ReasonKind};
use crate::workflow::tally::Tally;

/// Messages waiting in each mailbox of a foreman.
pub const MESSAGES_MAX: usize = 1024;
/// How often the foreman looks at the clock.
pub const TICK: Duration = Duration::from_millis(250);
/// Callers that may wait for a task of their own.
pub const CALLERS_MAX: usize = 1024;
/// Tasks set aside that are kept to be queued anew; the job ends when there are more.
pub const DEAD_LETTERS_MAX: usize = 1000;

/// The foreman of one job.
pub struct ForemanActor {
    state: Foreman,
    journal: Journal,
    spec: JobSpec,
    waiter: Waiter,
    workers: HashMap<WorkerName, Known>,
    gone: Mailbox<WorkerGone>,
    /// Who waits for a task of their own.
    callers: HashMap<TaskKey, Reply<Do>>,
    dead_letters: Vec<DeadLetter>,
    /// Counts and tasks done, by stage.
    stages: Vec<(Tally, u64)>,
    resumed: u64,
    offers: VecDeque<(Offer, Reply<Offer>)>,
    /// Who waits for the end of a stage.
    awaiting: Vec<(AwaitStage, Reply<AwaitStage>)>,
    finished: bool,
    /// Whether charges are written that may not be on the disk yet.
    charged: bool,
    /// What some of the data will die of.
    remarks: Vec<String>,
}

/// A worker, and where it is reached.
struct Known {
    incarnation: u64,
    grants: Mailbox<Grant>,
    recalls: Mailbox<Recall>,
    keeper: Keeper,
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
                state: Foreman::new(spec.epoch, spec.stages),
                journal: journal.take().expect("a foreman is made once"),
                spec: spec.clone(),
                waiter: waiter.clone(),
                workers: HashMap::new(),
                gone: context.address().mailbox(),
                callers: HashMap::new(),
                dead_letters: Vec::new(),
                stages: vec![<_>::default(); spec.stages.max(1) as usize],
                resumed: 0,
                offers: VecDeque::new(),
                awaiting: Vec::new(),
                finished: false,
                charged: false,
                remarks: Vec::new(),
            });
        address.every(runtime, TICK, || Tick);
        address
    }

    /// Carries out what the state machine wants.
    fn act(&mut self) {
        while let Some(output) = self.state.poll_output() {
            match output {
                Output::Grant { worker, leases } => {
                    // They are known before a task may break this process too.
                    if std::mem::take(&mut self.charged)
                        && let Err(error) = self.journal.flush()
                    {
                        self.state.fail(error.to_string());
                    }
                    self.grant(&worker, leases);
                }
                Output::Recall { worker, count } => self.recall(&worker, count),
                Output::Done { key, partition, tally } => {
                    if let Some((totals, done)) = self.stages.get_mut(partition.stage as usize) {
                        totals.add(&tally);
                        *done += 1;
                    }
                    if let Some(caller) = self.callers.remove(&key) {
                        caller.send(Outcome::Done(tally.clone()));
                    }
                    let Partition { origin, version, .. } = partition;
                    self.write(Record::Done { key, origin, version, tally });
                }
                Output::MadeAgain { key } => {
                    if let Some(caller) = self.callers.remove(&key) {
                        caller.send(Outcome::Done(Box::default()));
                    }
                }
                Output::Charged { key, charge } => {
                    let datum = charge.datum.as_ref().map_or("no datum known", |datum| &datum.name);
                    let Charge { worker, reason, alone, .. } = &*charge;
                    tracing::warn!(worker, datum, alone, "{key:?} is charged: {reason}");
                    self.write(Record::Charged { key, charge });
                    self.charged = true;
                }
                Output::SetAside(letter) => {
                    if let Some(caller) = self.callers.remove(&letter.key) {
                        caller.send(Outcome::SetAside(letter.reason().to_owned()));
                    }
                    self.write(Record::SetAside(letter.clone()));
                    self.keep(*letter);
                }
            }
        }
        if let Some(reason) = self.ends_early() {
            for (_, caller) in self.callers.drain() {
                caller.send(Outcome::Refused(reason.clone()));
            }
            self.offers.drain(..).for_each(|(_, reply)| reply.send(false));
            self.awaiting.drain(..).for_each(|(_, reply)| reply.send(false));
        }
        self.take_offers();
        self.tell_stages();
        if *self.state.phase() == Phase::Finished && !self.finished {
            match self.journal.flush() {
                Ok(()) => self.finished = true,
                Err(error) => self.state.fail(error.to_string()),
            }
        }
    }

    /// Why tasks are no longer seen to their end, if they are not.
    fn ends_early(&self) -> Option<String> {
        match self.state.phase() {
            Phase::Failed(reason) => Some(format!("the job failed: {reason}")),
            Phase::Draining => Some("the job is being drained".to_owned()),
            _ => None,
        }
    }

    /// Keeps a task that was set aside.
    fn keep(&mut self, letter: DeadLetter) {
        let DeadLetter { key, partition, charges, .. } = &letter;
        let (origin, times, reason) = (partition.origin, charges.len(), letter.reason());
        tracing::error!("{key:?} of {origin} is set aside after {times} failures: {reason}");
        self.dead_letters.push(letter);
        if self.dead_letters.len() > DEAD_LETTERS_MAX {
            self.state.fail(format!(
                "more than {DEAD_LETTERS_MAX} tasks broke their workers, the last one so: {}",
                self.dead_letters.last().map_or("", DeadLetter::reason)
            ));
        }
    }

    fn recall(&mut self, worker: &str, count: u32) {
        // A recall that is lost is made again after the worker's next heartbeat.
        if let Some(known) = self.workers.get(worker) {
            drop(known.recalls.try_tell(Recall { count }));
        }
    }

    fn grant(&mut self, worker: &str, leases: Vec<Lease>) {
        let Some(known) = self.workers.get(worker) else {
            return self.state.worker_down(clock::now(), worker);
        };
        let (incarnation, mailbox) = (known.incarnation, known.grants.clone());
        let Err(full) = mailbox.try_tell(Grant { leases }) else { return };
        let (worker, gone) = (worker.to_owned(), self.gone.clone());
        // What waits here is bounded by the worker's capacity.
        self.waiter.spawn(async move {
            if mailbox.tell(full.0).await.is_err() {
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
            if offer.partitions.len() + offer.again.len() > self.state.room() {
                return;
            }
            let Some((offer, reply)) = self.offers.pop_front() else { return };
            for (tally, (totals, _)) in offer.taken_over.iter().zip(&mut self.stages) {
                self.resumed += tally.entered;
                totals.add(tally);
            }
            self.dead_letters.extend(offer.set_aside);
            self.state.restore(offer.charges);
            self.remarks.extend(offer.remarks);
            self.state.offer(clock::now(), offer.partitions);
            self.state.offer_again(clock::now(), offer.again);
            if offer.last {
                self.state.source_ended();
            }
            reply.send(true);
            self.act();
        }
    }
}

impl ForemanActor {
    /// Tells those who wait for the end of a stage that has come.
    fn tell_stages(&mut self) {
        let open = |stage: u32| (0..=stage).any(|stage| self.state.waiting(stage) > 0);
        let (waiting, ended): (Vec<_>, Vec<_>) = std::mem::take(&mut self.awaiting)
            .into_iter()
            .partition(|(AwaitStage(stage), _)| open(*stage));
        self.awaiting = waiting;
        ended.into_iter().for_each(|(_, reply)| reply.send(true));
    }

    fn totals(&self) -> Tally {
        let mut totals = Tally::default();
        self.stages.iter().for_each(|(tally, _)| totals.add(tally));
        self.dead_letters.iter().for_each(|letter| totals.add(&lost(letter)));
        totals
    }
}

/// A part that kept breaking its workers counts as one datum that never came to life.
fn lost(DeadLetter { partition, charges, .. }: &DeadLetter) -> Tally {
    let reason = charges.last().map(|charge| charge.reason.clone()).unwrap_or_default();
    let mut tally = Tally { entered: 1, aborted: 1, ..Tally::default() };
    tally.add_reason(ReasonCount {
        kind: ReasonKind::Aborted,
        step: "worker".into(),
        reason,
        count: 1,
        example: format!("part of {}", partition.origin),
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
        let Join { worker, incarnation, load, grants, recalls, lists, fetches, death } = join;
        let keeper = Keeper { worker: worker.clone(), lists, fetches };
        let known = Known { incarnation, grants: grants.clone(), recalls, keeper };
        self.workers.insert(worker.clone(), known);
        self.state.join(clock::now(), &worker, incarnation, load, &death);
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
        let Heartbeat { worker, incarnation, load, running } = beat;
        reply.send(self.state.heartbeat(clock::now(), &worker, incarnation, load, &running));
        self.act();
    }
}

impl Handler<Ended> for ForemanActor {
    fn handle(&mut self, ended: Ended, reply: Reply<Ended>, _: &Context<Self>) {
        let Ended { worker, incarnation, load, tasks } = ended;
        for (token, end) in &tasks {
            if let TaskEnd::Failed { class: FailureClass::Missing, reason } = end {
                tracing::warn!("{:?} waits for pieces on {worker}: {reason}", token.key);
            }
        }
        self.state.ended(clock::now(), &worker, incarnation, load, tasks);
        reply.send(());
        self.act();
    }
}

impl Handler<Do> for ForemanActor {
    fn handle(&mut self, Do(partition): Do, reply: Reply<Do>, _: &Context<Self>) {
        let key = partition.key();
        let refusal = self.ends_early().or_else(|| {
            let is_full = self.callers.len() >= CALLERS_MAX;
            let is_awaited = self.callers.contains_key(&key);
            let why = || format!("{CALLERS_MAX} callers wait already, or one for this task");
            (is_full || is_awaited).then(why)
        });
        if let Some(reason) = refusal {
            return reply.send(Outcome::Refused(reason));
        }
        self.callers.insert(key, reply);
        self.finished = false;
        self.state.offer_first(clock::now(), partition);
        self.act();
    }
}

impl Handler<AskKeepers> for ForemanActor {
    fn handle(&mut self, ask: AskKeepers, reply: Reply<AskKeepers>, _: &Context<Self>) {
        let named = self.state.keepers(ask.stage, ask.epoch);
        reply.send(named.map(|(part_count, part_sum, names)| {
            let known = names.iter().filter_map(|name| self.workers.get(name));
            let keepers = known.map(|known| known.keeper.clone()).collect();
            Keepers { part_count, part_sum, keepers }
        }));
    }
}

impl Handler<AwaitStage> for ForemanActor {
    fn handle(&mut self, stage: AwaitStage, reply: Reply<AwaitStage>, _: &Context<Self>) {
        self.awaiting.push((stage, reply));
        self.act();
    }
}

impl Handler<AskDeadLetters> for ForemanActor {
    fn handle(&mut self, _: AskDeadLetters, reply: Reply<AskDeadLetters>, _: &Context<Self>) {
        reply.send(self.dead_letters.clone());
    }
}

impl Handler<Requeue> for ForemanActor {
    fn handle(&mut self, Requeue(keys): Requeue, reply: Reply<Requeue>, _: &Context<Self>) {
        let wanted = |letter: &DeadLetter| keys.is_empty() || keys.contains(&letter.key);
        let (anew, kept): (Vec<_>, _) = self.dead_letters.drain(..).partition(wanted);
        self.dead_letters = kept;
        reply.send(anew.len() as u64);
        for letter in anew {
            self.write(Record::Requeued(letter.key));
            self.finished = false;
            self.state.requeue(clock::now(), letter);
        }
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
        self.act();
    }
}

impl Handler<AskStatus> for ForemanActor {
    fn handle(&mut self, _: AskStatus, reply: Reply<AskStatus>, _: &Context<Self>) {
        let (tasks_waiting, workers) = self.state.load();
        let phase = self.state.phase();
        let stage = |(number, (tally, done)): (u32, &(Tally, u64))| StageStatus {
            tally: tally.clone(),
            done: *done,
            waiting: self.state.waiting(number) as u64,
        };
        reply.send(JobStatus {
            finished: self.finished,
            drained: *phase == Phase::Draining && self.state.is_idle(),
            failure: if let Phase::Failed(reason) = phase { Some(reason.clone()) } else { None },
            mendable: self.state.is_mendable(),
            totals: self.totals(),
            stages: (0..).zip(&self.stages).map(stage).collect(),
            resumed: self.resumed,
            remarks: self.remarks.clone(),
            tasks_waiting,
            workers,
            set_aside: self.dead_letters.len() as u64,
            stalled_seconds: self.state.stalled(clock::now()).map(|long| long.as_secs()),
        });
    }
}

impl Handler<Drain> for ForemanActor {
    fn handle(&mut self, _: Drain, reply: Reply<Drain>, _: &Context<Self>) {
        self.state.drain();
        drop(self.journal.flush());
        reply.send(());
        self.act();
    }
}

impl Handler<Retire> for ForemanActor {
    fn handle(&mut self, _: Retire, reply: Reply<Retire>, context: &Context<Self>) {
        // What is written is on the disk before the file is another's.
        drop(self.journal.flush());
        self.journal = Journal::nowhere();
        reply.send(());
        context.end();
    }
}

impl Handler<Tick> for ForemanActor {
    fn handle(&mut self, _: Tick, _: Reply<Tick>, _: &Context<Self>) {
        self.state.tick(clock::now());
        self.act();
    }
}

//! The foreman's mind: a state machine that takes inputs and `now` and queues outputs. It knows no
//! clock, no socket and no file, so a simulation can drive it.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use super::lease::{FailureClass, Lease, Load, TaskEnd, Token, WorkerName};
use super::task::{Blame, Charge, DeadLetter, State, Task, Verdict};
use crate::worker::slate::Death;
use crate::workflow::partition::{Partition, TaskKey};
use crate::workflow::tally::Tally;

pub use super::lease::TaskDatum;
pub use super::task::{
    BACKOFF_FIRST, CHARGES_KEPT_MAX, CHARGES_MAX, MISSING_ATTEMPTS_MAX, POISON_MAX,
    TRANSIENT_ATTEMPTS_MAX,
};

/// Tasks in memory at the same time, some 300 bytes each; the source waits when there are so many.
pub const TASKS_MAX: usize = 1 << 16;
/// Tasks whose pieces are kept for the next stage, some 200 bytes each; a workflow with more fails.
pub const KEPT_MAX: usize = 1 << 20;
/// Shortest time that a lease holds without a heartbeat naming it.
pub const LEASE_MIN: Duration = Duration::from_secs(30);
/// A lease holds at least so many times as long as tasks take on its worker.
pub const LEASE_TASKS: u32 = 5;
/// Silence after which a worker is down.
pub const WORKER_SILENCE_MAX: Duration = Duration::from_secs(15);
/// Heartbeats in a row that may leave out a lease that the worker holds: it, or the word of its
/// end, may be on its way.
pub const UNNAMED_MAX: u32 = 3;
/// Pause before a task is leased anew that was lost with its worker more than once: the slates of
/// those that died say first whether it was to blame.
pub const LOST_PAUSE: Duration = Duration::from_millis(500);
/// Tasks that charges are kept against; those against more are forgotten.
pub const BLAMED_MAX: usize = 1 << 16;
/// How long a job may have work and no worker before it says that it is stalled.
pub const STALL_GRACE: Duration = Duration::from_secs(60);

/// What the foreman wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Send leases to a worker.
    Grant {
        /// To whom.
        worker: WorkerName,
        /// What.
        leases: Vec<Lease>,
    },
    /// Ask a worker for leases that it has not started.
    Recall {
        /// Whom.
        worker: WorkerName,
        /// How many at most.
        count: u32,
    },
    /// A task is done for good: journal it.
    Done {
        /// The task.
        key: TaskKey,
        /// What it was done on.
        partition: Partition,
        /// What it brought.
        tally: Box<Tally>,
    },
    /// A task is done again, whose counts and record are known: its pieces are there anew.
    MadeAgain {
        /// The task.
        key: TaskKey,
    },
    /// A task was in work when its worker's process died: journal it.
    Charged {
        /// The task.
        key: TaskKey,
        /// What is held against it.
        charge: Box<Charge>,
    },
    /// A task is set aside because it keeps breaking workers.
    SetAside(Box<DeadLetter>),
}

/// Where a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// Work is done, or waited for.
    Running,
    /// Nothing more is leased; what runs is waited for.
    Draining,
    /// All is done.
    Finished,
    /// It cannot go on.
    Failed(String),
}

#[derive(Debug)]
pub(super) struct Worker {
    incarnation: u64,
    pub(super) load: Load,
    /// What it holds, and in how many heartbeats in a row it did not say so.
    pub(super) held: HashMap<TaskKey, u32>,
    heard: Instant,
    /// Leaves in good order: it gets nothing more.
    leaving: bool,
    /// Was asked for leases and has not answered yet.
    pub(super) recalled: bool,
}

impl Worker {
    /// Leases that it may get.
    pub(super) fn room(&self) -> usize {
        let capacity = if self.leaving { 0 } else { self.load.capacity as usize };
        capacity.saturating_sub(self.held.len())
    }
}

/// A task whose pieces a worker keeps.
#[derive(Debug)]
struct Kept {
    worker: WorkerName,
    partition: Partition,
    attempt: u32,
}

/// The state machine of one job.
#[derive(Debug)]
pub struct Foreman {
    pub(super) epoch: u64,
    // Ordered, so that a run can be repeated exactly.
    pub(super) workers: BTreeMap<WorkerName, Worker>,
    /// Stages of the workflow; all but the last make pieces.
    stages: u32,
    pub(super) tasks: HashMap<TaskKey, Task>,
    /// What is held against tasks, known or not.
    pub(super) blames: HashMap<TaskKey, Blame>,
    /// Tasks not done, by stage: none of a stage is leased while one before it is among them.
    waiting: BTreeMap<u32, usize>,
    pub(super) ready: BTreeMap<u32, VecDeque<TaskKey>>,
    /// Tasks done whose pieces the next stage needs, and who keeps them.
    kept: HashMap<TaskKey, Kept>,
    source_open: bool,
    pub(super) phase: Phase,
    pub(super) outputs: VecDeque<Output>,
    workerless_since: Option<Instant>,
    mendable: bool,
}

impl Foreman {
    /// A foreman without work, of a workflow of so many stages. `epoch` is raised at each start.
    pub fn new(epoch: u64, stages: u32) -> Self {
        Self {
            epoch,
            workers: BTreeMap::new(),
            stages: stages.max(1),
            tasks: HashMap::new(),
            blames: HashMap::new(),
            waiting: BTreeMap::new(),
            ready: BTreeMap::new(),
            kept: HashMap::new(),
            source_open: true,
            phase: Phase::Running,
            outputs: VecDeque::new(),
            workerless_since: None,
            mendable: false,
        }
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Where the job stands.
    pub fn phase(&self) -> &Phase {
        &self.phase
    }

    /// Whether a person can mend what made the job fail.
    pub fn is_mendable(&self) -> bool {
        self.mendable
    }

    /// How many more tasks may be offered.
    pub fn room(&self) -> usize {
        TASKS_MAX.saturating_sub(self.tasks.len())
    }

    /// Tasks of a stage that are not done.
    pub fn waiting(&self, stage: u32) -> usize {
        self.waiting.get(&stage).copied().unwrap_or(0)
    }

    /// The stage that is worked on: no task of a later one is leased.
    pub(super) fn present_stage(&self) -> u32 {
        self.waiting.keys().next().copied().unwrap_or(0)
    }

    /// Who keeps the pieces that a stage made, and of how many parts with which sum of their names;
    /// `None` while the stage is not done, and for a lease of another incarnation, which knows
    /// nothing of how far this one is.
    pub fn keepers(&self, stage: u32, epoch: u64) -> Option<(u64, u64, Vec<WorkerName>)> {
        if epoch != self.epoch || self.waiting.range(..=stage).next().is_some() {
            return None;
        }
        let (mut count, mut sum, mut names) = (0, 0_u64, HashSet::new());
        for (key, kept) in self.kept.iter().filter(|(_, kept)| kept.partition.stage == stage) {
            count += 1;
            sum = sum.wrapping_add(key.0 as u64);
            if !names.contains(&kept.worker) {
                names.insert(kept.worker.clone());
            }
        }
        let mut names: Vec<WorkerName> = names.into_iter().collect();
        names.sort_unstable();
        Some((count, sum, names))
    }

    fn insert(&mut self, key: TaskKey, task: Task) {
        let stage = task.partition.stage;
        if self.tasks.insert(key, task).is_none() {
            *self.waiting.entry(stage).or_default() += 1;
        }
    }

    fn remove(&mut self, key: TaskKey) -> Option<Task> {
        let task = self.tasks.remove(&key)?;
        if let Some(count) = self.waiting.get_mut(&task.partition.stage) {
            *count -= 1;
            if *count == 0 {
                self.waiting.remove(&task.partition.stage);
            }
        }
        Some(task)
    }

    fn queue_last(&mut self, stage: u32, key: TaskKey) {
        self.ready.entry(stage).or_default().push_back(key);
    }

    fn queue_first(&mut self, stage: u32, key: TaskKey) {
        self.ready.entry(stage).or_default().push_front(key);
    }

    /// Tasks not done, workers known.
    pub fn load(&self) -> (usize, usize) {
        (self.tasks.len(), self.workers.len())
    }

    /// How long there has been work and no worker, once that is longer than [`STALL_GRACE`].
    pub fn stalled(&self, now: Instant) -> Option<Duration> {
        let since = self.workerless_since?;
        Some(now.saturating_duration_since(since)).filter(|long| *long > STALL_GRACE)
    }

    /// A worker is there, and so much it can take; what an earlier incarnation held is leased anew.
    /// `death` is that of its process before this one.
    pub fn join(&mut self, now: Instant, name: &str, incarnation: u64, load: Load, death: &Death) {
        if self.workers.get(name).is_some_and(|known| known.incarnation > incarnation) {
            return;
        }
        if !self.knows(name, incarnation) {
            self.lose_pieces(name);
        }
        self.release(name);
        self.suspect(name, death);
        let (held, leaving, recalled) = (HashMap::new(), false, false);
        let worker = Worker { incarnation, load, held, heard: now, leaving, recalled };
        self.workers.insert(name.to_owned(), worker);
        self.workerless_since = None;
        self.assign(now);
        self.settle();
    }

    /// A worker lives; whether it is known.
    pub fn heartbeat(
        &mut self,
        now: Instant,
        name: &str,
        incarnation: u64,
        load: Load,
        running: &[Token],
    ) -> bool {
        let known = self.workers.get_mut(name).filter(|known| known.incarnation == incarnation);
        let Some(worker) = known else { return false };
        (worker.heard, worker.load, worker.recalled) = (now, load, false);
        let renewed = now + lease_time(load);
        for token in running {
            if let Some(task) = self.tasks.get_mut(&token.key)
                && let State::Leased { worker, expiry } = &mut task.state
                && worker == name
                && (token.attempt, token.epoch) == (task.attempt, self.epoch)
            {
                *expiry = renewed;
            }
        }
        self.lose_unnamed(name, running);
        self.assign(now);
        true
    }

    /// What a worker holds and does not name for some heartbeats it does not have: its lease was
    /// lost on the way, or the word of its end.
    fn lose_unnamed(&mut self, name: &str, running: &[Token]) {
        let Some(worker) = self.workers.get_mut(name) else { return };
        let named: HashSet<TaskKey> = running.iter().map(|token| token.key).collect();
        let mut lost = Vec::new();
        for (key, unnamed) in &mut worker.held {
            *unnamed = if named.contains(key) { 0 } else { *unnamed + 1 };
            if *unnamed > UNNAMED_MAX {
                lost.push(*key);
            }
        }
        lost.sort_unstable();
        for key in lost {
            worker.held.remove(&key);
            if let Some(task) = self.tasks.get_mut(&key) {
                task.state = State::Ready;
                self.ready.entry(task.partition.stage).or_default().push_front(key);
            }
        }
    }

    /// A worker leaves in good order: it keeps what it holds and gets nothing more.
    pub fn leave(&mut self, name: &str, incarnation: u64) {
        let known = self.workers.get_mut(name).filter(|known| known.incarnation == incarnation);
        if let Some(worker) = known {
            worker.leaving = true;
        }
    }

    /// Whether a worker of that incarnation is known.
    pub fn knows(&self, name: &str, incarnation: u64) -> bool {
        self.workers.get(name).is_some_and(|known| known.incarnation == incarnation)
    }

    /// What was in work when the process of a worker died is charged with it.
    fn suspect(&mut self, name: &str, death: &Death) {
        let how = death.how.as_deref().unwrap_or("nobody knows how");
        for suspect in &death.suspects {
            let key = suspect.task;
            let ordinal = Some(suspect.ordinal).filter(|ordinal| *ordinal > 0);
            let charge = Charge {
                worker: name.to_owned(),
                attempt: self.tasks.get(&key).map_or(0, |task| task.attempt),
                reason: format!("it broke the process of its worker ({how})"),
                datum: ordinal.map(|ordinal| TaskDatum { ordinal, name: suspect.datum.clone() }),
                alone: suspect.alone,
                unseen: death.how.is_none(),
            };
            let journaled = Box::new(charge.clone());
            self.outputs.push_back(Output::Charged { key, charge: journaled });
            let is_over = self.charge(key, charge);
            let Some(task) = self.tasks.get_mut(&key) else { continue };
            match task.state {
                // Whoever works on it now may still finish it.
                State::Leased { .. } => {}
                _ if is_over => self.set_aside(key),
                State::Ready => {}
                State::Backoff { .. } => {
                    task.state = State::Ready;
                    let stage = task.partition.stage;
                    self.queue_first(stage, key);
                }
            }
        }
    }

    /// Holds it against a task that it broke a worker; whether it is to be set aside.
    fn charge(&mut self, key: TaskKey, charge: Charge) -> bool {
        if self.blames.len() >= BLAMED_MAX && !self.blames.contains_key(&key) {
            return false;
        }
        let blame = self.blames.entry(key).or_default();
        blame.add(charge);
        blame.is_over()
    }

    /// What an earlier run held against tasks that are not offered yet.
    pub fn restore(&mut self, charges: impl IntoIterator<Item = (TaskKey, Charge)>) {
        for (key, charge) in charges {
            self.charge(key, charge);
        }
    }

    /// A worker is gone; what it held is leased anew, at no charge to the tasks. What is lost so
    /// more than once waits a moment.
    pub fn worker_down(&mut self, now: Instant, name: &str) {
        self.lose_pieces(name);
        for key in self.release(name) {
            let Some(task) = self.tasks.get_mut(&key) else { continue };
            task.lost += 1;
            if task.lost > 1 {
                task.state = State::Backoff { until: now + LOST_PAUSE };
            }
        }
        if self.workers.remove(name).is_some() {
            self.assign(now);
        }
    }

    /// The pieces of a worker are gone: the tasks that made them are done again.
    fn lose_pieces(&mut self, name: &str) {
        let mut lost: Vec<TaskKey> = Vec::new();
        lost.extend(self.kept.iter().filter(|(_, kept)| kept.worker == name).map(|(key, _)| *key));
        // Where all is done they are not needed any more.
        if !self.source_open && self.tasks.is_empty() {
            return;
        }
        lost.sort_unstable();
        for key in lost {
            let Some(Kept { partition, attempt, .. }) = self.kept.remove(&key) else { continue };
            let stage = partition.stage;
            let task = Task { counted: true, ..Task::new(partition, attempt) };
            self.insert(key, task);
            self.queue_last(stage, key);
        }
    }

    /// More tasks, at most [`Self::room`]; those known already are passed over.
    pub fn offer(&mut self, now: Instant, partitions: impl IntoIterator<Item = Partition>) {
        self.take(partitions, false);
        self.assign(now);
    }

    /// Tasks done and counted by an earlier run, whose pieces are needed again.
    pub fn offer_again(&mut self, now: Instant, partitions: impl IntoIterator<Item = Partition>) {
        self.take(partitions, true);
        self.assign(now);
    }

    fn take(&mut self, partitions: impl IntoIterator<Item = Partition>, counted: bool) {
        for partition in partitions {
            let (key, stage) = (partition.key(), partition.stage);
            if !self.tasks.contains_key(&key) && !self.kept.contains_key(&key) {
                self.insert(key, Task { counted, ..Task::new(partition, 0) });
                match self.blames.get(&key).map(Blame::is_over) {
                    None => self.queue_last(stage, key),
                    Some(false) => self.queue_first(stage, key),
                    Some(true) => self.set_aside(key),
                }
            }
        }
    }

    /// A task that is to be done before all others.
    pub fn offer_first(&mut self, now: Instant, partition: Partition) {
        self.queue_anew(now, partition, 0);
    }

    /// A task that was set aside is queued anew; nothing is held against it any more.
    pub fn requeue(&mut self, now: Instant, letter: DeadLetter) {
        self.blames.remove(&letter.key);
        self.queue_anew(now, letter.partition, letter.attempts);
    }

    fn queue_anew(&mut self, now: Instant, partition: Partition, attempts: u32) {
        let key = partition.key();
        if self.tasks.contains_key(&key) {
            return;
        }
        if self.phase == Phase::Finished {
            self.phase = Phase::Running;
        }
        let stage = partition.stage;
        self.insert(key, Task::new(partition, attempts));
        self.queue_first(stage, key);
        self.assign(now);
    }

    /// There will be no more tasks.
    pub fn source_ended(&mut self) {
        self.source_open = false;
        self.settle();
    }

    /// The job cannot go on.
    pub fn fail(&mut self, reason: String) {
        if self.phase != Phase::Finished {
            self.phase = Phase::Failed(reason);
        }
    }

    /// Leases nothing more.
    pub fn drain(&mut self) {
        if self.phase == Phase::Running {
            self.phase = Phase::Draining;
        }
    }

    /// Whether nothing is leased.
    pub fn is_idle(&self) -> bool {
        self.workers.values().all(|worker| worker.held.is_empty())
    }

    /// Leases ended on a worker. What an older lease brings is dropped: a done task is counted
    /// once, whoever did it again.
    pub fn ended(
        &mut self,
        now: Instant,
        name: &str,
        incarnation: u64,
        load: Load,
        tasks: Vec<(Token, TaskEnd)>,
    ) {
        let known = self.workers.get_mut(name).filter(|known| known.incarnation == incarnation);
        let Some(worker) = known else { return };
        (worker.heard, worker.load) = (now, load);
        for (token, end) in tasks {
            let Some(worker) = self.workers.get_mut(name) else { return };
            let current = self.tasks.get_mut(&token.key).filter(|task| {
                (token.epoch, token.attempt) == (self.epoch, task.attempt)
                    && task.is_leased_to(name)
            });
            let Some(task) = current else { continue };
            worker.held.remove(&token.key);
            match end {
                TaskEnd::Done(tally) => self.done(name, token.key, tally),
                TaskEnd::Returned => {
                    worker.recalled = false;
                    task.state = State::Ready;
                    let stage = task.partition.stage;
                    self.queue_first(stage, token.key);
                }
                TaskEnd::Failed { class, reason } => match task.failed(now, class) {
                    Verdict::Again => {}
                    Verdict::JobFails => {
                        self.mendable = class == FailureClass::Mendable;
                        self.phase = Phase::Failed(reason);
                    }
                    Verdict::Charged => self.panicked(name, token, reason),
                },
            }
        }
        self.assign(now);
        self.settle();
    }

    /// A task is done; its pieces are kept where another stage needs them.
    fn done(&mut self, worker: &str, key: TaskKey, tally: Box<Tally>) {
        let Some(Task { partition, attempt, counted, .. }) = self.remove(key) else { return };
        if partition.stage + 1 < self.stages {
            let (worker, partition) = (worker.to_owned(), partition.clone());
            self.kept.insert(key, Kept { worker, partition, attempt });
            if self.kept.len() > KEPT_MAX {
                self.fail(format!(
                    "more than {KEPT_MAX} tasks make pieces for the next stage: use larger files, \
                     or a workflow for each part of the data"
                ));
            }
        }
        self.outputs.push_back(match counted {
            true => Output::MadeAgain { key },
            false => Output::Done { key, partition, tally },
        });
    }

    /// A task panicked outside its steps, which nothing else can have caused.
    fn panicked(&mut self, worker: &str, Token { key, attempt, .. }: Token, reason: String) {
        let worker = worker.to_owned();
        let (alone, unseen) = (true, false);
        if self.charge(key, Charge { worker, attempt, reason, datum: None, alone, unseen }) {
            self.set_aside(key);
        }
    }

    fn set_aside(&mut self, key: TaskKey) {
        let Some(Task { partition, attempt: attempts, .. }) = self.remove(key) else { return };
        let charges = self.blames.get(&key).map(|blame| blame.charges.clone()).unwrap_or_default();
        let letter = DeadLetter { key, partition, attempts, charges };
        self.outputs.push_back(Output::SetAside(Box::new(letter)));
    }

    /// Time passed: silent workers are down, expired leases and pauses end.
    pub fn tick(&mut self, now: Instant) {
        let silent =
            |worker: &Worker| now.saturating_duration_since(worker.heard) > WORKER_SILENCE_MAX;
        let down: Vec<_> =
            self.workers.iter().filter(|(_, w)| silent(w)).map(|(name, _)| name.clone()).collect();
        down.iter().for_each(|name| self.worker_down(now, name));
        let mut due: Vec<TaskKey> = Vec::new();
        for (key, task) in &mut self.tasks {
            match &task.state {
                State::Leased { worker, expiry } if *expiry <= now => {
                    if let Some(holder) = self.workers.get_mut(worker) {
                        holder.held.remove(key);
                    }
                }
                State::Backoff { until } if *until <= now => {}
                _ => continue,
            }
            task.state = State::Ready;
            due.push(*key);
        }
        due.sort_unstable();
        for key in due {
            let stage = self.tasks.get(&key).map_or(0, |task| task.partition.stage);
            self.queue_last(stage, key);
        }
        let waits = self.workers.is_empty() && !self.tasks.is_empty();
        let since = self.workerless_since.unwrap_or(now);
        self.workerless_since = (waits && self.phase == Phase::Running).then_some(since);
        self.assign(now);
    }

    /// Makes everything that a worker held ready again, and gives it.
    fn release(&mut self, name: &str) -> Vec<TaskKey> {
        let Some(worker) = self.workers.get_mut(name) else { return Vec::new() };
        let mut held: Vec<TaskKey> = worker.held.drain().map(|(key, _)| key).collect();
        held.sort_unstable();
        for &key in held.iter().rev() {
            if let Some(task) = self.tasks.get_mut(&key) {
                task.state = State::Ready;
                let stage = task.partition.stage;
                self.queue_first(stage, key);
            }
        }
        held
    }

    fn settle(&mut self) {
        if !self.source_open && self.tasks.is_empty() && self.phase == Phase::Running {
            self.phase = Phase::Finished;
        }
    }
}

/// How long a lease holds on a worker.
pub(super) fn lease_time(load: Load) -> Duration {
    LEASE_MIN.max(Duration::from_micros(load.task_micros).saturating_mul(LEASE_TASKS))
}

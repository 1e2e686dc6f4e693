//! The foreman's mind: a state machine that takes inputs and `now` and queues outputs. It knows no
//! clock, no socket and no file, so a simulation can drive it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::lease::{FailureClass, GRANT_MAX, Lease, TaskEnd, Token, WorkerName};
use crate::workflow::partition::{Partition, TaskKey};
use crate::workflow::tally::Tally;

/// Tasks in memory at the same time; the source waits when there are so many.
pub const TASKS_MAX: usize = 4096;
/// Attempts that a store or network may fail before the job ends.
pub const TRANSIENT_ATTEMPTS_MAX: u32 = 5;
/// Times a task may break its worker before it is set aside.
pub const POISON_ATTEMPTS_MAX: u32 = 3;
/// Shortest time that a lease holds without a heartbeat naming it.
pub const LEASE_MIN: Duration = Duration::from_secs(30);
/// First pause before a task is tried again; doubled each time.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(100);
/// Silence after which a worker is down.
pub const WORKER_SILENCE_MAX: Duration = Duration::from_secs(15);

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
    /// A task is done for good: journal it.
    Done {
        /// The task.
        key: TaskKey,
        /// What it was done on.
        partition: Partition,
        /// What it brought.
        tally: Box<Tally>,
    },
    /// A task is set aside because it keeps breaking workers.
    Quarantined {
        /// The task.
        key: TaskKey,
        /// What it would have been done on.
        partition: Partition,
        /// What happened last.
        reason: String,
    },
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
enum State {
    Ready,
    Leased { worker: WorkerName, expiry: Instant },
    Backoff { until: Instant },
}

#[derive(Debug)]
struct Task {
    partition: Partition,
    state: State,
    attempt: u32,
    transient_failures: u32,
    poison_failures: u32,
}

#[derive(Debug)]
struct Worker {
    incarnation: u64,
    credits: u32,
    heard: Instant,
    /// Leaves in good order: it gets nothing more.
    leaving: bool,
}

/// The state machine of one job.
#[derive(Debug)]
pub struct Foreman {
    epoch: u64,
    // Ordered, so that a run can be repeated exactly.
    workers: BTreeMap<WorkerName, Worker>,
    tasks: HashMap<TaskKey, Task>,
    ready: VecDeque<TaskKey>,
    source_open: bool,
    phase: Phase,
    outputs: VecDeque<Output>,
}

impl Foreman {
    /// A foreman without work. `epoch` is raised at each start.
    pub fn new(epoch: u64) -> Self {
        Self {
            epoch,
            workers: BTreeMap::new(),
            tasks: HashMap::new(),
            ready: VecDeque::new(),
            source_open: true,
            phase: Phase::Running,
            outputs: VecDeque::new(),
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

    /// How many more tasks may be offered.
    pub fn room(&self) -> usize {
        TASKS_MAX.saturating_sub(self.tasks.len())
    }

    /// Tasks not done, workers known.
    pub fn load(&self) -> (usize, usize) {
        (self.tasks.len(), self.workers.len())
    }

    /// A worker is there, with so many credits; what an earlier incarnation held is leased anew.
    pub fn join(&mut self, now: Instant, name: &str, incarnation: u64, credits: u32) {
        if self.workers.get(name).is_some_and(|known| known.incarnation > incarnation) {
            return;
        }
        self.release(now, name);
        let worker = Worker { incarnation, credits, heard: now, leaving: false };
        self.workers.insert(name.to_owned(), worker);
        self.assign(now);
    }

    /// A worker lives; whether it is known.
    pub fn heartbeat(
        &mut self,
        now: Instant,
        name: &str,
        incarnation: u64,
        running: &[Token],
    ) -> bool {
        let known = self.workers.get_mut(name).filter(|known| known.incarnation == incarnation);
        let Some(worker) = known else { return false };
        worker.heard = now;
        for token in running {
            if let Some(task) = self.tasks.get_mut(&token.key)
                && let State::Leased { worker, expiry } = &mut task.state
                && worker == name
                && (token.attempt, token.epoch) == (task.attempt, self.epoch)
            {
                *expiry = now + LEASE_MIN;
            }
        }
        true
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

    /// These tasks were in work when a worker's process died: each is charged with it, and set
    /// aside when that happened too often.
    pub fn suspect(&mut self, keys: &[TaskKey]) {
        for key in keys {
            let Some(task) = self.tasks.get_mut(key) else { continue };
            task.poison_failures += 1;
            let leased = matches!(task.state, State::Leased { .. });
            if task.poison_failures < POISON_ATTEMPTS_MAX || leased {
                continue;
            }
            let partition = task.partition.clone();
            self.tasks.remove(key);
            let times = POISON_ATTEMPTS_MAX;
            let reason = format!("its worker's process died {times} times while it was in work");
            self.outputs.push_back(Output::Quarantined { key: *key, partition, reason });
        }
        self.settle();
    }

    /// A worker is gone; what it held is leased anew, at no charge to the tasks.
    pub fn worker_down(&mut self, now: Instant, name: &str) {
        if self.workers.remove(name).is_some() {
            self.release(now, name);
            self.assign(now);
        }
    }

    /// More tasks, at most [`Self::room`]; those known already are passed over.
    pub fn offer(&mut self, now: Instant, partitions: impl IntoIterator<Item = Partition>) {
        for partition in partitions {
            let key = partition.key();
            if self.tasks.contains_key(&key) {
                continue;
            }
            let task = Task {
                partition,
                state: State::Ready,
                attempt: 0,
                transient_failures: 0,
                poison_failures: 0,
            };
            self.tasks.insert(key, task);
            self.ready.push_back(key);
        }
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

    /// Whether anything is leased.
    pub fn is_idle(&self) -> bool {
        !self.tasks.values().any(|task| matches!(task.state, State::Leased { .. }))
    }

    /// A lease ended on a worker, which gets its credit back. What an older lease brings is
    /// dropped: a done task is counted once, whoever did it again.
    pub fn ended(&mut self, now: Instant, name: &str, token: Token, end: TaskEnd) {
        if let Some(worker) = self.workers.get_mut(name) {
            worker.credits += 1;
            worker.heard = now;
        }
        let epoch = self.epoch;
        let current = self.tasks.get_mut(&token.key).filter(|task| {
            (token.epoch, token.attempt) == (epoch, task.attempt)
                && matches!(&task.state, State::Leased { worker, .. } if worker == name)
        });
        if let Some(task) = current {
            match end {
                TaskEnd::Done(tally) => {
                    let partition = task.partition.clone();
                    self.tasks.remove(&token.key);
                    self.outputs.push_back(Output::Done { key: token.key, partition, tally });
                }
                TaskEnd::Failed { class, reason } => self.failed(now, token.key, class, reason),
                TaskEnd::Returned => {
                    task.state = State::Ready;
                    self.ready.push_front(token.key);
                }
            }
        }
        self.assign(now);
        self.settle();
    }

    fn failed(&mut self, now: Instant, key: TaskKey, class: FailureClass, reason: String) {
        let Some(task) = self.tasks.get_mut(&key) else { return };
        match class {
            FailureClass::Permanent => self.phase = Phase::Failed(reason),
            FailureClass::Transient => {
                task.transient_failures += 1;
                if task.transient_failures >= TRANSIENT_ATTEMPTS_MAX {
                    self.phase = Phase::Failed(reason);
                } else {
                    let pause = BACKOFF_FIRST * 2_u32.pow(task.transient_failures - 1);
                    task.state = State::Backoff { until: now + pause };
                }
            }
            FailureClass::Poison => {
                task.poison_failures += 1;
                if task.poison_failures >= POISON_ATTEMPTS_MAX {
                    let partition = task.partition.clone();
                    self.tasks.remove(&key);
                    self.outputs.push_back(Output::Quarantined { key, partition, reason });
                } else {
                    task.state = State::Backoff { until: now + BACKOFF_FIRST };
                }
            }
        }
    }

    /// Time passed: silent workers are down, expired leases and pauses end.
    pub fn tick(&mut self, now: Instant) {
        let silent = |worker: &Worker| now.duration_since(worker.heard) > WORKER_SILENCE_MAX;
        let down: Vec<_> =
            self.workers.iter().filter(|(_, w)| silent(w)).map(|(name, _)| name.clone()).collect();
        down.iter().for_each(|name| self.worker_down(now, name));
        let mut due: Vec<TaskKey> = Vec::new();
        for (key, task) in &mut self.tasks {
            let over = match task.state {
                State::Leased { expiry, .. } => expiry <= now,
                State::Backoff { until } => until <= now,
                State::Ready => false,
            };
            if over {
                task.state = State::Ready;
                due.push(*key);
            }
        }
        due.sort_unstable();
        self.ready.extend(due);
        self.assign(now);
    }

    /// Makes everything that a worker held ready again.
    fn release(&mut self, _now: Instant, name: &str) {
        let mut held: Vec<TaskKey> = Vec::new();
        for (key, task) in &mut self.tasks {
            if matches!(&task.state, State::Leased { worker, .. } if worker == name) {
                task.state = State::Ready;
                held.push(*key);
            }
        }
        held.sort_unstable();
        held.into_iter().rev().for_each(|key| self.ready.push_front(key));
    }

    /// Hands ready tasks to whoever has credits, evenly.
    fn assign(&mut self, now: Instant) {
        if self.phase != Phase::Running {
            return;
        }
        let mut grants: BTreeMap<WorkerName, Vec<Lease>> = BTreeMap::new();
        while let Some(&key) = self.ready.front() {
            let Some(task) = self.tasks.get_mut(&key) else {
                self.ready.pop_front();
                continue;
            };
            if !matches!(task.state, State::Ready) {
                self.ready.pop_front();
                continue;
            }
            let staying = self.workers.iter_mut().filter(|(_, worker)| !worker.leaving);
            let most = staying.max_by_key(|(_, worker)| worker.credits);
            let Some((name, worker)) = most.filter(|(_, worker)| worker.credits > 0) else { break };
            worker.credits -= 1;
            task.attempt += 1;
            task.state = State::Leased { worker: name.clone(), expiry: now + LEASE_MIN };
            let (attempt, epoch) = (task.attempt, self.epoch);
            let lease = Lease { key, attempt, epoch, partition: task.partition.clone() };
            grants.entry(name.clone()).or_default().push(lease);
            self.ready.pop_front();
        }
        for (worker, leases) in grants {
            for leases in leases.chunks(GRANT_MAX) {
                let (worker, leases) = (worker.clone(), leases.to_vec());
                self.outputs.push_back(Output::Grant { worker, leases });
            }
        }
    }

    fn settle(&mut self) {
        if !self.source_open && self.tasks.is_empty() && self.phase == Phase::Running {
            self.phase = Phase::Finished;
        }
    }
}

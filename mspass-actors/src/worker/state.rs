//! A worker's mind: a state machine that holds leases, admits work by predicted bytes, and says
//! what ended. It knows no clock, thread or mailbox, so a simulation can drive it.

use std::collections::{HashMap, HashSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::memory::MemoryAdvice;
use crate::foreman::lease::{GRANT_MAX, Lease, Load, TaskEnd, Token};
use crate::workflow::partition::TaskKey;

/// Leases that a worker takes beyond those its threads work on, before it knows how long they take.
pub const PREFETCH_FIRST: usize = 4;
/// The most that it takes then: enough for [`PREFETCH_MICROS`].
pub const PREFETCH_MAX: usize = 1024;
/// How long the leases in stock shall keep each thread busy, microseconds.
pub const PREFETCH_MICROS: u64 = 100_000;
/// Leases that a thread is given at once at most; more than one only when they take no longer than
/// [`CHUNK_MICROS`] together.
pub const CHUNK_MAX: usize = 64;
/// How long a thread shall work on what it is given at once, microseconds.
pub const CHUNK_MICROS: u64 = 1_000;
/// Memory a task is thought to need for each byte it reads, until it is done and its output known.
pub const PREDICTED_BYTES_PER_FILE_BYTE: u64 = 16;

/// A task's computation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finished {
    /// Its lease.
    pub token: Token,
    /// Bytes of its output that are not stored yet.
    pub bytes: u64,
    /// How long it took, microseconds.
    pub micros: u64,
    /// How it ended, unless its output is being stored.
    pub end: Option<TaskEnd>,
}

/// What a worker wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Give these to one idle thread.
    Start(Vec<Lease>),
    /// Tell the foreman what ended, at most [`GRANT_MAX`] tasks.
    Report(Vec<(Token, TaskEnd)>),
}

/// The state machine of one worker.
#[derive(Debug)]
pub struct WorkerState {
    slots: usize,
    memory_bytes_max: u64,
    waiting: VecDeque<Lease>,
    /// Bytes that each task started and not yet stored takes.
    running: HashMap<TaskKey, (Token, u64)>,
    /// The one among them beside which nothing else is started.
    alone: Option<TaskKey>,
    /// Those among them that the foreman does not count: leased before it knew us.
    orphans: HashSet<TaskKey>,
    idle_threads: usize,
    /// How long tasks take, microseconds: a moving average.
    task_micros: Option<u64>,
    unreported: VecDeque<(Token, TaskEnd)>,
    advice: MemoryAdvice,
    leaving: bool,
    starts: VecDeque<Vec<Lease>>,
}

impl WorkerState {
    /// A worker of so many threads. Running tasks and outputs not stored yet may take
    /// `memory_bytes_max` together; a task larger than that runs alone.
    pub fn new(slots: usize, memory_bytes_max: u64) -> Self {
        Self {
            slots,
            memory_bytes_max,
            waiting: VecDeque::new(),
            running: HashMap::new(),
            alone: None,
            orphans: HashSet::new(),
            idle_threads: slots,
            task_micros: None,
            unreported: VecDeque::new(),
            advice: MemoryAdvice::Go,
            leaving: false,
            starts: VecDeque::new(),
        }
    }

    /// What is to be done next.
    pub fn poll_action(&mut self) -> Option<Action> {
        if let Some(leases) = self.starts.pop_front() {
            return Some(Action::Start(leases));
        }
        if self.unreported.is_empty() {
            return None;
        }
        let count = self.unreported.len().min(GRANT_MAX);
        Some(Action::Report(self.unreported.drain(..count).collect()))
    }

    /// What could not be told to the foreman is told later, first.
    pub fn unsent(&mut self, tasks: Vec<(Token, TaskEnd)>) {
        tasks.into_iter().rev().for_each(|task| self.unreported.push_front(task));
    }

    /// What it can take.
    pub fn load(&self) -> Load {
        let prefetch = match (self.advice, self.task_micros) {
            _ if self.leaving => 0,
            (MemoryAdvice::Go, None) => PREFETCH_FIRST,
            (MemoryAdvice::Go, Some(micros)) => {
                let each = usize::try_from(PREFETCH_MICROS / micros.max(1)).unwrap_or(usize::MAX);
                each.max(1).saturating_mul(self.slots).min(PREFETCH_MAX)
            }
            _ => 0,
        };
        let slots = match self.advice {
            _ if self.leaving => 0,
            MemoryAdvice::Restart => 0,
            MemoryAdvice::Pause => 1,
            _ => self.slots,
        };
        let capacity = (slots + prefetch).saturating_sub(self.orphans.len());
        Load {
            slots: u32::try_from(self.slots).unwrap_or(u32::MAX),
            capacity: u32::try_from(capacity).unwrap_or(u32::MAX),
            task_micros: self.task_micros.unwrap_or(0),
        }
    }

    /// Leases that it holds.
    pub fn held(&self) -> Vec<Token> {
        let running = self.running.values().map(|(token, _)| *token);
        running.chain(self.waiting.iter().map(Lease::token)).collect()
    }

    /// Leases that it answers for: those that it holds, and those whose end it has not told yet.
    pub fn answers_for(&self) -> Vec<Token> {
        let ended = self.unreported.iter().map(|(token, _)| *token);
        self.held().into_iter().chain(ended).collect()
    }

    /// The foreman does not know this worker: what was leased to it is leased to another by now.
    pub fn forgotten(&mut self) {
        self.waiting.clear();
        self.orphans = self.running.keys().copied().collect();
    }

    /// New leases.
    pub fn granted(&mut self, leases: Vec<Lease>) {
        self.waiting.extend(leases);
        self.admit();
        self.keep_what_memory_allows();
    }

    /// Gives back what is not started where nothing is kept in stock.
    fn keep_what_memory_allows(&mut self) {
        if self.leaving || self.advice >= MemoryAdvice::ReturnUnstarted {
            self.give_back(usize::MAX);
        }
    }

    /// The foreman asks for leases not started, those granted last.
    pub fn recalled(&mut self, count: u32) {
        self.give_back(count as usize);
    }

    fn give_back(&mut self, count: usize) {
        let kept = self.waiting.len().saturating_sub(count);
        let unstarted = self.waiting.drain(kept..);
        self.unreported.extend(unstarted.map(|lease| (lease.token(), TaskEnd::Returned)));
    }

    /// Computations ended, and perhaps a thread is free.
    pub fn computed(&mut self, tasks: Vec<Finished>, thread_free: bool) {
        self.idle_threads = (self.idle_threads + usize::from(thread_free)).min(self.slots);
        for Finished { token, bytes, micros, end } in tasks {
            let known = self.task_micros.unwrap_or(micros);
            self.task_micros = Some(known - known / 8 + micros / 8);
            match end {
                Some(end) => self.stored(token, end),
                None => {
                    if let Some((_, predicted)) = self.running.get_mut(&token.key) {
                        *predicted = bytes;
                    }
                }
            }
        }
        self.admit();
    }

    /// A task's output is stored, or cannot be.
    pub fn stored(&mut self, token: Token, end: TaskEnd) {
        if self.running.get(&token.key).is_some_and(|(running, _)| *running == token) {
            self.running.remove(&token.key);
            self.alone.take_if(|key| *key == token.key);
        }
        self.orphans.remove(&token.key);
        self.unreported.push_back((token, end));
        self.admit();
    }

    /// What follows from the memory that the process takes.
    pub fn advise(&mut self, advice: MemoryAdvice) {
        self.advice = advice;
        self.admit();
        self.keep_what_memory_allows();
    }

    /// It leaves: what is not started goes back, and nothing more is taken.
    pub fn leave(&mut self) {
        self.leaving = true;
        self.give_back(usize::MAX);
    }

    /// Whether it holds nothing any more and all is reported.
    pub fn has_left(&self) -> bool {
        self.leaving && self.running.is_empty() && self.unreported.is_empty()
    }

    /// A thread that should have been idle is at work on what an earlier coordinator gave it.
    pub fn not_started(&mut self, leases: Vec<Lease>) {
        self.idle_threads = 0;
        for lease in leases.into_iter().rev() {
            self.running.remove(&lease.key);
            self.alone.take_if(|key| *key == lease.key);
            self.waiting.push_front(lease);
        }
    }

    /// Starts what threads and memory allow.
    fn admit(&mut self) {
        // Of memory that no task holds none comes back by waiting: then one goes on alone.
        let paused = self.advice >= MemoryAdvice::Pause;
        if self.leaving
            || self.alone.is_some()
            || self.advice >= MemoryAdvice::Restart
            || paused && !self.running.is_empty()
        {
            return;
        }
        let mut used: u64 = 0;
        if self.idle_threads > 0 && !self.waiting.is_empty() {
            used = self.running.values().map(|(_, bytes)| bytes).sum();
        }
        while self.idle_threads > 0 {
            let mut chunk = Vec::new();
            let size = self.chunk_size();
            while chunk.len() < size
                && let Some(lease) = self.waiting.front()
            {
                let predicted = lease.partition.bytes.saturating_mul(PREDICTED_BYTES_PER_FILE_BYTE);
                if used > 0 && used + predicted > self.memory_bytes_max {
                    break;
                }
                // What comes behind it waits too, or it would never be its turn.
                if lease.alone && !self.running.is_empty() {
                    break;
                }
                let Some(lease) = self.waiting.pop_front() else { break };
                self.running.insert(lease.key, (lease.token(), predicted));
                used += predicted;
                if lease.alone {
                    self.alone = Some(lease.key);
                    self.idle_threads -= 1;
                    self.starts.push_back(vec![lease]);
                    return;
                }
                chunk.push(lease);
            }
            if chunk.is_empty() {
                return;
            }
            self.idle_threads -= 1;
            self.starts.push_back(chunk);
            if paused {
                return;
            }
        }
    }

    /// Leases that a thread is given at once: more than one when they are short.
    fn chunk_size(&self) -> usize {
        let Some(micros) = self.task_micros else { return 1 };
        if self.advice >= MemoryAdvice::Pause {
            return 1;
        }
        let share = self.waiting.len().div_ceil(self.slots.max(1));
        let short = usize::try_from(CHUNK_MICROS / micros.max(1)).unwrap_or(usize::MAX);
        short.clamp(1, CHUNK_MAX).min(share.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workflow::partition::Partition;
    use bson::oid::ObjectId;

    fn lease(number: u8, bytes: u64) -> Lease {
        let partition = Partition::whole(ObjectId::from_bytes([number; 12]), 1, bytes);
        let (key, poison) = (partition.key(), Vec::new());
        Lease { key, attempt: 1, epoch: 1, partition, alone: false, poison }
    }

    fn started(state: &mut WorkerState) -> Vec<Lease> {
        let mut leases = Vec::new();
        while let Some(Action::Start(chunk)) = state.poll_action() {
            leases.extend(chunk);
        }
        leases
    }

    fn done(lease: &Lease, micros: u64) -> Finished {
        let end = Some(TaskEnd::Done(Box::default()));
        Finished { token: lease.token(), bytes: 0, micros, end }
    }

    #[test]
    fn work_is_admitted_by_threads_and_predicted_bytes() {
        let mut state = WorkerState::new(2, 100 * PREDICTED_BYTES_PER_FILE_BYTE);
        state.granted(vec![lease(1, 60), lease(2, 60), lease(3, 1)]);
        assert_eq!(started(&mut state).len(), 1);
        state.computed(vec![done(&lease(1, 60), 1_000_000)], true);
        assert_eq!(started(&mut state).len(), 2);
        // One that is larger than all memory runs alone.
        let mut state = WorkerState::new(2, 1);
        state.granted(vec![lease(1, 60), lease(2, 60)]);
        assert_eq!(started(&mut state).len(), 1);
    }

    #[test]
    fn what_is_to_be_alone_waits_for_all_and_all_wait_for_it() {
        let mut state = WorkerState::new(3, u64::MAX);
        let alone = Lease { alone: true, ..lease(2, 1) };
        state.granted(vec![lease(1, 1), alone.clone(), lease(3, 1), lease(4, 1)]);
        assert_eq!(started(&mut state), [lease(1, 1)]);
        state.computed(vec![done(&lease(1, 1), 1)], true);
        assert_eq!(started(&mut state), std::slice::from_ref(&alone));
        state.computed(vec![Finished { end: None, ..done(&alone, 1) }], true);
        assert_eq!(started(&mut state), [], "its output is not stored");
        state.stored(alone.token(), TaskEnd::Done(Box::default()));
        assert_eq!(started(&mut state), [lease(3, 1), lease(4, 1)]);
    }

    #[test]
    fn stock_grows_as_tasks_get_shorter_and_has_a_limit() {
        let mut state = WorkerState::new(2, u64::MAX);
        assert_eq!(state.load().capacity as usize, 2 + PREFETCH_FIRST);
        state.granted(vec![lease(1, 0)]);
        state.computed(vec![done(&lease(1, 0), 50_000)], true);
        assert_eq!(state.load().capacity, 2 + 4);
        for _ in 0..100 {
            state.computed(vec![done(&lease(1, 0), 1)], false);
        }
        assert_eq!(state.load().capacity as usize, 2 + PREFETCH_MAX);
        assert_eq!((state.chunk_size(), started(&mut state).len()), (1, 1));
        state.granted((0..200).map(|number| lease(number, 0)).collect());
        let Some(Action::Start(chunk)) = state.poll_action() else { panic!("nothing starts") };
        assert_eq!(chunk.len(), CHUNK_MAX);
    }

    #[test]
    fn memory_decides_what_is_taken() {
        let mut state = WorkerState::new(1, u64::MAX);
        state.granted(vec![lease(1, 1), lease(2, 1), lease(3, 1)]);
        assert_eq!(started(&mut state).len(), 1);
        state.advise(MemoryAdvice::StopPrefetch);
        assert_eq!((state.load().capacity, state.held().len()), (1, 3));
        state.recalled(1);
        assert_eq!(state.held().len(), 2);
        state.advise(MemoryAdvice::ReturnUnstarted);
        assert_eq!(state.held().len(), 1);
        let Some(Action::Report(tasks)) = state.poll_action() else { panic!("nothing to tell") };
        let returned = [3, 2].map(|number| (lease(number, 1).token(), TaskEnd::Returned));
        assert_eq!(tasks, returned);
        state.advise(MemoryAdvice::Pause);
        state.granted(vec![lease(4, 1)]);
        assert_eq!((state.load().capacity, state.held().len()), (1, 1), "one runs");
        state.computed(vec![done(&lease(1, 1), 1)], true);
        state.granted(vec![lease(4, 1), lease(5, 1)]);
        assert_eq!(state.held(), [lease(4, 1).token()], "one goes on alone");
        state.computed(vec![done(&lease(4, 1), 1)], true);
        state.advise(MemoryAdvice::Restart);
        state.granted(vec![lease(6, 1)]);
        assert_eq!((state.load().capacity, state.held().len()), (0, 0));
    }

    #[test]
    fn a_worker_without_stock_starts_what_it_can_and_returns_the_rest() {
        let mut state = WorkerState::new(2, u64::MAX);
        state.advise(MemoryAdvice::ReturnUnstarted);
        state.granted((1..=3).map(|number| lease(number, 1)).collect());
        let actions: Vec<_> = std::iter::from_fn(|| state.poll_action()).collect();
        let start = |number| Action::Start(vec![lease(number, 1)]);
        let returned = Action::Report(vec![(lease(3, 1).token(), TaskEnd::Returned)]);
        assert_eq!(actions, [start(1), start(2), returned]);
    }

    #[test]
    fn what_runs_when_the_foreman_forgot_it_counts_against_what_it_takes() {
        let mut state = WorkerState::new(1, u64::MAX);
        state.granted(vec![lease(1, 1), lease(2, 1)]);
        state.forgotten();
        assert_eq!(state.held(), [lease(1, 1).token()]);
        assert_eq!(state.load().capacity as usize, PREFETCH_FIRST);
        state.stored(lease(1, 1).token(), TaskEnd::Done(Box::default()));
        assert_eq!(state.load().capacity as usize, 1 + PREFETCH_FIRST);
    }
}

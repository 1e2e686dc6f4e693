//! A worker's process: its coordinator's mind, its threads, its slate.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use mspass_actors::foreman::lease::{FailureClass, Lease, TaskEnd};
use mspass_actors::worker::memory::MemoryAdvice;
use mspass_actors::worker::slate::{Death, Suspect};
use mspass_actors::worker::state::{Action, Finished, WorkerState};
use mspass_actors::workflow::partition::TaskKey;
use mspass_actors::workflow::tally::Tally;

use super::{DATA, Event, Nature, ToForeman, ToWorker, World};

pub(super) struct Worker {
    /// Raised at each start: its incarnation.
    pub(super) life: u64,
    /// None while there is no process.
    pub(super) state: Option<WorkerState>,
    slots: usize,
    /// What its threads work on, kept when it dies.
    slate: BTreeMap<TaskKey, Suspect>,
    death: Death,
    /// Tasks whose pieces it keeps.
    pub(super) pieces: BTreeSet<TaskKey>,
    /// Messages of earlier links are lost.
    pub(super) link: u64,
    /// When the last message arrives, each way: links keep the order.
    pub(super) to_worker: Duration,
    to_foreman: Duration,
    /// Stopped by a signal until then.
    pub(super) stopped_until: Duration,
    leaving: bool,
    /// What follows from its memory when nothing happens to it: some are short of it for good.
    memory: MemoryAdvice,
}

impl Worker {
    pub(super) fn name(&self, number: usize) -> String {
        format!("worker-{number}")
    }
}

/// A task that was done buries what it was told to, and nothing else dies in it.
fn done(lease: &Lease) -> TaskEnd {
    let dead = lease.poison.len() as u64;
    let tally = Tally { entered: DATA, live: DATA - dead, dead, ..Tally::default() };
    TaskEnd::Done(Box::new(tally))
}

impl Nature {
    /// The number of the datum at which the process dies, if it does.
    fn kills_at(&self, lease: &Lease) -> Option<u64> {
        let buried = |ordinal: u64| lease.poison.iter().any(|one| one.datum.ordinal == ordinal);
        match self {
            Self::Kills => Some(0),
            Self::Panics => None,
            Self::Sound(killers) => killers.iter().copied().find(|ordinal| !buried(*ordinal)),
        }
    }
}

impl World {
    pub(super) fn add_worker(&mut self) {
        let slots = 1 + self.dice.roll(3) as usize;
        let memory = match self.dice.roll(10) {
            0 => MemoryAdvice::Pause,
            1 => MemoryAdvice::ReturnUnstarted,
            2 => MemoryAdvice::StopPrefetch,
            _ => MemoryAdvice::Go,
        };
        self.workers.push(Worker {
            life: 0,
            state: None,
            slots,
            slate: BTreeMap::new(),
            death: Death::default(),
            pieces: BTreeSet::new(),
            link: 0,
            to_worker: Duration::ZERO,
            to_foreman: Duration::ZERO,
            stopped_until: Duration::ZERO,
            leaving: false,
            memory,
        });
        let worker = self.workers.len() - 1;
        let pause = self.dice.roll(1000);
        self.after(pause, Event::StartWorker { worker });
    }

    pub(super) fn start_worker(&mut self, worker: usize) {
        let memory = 1 + self.dice.roll(200);
        let it = &mut self.workers[worker];
        it.life += 1;
        it.link += 1;
        it.state = Some(WorkerState::new(it.slots, memory));
        let suspects = std::mem::take(&mut it.slate).into_values().collect();
        it.death = Death::of(suspects, Some("signal 6".into()));
        let life = it.life;
        self.join(worker);
        self.after(1000, Event::Beat { worker, life });
    }

    fn join(&mut self, worker: usize) {
        let it = &mut self.workers[worker];
        let Some(state) = &it.state else { return };
        let (name, incarnation, load) = (it.name(worker), it.life, state.load());
        let death = std::mem::take(&mut it.death);
        self.tell_foreman(worker, ToForeman::Join { name, incarnation, load, death });
    }

    /// The process dies with everything in it, and its parent starts another.
    pub(super) fn kill_worker(&mut self, worker: usize) {
        if self.workers[worker].state.is_none() {
            return;
        }
        for suspect in self.workers[worker].slate.values() {
            *self.victims.entry((suspect.task, suspect.ordinal)).or_default() += 1;
        }
        self.die(worker);
    }

    fn die(&mut self, worker: usize) {
        self.history.kills += 1;
        self.end_process(worker);
    }

    /// The process ends by itself: what it worked on is not to blame.
    pub(super) fn restart_worker(&mut self, worker: usize) {
        if self.workers[worker].state.is_some() {
            self.workers[worker].slate.clear();
            self.end_process(worker);
        }
    }

    fn end_process(&mut self, worker: usize) {
        self.lose(worker);
        self.workers[worker].state = None;
        self.workers[worker].pieces.clear();
        self.workers[worker].link += 1;
        let pause = self.dice.roll(3000);
        self.after(pause, Event::StartWorker { worker });
    }

    pub(super) fn break_link(&mut self, worker: usize) {
        if self.workers[worker].state.is_some() {
            self.lose(worker);
            self.workers[worker].link += 1;
        }
    }

    /// Another worker takes over, so that the job can end.
    pub(super) fn drain_worker(&mut self, worker: usize) {
        let staying = self.workers.iter().filter(|it| !it.leaving).count();
        let it = &mut self.workers[worker];
        let (name, incarnation) = (it.name(worker), it.life);
        if staying < 2 || it.leaving {
            return;
        }
        let Some(state) = &mut it.state else { return };
        it.leaving = true;
        state.leave();
        self.tell_foreman(worker, ToForeman::Leave { name, incarnation });
        self.act(worker);
    }

    pub(super) fn obey(&mut self, worker: usize, message: ToWorker) {
        let Some(state) = &mut self.workers[worker].state else { return };
        match message {
            ToWorker::Grant(leases) => state.granted(leases),
            ToWorker::Recall(count) => state.recalled(count),
            ToWorker::Unknown => {
                state.forgotten();
                self.join(worker);
            }
        }
        self.act(worker);
    }

    /// Carries out what the worker wants.
    pub(super) fn act(&mut self, worker: usize) {
        let life = self.workers[worker].life;
        loop {
            let it = &mut self.workers[worker];
            let Some(state) = &mut it.state else { return };
            match state.poll_action() {
                Some(Action::Start(leases)) => {
                    if let Some(lease) = leases.first() {
                        self.note(worker, lease);
                    }
                    let pause = self.duration();
                    self.after(pause, Event::Compute { worker, life, leases: leases.into() });
                }
                Some(Action::Report(tasks)) => {
                    // A mailbox that is full takes it at the next beat.
                    if self.trouble() {
                        let it = &mut self.workers[worker];
                        if let Some(state) = &mut it.state {
                            state.unsent(tasks);
                        }
                        return;
                    }
                    let it = &self.workers[worker];
                    let Some(state) = &it.state else { return };
                    let (name, incarnation, load) = (it.name(worker), life, state.load());
                    let message = ToForeman::Ended { name, incarnation, load, tasks };
                    self.tell_foreman(worker, message);
                }
                None => break,
                Some(_) => {}
            }
        }
        let it = &mut self.workers[worker];
        if it.leaving && it.state.as_ref().is_some_and(WorkerState::has_left) {
            // Its last words are on their way; the process ends for good.
            it.state = None;
            it.slate.clear();
            it.pieces.clear();
            self.lose(worker);
        }
    }

    /// A thread begins a task, and stands at one of its data when somebody looks.
    fn note(&mut self, worker: usize, lease: &Lease) {
        let buried = |ordinal: &u64| lease.poison.iter().any(|one| one.datum.ordinal == *ordinal);
        let ordinal = Some(self.dice.roll(DATA + 1)).filter(|n| !buried(n)).unwrap_or(0);
        let (job, task, alone) = ("test".into(), lease.key, lease.alone);
        let suspect = Suspect { job, task, ordinal, datum: format!("datum {ordinal}"), alone };
        self.workers[worker].slate.insert(lease.key, suspect);
    }

    fn duration(&mut self) -> u64 {
        match self.dice.roll(20) {
            0 => 1000 + self.dice.roll(40_000),
            1..=9 => self.dice.roll(500),
            _ => self.dice.roll(3),
        }
    }

    pub(super) fn compute(&mut self, worker: usize, life: u64, mut leases: VecDeque<Lease>) {
        if self.workers[worker].life != life || self.workers[worker].state.is_none() {
            return;
        }
        if self.workers[worker].stopped_until > self.now {
            let until = self.workers[worker].stopped_until;
            return self.at(until, Event::Compute { worker, life, leases });
        }
        let Some(lease) = leases.pop_front() else { return };
        let nature = self.natures[&lease.key].clone();
        if let Some(ordinal) = nature.kills_at(&lease) {
            if let Some(place) = self.workers[worker].slate.get_mut(&lease.key) {
                (place.ordinal, place.datum) = (ordinal, format!("datum {ordinal}"));
            }
            return self.die(worker);
        }
        self.workers[worker].slate.remove(&lease.key);
        let token = lease.token();
        let end = if nature == Nature::Panics {
            let reason = "it panicked".to_owned();
            Some(TaskEnd::Failed { class: FailureClass::Panic, reason })
        } else if lease.partition.stage == 1 && !self.gather(lease.epoch) {
            let reason = "a piece is missing".to_owned();
            Some(TaskEnd::Failed { class: FailureClass::Missing, reason })
        } else {
            if self.buckets > 0 && lease.partition.stage == 0 {
                self.workers[worker].pieces.insert(lease.key);
            }
            self.store_output(worker, life, &lease)
        };
        if let Some(next) = leases.front() {
            self.note(worker, next);
        }
        let (micros, bytes) = (1 + self.dice.roll(2000), self.dice.roll(30));
        let thread_free = leases.is_empty();
        if let Some(state) = &mut self.workers[worker].state {
            state.computed(vec![Finished { token, bytes, micros, end }], thread_free);
        }
        if !thread_free {
            let pause = self.duration();
            self.after(pause, Event::Compute { worker, life, leases });
        }
        self.act(worker);
    }

    /// Whether all that a bucket is made of could be had.
    fn gather(&mut self, epoch: u64) -> bool {
        match self.pieces_are_there(epoch) {
            Ok(true) => true,
            Ok(false) => {
                self.history.missing += 1;
                false
            }
            Err(fault) => {
                self.fault.get_or_insert(fault);
                true
            }
        }
    }

    /// How a task ended that has nothing to store; else its output is on its way to the store.
    fn store_output(&mut self, worker: usize, life: u64, lease: &Lease) -> Option<TaskEnd> {
        let token = lease.token();
        if self.dice.chance(200) {
            self.store.insert(lease.key);
            return Some(done(lease));
        }
        // A store that fails for some seconds is tried again; it never fails five times.
        let failed = lease.attempt == 1 && self.trouble();
        let end = if failed {
            let reason = "the store did not answer".to_owned();
            TaskEnd::Failed { class: FailureClass::Transient, reason }
        } else {
            done(lease)
        };
        let pause = self.dice.roll(300);
        self.after(pause, Event::Stored { worker, life, token, end });
        None
    }

    pub(super) fn beat(&mut self, worker: usize, life: u64) {
        if self.workers[worker].life != life || self.workers[worker].state.is_none() {
            return;
        }
        if self.workers[worker].stopped_until > self.now {
            let until = self.workers[worker].stopped_until;
            return self.at(until, Event::Beat { worker, life });
        }
        let advice = match self.dice.roll(4) {
            0 if self.trouble() => MemoryAdvice::Pause,
            1 if self.trouble() => MemoryAdvice::ReturnUnstarted,
            2 if self.trouble() => MemoryAdvice::StopPrefetch,
            _ => self.workers[worker].memory,
        };
        if let Some(state) = &mut self.workers[worker].state {
            state.advise(advice);
        }
        self.act(worker);
        let it = &self.workers[worker];
        let Some(state) = &it.state else { return };
        let (name, incarnation) = (it.name(worker), life);
        let (load, running) = (state.load(), state.answers_for());
        self.tell_foreman(worker, ToForeman::Beat { name, incarnation, load, running });
        self.after(1000, Event::Beat { worker, life });
    }

    fn tell_foreman(&mut self, worker: usize, message: ToForeman) {
        let delay = Duration::from_micros(self.dice.roll(20_000));
        let (now, link) = (self.now, self.workers[worker].link);
        let at = self.workers[worker].to_foreman.max(now + delay);
        self.workers[worker].to_foreman = at;
        // An answer that came too late makes a message go out twice.
        if let ToForeman::Ended { name, incarnation, load, tasks } = &message
            && self.trouble()
        {
            let (name, tasks) = (name.clone(), tasks.clone());
            let (incarnation, load) = (*incarnation, *load);
            let message = ToForeman::Ended { name, incarnation, load, tasks };
            let late = at + Duration::from_millis(self.dice.roll(3000));
            self.at(late, Event::ToForeman { worker, link, message });
        }
        self.at(at, Event::ToForeman { worker, link, message });
    }
}

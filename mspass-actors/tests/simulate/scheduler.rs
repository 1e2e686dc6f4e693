//! The scheduler's process: foreman, source and journal.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use mspass_actors::foreman::state::{Foreman, Output, Phase};
use mspass_actors::foreman::{Charge, DeadLetter};
use mspass_actors::workflow::partition::TaskKey;

use super::{Event, ToForeman, ToWorker, World, bucket, partition};

/// Tasks offered at once.
const OFFER: u64 = 10;
/// Group commits are so far apart at most, milliseconds.
const COMMIT_MAX: u64 = 50;

pub(super) enum Record {
    /// And so many of its data died.
    Done(TaskKey, u64),
    Charged(TaskKey, Box<Charge>),
    SetAside(Box<DeadLetter>),
}

#[derive(Default)]
pub(super) struct Scheduler {
    pub(super) life: u64,
    foreman: Option<Foreman>,
    /// Where workers' leases go: index, incarnation.
    known: HashMap<String, (usize, u64)>,
    offered: u64,
    /// Whether everything was offered.
    planned: bool,
    journal: Vec<Record>,
    /// Records that survive a kill.
    flushed: usize,
    flushing: bool,
    done: bool,
}

/// What a journal says in the end.
#[derive(Default)]
pub(super) struct Ledger {
    /// So many of its data died, each time that it was done.
    pub(super) done: HashMap<TaskKey, Vec<u64>>,
    pub(super) set_aside: HashMap<TaskKey, DeadLetter>,
}

impl Scheduler {
    pub(super) fn is_up(&self) -> bool {
        self.foreman.is_some()
    }

    pub(super) fn is_done(&self) -> bool {
        self.done
    }

    pub(super) fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        for record in &self.journal {
            match record {
                Record::Done(key, dead) => ledger.done.entry(*key).or_default().push(*dead),
                Record::Charged(..) => {}
                Record::SetAside(letter) => {
                    ledger.set_aside.insert(letter.key, (**letter).clone());
                }
            }
        }
        ledger
    }
}

impl World {
    pub(super) fn start_scheduler(&mut self) {
        self.scheduler.life += 1;
        let life = self.scheduler.life;
        let mut foreman = Foreman::new(life, self.stages());
        foreman.restore(self.scheduler.journal.iter().filter_map(|record| match record {
            Record::Charged(key, charge) => Some((*key, (**charge).clone())),
            _ => None,
        }));
        self.scheduler.foreman = Some(foreman);
        self.scheduler.planned = false;
        self.scheduler.offered = 0;
        self.after(0, Event::Tick { life });
    }

    pub(super) fn kill_scheduler(&mut self) {
        if !self.scheduler.is_up() {
            return;
        }
        let scheduler = &mut self.scheduler;
        scheduler.foreman = None;
        scheduler.known.clear();
        scheduler.journal.truncate(scheduler.flushed);
        scheduler.flushing = false;
        scheduler.life += 1;
        for worker in 0..self.workers.len() {
            self.workers[worker].link += 1;
            // Most processes see it and start anew; some only find themselves unknown.
            if !self.dice.chance(300) {
                self.restart_worker(worker);
            }
        }
        let pause = self.dice.roll(5000);
        self.after(pause, Event::StartScheduler);
    }

    pub(super) fn tick(&mut self, life: u64) {
        if life != self.scheduler.life {
            return;
        }
        let now = self.time();
        let ledger = self.scheduler.ledger();
        let is_left =
            |key: &TaskKey| !ledger.done.contains_key(key) && !ledger.set_aside.contains_key(key);
        let pieces_needed = (0..self.buckets).any(|number| is_left(&bucket(number).key()));
        let Some(foreman) = &mut self.scheduler.foreman else { return };
        while self.scheduler.offered < self.tasks && foreman.room() as u64 >= OFFER {
            let from = self.scheduler.offered;
            let to = (from + OFFER).min(self.tasks);
            let missing = (from..to).map(partition).filter(|part| is_left(&part.key()));
            foreman.offer(now, missing);
            if pieces_needed {
                let again = (from..to).map(partition);
                let again = again.filter(|part| ledger.done.contains_key(&part.key()));
                foreman.offer_again(now, again);
            }
            self.scheduler.offered = to;
        }
        let first_done = self.scheduler.offered == self.tasks && foreman.waiting(0) == 0;
        let offered = self.scheduler.offered == self.tasks;
        if !self.scheduler.planned && offered && (first_done || self.buckets == 0) {
            let missing = (0..self.buckets).map(bucket);
            foreman.offer(now, missing.filter(|part| is_left(&part.key())));
            foreman.source_ended();
            self.scheduler.planned = true;
        }
        foreman.tick(now);
        self.after(250, Event::Tick { life });
    }

    pub(super) fn flush(&mut self, life: u64) {
        if life == self.scheduler.life {
            self.scheduler.flushed = self.scheduler.journal.len();
            self.scheduler.flushing = false;
        }
    }

    pub(super) fn gone(&mut self, life: u64, name: &str, incarnation: u64) {
        let now = self.time();
        if life != self.scheduler.life {
            return;
        }
        if let Some(foreman) = &mut self.scheduler.foreman
            && foreman.knows(name, incarnation)
        {
            self.scheduler.known.remove(name);
            foreman.worker_down(now, name);
        }
    }

    pub(super) fn hear(&mut self, worker: usize, message: ToForeman) {
        let now = self.time();
        let Some(foreman) = &mut self.scheduler.foreman else { return };
        match message {
            ToForeman::Join { name, incarnation, load, death } => {
                self.scheduler.known.insert(name.clone(), (worker, incarnation));
                foreman.join(now, &name, incarnation, load, &death);
            }
            ToForeman::Beat { name, incarnation, load, running } => {
                if !foreman.heartbeat(now, &name, incarnation, load, &running) {
                    self.tell_worker(worker, ToWorker::Unknown);
                }
            }
            ToForeman::Ended { name, incarnation, load, tasks } => {
                foreman.ended(now, &name, incarnation, load, tasks);
            }
            ToForeman::Leave { name, incarnation } => foreman.leave(&name, incarnation),
        }
    }

    /// Carries out what the foreman wants.
    pub(super) fn carry_out(&mut self) -> Result<(), String> {
        let mut outputs = Vec::new();
        if let Some(foreman) = &mut self.scheduler.foreman {
            outputs.extend(std::iter::from_fn(|| foreman.poll_output()));
        }
        for output in outputs {
            match output {
                Output::Grant { worker, leases } => {
                    self.tell_named(&worker, ToWorker::Grant(leases));
                }
                Output::Recall { worker, count } => {
                    self.history.recalls += 1;
                    self.tell_named(&worker, ToWorker::Recall(count));
                }
                Output::MadeAgain { .. } => {}
                Output::Done { key, tally, .. } => {
                    if !self.store.contains(&key) {
                        return Err(format!("{key:?} is done and its output is not stored"));
                    }
                    self.scheduler.journal.push(Record::Done(key, tally.dead));
                }
                Output::Charged { key, charge } => {
                    self.scheduler.journal.push(Record::Charged(key, charge));
                    self.scheduler.flushed = self.scheduler.journal.len();
                }
                Output::SetAside(letter) => {
                    self.scheduler.journal.push(Record::SetAside(letter));
                }
                other => return Err(format!("what is {other:?}?")),
            }
        }
        let scheduler = &mut self.scheduler;
        let Some(foreman) = &scheduler.foreman else { return Ok(()) };
        let unflushed = scheduler.journal.len() > scheduler.flushed;
        match foreman.phase() {
            Phase::Failed(reason) => return Err(format!("the job failed: {reason}")),
            Phase::Finished if !unflushed => scheduler.done = true,
            _ if unflushed && !scheduler.flushing => {
                scheduler.flushing = true;
                let (pause, life) = (self.dice.roll(COMMIT_MAX), self.scheduler.life);
                self.after(pause, Event::Flush { life });
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether all pieces of the first stage are to be had, as the foreman counts them.
    ///
    /// # Errors
    /// When it counts too few: a task is neither there nor set aside.
    pub(super) fn pieces_are_there(&self, epoch: u64) -> Result<bool, String> {
        let Some(foreman) = &self.scheduler.foreman else { return Ok(false) };
        let Some((count, sum, names)) = foreman.keepers(0, epoch) else { return Ok(false) };
        let known = names.iter().filter_map(|name| self.scheduler.known.get(name));
        let pieces = known.flat_map(|(worker, _)| self.workers[*worker].pieces.iter().copied());
        let pieces: HashSet<TaskKey> = pieces.collect();
        let found = pieces.iter().fold(0, |sum: u64, key| sum.wrapping_add(key.0 as u64));
        if (pieces.len() as u64, found) != (count, sum) {
            return Ok(false);
        }
        let ledger = self.scheduler.ledger();
        for number in 0..self.tasks {
            let key = partition(number).key();
            if !pieces.contains(&key) && !ledger.set_aside.contains_key(&key) {
                return Err(format!("a bucket is made without task {number}"));
            }
        }
        Ok(true)
    }

    fn tell_named(&mut self, name: &str, message: ToWorker) {
        if let Some((worker, _)) = self.scheduler.known.get(name).copied() {
            self.tell_worker(worker, message);
        }
    }

    pub(super) fn tell_worker(&mut self, worker: usize, message: ToWorker) {
        let delay = Duration::from_micros(self.dice.roll(20_000));
        let (now, link) = (self.now, self.workers[worker].link);
        let at = self.workers[worker].to_worker.max(now + delay);
        self.workers[worker].to_worker = at;
        self.at(at, Event::ToWorker { worker, link, message });
    }

    /// The foreman will notice that the link of a process is gone: soon, or after a silence.
    pub(super) fn lose(&mut self, worker: usize) {
        let (name, incarnation) = (self.workers[worker].name(worker), self.workers[worker].life);
        let silent = self.dice.chance(300);
        let pause = if silent { 15_000 } else { self.dice.roll(1000) };
        let life = self.scheduler.life;
        self.after(pause, Event::Gone { life, name, incarnation });
    }
}

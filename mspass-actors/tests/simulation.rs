//! The foreman under loss, delay, duplication and death of workers: every task is done exactly
//! once. Deterministic: a failure prints the seed that repeats it (MSPASS_SEED).

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use bson::oid::ObjectId;
use mspass_actors::foreman::lease::{FailureClass, Lease, TaskEnd, Token};
use mspass_actors::foreman::state::{Foreman, Output, POISON_ATTEMPTS_MAX, Phase, TASKS_MAX};
use mspass_actors::workflow::partition::{Partition, TaskKey};
use mspass_actors::workflow::tally::Tally;

/// A small generator of pseudo-random numbers (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }
}

fn partition(number: u64) -> Partition {
    let mut id = [0; 12];
    id[..8].copy_from_slice(&number.to_be_bytes());
    Partition {
        file: ObjectId::from_bytes(id),
        version: 1,
        foff_first: 0,
        foff_last: u64::MAX,
        samples: None,
        bytes: 1,
        first_of_file: true,
    }
}

/// What is on its way, by the time at which it arrives.
enum Event {
    Grant { worker: String, incarnation: u64, leases: Vec<Lease> },
    Ended { worker: String, token: Token, end: TaskEnd },
    Beat { worker: String },
}

struct World {
    dice: Dice,
    foreman: Foreman,
    now: Instant,
    mail: BTreeMap<(Instant, u64), Event>,
    sent: u64,
    /// Incarnation and leases held of each worker that lives.
    workers: HashMap<String, (u64, HashSet<TaskKey>)>,
    done: HashMap<TaskKey, u32>,
    harsh: bool,
}

impl World {
    fn new(seed: u64, workers: u64, harsh: bool) -> Self {
        let mut world = Self {
            dice: Dice(seed),
            foreman: Foreman::new(1),
            now: Instant::now(),
            mail: BTreeMap::new(),
            sent: 0,
            workers: HashMap::new(),
            done: HashMap::new(),
            harsh,
        };
        for number in 0..workers {
            world.start(&format!("worker-{number}"), 1);
        }
        world
    }

    fn start(&mut self, worker: &str, incarnation: u64) {
        self.workers.insert(worker.to_owned(), (incarnation, HashSet::new()));
        self.foreman.join(self.now, worker, incarnation, 3);
        self.send(0, Event::Beat { worker: worker.to_owned() });
    }

    fn send(&mut self, delay_ms: u64, event: Event) {
        self.sent += 1;
        self.mail.insert((self.now + Duration::from_millis(delay_ms), self.sent), event);
    }

    /// Carries out what the foreman wants, over a bad network.
    fn carry(&mut self) {
        while let Some(output) = self.foreman.poll_output() {
            match output {
                Output::Grant { worker, leases } => {
                    let incarnation = self.workers.get(&worker).map_or(0, |(known, _)| *known);
                    let delay = self.dice.roll(50);
                    if !(self.harsh && self.dice.chance(5)) {
                        self.send(delay, Event::Grant { worker, incarnation, leases });
                    }
                }
                Output::Done { key, .. } => *self.done.entry(key).or_default() += 1,
                Output::Quarantined { key, .. } => panic!("{key:?} is no poison"),
                _ => {}
            }
        }
    }

    fn step(&mut self) {
        let Some(((at, _), event)) = self.mail.pop_first() else { return };
        self.now = self.now.max(at);
        match event {
            Event::Grant { worker, incarnation, leases } => {
                let Some((known, held)) = self.workers.get_mut(&worker) else { return };
                if *known != incarnation {
                    return;
                }
                held.extend(leases.iter().map(|lease| lease.key));
                for lease in leases {
                    let token = lease.token();
                    let end = if self.harsh && self.dice.chance(3) {
                        let reason = "store did not answer".to_owned();
                        TaskEnd::Failed { class: FailureClass::Transient, reason }
                    } else if self.harsh && self.dice.chance(3) {
                        TaskEnd::Returned
                    } else {
                        TaskEnd::Done(Box::default())
                    };
                    let delay = 1 + self.dice.roll(200);
                    if self.harsh && self.dice.chance(10) {
                        let (worker, end) = (worker.clone(), end.clone());
                        self.send(delay * 7, Event::Ended { worker, token, end });
                    }
                    if !(self.harsh && self.dice.chance(5)) {
                        self.send(delay, Event::Ended { worker: worker.clone(), token, end });
                    }
                }
            }
            Event::Ended { worker, token, end } => {
                if let Some((_, held)) = self.workers.get_mut(&worker) {
                    held.remove(&token.key);
                    self.foreman.ended(self.now, &worker, token, end);
                }
            }
            Event::Beat { worker } => self.beat(&worker),
        }
        self.carry();
    }

    fn beat(&mut self, worker: &str) {
        let Some((incarnation, _)) = self.workers.get(worker) else { return };
        let incarnation = *incarnation;
        if self.harsh && self.dice.chance(2) {
            // It dies without a word and another takes its name some time later.
            self.workers.remove(worker);
            if self.dice.chance(50) {
                self.now += Duration::from_secs(self.dice.roll(40));
            }
            self.foreman.tick(self.now);
            self.start(worker, incarnation + 1);
            return;
        }
        if !self.foreman.heartbeat(self.now, worker, incarnation, &[]) {
            self.foreman.join(self.now, worker, incarnation, 3);
        }
        self.foreman.tick(self.now);
        self.send(1000, Event::Beat { worker: worker.to_owned() });
    }

    fn run(&mut self, tasks: u64) {
        let mut offered = 0;
        let mut steps = 0_u64;
        while *self.foreman.phase() == Phase::Running {
            let room = self.foreman.room() as u64;
            if offered < tasks && room >= 10 {
                let more = room.min(tasks - offered).min(100);
                self.foreman.offer(self.now, (offered..offered + more).map(partition));
                offered += more;
                if offered == tasks {
                    self.foreman.source_ended();
                }
                self.carry();
            }
            self.step();
            steps += 1;
            assert!(steps < 5_000_000, "the job never ends");
        }
    }
}

fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let given = std::env::var("MSPASS_SEED").ok().and_then(|seed| seed.parse().ok());
    let first = given.unwrap_or(1);
    first..first + if given.is_some() { 1 } else { count }
}

#[test]
fn every_task_is_done_exactly_once() {
    for seed in seeds(200) {
        let tasks = 1 + seed * 7 % 300;
        let mut world = World::new(seed, 1 + seed % 5, seed % 4 != 0);
        world.run(tasks);
        assert_eq!(*world.foreman.phase(), Phase::Finished, "seed {seed}");
        assert_eq!(world.done.len() as u64, tasks, "seed {seed}: tasks lost");
        assert!(world.done.values().all(|times| *times == 1), "seed {seed}: a task counted twice");
    }
}

#[test]
fn tasks_in_memory_are_bounded() {
    let mut world = World::new(7, 2, false);
    let tasks = TASKS_MAX as u64;
    world.foreman.offer(world.now, (0..tasks).map(partition));
    assert_eq!(world.foreman.room(), 0);
    world.foreman.source_ended();
    world.run(0);
    assert_eq!(world.done.len() as u64, tasks);
}

#[test]
fn a_task_that_breaks_its_workers_is_set_aside() {
    let now = Instant::now();
    let mut foreman = Foreman::new(1);
    foreman.join(now, "worker", 1, 1);
    foreman.offer(now, [partition(1)]);
    foreman.source_ended();
    let mut later = now;
    for attempt in 1..=POISON_ATTEMPTS_MAX {
        let Some(Output::Grant { leases, .. }) = foreman.poll_output() else {
            panic!("no lease for attempt {attempt}");
        };
        assert_eq!(leases[0].attempt, attempt);
        let failed =
            TaskEnd::Failed { class: FailureClass::Poison, reason: "it panicked".to_owned() };
        foreman.ended(later, "worker", leases[0].token(), failed);
        later += Duration::from_secs(1);
        foreman.tick(later);
    }
    assert!(matches!(foreman.poll_output(), Some(Output::Quarantined { .. })));
    assert_eq!(*foreman.phase(), Phase::Finished);
}

#[test]
fn a_store_that_never_answers_ends_the_job() {
    let mut now = Instant::now();
    let mut foreman = Foreman::new(1);
    foreman.join(now, "worker", 1, 1);
    foreman.offer(now, [partition(1)]);
    while *foreman.phase() == Phase::Running {
        if let Some(Output::Grant { leases, .. }) = foreman.poll_output() {
            let (class, reason) = (FailureClass::Transient, "disk full".to_owned());
            let end = TaskEnd::Failed { class, reason };
            foreman.ended(now, "worker", leases[0].token(), end);
        }
        now += Duration::from_secs(1);
        foreman.tick(now);
    }
    assert_eq!(*foreman.phase(), Phase::Failed("disk full".into()));
}

#[test]
fn an_older_lease_brings_nothing() {
    let now = Instant::now();
    let mut foreman = Foreman::new(1);
    foreman.join(now, "slow", 1, 1);
    foreman.offer(now, [partition(1)]);
    let Some(Output::Grant { leases: first, .. }) = foreman.poll_output() else { panic!() };
    foreman.worker_down(now, "slow");
    foreman.join(now, "quick", 1, 1);
    let Some(Output::Grant { leases: second, .. }) = foreman.poll_output() else { panic!() };
    assert_eq!((first[0].attempt, second[0].attempt), (1, 2));
    foreman.ended(now, "slow", first[0].token(), TaskEnd::Done(Box::default()));
    assert_eq!(foreman.poll_output(), None);
    let tally = Box::new(Tally { entered: 5, ..Tally::default() });
    foreman.ended(now, "quick", second[0].token(), TaskEnd::Done(tally));
    assert!(
        matches!(foreman.poll_output(), Some(Output::Done { tally, .. }) if tally.entered == 5)
    );
}

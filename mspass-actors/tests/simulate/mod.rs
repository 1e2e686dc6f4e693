//! Whole histories of a foreman, its workers, their links, a journal and a store, without clocks,
//! threads or sockets: everything follows from a seed.
//!
//! The minds are those of the real actors ([`Foreman`], [`WorkerState`]); the world around them
//! delays, loses and repeats messages, breaks links, kills processes with everything in them, fails
//! to store, and forgets what a journal had not flushed. A history is good when the job ends and
//! every task is done exactly once, with its output in the store, or set aside with a reason; and
//! just the data that kill whoever works on them are buried.

mod scheduler;
mod worker;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use bson::oid::ObjectId;
use mspass_actors::foreman::lease::{Lease, Load, TaskEnd, Token};
use mspass_actors::foreman::state::CHARGES_MAX;
use mspass_actors::worker::slate::Death;
use mspass_actors::workflow::partition::{Part, Partition, TaskKey};

use scheduler::Scheduler;
use worker::Worker;

/// Events after which a history is thought never to end.
const EVENTS_MAX: u64 = 2_000_000;

/// A small generator of pseudo-random numbers (splitmix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }

    fn chance(&mut self, permille: u64) -> bool {
        self.roll(1000) < permille
    }
}

/// Part number `number` of an archive that has never been.
pub(crate) fn partition(number: u64) -> Partition {
    let mut id = [0; 12];
    id[..8].copy_from_slice(&number.to_be_bytes());
    Partition::whole(ObjectId::from_bytes(id), 1, 1 + number % 5)
}

/// A bucket of the groups that the tasks make, where there is a second stage.
pub(crate) fn bucket(number: u64) -> Partition {
    let origin = ObjectId::from_bytes([0xff; 12]);
    let part = Part::Bucket(number as u32);
    Partition { stage: 1, part, ..Partition::whole(origin, 1, 1) }
}

/// Data of each task.
const DATA: u64 = 4;

/// What a task does to whoever does it.
#[derive(Clone, PartialEq, Eq)]
enum Nature {
    /// These of its data kill the process, if any.
    Sound(BTreeSet<u64>),
    /// It panics outside its steps.
    Panics,
    /// It kills the process before its first datum.
    Kills,
}

enum ToForeman {
    Join { name: String, incarnation: u64, load: Load, death: Death },
    Beat { name: String, incarnation: u64, load: Load, running: Vec<Token> },
    Ended { name: String, incarnation: u64, load: Load, tasks: Vec<(Token, TaskEnd)> },
    Leave { name: String, incarnation: u64 },
}

enum ToWorker {
    Grant(Vec<Lease>),
    Recall(u32),
    Unknown,
}

enum Event {
    ToForeman {
        worker: usize,
        link: u64,
        message: ToForeman,
    },
    ToWorker {
        worker: usize,
        link: u64,
        message: ToWorker,
    },
    /// A thread ends the first of these tasks and goes on with the others.
    Compute {
        worker: usize,
        life: u64,
        leases: VecDeque<Lease>,
    },
    Stored {
        worker: usize,
        life: u64,
        token: Token,
        end: TaskEnd,
    },
    Beat {
        worker: usize,
        life: u64,
    },
    StartWorker {
        worker: usize,
    },
    StartScheduler,
    Tick {
        life: u64,
    },
    Flush {
        life: u64,
    },
    /// The foreman notices that a link is gone.
    Gone {
        life: u64,
        name: String,
        incarnation: u64,
    },
    Trouble,
}

/// What a history was like.
#[derive(Debug, Default)]
pub(crate) struct History {
    pub(crate) tasks: u64,
    pub(crate) set_aside: u64,
    pub(crate) events: u64,
    pub(crate) kills: u64,
    pub(crate) recalls: u64,
    /// Data buried unseen.
    pub(crate) poison: u64,
    /// Times that pieces of the first stage were missing where the second needed them.
    pub(crate) missing: u64,
}

struct World {
    dice: Dice,
    began: Instant,
    now: Duration,
    mail: BTreeMap<(Duration, u64), Event>,
    sent: u64,
    natures: HashMap<TaskKey, Nature>,
    tasks: u64,
    /// Buckets of a second stage; none where there is one stage only.
    buckets: u64,
    scheduler: Scheduler,
    workers: Vec<Worker>,
    /// Outputs stored.
    store: HashSet<TaskKey>,
    /// How often each datum was in work alone when others killed its process, and each task.
    victims: HashMap<(TaskKey, u64), usize>,
    /// How likely troubles are, in permille of the occasions.
    harshness: u64,
    calm_from: Duration,
    history: History,
    /// What should never happen, and did.
    fault: Option<String>,
}

/// Lives through one history.
///
/// # Errors
/// What went wrong, in one sentence.
pub(crate) fn live(seed: u64) -> Result<History, String> {
    let mut world = World::new(seed);
    let result = world.run();
    result.map(|()| world.history).map_err(|fault| format!("seed {seed}: {fault}"))
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let tasks = 1 + dice.roll(120);
        let natures = (0..tasks).map(|number| {
            let nature = match dice.roll(100) {
                0 => Nature::Kills,
                1 => Nature::Panics,
                2 | 3 => {
                    Nature::Sound((0..1 + dice.roll(3)).map(|_| 1 + dice.roll(DATA)).collect())
                }
                _ => Nature::Sound(BTreeSet::new()),
            };
            (partition(number).key(), nature)
        });
        let mut natures: HashMap<TaskKey, Nature> = natures.collect();
        let buckets = if dice.roll(3) == 0 { 1 + dice.roll(10) } else { 0 };
        natures.extend((0..buckets).map(|number| {
            let killer = Some(1 + dice.roll(DATA)).filter(|_| dice.roll(30) == 0);
            (bucket(number).key(), Nature::Sound(killer.into_iter().collect()))
        }));
        let workers = 1 + dice.roll(4);
        let harshness = if dice.roll(4) == 0 { 0 } else { 1 + dice.roll(40) };
        let calm_from = Duration::from_secs(20 + dice.roll(100));
        let mut world = Self {
            dice,
            began: epoch(),
            now: Duration::ZERO,
            mail: BTreeMap::new(),
            sent: 0,
            natures,
            tasks,
            buckets,
            scheduler: Scheduler::default(),
            workers: Vec::new(),
            store: HashSet::new(),
            victims: HashMap::new(),
            harshness,
            calm_from,
            history: History { tasks, ..History::default() },
            fault: None,
        };
        world.after(0, Event::StartScheduler);
        (0..workers).for_each(|_| world.add_worker());
        world.after(500, Event::Trouble);
        world
    }

    fn stages(&self) -> u32 {
        if self.buckets > 0 { 2 } else { 1 }
    }

    fn time(&self) -> Instant {
        self.began + self.now
    }

    fn after(&mut self, millis: u64, event: Event) {
        let at = self.now + Duration::from_millis(millis);
        self.at(at, event);
    }

    fn at(&mut self, at: Duration, event: Event) {
        self.sent += 1;
        self.mail.insert((at, self.sent), event);
    }

    /// Whether a trouble happens; in the end there are none, so that every job can end.
    fn trouble(&mut self) -> bool {
        self.now < self.calm_from && self.dice.chance(self.harshness)
    }

    fn run(&mut self) -> Result<(), String> {
        while !self.scheduler.is_done() {
            let Some(((at, _), event)) = self.mail.pop_first() else {
                return Err("nothing happens any more and the job has not ended".into());
            };
            self.now = at;
            self.history.events += 1;
            if self.history.events > EVENTS_MAX {
                return Err("the job never ends".into());
            }
            self.happen(event);
            self.carry_out()?;
            self.fault.take().map_or(Ok(()), Err)?;
        }
        self.judge()
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ToForeman { worker, link, message } => {
                if self.workers[worker].link == link && self.scheduler.is_up() {
                    self.hear(worker, message);
                }
            }
            Event::ToWorker { worker, link, message } => {
                if self.workers[worker].link == link {
                    self.obey(worker, message);
                }
            }
            Event::Compute { worker, life, leases } => self.compute(worker, life, leases),
            Event::Stored { worker, life, token, end } => {
                // The db-proxy stores what arrived, whether or not its worker still lives.
                if matches!(end, TaskEnd::Done(_)) {
                    self.store.insert(token.key);
                }
                if self.workers[worker].life == life
                    && let Some(state) = &mut self.workers[worker].state
                {
                    state.stored(token, end);
                    self.act(worker);
                }
            }
            Event::Beat { worker, life } => self.beat(worker, life),
            Event::StartWorker { worker } => self.start_worker(worker),
            Event::StartScheduler => self.start_scheduler(),
            Event::Tick { life } => self.tick(life),
            Event::Flush { life } => self.flush(life),
            Event::Gone { life, name, incarnation } => self.gone(life, &name, incarnation),
            Event::Trouble => self.make_trouble(),
        }
    }

    /// Something of the kind that happens to clusters.
    fn make_trouble(&mut self) {
        if self.now >= self.calm_from {
            return;
        }
        self.after(500, Event::Trouble);
        if !self.dice.chance(self.harshness * 10) {
            return;
        }
        let worker = self.dice.roll(self.workers.len() as u64) as usize;
        match self.dice.roll(8) {
            0 | 1 => self.kill_worker(worker),
            2 => self.kill_scheduler(),
            3 | 4 => self.break_link(worker),
            5 => self.workers[worker].stopped_until = self.now + self.seconds(40),
            6 if self.workers.len() < 8 => self.add_worker(),
            _ => self.drain_worker(worker),
        }
    }

    fn seconds(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.dice.roll(most * 1000))
    }

    /// Whether it is right that so many data of a task that is done are dead: just those that kill,
    /// and those that were at the wrong place too often.
    fn are_rightly_dead(&self, key: TaskKey, dead: u64) -> bool {
        let Nature::Sound(killers) = &self.natures[&key] else { return false };
        let unlucky = |ordinal: &u64| {
            let times = self.victims.get(&(key, *ordinal)).copied().unwrap_or(0);
            times >= CHARGES_MAX && !killers.contains(ordinal)
        };
        let unlucky = (1..=DATA).filter(unlucky).count() as u64;
        let killers = killers.len() as u64;
        (killers..=killers + unlucky).contains(&dead)
    }

    /// Every task is done once, with its output stored, or set aside for good reasons.
    fn judge(&mut self) -> Result<(), String> {
        let ledger = self.scheduler.ledger();
        let all = (0..self.tasks).map(partition).chain((0..self.buckets).map(bucket));
        for (number, part) in all.enumerate() {
            let key = part.key();
            match (ledger.done.get(&key).map(Vec::as_slice), ledger.set_aside.get(&key)) {
                (Some([dead]), None) if self.store.contains(&key) => {
                    if !self.are_rightly_dead(key, *dead) {
                        return Err(format!("task {number}: {dead} of its data are dead"));
                    }
                    self.history.poison += dead;
                }
                // What was done may still break its workers when its pieces are made again.
                (done, Some(letter)) if done.is_none() || part.stage + 1 < self.stages() => {
                    if letter.charges.iter().any(|charge| charge.reason.is_empty()) {
                        return Err(format!("task {number} is set aside without a reason"));
                    }
                    let killed = |(task, _): &&(TaskKey, u64)| *task == key;
                    let unlucky = self.victims.keys().filter(killed).count() > 0;
                    if matches!(self.natures[&key], Nature::Sound(_)) && !unlucky {
                        return Err(format!("task {number} is set aside: {:?}", letter.charges));
                    }
                    self.history.set_aside += 1;
                }
                (done, aside) => {
                    return Err(format!(
                        "task {number}: done {done:?} times, set aside {aside:?}, stored {}",
                        self.store.contains(&key)
                    ));
                }
            }
        }
        let once = ledger.set_aside.keys().filter(|key| !ledger.done.contains_key(key));
        let known = ledger.done.len() as u64 + once.count() as u64;
        let all = self.tasks + self.buckets;
        if known == all { Ok(()) } else { Err(format!("{known} tasks of {all}")) }
    }
}

#[allow(clippy::disallowed_methods, reason = "some instant to begin at")]
fn epoch() -> Instant {
    Instant::now()
}

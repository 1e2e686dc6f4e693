//! Who gets what: ready tasks go to the worker that will have done its own first; what waits at a
//! busy worker is asked back for an idle one.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use super::lease::{GRANT_MAX, Lease, WorkerName};
use super::state::{Foreman, Output, Phase, Worker, lease_time};
use super::task::{Blame, State};

/// Leases are asked back only where they would wait longer than this: twice the round trip of a
/// slow network.
pub const STEAL_GAIN_MIN: Duration = Duration::from_millis(4);

impl Worker {
    /// How long a task granted now would wait, microseconds.
    fn wait_micros(&self) -> u64 {
        let (held, slots) = (self.held.len() as u64, u64::from(self.load.slots.max(1)));
        self.load.task_micros.max(1).saturating_mul(held) / slots
    }

    /// Leases that it holds and cannot work on yet.
    fn unstarted(&self) -> usize {
        self.held.len().saturating_sub(self.load.slots as usize)
    }

    /// Threads without work.
    fn idle_slots(&self) -> usize {
        (self.load.slots as usize).saturating_sub(self.held.len()).min(self.room())
    }
}

impl Foreman {
    /// Hands ready tasks to whoever has room.
    pub(super) fn assign(&mut self, now: Instant) {
        if self.phase != Phase::Running {
            return;
        }
        let mut grants: BTreeMap<WorkerName, Vec<Lease>> = BTreeMap::new();
        let stage = self.present_stage();
        let mut none = VecDeque::new();
        let ready = self.ready.get_mut(&stage).unwrap_or(&mut none);
        while let Some(&key) = ready.front() {
            let Some(task) = self.tasks.get_mut(&key).filter(|t| matches!(t.state, State::Ready))
            else {
                ready.pop_front();
                continue;
            };
            let blame = self.blames.get(&key);
            let Some((name, worker)) = choose(&mut self.workers, blame) else { break };
            ready.pop_front();
            worker.held.insert(key, 0);
            task.attempt += 1;
            let expiry = now + lease_time(worker.load);
            task.state = State::Leased { worker: name.clone(), expiry };
            let (attempt, epoch) = (task.attempt, self.epoch);
            let (partition, alone) = (task.partition.clone(), blame.is_some());
            let poison = blame.map(|blame| blame.poison.clone()).unwrap_or_default();
            let lease = Lease { key, attempt, epoch, partition, alone, poison };
            match grants.get_mut(name) {
                Some(leases) => leases.push(lease),
                None => drop(grants.insert(name.clone(), vec![lease])),
            }
        }
        for (worker, mut leases) in grants {
            while leases.len() > GRANT_MAX {
                let rest = leases.split_off(GRANT_MAX);
                let full = std::mem::replace(&mut leases, rest);
                self.outputs.push_back(Output::Grant { worker: worker.clone(), leases: full });
            }
            self.outputs.push_back(Output::Grant { worker, leases });
        }
        self.steal();
    }

    /// Asks the worker with the longest queue for half of it when another has nothing to do.
    fn steal(&mut self) {
        let waits = |stage| self.ready.get(&stage).is_some_and(|ready| !ready.is_empty());
        if waits(self.present_stage())
            || self.workers.values().all(|worker| worker.idle_slots() == 0)
        {
            return;
        }
        let busy = self.workers.iter_mut().filter(|(_, w)| w.unstarted() > 0 && !w.recalled);
        let Some((name, worker)) = busy.max_by_key(|(_, worker)| worker.wait_micros()) else {
            return;
        };
        if u128::from(worker.wait_micros()) < STEAL_GAIN_MIN.as_micros() {
            return;
        }
        worker.recalled = true;
        let count = worker.unstarted().div_ceil(2).min(GRANT_MAX) as u32;
        self.outputs.push_back(Output::Recall { worker: name.clone(), count });
    }
}

/// The worker for a task: one that it has not broken yet, if there is one with room.
fn choose<'a>(
    workers: &'a mut BTreeMap<WorkerName, Worker>,
    blame: Option<&Blame>,
) -> Option<(&'a WorkerName, &'a mut Worker)> {
    let broken = |name: &str| blame.is_some_and(|blame| blame.names(name));
    let with_room = workers.iter_mut().filter(|(_, worker)| worker.room() > 0);
    with_room.min_by_key(|(name, worker)| (broken(name), worker.wait_micros()))
}

//! One task, and what is held against it.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::lease::{FailureClass, Poison, TaskDatum, WorkerName};
use crate::workflow::partition::{Partition, TaskKey};

/// Attempts that a store or network may fail before the job ends.
pub const TRANSIENT_ATTEMPTS_MAX: u32 = 5;
/// Attempts that may find pieces of the stage before missing before the job ends.
pub const MISSING_ATTEMPTS_MAX: u32 = 20;
/// Times that a datum alone may break the process of its worker before it is poison, and a task
/// its worker, where no datum is known, before it is set aside.
pub const CHARGES_MAX: usize = 3;
/// Deaths that nobody saw which count as much as one that somebody saw: a person may have ended
/// those, but hardly ever over the same datum.
pub(super) const UNSEEN_PER_CHARGE: usize = 2;
/// Data of a task that may be poison; with more it is set aside.
pub const POISON_MAX: usize = 64;
/// Charges that are kept against a task; with more it is set aside, for no datum of it is to blame.
pub const CHARGES_KEPT_MAX: usize = 64;
/// First pause before a task is tried again; doubled each time.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(100);

/// One time that a task broke its worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The worker that it broke.
    pub worker: WorkerName,
    /// The lease under which it did, counted from 1.
    pub attempt: u32,
    /// What happened.
    pub reason: String,
    /// The datum that was in work, where that is known.
    #[serde(default)]
    pub datum: Option<TaskDatum>,
    /// Whether it can have been nothing else: nothing else was in work.
    #[serde(default)]
    pub alone: bool,
    /// Whether nobody saw how the process died.
    #[serde(default)]
    pub unseen: bool,
}

/// A task that is set aside because it keeps breaking workers. It can be queued anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeadLetter {
    /// The task.
    pub key: TaskKey,
    /// What it would have been done on.
    pub partition: Partition,
    /// How often it was leased.
    pub attempts: u32,
    /// What it did.
    pub charges: Vec<Charge>,
}

impl DeadLetter {
    /// What happened last.
    pub fn reason(&self) -> &str {
        self.charges.last().map_or("no reason was given", |charge| &charge.reason)
    }
}

#[derive(Debug)]
pub(super) enum State {
    Ready,
    Leased { worker: WorkerName, expiry: Instant },
    Backoff { until: Instant },
}

#[derive(Debug)]
pub(super) struct Task {
    pub(super) partition: Partition,
    pub(super) state: State,
    pub(super) attempt: u32,
    pub(super) transient_failures: u32,
    pub(super) missing: u32,
    /// How often it was lost with its worker.
    pub(super) lost: u32,
    /// Whether what it brings was counted before: it is done again for its pieces.
    pub(super) counted: bool,
}

/// What follows from a failure.
pub(super) enum Verdict {
    /// It is tried again.
    Again,
    /// It is charged.
    Charged,
    /// The job ends.
    JobFails,
}

impl Task {
    pub(super) fn new(partition: Partition, attempt: u32) -> Self {
        let (transient_failures, missing, lost, counted) = (0, 0, 0, false);
        let state = State::Ready;
        Self { partition, state, attempt, transient_failures, missing, lost, counted }
    }

    pub(super) fn is_leased_to(&self, name: &str) -> bool {
        matches!(&self.state, State::Leased { worker, .. } if worker == name)
    }

    /// What follows from a failure on a worker; one that is tried again pauses first.
    pub(super) fn failed(&mut self, now: Instant, class: FailureClass) -> Verdict {
        let (verdict, pause) = match class {
            FailureClass::Permanent => (Verdict::JobFails, BACKOFF_FIRST),
            FailureClass::Transient | FailureClass::Mendable => {
                self.transient_failures += 1;
                let failures = self.transient_failures;
                let over = failures >= TRANSIENT_ATTEMPTS_MAX;
                let verdict = if over { Verdict::JobFails } else { Verdict::Again };
                (verdict, BACKOFF_FIRST * 2_u32.pow(failures.min(TRANSIENT_ATTEMPTS_MAX) - 1))
            }
            FailureClass::Missing => {
                self.missing += 1;
                let over = self.missing >= MISSING_ATTEMPTS_MAX;
                let verdict = if over { Verdict::JobFails } else { Verdict::Again };
                (verdict, BACKOFF_FIRST * 2_u32.pow(self.missing.min(TRANSIENT_ATTEMPTS_MAX)))
            }
            FailureClass::Panic => (Verdict::Charged, BACKOFF_FIRST),
        };
        self.state = State::Backoff { until: now + pause };
        verdict
    }
}

/// What is held against a task. It outlives the task: one may be charged before it is offered, and
/// be done again after it was done.
#[derive(Debug, Default)]
pub(super) struct Blame {
    pub(super) charges: Vec<Charge>,
    pub(super) poison: Vec<Poison>,
    /// Whether it is to be set aside.
    is_over: bool,
}

impl Blame {
    /// Holds it against the task that it broke a worker, or against the datum that did.
    pub(super) fn add(&mut self, charge: Charge) {
        // News of a lease that did not say so yet.
        if self.poison.iter().any(|known| Some(&known.datum) == charge.datum.as_ref()) {
            return;
        }
        let (datum, reason) = (charge.datum.clone(), charge.reason.clone());
        self.charges.push(charge);
        let alike = self.charges.iter().filter(|charge| charge.alone && charge.datum == datum);
        let weights = alike.map(|charge| if charge.unseen { 1 } else { UNSEEN_PER_CHARGE });
        let (times, weight) = weights.fold((0, 0), |(times, sum), one| (times + 1, sum + one));
        if weight >= CHARGES_MAX * UNSEEN_PER_CHARGE {
            match datum {
                Some(datum) if self.poison.len() < POISON_MAX => {
                    self.charges.retain(|charge| charge.datum.as_ref() != Some(&datum));
                    let reason = format!("{reason}, {times} times");
                    self.poison.push(Poison { datum, reason });
                }
                _ => self.is_over = true,
            }
        }
        self.is_over |= self.charges.len() > CHARGES_KEPT_MAX;
    }

    /// Whether the task is to be set aside.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether it broke this worker.
    pub(super) fn names(&self, worker: &str) -> bool {
        self.charges.iter().any(|charge| charge.worker == worker)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deaths_that_nobody_saw_count_half() {
        let charge = |unseen| {
            let datum = Some(TaskDatum { ordinal: 7, name: "a".into() });
            let (worker, reason) = ("w".into(), "it broke".into());
            Charge { worker, attempt: 1, reason, datum, alone: true, unseen }
        };
        let ends = [&[false; 3][..], &[true; 6], &[true, false, true, true, false]];
        for unseen in ends {
            let mut blame = Blame::default();
            for (number, &unseen) in unseen.iter().enumerate() {
                assert_eq!(blame.poison.len(), 0, "{number}");
                blame.add(charge(unseen));
            }
            let reasons: Vec<&str> = blame.poison.iter().map(|one| one.reason.as_str()).collect();
            assert_eq!(reasons, [format!("it broke, {} times", unseen.len())]);
            assert!(!blame.is_over() && blame.charges.is_empty());
        }
    }
}

//! One task, and what is held against it.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::lease::{FailureClass, WorkerName};
use crate::workflow::partition::{Partition, TaskKey};

/// Attempts that a store or network may fail before the job ends.
pub const TRANSIENT_ATTEMPTS_MAX: u32 = 5;
/// Attempts that may find pieces of the stage before missing before the job ends.
pub const MISSING_ATTEMPTS_MAX: u32 = 20;
/// Times a task may break its worker before it is set aside.
pub const CHARGES_MAX: usize = 3;
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
    /// What it did, [`CHARGES_MAX`] times.
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
    pub(super) charges: Vec<Charge>,
    /// Whether what it brings was counted before: it is done again for its pieces.
    pub(super) counted: bool,
}

/// What follows from a failure.
pub(super) enum Verdict {
    /// It is tried again.
    Again,
    /// It is set aside.
    SetAside,
    /// The job ends.
    JobFails,
}

impl Task {
    pub(super) fn new(partition: Partition, attempt: u32) -> Self {
        let (state, charges) = (State::Ready, Vec::new());
        let (transient_failures, missing, counted) = (0, 0, false);
        Self { partition, state, attempt, transient_failures, missing, charges, counted }
    }

    pub(super) fn is_leased_to(&self, name: &str) -> bool {
        matches!(&self.state, State::Leased { worker, .. } if worker == name)
    }

    /// Holds it against the task that it broke a worker.
    pub(super) fn charge(&mut self, worker: &str, reason: String) -> Verdict {
        let attempt = self.attempt;
        self.charges.push(Charge { worker: worker.to_owned(), attempt, reason });
        if self.charges.len() >= CHARGES_MAX { Verdict::SetAside } else { Verdict::Again }
    }

    /// What follows from a failure on a worker; one that is tried again pauses first.
    pub(super) fn failed(
        &mut self,
        now: Instant,
        worker: &str,
        class: FailureClass,
        reason: &str,
    ) -> Verdict {
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
            FailureClass::Panic => (self.charge(worker, reason.to_owned()), BACKOFF_FIRST),
        };
        self.state = State::Backoff { until: now + pause };
        verdict
    }

    pub(super) fn into_letter(self, key: TaskKey) -> DeadLetter {
        let Self { partition, attempt, charges, .. } = self;
        DeadLetter { key, partition, attempts: attempt, charges }
    }
}

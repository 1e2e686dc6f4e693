//! Group commit: writers that wait at the same time share one transaction and one sync.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use redb::{Database, WriteTransaction};

use super::fault::{self, failed};
use super::job::{Answer, Job};
use crate::error::{Error, Result};

/// Bytes of documents that one transaction takes on before it commits.
const GROUP_BYTES_MAX: usize = 32 * 1024 * 1024;

/// The database with the writers that wait for it. Whoever finds it idle commits for all.
#[derive(Debug)]
pub(super) struct Committer {
    database: Database,
    queue: Mutex<Queue>,
    turn: Condvar,
    /// Why the database takes no more writes, until the store is opened again.
    disk: OnceLock<Error>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<(u64, Job)>,
    answers: BTreeMap<u64, Result<Answer>>,
    busy: bool,
    next_ticket: u64,
}

impl Committer {
    pub(super) fn new(database: Database) -> Self {
        Self { database, queue: Mutex::default(), turn: Condvar::new(), disk: OnceLock::new() }
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries out a job; on return it is durable, or nothing of it is there.
    pub(super) fn submit(&self, job: Job) -> Result<Answer> {
        let mut queue = self.lock();
        let ticket = queue.next_ticket;
        queue.next_ticket += 1;
        queue.waiting.push_back((ticket, job));
        loop {
            if let Some(answer) = queue.answers.remove(&ticket) {
                return answer;
            }
            if queue.busy {
                queue = self.turn.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            queue.busy = true;
            let group = queue.next_group();
            drop(queue);
            let mut turn = Turn { committer: self, group, answers: Vec::new() };
            turn.answers = self.commit(&turn.group);
            drop(turn);
            queue = self.lock();
        }
    }

    fn commit(&self, group: &[(u64, Job)]) -> Vec<Result<Answer>> {
        let outcome = self.database.begin_write().map_err(failed("begin a transaction"));
        let outcome = outcome.and_then(|transaction| self.carry_out(transaction, group));
        match outcome.map_err(|error| self.first_cause(error)) {
            Ok(answers) => answers.into_iter().map(Ok).collect(),
            Err(error) if group.len() == 1 => vec![Err(error)],
            Err(error) => group.iter().map(|_| Err(fault::shared(&error))).collect(),
        }
    }

    /// After a failed write the database refuses all others: the reason is that of the first.
    fn first_cause(&self, error: Error) -> Error {
        match &error {
            Error::Disk { .. } => fault::shared(self.disk.get_or_init(|| fault::shared(&error))),
            _ => self.disk.get().map_or(error, fault::shared),
        }
    }

    /// Leaving early drops the transaction, which undoes it.
    fn carry_out(
        &self,
        transaction: WriteTransaction,
        group: &[(u64, Job)],
    ) -> Result<Vec<Answer>> {
        let answers = group.iter().map(|(_, job)| job.run(&transaction)).collect::<Result<_>>()?;
        transaction.commit().map_err(failed("commit"))?;
        Ok(answers)
    }
}

impl Queue {
    /// The jobs of the next transaction; one that may fail stands alone.
    fn next_group(&mut self) -> Vec<(u64, Job)> {
        let mut group: Vec<(u64, Job)> = Vec::new();
        let mut bytes = 0;
        while let Some((_, job)) = self.waiting.front() {
            bytes += job.bytes();
            let joins = bytes <= GROUP_BYTES_MAX && !job.stands_alone();
            if !group.is_empty() && !joins {
                break;
            }
            let alone = job.stands_alone();
            group.extend(self.waiting.pop_front());
            if alone {
                break;
            }
        }
        group
    }
}

/// Hands the answers out and the turn on, even where the work panicked.
struct Turn<'c> {
    committer: &'c Committer,
    group: Vec<(u64, Job)>,
    answers: Vec<Result<Answer>>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.committer.lock();
        let mut answers = std::mem::take(&mut self.answers).into_iter();
        for (ticket, _) in &self.group {
            let lost = || Err(Error::store("embedded", "commit")("the writer panicked"));
            queue.answers.insert(*ticket, answers.next().unwrap_or_else(lost));
        }
        queue.busy = false;
        drop(queue);
        self.committer.turn.notify_all();
    }
}

//! The bounded pool of threads that compute. They may block; they never poll sockets.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use mspass_core::process::runner::panic_text;

use super::actor::{Computed, Stored};
use super::pieces::PieceAccess;
use super::slate::Slate;
use super::state::Finished;
use crate::clock;
use crate::db_proxy::ProxyStore;
use crate::db_proxy::messages::Save;
use crate::error::Result;
use crate::foreman::lease::{FailureClass, Lease, TaskEnd, Token};
use crate::mailbox::Mailbox;
use crate::runtime::{Waiter, spawn_thread};
use crate::workflow::partition::Partition;
use crate::workflow::stage::{Bench, Stage, StageFault, TaskOutput};
use crate::workflow::tally::Tally;

/// How long a thread keeps to itself what it has done of a chunk.
const REPORT_PAUSE: Duration = Duration::from_millis(5);

/// What a worker does with its tasks: the workflow of an archive ([`Stage`]), or any other work
/// that a partition names.
pub trait Runner: Send + Sync + fmt::Debug + 'static {
    /// Name of the job.
    fn job(&self) -> &str;

    /// Does one task; called on a compute thread, which it may block.
    ///
    /// # Errors
    /// [`StageFault::Store`] when it may do better another time, [`StageFault::Broken`] when it
    /// may break again. Bad data are no error: they die, and are counted.
    fn run(&self, partition: &Partition, bench: &mut Bench) -> Result<TaskOutput, StageFault>;
}

impl Runner for Stage {
    fn job(&self) -> &str {
        Self::job(self)
    }

    fn run(&self, partition: &Partition, bench: &mut Bench) -> Result<TaskOutput, StageFault> {
        Self::run(self, partition, bench)
    }
}

/// Where computed tasks are reported.
#[derive(Clone, Debug)]
pub(super) struct Reports {
    pub(super) waiter: Waiter,
    pub(super) store: ProxyStore,
    pub(super) computed: Mailbox<Computed>,
    pub(super) stored: Mailbox<Stored>,
}

/// Starts `threads` threads that take leases from the channel returned; they end with it. Each may
/// use so many bytes for a group of pieces. `reports` is set before the first lease is sent.
pub(super) fn start(
    threads: usize,
    runner: &Arc<impl Runner>,
    store: &ProxyStore,
    (slate, pieces): (&Arc<Slate>, (&PieceAccess, usize)),
    reports: &Arc<OnceLock<Reports>>,
) -> Result<SyncSender<Vec<Lease>>> {
    let (leases, when_leased) = sync_channel(threads);
    let queue = Arc::new(Mutex::new(when_leased));
    for number in 0..threads {
        let (queue, runner) = (Arc::clone(&queue), Arc::clone(runner));
        let (reports, pen) = (Arc::clone(reports), slate.pen(number));
        let (database, access, bytes) = (store.database(), pieces.0.clone(), pieces.1);
        let new_bench = move || {
            Bench::new(database.clone()).noting_on(pen.clone()).with_pieces(access.clone(), bytes)
        };
        spawn_thread(&format!("compute-{number}"), move || {
            work(&queue, &*runner, &new_bench, &reports);
        })?;
    }
    Ok(leases)
}

fn work(
    queue: &Mutex<Receiver<Vec<Lease>>>,
    runner: &impl Runner,
    new_bench: &impl Fn() -> Bench,
    reports: &OnceLock<Reports>,
) {
    let mut bench = new_bench();
    loop {
        let leases = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let (Ok(leases), Some(reports)) = (leases, reports.get()) else { return };
        let mut chunk = Chunk::begin(reports);
        for lease in leases {
            bench.begin(runner.job(), &lease);
            let run = catch_unwind(AssertUnwindSafe(|| runner.run(&lease.partition, &mut bench)));
            bench.end();
            let result = run.unwrap_or_else(|panic| {
                bench = new_bench();
                let text = panic_text(panic.as_ref());
                Err(StageFault::Broken(format!("the task panicked outside its steps: {text}")))
            });
            chunk.add(lease.token(), result);
        }
        chunk.tell(true);
    }
}

/// What a thread has done of what it was given.
struct Chunk<'a> {
    reports: &'a Reports,
    tasks: Vec<Finished>,
    told: Instant,
    /// When the task in work began.
    began: Instant,
}

impl<'a> Chunk<'a> {
    fn begin(reports: &'a Reports) -> Self {
        let now = clock::now();
        Self { reports, tasks: Vec::new(), told: now, began: now }
    }

    fn add(&mut self, token: Token, result: Result<TaskOutput, StageFault>) {
        let now = clock::now();
        let micros = now.saturating_duration_since(self.began).as_micros();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        self.began = now;
        let (bytes, end) = match result {
            Ok(TaskOutput { tally, save }) if save.is_empty() => {
                (0, Some(TaskEnd::Done(Box::new(tally))))
            }
            Ok(TaskOutput { tally, save }) => {
                let bytes = save.blob_bytes() as u64;
                self.reports.store(token, tally, save);
                (bytes, None)
            }
            Err(fault) => (0, Some(failed(fault))),
        };
        self.tasks.push(Finished { token, bytes, micros, end });
        if now.saturating_duration_since(self.told) > REPORT_PAUSE {
            self.tell(false);
            self.told = now;
        }
    }

    fn tell(&mut self, thread_free: bool) {
        let computed = Computed { tasks: std::mem::take(&mut self.tasks), thread_free };
        let mailbox = &self.reports.computed;
        let Err(full) = mailbox.try_tell(computed) else { return };
        let mailbox = mailbox.clone();
        self.reports.waiter.spawn(async move {
            let _ = mailbox.tell(full.0).await;
        });
    }
}

fn failed(fault: StageFault) -> TaskEnd {
    let (class, reason) = match fault {
        StageFault::Store(reason) => (FailureClass::Transient, reason),
        StageFault::Refused(reason) => (FailureClass::Mendable, reason),
        StageFault::Broken(reason) => (FailureClass::Panic, reason),
        StageFault::Missing(reason) => (FailureClass::Missing, reason),
    };
    TaskEnd::Failed { class, reason }
}

impl Reports {
    /// Has an output stored while the thread goes on.
    fn store(&self, token: Token, tally: Tally, save: Save) {
        let Self { stored, store, .. } = self.clone();
        self.waiter.spawn(async move {
            let end = match store.save(save).await {
                Ok(()) => TaskEnd::Done(Box::new(tally)),
                Err(error) => failed(error.into()),
            };
            let _ = stored.tell(Stored { token, end }).await;
        });
    }
}

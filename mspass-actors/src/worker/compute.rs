//! The bounded pool of threads that compute. They may block; they never poll sockets.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use mspass_core::process::runner::panic_text;
use mspass_io::store::Database;

use super::actor::{Computed, Stored};
use super::slate::{Pen, Slate};
use crate::db_proxy::ProxyStore;
use crate::error::Result;
use crate::foreman::lease::{FailureClass, Lease, TaskEnd, Token};
use crate::mailbox::Mailbox;
use crate::runtime::{Waiter, spawn_thread};
use crate::workflow::stage::{Bench, Stage, StageFault, TaskOutput};

/// Where computed tasks are reported.
#[derive(Clone, Debug)]
pub(super) struct Reports {
    pub(super) waiter: Waiter,
    pub(super) store: ProxyStore,
    pub(super) computed: Mailbox<Computed>,
    pub(super) stored: Mailbox<Stored>,
}

/// Starts `threads` threads that take leases from the channel returned; they end with it. `reports`
/// is set before the first lease is sent.
pub(super) fn start(
    threads: usize,
    stage: &Arc<Stage>,
    store: &ProxyStore,
    slate: &Arc<Slate>,
    reports: &Arc<OnceLock<Reports>>,
) -> Result<SyncSender<Lease>> {
    let (leases, when_leased) = sync_channel(threads);
    let queue = Arc::new(Mutex::new(when_leased));
    for number in 0..threads {
        let (queue, stage, reports) = (Arc::clone(&queue), Arc::clone(stage), Arc::clone(reports));
        let (database, pen) = (store.database(), slate.pen(number));
        spawn_thread(&format!("compute-{number}"), move || {
            work(&queue, &stage, &database, &pen, &reports);
        })?;
    }
    Ok(leases)
}

fn work(
    queue: &Mutex<Receiver<Lease>>,
    stage: &Stage,
    database: &Database,
    pen: &Pen,
    reports: &OnceLock<Reports>,
) {
    let new_bench = || Bench::new(database.clone()).noting_on(pen.clone());
    let mut bench = new_bench();
    loop {
        let lease = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(lease) = lease else { return };
        pen.begin(stage.job(), lease.key);
        let run = catch_unwind(AssertUnwindSafe(|| stage.run(&lease.partition, &mut bench)));
        let result = run.unwrap_or_else(|panic| {
            bench = new_bench();
            let text = panic_text(panic.as_ref());
            Err(StageFault::Broken(format!("the task panicked outside its steps: {text}")))
        });
        pen.end();
        if let Some(reports) = reports.get() {
            reports.report(lease.token(), result);
        }
    }
}

impl Reports {
    /// Frees the thread at once and has the output stored meanwhile.
    fn report(&self, token: Token, result: Result<TaskOutput, StageFault>) {
        let (bytes, output) = match result {
            Ok(TaskOutput { tally, save }) => (save.blob_bytes(), Ok((tally, save))),
            Err(fault) => (0, Err(fault)),
        };
        let Self { computed, stored, store, .. } = self.clone();
        self.waiter.spawn(async move {
            if computed.tell(Computed { token, bytes }).await.is_err() {
                return;
            }
            let end = match output {
                Ok((tally, save)) => match store.save(save).await {
                    Ok(()) => TaskEnd::Done(Box::new(tally)),
                    Err(error) => {
                        let reason = error.to_string();
                        TaskEnd::Failed { class: FailureClass::Transient, reason }
                    }
                },
                Err(StageFault::Store(reason)) => {
                    TaskEnd::Failed { class: FailureClass::Transient, reason }
                }
                Err(StageFault::Broken(reason)) => {
                    TaskEnd::Failed { class: FailureClass::Poison, reason }
                }
            };
            let _ = stored.tell(Stored { token, bytes, end }).await;
        });
    }
}

//! Every role in one process: the same foreman, worker and db-proxy as on a cluster, joined by
//! local mailboxes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mspass_actors::db_proxy::{DbProxy, ProxyStore};
use mspass_actors::foreman::ForemanActor;
use mspass_actors::foreman::lease::JobSpec;
use mspass_actors::job::{self, Driver};
use mspass_actors::runtime::Runtime;
use mspass_actors::worker::memory::Budget;
use mspass_actors::worker::slate::{Death, Slate};
use mspass_actors::worker::{ToForeman, WorkerActor, WorkerOptions};
use mspass_actors::workflow::stage::Stage;
use mspass_actors::{Error, Result};
use mspass_io::store::Database;

use crate::process::last_exit;

/// Memory that running tasks and outputs not yet stored may take.
pub const WORKER_MEMORY_BYTES: u64 = 128 << 20;

/// Part of a worker's memory that its threads may use together for groups as a whole.
const GROUPS_SHARE: u64 = 4;

/// Bytes that each thread of a worker with this budget may use for a group as a whole.
pub(crate) fn group_bytes(budget: u64, threads: usize) -> u64 {
    budget / GROUPS_SHARE / threads.max(1) as u64
}

/// Part of a process's memory that tasks in work and outputs not yet stored may take.
const TASKS_SHARE: u64 = 4;

/// The folder of a job's workers: `work` beside that of the journals.
fn work_folder(journal: &Path) -> PathBuf {
    let jobs = journal.parent().unwrap_or(Path::new("."));
    jobs.parent().filter(|_| jobs.ends_with("jobs")).unwrap_or(jobs).join("work")
}

/// The slate of a worker of a job in one process: what it works on, for the process after this one.
pub(crate) fn slate_path(journal: &Path, worker: usize) -> PathBuf {
    let job = journal.file_stem().unwrap_or_default().to_string_lossy();
    work_folder(journal).join(format!("{job}-{worker}.slate"))
}

/// A cluster of one process, around a database that its db-proxy holds.
///
/// Dropping it ends its threads; what was acknowledged is stored.
#[derive(Debug)]
pub struct LocalCluster {
    store: ProxyStore,
    runtime: Runtime,
    budget: u64,
    slates: Mutex<Vec<Arc<Slate>>>,
}

impl Drop for LocalCluster {
    /// What is in work is given up, not died of.
    fn drop(&mut self) {
        let slates = self.slates.get_mut().unwrap_or_else(PoisonError::into_inner);
        slates.iter().for_each(|slate| slate.close());
    }
}

impl LocalCluster {
    /// Starts the db-proxy.
    pub fn start(database: Database) -> Result<Self> {
        let runtime = Runtime::start("mspass")?;
        let proxy = DbProxy::start(&runtime, database)?;
        let store = ProxyStore::new(runtime.waiter(), &proxy);
        let (budget, slates) = (Budget::find(None, 1).bytes, Mutex::default());
        Ok(Self { store, runtime, budget, slates })
    }

    /// With so many bytes of memory for its workers together; else they have what the control group
    /// or the machine has.
    #[must_use]
    pub fn with_budget(mut self, bytes: u64) -> Self {
        self.budget = bytes;
        self
    }

    /// The database, through the proxy's mailbox.
    pub fn database(&self) -> Database {
        self.store.database()
    }

    /// The thread that actors live on.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// Begins a job or goes on with it: starts its foreman and a worker of `threads` threads.
    ///
    /// # Errors
    /// [`mspass_actors::Error::Refused`] when the job of this name had other steps.
    pub fn submit(
        &self,
        stage: &Arc<Stage>,
        journal: &Path,
        threads: usize,
        fresh: bool,
    ) -> Result<Driver> {
        self.submit_to(stage, journal, &[threads], fresh)
    }

    /// The same with several workers, each of so many threads.
    ///
    /// # Errors
    /// As [`Self::submit`].
    pub fn submit_to(
        &self,
        stage: &Arc<Stage>,
        journal: &Path,
        workers: &[usize],
        fresh: bool,
    ) -> Result<Driver> {
        let database = self.database();
        let opened = job::open(&database, stage, journal, fresh)?;
        let job = stage.job().to_owned();
        let stages = stage.workflow().stage_count();
        let spec = JobSpec { job, epoch: opened.epoch, stages, ..JobSpec::default() };
        let foreman = ForemanActor::start(&self.runtime, &spec, opened.journal);
        let driver = Driver::new(self.runtime.waiter(), &foreman);
        driver.plan(&database, stage, opened.progress)?;
        let to_foreman = ToForeman::of(&foreman);
        let tasks = WORKER_MEMORY_BYTES.min(self.budget / TASKS_SHARE);
        let (slates, mut death) = slates(journal, workers, fresh)?;
        let mut own = self.slates.lock().unwrap_or_else(PoisonError::into_inner);
        own.extend(slates.iter().cloned());
        drop(own);
        for ((number, &threads), slate) in (1..).zip(workers).zip(slates) {
            let options = WorkerOptions {
                name: format!("worker-{number}"),
                threads,
                memory_bytes_max: tasks / workers.len().max(1) as u64,
                group_bytes_max: group_bytes(self.budget / workers.len().max(1) as u64, threads),
                folder: work_folder(journal),
                budget: None,
            };
            let slate = (slate, std::mem::take(&mut death));
            WorkerActor::start(&self.runtime, &options, stage, &self.store, &to_foreman, slate)?;
        }
        Ok(driver)
    }
}

/// Slates for the workers of a job, and what was in work when the process before this one died. A
/// job that starts over has nothing that could be to blame.
fn slates(journal: &Path, workers: &[usize], fresh: bool) -> Result<(Vec<Arc<Slate>>, Death)> {
    let (mut slates, mut suspects) = (Vec::new(), Vec::new());
    for (number, &threads) in (1..).zip(workers) {
        let path = slate_path(journal, number);
        let opened = Slate::of_tasks(&path, threads);
        let (slate, before) =
            opened.map_err(|error| Error::Journal { path, reason: error.to_string() })?;
        slates.push(slate);
        suspects.extend(before);
    }
    if fresh {
        suspects.clear();
    }
    Ok((slates, Death::of(suspects, last_exit())))
}

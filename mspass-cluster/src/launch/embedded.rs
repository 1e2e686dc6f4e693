//! A cluster inside a host that has a runtime of its own: whoever awaits is never blocked, and
//! several clusters live side by side in one process.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mspass_actors::foreman::JobStatus;
use mspass_actors::runtime::{Runtime, spawn_thread};
use mspass_actors::workflow::Workflow;
use mspass_actors::workflow::stage::Stage;
use mspass_io::archive::{IndexOptions, ScanOptions, index};
use mspass_io::store::{Database, DatabaseName};
use tokio::sync::oneshot;

use super::LocalCluster;
use crate::desktop::signals::Interrupt;
use crate::desktop::{journal_path, make_workdir, own_build};
use crate::error::{Error, Result};

/// How often a job is asked where it stands.
const POLL: Duration = Duration::from_millis(20);

/// The roles of a cluster inside this process.
#[derive(Clone, Debug)]
pub struct Composition {
    /// The db: the database that it holds.
    pub db: DatabaseName,
    /// The scheduler: its workdir, with the journals from which jobs go on.
    pub scheduler: PathBuf,
    /// The workers: the compute threads of each.
    pub workers: Vec<usize>,
}

/// A job for a cluster inside this process.
#[derive(Clone, Debug)]
pub struct EmbeddedJob {
    /// Its name; one that was run before goes on where it stopped.
    pub name: String,
    /// Folder of the archive that the workflow's source names.
    pub archive: PathBuf,
    /// Delete exactly what the earlier job of this name wrote, and start over.
    pub fresh: bool,
}

/// A cluster inside this process; see [`Composition::start`].
///
/// Dropping it ends its threads, after which a new one may go on with its jobs; what was
/// acknowledged is stored. A job's name is in use until then.
pub struct EmbeddedCluster {
    local: Arc<LocalCluster>,
    workdir: PathBuf,
    workers: Vec<usize>,
}

impl fmt::Debug for EmbeddedCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("EmbeddedCluster");
        shown.field("workdir", &self.workdir).field("workers", &self.workers).finish()
    }
}

impl Composition {
    /// Opens the database and starts what does not depend on a job.
    ///
    /// # Errors
    /// One sentence where a folder cannot be written to, the database cannot be opened, or there
    /// is no worker.
    pub async fn start(self) -> Result<EmbeddedCluster> {
        if self.workers.is_empty() || self.workers.contains(&0) {
            let sentence = "a cluster needs a worker, and each worker a thread: name at least one";
            return Err(Error::Option(sentence.into()));
        }
        aside("compose", move |_| {
            let workdir = make_workdir(&self.scheduler)?;
            let local = Arc::new(LocalCluster::start(Database::open(&self.db)?)?);
            Ok(EmbeddedCluster { local, workdir, workers: self.workers })
        })
        .await
    }
}

impl EmbeddedCluster {
    /// The thread that its actors live on, and the host's own, if it has any.
    pub fn runtime(&self) -> &Runtime {
        self.local.runtime()
    }

    /// The database, through the db-proxy. Its calls block: none belongs on a thread that polls.
    pub fn database(&self) -> Database {
        self.local.database()
    }

    /// Indexes the archive, runs the workflow over it and gives the counts of the whole job. A
    /// future that is dropped meanwhile lets the job stop in good order.
    ///
    /// # Errors
    /// One sentence where the archive cannot be read, the job of this name had other steps or is
    /// being run, or it cannot go on.
    pub async fn run(&self, workflow: Workflow, job: EmbeddedJob) -> Result<JobStatus> {
        let (local, workers) = (Arc::clone(&self.local), self.workers.clone());
        let workdir = self.workdir.clone();
        aside("job", move |abandoned| {
            if let Some(pieces) = workflow.source().archive() {
                let readable = std::fs::read_dir(&job.archive).map(drop);
                let archive = job.archive.clone();
                readable.map_err(|error| Error::Archive { path: archive, error })?;
                let options = IndexOptions {
                    root: job.archive,
                    name: pieces.archive.clone(),
                    exclude: Some(workdir.clone()),
                    threads: workers.iter().sum(),
                    scan: ScanOptions::default(),
                };
                index(&local.database(), &options, &mut |_| ())?;
            }
            let journal = journal_path(&workdir, &job.name);
            let stage = Arc::new(Stage::new(workflow, &job.name).of_build(own_build()));
            let driver = local.submit_to(&stage, &journal, &workers, job.fresh)?;
            let (never, mut draining) = (Interrupt::default(), false);
            loop {
                let status = driver.status()?;
                if let Some(reason) = status.failure {
                    let mendable = status.mendable;
                    let end = if mendable { Error::Stopped } else { Error::Failed };
                    return Err(end(reason));
                }
                if status.finished || status.drained {
                    return Ok(status);
                }
                if abandoned() && !draining {
                    draining = true;
                    driver.drain()?;
                }
                never.pause(POLL);
            }
        })
        .await
    }

    /// Ends its threads and waits until they have.
    ///
    /// # Errors
    /// When the system refuses the thread that waits; the cluster ends nevertheless.
    pub async fn stop(self) -> Result<()> {
        aside("stop", move |_| {
            drop(self);
            Ok(())
        })
        .await
    }
}

/// Runs what blocks on a thread of its own; it may ask whether nobody waits for it any more.
async fn aside<T: Send + 'static>(
    name: &str,
    call: impl FnOnce(&dyn Fn() -> bool) -> Result<T> + Send + 'static,
) -> Result<T> {
    let (done, when_done) = oneshot::channel();
    let thread = spawn_thread(name, move || {
        let result = call(&|| done.is_closed());
        drop(done.send(result));
    })?;
    drop(thread);
    let broke = |_| Error::Failed(format!("the thread '{name}' broke; see its panic"));
    when_done.await.unwrap_or_else(|gone| Err(broke(gone)))
}

//! One program as a cluster: every role a process, found through the workdir or by address.
//!
//! - [`Workflows`]: what every node can build by name.
//! - [`run`]: the program; without a role it starts all of them here and submits its job, with
//!   `--role` it plays those.

mod db;
mod driver;
mod find;
mod launcher;
mod messages;
mod node;
mod scheduler;
mod status;
mod worker;
mod workflows;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mspass_actors::clock;
use mspass_actors::foreman::DeadLetter;
use mspass_actors::foreman::lease::JobSpec;
use mspass_actors::security::{Secret, Token};
use mspass_actors::workflow::partition::TaskKey;
use mspass_io::store::Database;

use crate::desktop::explain::explain_one;
use crate::desktop::replay::replay_one;
use crate::desktop::{DesktopOptions, program};
use crate::error::{Error, Result};
use crate::options::{ClusterOptions, Role, Settings, Surroundings};

pub use find::{SCHEDULER, STORE};
pub use messages::{AskCluster, AskProgress, ClusterStatus, DrainJob, JobRequest, NodeStatus};
pub use messages::{Progress, Refusal, Submit};
pub use node::{Member, connect};
pub use workflows::Workflows;

/// What a program of a cluster was told.
#[derive(Clone, Debug)]
pub struct ClusterProgram {
    /// Of the job, as on the desktop.
    pub desktop: DesktopOptions,
    /// Of the cluster.
    pub cluster: ClusterOptions,
    /// Set for the worker process that a worker's supervising parent starts.
    pub worker_child: Option<String>,
    /// Name of the workflow to run.
    pub workflow: String,
    /// Its parameters, as JSON text.
    pub parameters: String,
}

impl ClusterProgram {
    /// Its job.
    fn spec(&self) -> JobSpec {
        JobSpec {
            job: self.desktop.job.clone(),
            workflow: self.workflow.clone(),
            parameters: self.parameters.clone(),
            archive: self.desktop.archive_name.clone(),
            ..JobSpec::default()
        }
    }
}

/// Plays the roles that were asked for, or starts a whole cluster here and runs the job on it; the
/// program's exit code is the job's.
///
/// [`arguments`](crate::process::arguments) must have been called before anything else. `sample` is
/// processed when no archive was named.
pub fn run(program_of: &ClusterProgram, sample: &Path, workflows: Workflows) -> ExitCode {
    match play(program_of, sample, workflows) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("{}: {error}", program());
            ExitCode::from(error.exit_code())
        }
    }
}

/// What happens is told on standard error, warnings as a rule and more where `MSPASS_LOG` says so
/// (`info`, `debug`); a process that was started by a launcher tells its log file.
fn tell(level: &str) {
    let filter = std::env::var("MSPASS_LOG").unwrap_or_else(|_| level.to_owned());
    let filter = tracing_subscriber::EnvFilter::new(filter);
    let told = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A host that has its own keeps it.
    drop(told.try_init());
}

fn play(program_of: &ClusterProgram, sample: &Path, workflows: Workflows) -> Result<u8> {
    let ClusterProgram { desktop, cluster, .. } = program_of;
    let part = Part {
        cluster: cluster.clone(),
        workdir: desktop.workdir.clone(),
        db: desktop.db.clone(),
        workers: desktop.workers,
        memory_limit: desktop.memory_limit.clone(),
        worker_child: program_of.worker_child.clone(),
        prefix: Vec::new(),
    };
    if (desktop.replay.is_some() || desktop.explain) && part.worker_child.is_none() {
        let stage = workflows.stage(&program_of.spec())?;
        return match &desktop.replay {
            Some(id) => replay_one(desktop, stage, id),
            None => explain_one(desktop, sample, &stage),
        };
    }
    let settings = part.settings()?;
    let whole = settings.roles.is_empty() || settings.roles == Role::ALL;
    if part.worker_child.is_none() && whole {
        tell("error");
        return launcher::launch(program_of, &settings, sample, &workflows);
    }
    if part.worker_child.is_none() && settings.roles == [Role::Frontend] {
        tell("warn");
        return driver::drive(program_of, &settings, sample, &workflows);
    }
    play_part(&part, &workflows)
}

/// What a process that plays a part in a cluster was told.
#[derive(Clone, Debug)]
pub struct Part {
    /// Roles and addresses.
    pub cluster: ClusterOptions,
    /// The folder that all of the cluster see.
    pub workdir: PathBuf,
    /// `embedded`, `mongod` or a full name.
    pub db: String,
    /// Worker processes; 0 means not said.
    pub workers: usize,
    /// Memory of each worker process, as it was given.
    pub memory_limit: Option<String>,
    /// Set for the worker process that a worker's supervising parent starts.
    pub worker_child: Option<String>,
    /// Arguments that a process of this program needs before its flags: a subcommand, say.
    pub prefix: Vec<OsString>,
}

impl Part {
    fn settings(&self) -> Result<Settings> {
        let around = Surroundings {
            workdir: crate::desktop::make_workdir(&self.workdir)?,
            workdir_named: true,
            db: Some(self.db.clone()),
            workers: self.workers,
            memory_limit: self.memory_limit.clone(),
        };
        Settings::of(&self.cluster, &around)
    }
}

/// Plays the roles that a process was started for, until it is told to end; its exit code.
///
/// # Errors
/// One sentence: what cannot be, or what does not stay up.
pub fn play_part(part: &Part, workflows: &Workflows) -> Result<u8> {
    let settings = part.settings()?;
    tell("info");
    if let Some(name) = &part.worker_child {
        return worker::compute(&settings, name, workflows);
    }
    match settings.roles[..] {
        [Role::Worker] => worker::keep(&settings),
        [Role::Scheduler] => scheduler::serve(&settings, workflows.clone()),
        [Role::Db] => db::serve(&settings),
        [] => Err(Error::Option(
            "no role: name one with --role (scheduler, worker, db or all)".into(),
        )),
        _ => launcher::several(&settings, &part.prefix),
    }
}

/// Starts a whole cluster on this machine and keeps it up until it is told to end.
///
/// # Errors
/// As of [`play_part`].
pub fn keep_up(part: &Part) -> Result<u8> {
    tell("warn");
    launcher::keep_up(&part.settings()?, &part.prefix)
}

/// Asks the scheduler of a cluster how everything stands.
///
/// # Errors
/// [`Error::Cluster`] when none answers.
pub fn ask_status(workdir: &Path, options: &ClusterOptions) -> Result<ClusterStatus> {
    let settings = existing(workdir, options)?;
    let member = connect(&settings, Role::Frontend, &format!("status-{:x}", incarnation()))?;
    let asked = driver::cluster_status(member.node.clone(), settings);
    let status = member.runtime.waiter().wait(asked);
    status
        .unwrap_or_else(|| Err("this process ends".into()))
        .map_err(|reason| failed(format!("no cluster answers in {}: {reason}", workdir.display())))
}

/// The tasks of the present job that are set aside because they kept breaking workers. With
/// `requeue`, those named there, or all when it names none, are queued anew, and only what is then
/// left is returned.
///
/// # Errors
/// [`Error::Cluster`] when no cluster answers, or it has no job.
pub fn dead_letters(
    workdir: &Path,
    options: &ClusterOptions,
    requeue: Option<Vec<TaskKey>>,
) -> Result<(u64, Vec<DeadLetter>)> {
    let settings = existing(workdir, options)?;
    let member = connect(&settings, Role::Frontend, &format!("letters-{:x}", incarnation()))?;
    let asked = driver::dead_letters(member.node.clone(), settings, requeue);
    let letters = member.runtime.waiter().wait(asked);
    letters
        .unwrap_or_else(|| Err("this process ends".into()))
        .map_err(|reason| failed(format!("no job runs in {}: {reason}", workdir.display())))
}

/// What opens `/status` at the frontend of a cluster that was started before.
///
/// # Errors
/// One sentence where there is no cluster, or its secret cannot be read.
pub fn frontend_token(workdir: &Path, options: &ClusterOptions) -> Result<Token> {
    let settings = existing(workdir, options)?;
    Ok(Secret::from_environment(&settings.workdir)?.token())
}

/// The database of the cluster that runs in a workdir, through its db-proxy; `None` where none
/// announces itself or none answers.
pub fn running_database(workdir: &Path) -> Option<Database> {
    let settings = existing(workdir, &ClusterOptions::default()).ok()?;
    let name = format!("reader-{:x}", incarnation());
    let member = connect(&settings, Role::Frontend, &name).ok()?;
    let (node, owned) = (member.node.clone(), settings.clone());
    let waiter = member.runtime.waiter();
    let found = waiter.wait(async move { find::reach(&node, &owned, Role::Db).await.is_ok() });
    if found != Some(true) {
        return None;
    }
    let store = find::follow_store(&member.node, &settings, waiter);
    // The link lasts as long as the process does, like the database that was asked for.
    std::mem::forget(member);
    Some(store.database())
}

/// The settings of a cluster that is there already: nothing is made.
fn existing(workdir: &Path, options: &ClusterOptions) -> Result<Settings> {
    let refuse = |error| Error::Workdir { path: workdir.to_owned(), error };
    let workdir = workdir.canonicalize().map_err(refuse)?;
    if options.scheduler_address.is_none() && !workdir.join("cluster").is_dir() {
        let place = workdir.display();
        return Err(Error::Option(format!(
            "no cluster was ever started in {place}: name its workdir"
        )));
    }
    let around = Surroundings { workdir, workdir_named: true, ..Surroundings::default() };
    Settings::of(options, &around)
}

/// Raised each time a process starts: nanoseconds since 1970.
fn incarnation() -> u64 {
    u64::try_from(clock::utc_now().nanos()).unwrap_or(0)
}

/// A sentence about the cluster.
fn failed(sentence: impl Into<String>) -> Error {
    Error::Cluster(sentence.into())
}

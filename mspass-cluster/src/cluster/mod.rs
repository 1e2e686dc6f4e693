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
use std::path::Path;
use std::process::ExitCode;

use mspass_actors::clock;

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
    /// Arguments that a process of this program needs before its flags: a subcommand, say.
    pub prefix: Vec<OsString>,
    /// Name of the workflow to run.
    pub workflow: String,
    /// Its parameters, as JSON text.
    pub parameters: String,
}

/// Plays the roles that were asked for, or starts a whole cluster here and runs the job on it; the
/// program's exit code is the job's.
///
/// [`process::arguments`] must have been called before anything else. `sample` is processed when no
/// archive was named.
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
    let workdir = crate::desktop::make_workdir(&desktop.workdir)?;
    let around = Surroundings {
        workdir,
        workdir_named: true,
        db: Some(desktop.db.clone()),
        workers: desktop.workers,
    };
    let settings = Settings::of(cluster, &around)?;
    if let Some(name) = &program_of.worker_child {
        tell("info");
        return worker::compute(&settings, name, &workflows);
    }
    tell(if settings.roles.is_empty() { "error" } else { "info" });
    if settings.roles.is_empty() {
        return launcher::launch(program_of, &settings, sample, &workflows);
    }
    let only = |role| settings.roles == [role];
    if only(Role::Worker) {
        return worker::keep(&settings);
    }
    if only(Role::Frontend) {
        return driver::drive(program_of, &settings, sample, &workflows);
    }
    if only(Role::Scheduler) {
        return scheduler::serve(&settings, workflows);
    }
    if only(Role::Db) {
        return db::serve(&settings);
    }
    launcher::several(&settings, &program_of.prefix)
}

/// Raised each time a process starts: nanoseconds since 1970.
fn incarnation() -> u64 {
    u64::try_from(clock::utc_now().nanos()).unwrap_or(0)
}

/// A sentence about the cluster.
fn failed(sentence: impl Into<String>) -> Error {
    Error::Cluster(sentence.into())
}

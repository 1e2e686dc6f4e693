//! What a person may say to a program that plays a part in a cluster: flags over `MSPASS_*`
//! variables over defaults, translated once, here.
//!
//! Secrets are not among the flags: a process list would show them.

mod settings;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::PathBuf;

pub(crate) use settings::memory_limit;
pub use settings::{Address, Settings, Store};

/// What a process does in a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Foreman and jobs.
    Scheduler,
    /// The holder of the database.
    Db,
    /// Computes.
    Worker,
    /// Submits, follows, and answers HTTP.
    Frontend,
}

impl Role {
    /// Every role, in the order in which they start.
    pub const ALL: [Self; 4] = [Self::Scheduler, Self::Db, Self::Worker, Self::Frontend];

    /// Its name in flags, variables and files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Db => "db",
            Self::Worker => "worker",
            Self::Frontend => "frontend",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Flags and variables of a process in a cluster, as they were given. Empty ones count as not
/// given; [`Settings::of`] checks them.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterOptions {
    /// Play these parts on this machine: scheduler, worker, db, frontend or all; several with
    /// commas
    #[arg(long, value_name = "ROLE", env = "MSPASS_ROLE")]
    pub role: Vec<String>,

    /// Name of the cluster; processes of different clusters do not talk
    #[arg(long, value_name = "NAME", env = "MSPASS_CLUSTER")]
    pub cluster: Option<String>,

    /// Where the scheduler is, by address or DNS name; without it, it is found through
    /// WORKDIR/cluster
    #[arg(long, value_name = "HOST[:PORT]", env = "MSPASS_SCHEDULER_ADDRESS")]
    pub scheduler_address: Option<String>,

    /// The scheduler's port where its address names none
    #[arg(long, value_name = "PORT", env = "DASK_SCHEDULER_PORT")]
    pub scheduler_port: Option<String>,

    /// Where the db role is, or mongodb://HOST:PORT/NAME for a server that runs already
    #[arg(long, value_name = "ADDRESS", env = "MSPASS_DB_ADDRESS", hide_env_values = true)]
    pub db_address: Option<String>,

    /// The db role's port where its address names none
    #[arg(long, value_name = "PORT", env = "MONGODB_PORT")]
    pub db_port: Option<String>,

    /// Listen on this address of this machine, 0.0.0.0 for all of them; port 0 means any. Workers
    /// listen there too, each at a port of its own, and give one another the pieces of groups
    #[arg(long, value_name = "IP[:PORT]", env = "MSPASS_BIND")]
    pub bind: Option<String>,

    /// Folder of the embedded store [default: WORKDIR/db]
    #[arg(long, value_name = "DIR", env = "MSPASS_DB_DIR")]
    pub db_dir: Option<PathBuf>,

    /// Folder of the processes' logs [default: WORKDIR/logs]
    #[arg(long, value_name = "DIR", env = "MSPASS_LOG_DIR")]
    pub log_dir: Option<PathBuf>,

    /// Folder for what workers spill [default: WORKDIR/work]
    #[arg(long, value_name = "DIR", env = "MSPASS_WORKER_DIR")]
    pub worker_dir: Option<PathBuf>,

    /// Compute threads of each worker process [default: the cores it may use, shared out]
    #[arg(long, value_name = "N")]
    pub threads: Option<String>,

    /// `--nworkers N` and `--nthreads N`, as MsPASS gives them; flags of their own win
    #[arg(long, value_name = "ARGUMENTS", env = "MSPASS_WORKER_ARG", hide = true)]
    #[arg(allow_hyphen_values = true)]
    pub worker_arg: Option<String>,

    /// A worker process that computes longer on one datum is ended
    #[arg(long, value_name = "SECONDS", env = "MSPASS_DATUM_TIMEOUT")]
    pub datum_timeout: Option<String>,

    /// Loopback port of the frontend's HTTP; the next free one is taken where it is in use
    #[arg(long, value_name = "PORT", env = "MSPASS_FRONTEND_PORT")]
    pub frontend_port: Option<String>,

    /// Start-up waits for the others 20 times as long
    #[arg(long, value_name = "SECONDS", env = "MSPASS_SLEEP_TIME")]
    pub sleep_time: Option<String>,
}

/// What the rest of a program's options say about its part in the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surroundings {
    /// The workdir.
    pub workdir: PathBuf,
    /// Whether a person named it.
    pub workdir_named: bool,
    /// `embedded`, `mongod` or a full name; `None` means not said.
    pub db: Option<String>,
    /// Worker processes; 0 means not said.
    pub workers: usize,
    /// Memory of each worker process, as it was given.
    pub memory_limit: Option<String>,
}

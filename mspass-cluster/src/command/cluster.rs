//! `mspass cluster`: a whole cluster on this machine, and its parts.

use std::io::Write;
use std::path::PathBuf;

use super::failure::Failure;
use super::letters;
use crate::cluster::{Part, Workflows, keep_up, play_part};
use crate::options::ClusterOptions;

const AFTER_HELP: &str = "\
Examples:
  mspass cluster local --workers 3 --workdir run1     until Ctrl-C
  mspass status --workdir run1                        in another terminal
  mspass find wf_TimeSeries --db embedded:run1/db     goes through its db-proxy

Exit codes: 0 ended by Ctrl-C or SIGTERM; 1 failed; 2 bad input.";

/// Start a cluster on this machine, or play a part in one
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Start a scheduler, a db and workers on this machine, each a process; Ctrl-C ends them
    #[command(after_help = AFTER_HELP)]
    Local(PartArguments),
    /// Play the roles named by --role in a cluster
    Node(PartArguments),
    /// Show the tasks that are set aside because they kept breaking workers, or queue them anew
    #[command(after_help = LETTERS_HELP)]
    DeadLetters(letters::Arguments),
}

#[derive(Debug, clap::Args)]
struct PartArguments {
    /// Folder that all processes of the cluster see: secret, announcements, journals, logs
    #[arg(long, value_name = "DIR", env = "MSPASS_WORK_DIR", default_value = "mspass-cluster")]
    workdir: PathBuf,

    /// Database: `embedded` (in WORKDIR/db), `mongod` (started and stopped with the db role), or
    /// mongodb://HOST:PORT/NAME
    #[arg(long, value_name = "DB", default_value = "embedded")]
    db: String,

    /// Worker processes
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: usize,

    /// Memory of each worker process, bytes or with K, M, G; 0 means what the machine has
    #[arg(long, value_name = "BYTES", env = "MSPASS_DASK_WORKER_MEMORY_LIMIT")]
    memory_limit: Option<String>,

    #[command(flatten)]
    cluster: ClusterOptions,

    #[arg(long, hide = true)]
    worker_child: Option<String>,
}

const LETTERS_HELP: &str = "\
Examples:
  mspass cluster dead-letters --workdir run1                    what is set aside, and why
  mspass cluster dead-letters --workdir run1 --requeue          try all of it again
  mspass cluster dead-letters --workdir run1 --requeue KEY KEY  try these again

Exit codes: 0 done; 1 no job runs there; 2 bad input.";

pub(super) fn run(arguments: Arguments, out: &mut dyn Write) -> Result<u8, Failure> {
    let (part, local) = match arguments.command {
        Command::Local(part) => (part, true),
        Command::Node(part) => (part, false),
        Command::DeadLetters(arguments) => return letters::run(&arguments, out),
    };
    let part = Part {
        workdir: part.workdir,
        db: part.db,
        workers: part.workers,
        memory_limit: part.memory_limit,
        cluster: part.cluster,
        worker_child: part.worker_child,
        prefix: vec!["cluster".into(), "node".into()],
    };
    if !local {
        return Ok(play_part(&part, &Workflows::new())?);
    }
    writeln!(out, "a cluster in {}; Ctrl-C ends it", part.workdir.display())?;
    out.flush()?;
    Ok(keep_up(&part)?)
}

//! What a person may say to a program that runs a job.

use std::path::PathBuf;

/// Where a job reads, works and saves.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub struct DesktopOptions {
    /// Folder of miniSEED files, an SDS tree or any other; without it a small sample is processed
    #[arg(long, value_name = "DIR")]
    pub archive: Option<PathBuf>,

    /// Name of the archive in the database's index; one name has one root
    #[arg(long, value_name = "NAME", default_value = "")]
    pub archive_name: String,

    /// Folder for everything the job writes: database, journal, report
    #[arg(long, value_name = "DIR", default_value = "mspass-desktop")]
    pub workdir: PathBuf,

    /// Database: `embedded` (in WORKDIR/db), `mongod` (started and stopped with the job, data in
    /// WORKDIR/mongod), or mongodb://HOST:PORT/NAME
    #[arg(long, value_name = "DB", default_value = "embedded")]
    pub db: String,

    /// Compute threads; 0 means one for each core this process may use
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub workers: usize,

    /// Memory that the process may take, or each worker process: bytes or with K, M, G; 0 means
    /// what the machine has. Data that are grouped lie in files beyond a share of it
    #[arg(long, value_name = "BYTES", env = "MSPASS_DASK_WORKER_MEMORY_LIMIT")]
    pub memory_limit: Option<String>,

    /// Name of the job: run again under the same name, a job goes on where it stopped
    #[arg(long, value_name = "NAME", default_value = "desktop")]
    pub job: String,

    /// Delete exactly what the earlier job of this name wrote, and start over
    #[arg(long)]
    pub fresh: bool,

    /// Stop in good order at this time (UTC where it has no offset), or so long from now, such as
    /// 90m or 1h30m; on Slurm, a minute before the end of the Slurm job at the latest
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,

    /// When Slurm ends its job, seconds since 1970; Slurm sets the variable
    #[arg(long, hide = true, env = "SLURM_JOB_END_TIME")]
    pub slurm_job_end_time: Option<String>,

    /// Run nothing but a sample: print what the job will do, and estimate its data, time and memory
    #[arg(long, conflicts_with = "replay")]
    pub explain: bool,

    /// Run nothing: make the saved waveform with this _id again from its history, with the
    /// parameters of its job, and compare it with what is stored
    #[arg(long, value_name = "ID")]
    pub replay: Option<String>,

    /// End with one JSON object on the last line of standard output
    #[arg(long)]
    pub json: bool,

    /// No progress bar and no table
    #[arg(long)]
    pub quiet: bool,
}

const EXIT_CODES: &str = "Exit codes: 0 finished (dead data included; of --replay: equal), 1 \
                          failed (of --replay: it differs), 2 bad input, \
                          75 stopped by --until or before the end of its Slurm job, 130 or 143 \
                          interrupted (run the same command again to go on).";

impl DesktopOptions {
    /// Compute threads to use.
    pub fn threads(&self) -> usize {
        match self.workers {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            workers => workers.min(THREADS_MAX),
        }
    }
}

/// Compute threads of one process at most.
pub const THREADS_MAX: usize = 1024;

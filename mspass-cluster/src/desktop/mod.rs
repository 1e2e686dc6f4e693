//! The all-in-one program: archive in, processed traces and a report out.

mod bars;
mod compile;
mod database;
pub(crate) mod explain;
mod follow;
mod guard;
mod options;
pub(crate) mod replay;
pub(crate) mod signals;
mod until;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use mspass_actors::clock;
use mspass_actors::foreman::JobStatus;
use mspass_actors::job::Expected;
use mspass_actors::runtime::Waiter;
use mspass_actors::workflow::report::{JobReport, JobState};
use mspass_actors::workflow::stage::{Build, Stage};
use mspass_actors::workflow::{ArchivePieces, Workflow};
use mspass_core::UtcTime;
use mspass_io::archive::{IndexOptions, IndexProgress, ScanOptions, index_while};
use mspass_io::store::Database;

use crate::bootstrap::build_identity;
use crate::error::{Error, Result};
use crate::frontend::plot::plot_picture;
use crate::frontend::report::{render_html, render_text};
use crate::launch::{LocalCluster, slate_path};
use crate::options::memory_limit;
pub(crate) use bars::Bars;
pub(crate) use database::OpenDatabase;
use follow::follow;
use signals::{Interrupt, STOPPED};

pub use options::{DesktopOptions, THREADS_MAX};
pub use until::SLURM_MARGIN_SECONDS;

/// Draws what the job of this name saved, as SVG text.
pub type Draw =
    fn(&Database, &str) -> std::result::Result<String, Box<dyn std::error::Error + Send + Sync>>;

/// Runs a workflow over an archive on this machine, with everything a person would want to see of
/// it, and gives the program's exit code: 0 finished, 1 failed, 2 bad input, 75 stopped
/// at its time, 130 or 143 interrupted.
///
/// `sample` is processed when no archive was named; `build` makes the workflow for the archive's
/// pieces.
pub fn run(
    options: &DesktopOptions,
    sample: &Path,
    build: impl FnOnce(ArchivePieces) -> mspass_actors::Result<Workflow>,
) -> ExitCode {
    conclude(run_job(options, sample, None, build))
}

/// The same; in the place of the report's first picture, `draw` makes the one that lies beside the
/// report.
pub fn run_and_draw(
    options: &DesktopOptions,
    sample: &Path,
    draw: Draw,
    build: impl FnOnce(ArchivePieces) -> mspass_actors::Result<Workflow>,
) -> ExitCode {
    conclude(run_job(options, sample, Some(draw), build))
}

fn conclude(ended: Result<u8>) -> ExitCode {
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("{}: {error}", program());
            ExitCode::from(error.exit_code())
        }
    }
}

/// Name of this program, as the person called it.
pub(crate) fn program() -> String {
    let path = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    path.file_name().map_or_else(|| "mspass".into(), |name| name.to_string_lossy().into_owned())
}

/// This program, as the histories of what it makes name it.
pub(crate) fn own_build() -> Build {
    let executable = build_identity().unwrap_or_default().to_owned();
    Build { program: program(), executable }
}

/// One run of a job as its driver sees it, on this machine or on a cluster.
pub(crate) struct Job<'a> {
    options: &'a DesktopOptions,
    draw: Option<Draw>,
    /// What it reads, where that is an archive.
    archive: Option<PathBuf>,
    workdir: PathBuf,
    started: UtcTime,
    began: Instant,
    /// When it has to stop by itself.
    deadline: Option<UtcTime>,
    /// Bytes that it may take, where that was said.
    memory: Option<u64>,
    bars: Bars,
}

/// How a job ended, and where its results are.
pub(crate) struct Outcome<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) status: JobStatus,
    pub(crate) database: Database,
    /// How to name it to `mspass`.
    pub(crate) database_name: String,
    /// That of an interrupt, if there was one.
    pub(crate) exit_code: Option<u8>,
    /// Of the largest process.
    pub(crate) peak_rss_bytes: u64,
}

fn run_job(
    options: &DesktopOptions,
    sample: &Path,
    draw: Option<Draw>,
    build: impl FnOnce(ArchivePieces) -> mspass_actors::Result<Workflow>,
) -> Result<u8> {
    let workflow = build(ArchivePieces::hours(&options.archive_name))?;
    if let Some(id) = &options.replay {
        return replay::replay_one(options, Stage::new(workflow, &options.job), id);
    }
    if options.explain {
        return explain::explain_one(options, sample, &Stage::new(workflow, &options.job));
    }
    let journal = journal_path(&options.workdir, &options.job);
    if let guard::Start::Guard(code) = guard::enter(&journal, options.fresh)? {
        return Ok(code);
    }
    let job = Job::begin(options, sample, draw, &workflow)?;
    let open = OpenDatabase::open(&options.db, &job.workdir)?;
    let outcome = job.execute(workflow, &open);
    job.bars.clear();
    let closed = open.close();
    let code = outcome?;
    closed?;
    Ok(code)
}

/// The folder that a workflow reads, if it reads one; it can be listed.
fn archive_of(
    options: &DesktopOptions,
    sample: &Path,
    workflow: &Workflow,
) -> Result<Option<PathBuf>> {
    let path = match (workflow.source().archive(), &options.archive) {
        (Some(_), Some(path)) => path.clone(),
        (Some(_), None) => sample.to_owned(),
        (None, None) => return Ok(None),
        (None, Some(path)) => {
            let path = path.display();
            return Err(Error::Option(format!(
                "--archive {path}: this program reads no archive; leave it out"
            )));
        }
    };
    match std::fs::read_dir(&path) {
        Ok(_) => Ok(Some(path)),
        Err(error) => Err(Error::Archive { path, error }),
    }
}

/// How an archive is indexed.
fn index_options(options: &DesktopOptions, archive: &Path, workdir: &Path) -> IndexOptions {
    IndexOptions {
        root: archive.to_owned(),
        name: options.archive_name.clone(),
        exclude: Some(workdir.to_owned()),
        threads: options.threads(),
        scan: ScanOptions::default(),
    }
}

/// The journal of a job.
pub(crate) fn journal_path(workdir: &Path, job: &str) -> PathBuf {
    workdir.join("jobs").join(format!("{}.journal", file_name(job)))
}

/// Makes the folder and proves that it can be written to, before anything else is done.
pub(crate) fn make_workdir(path: &Path) -> Result<PathBuf> {
    let refuse = |error| Error::Workdir { path: path.to_owned(), error };
    std::fs::create_dir_all(path).map_err(refuse)?;
    let probe = path.join(format!(".probe-{}", std::process::id()));
    std::fs::write(&probe, b"").map_err(refuse)?;
    std::fs::remove_file(&probe).map_err(refuse)?;
    path.canonicalize().map_err(refuse)
}

impl<'a> Job<'a> {
    /// Checks what the job reads and where it writes.
    pub(crate) fn begin(
        options: &'a DesktopOptions,
        sample: &Path,
        draw: Option<Draw>,
        workflow: &Workflow,
    ) -> Result<Self> {
        let (started, began) = (clock::utc_now(), clock::now());
        let memory = memory_limit(&options.memory_limit)?;
        let deadline = until::deadline(options, started)?;
        let archive = archive_of(options, sample, workflow)?;
        let workdir = make_workdir(&options.workdir)?;
        let bars = Bars::new(options.quiet);
        Ok(Self { options, draw, archive, workdir, started, began, deadline, memory, bars })
    }

    /// Listens for signals, and for the time at which the job has to stop.
    pub(crate) fn interrupt(&self, waiter: &Waiter) -> Interrupt {
        let interrupt = Interrupt::listen(waiter);
        interrupt.stop_at(self.deadline);
        interrupt
    }

    pub(crate) fn bars(&self) -> &Bars {
        &self.bars
    }

    /// The archive, if it reads one, as every process of this machine finds it.
    pub(crate) fn archive(&self) -> Result<Option<PathBuf>> {
        let Some(path) = &self.archive else { return Ok(None) };
        let refuse = |error| Error::Archive { path: path.clone(), error };
        path.canonicalize().map(Some).map_err(refuse)
    }

    fn execute(&self, workflow: Workflow, open: &OpenDatabase) -> Result<u8> {
        let options = self.options;
        let mut cluster = LocalCluster::start(open.database.clone())?;
        if let Some(bytes) = self.memory {
            cluster = cluster.with_budget(bytes);
        }
        let interrupt = self.interrupt(&cluster.runtime().waiter());
        let database = cluster.database();
        let stage = Arc::new(Stage::new(workflow, &options.job).of_build(own_build()));
        let status = match self.index(&database, &interrupt)? {
            Some(indexed) => {
                let journal = journal_path(&self.workdir, &options.job);
                let expected = Expected::of(&database, &stage, indexed.bytes)?;
                interrupt.gives_up(slate_path(&journal, 1));
                let driver = cluster.submit(&stage, &journal, options.threads(), options.fresh)?;
                follow(&driver, &self.bars, expected, &interrupt)?
            }
            None => JobStatus { drained: true, ..JobStatus::default() },
        };
        self.conclude(Outcome {
            stage: &stage,
            status,
            database,
            database_name: open.name.clone(),
            exit_code: interrupt.exit_code(),
            peak_rss_bytes: peak_rss_bytes(),
        })
    }

    /// Makes the report, tells what there is to tell, and gives the exit code.
    pub(crate) fn conclude(&self, outcome: Outcome<'_>) -> Result<u8> {
        self.bars.clear();
        let Outcome { stage, status, database, exit_code, .. } = &outcome;
        let mut report = self.report(&outcome);
        compile::counts(&mut report, status, stage);
        let page = self.workdir.join(format!("{}.html", file_name(stage.job())));
        let mut picture = None;
        if status.finished {
            compile::contents(&mut report, database, stage)?;
            write(&page, &render_html(&report))?;
            let json = serde_json::to_string_pretty(&report).unwrap_or_default();
            write(&page.with_extension("json"), &json)?;
            if let Some(svg) = self.draw(&report, database)? {
                let path = page.with_extension("svg");
                write(&path, &svg)?;
                picture = Some(path);
            }
        }
        self.tell(&report, status.finished.then_some(page.as_path()), picture.as_deref());
        match (&status.failure, exit_code) {
            (Some(reason), _) if status.mendable => Err(Error::Stopped(reason.clone())),
            (Some(reason), _) => Err(Error::Failed(reason.clone())),
            (None, _) if status.finished => Ok(0),
            (None, code) => Ok((*code).unwrap_or(1)),
        }
    }

    /// The picture that lies beside the report.
    fn draw(&self, report: &JobReport, database: &Database) -> Result<Option<String>> {
        let Some(draw) = self.draw else { return Ok(report.pictures.first().map(plot_picture)) };
        let drawn = draw(database, &report.job_name);
        drawn.map(Some).map_err(|error| Error::Failed(format!("nothing can be drawn: {error}")))
    }

    /// Brings the index up to date; `None` when the job was to stop before that was done.
    fn index(&self, database: &Database, interrupt: &Interrupt) -> Result<Option<IndexProgress>> {
        let Some(archive) = &self.archive else { return Ok(Some(IndexProgress::default())) };
        let index_options = index_options(self.options, archive, &self.workdir);
        Ok(index_while(database, &index_options, &mut |progress| {
            self.bars.indexing(progress.unchanged + progress.scanned, progress.files);
            interrupt.exit_code().is_none()
        })?)
    }

    fn report(&self, outcome: &Outcome<'_>) -> JobReport {
        let Outcome { stage, status, .. } = outcome;
        let state = match (&status.failure, status.finished) {
            (Some(_), _) => JobState::Failed,
            (None, true) => JobState::Finished,
            (None, false) => JobState::Interrupted,
        };
        let taken_over = status.resumed > 0 && status.resumed == status.totals.entered;
        let note = match state {
            JobState::Finished if taken_over => Some(
                "This job was finished before: nothing was left to do. --fresh starts it over."
                    .to_owned(),
            ),
            JobState::Interrupted => {
                let when = if outcome.exit_code == Some(STOPPED) { " at its time" } else { "" };
                Some(format!("Stopped in good order{when}: the same command goes on from here."))
            }
            _ => status.failure.clone(),
        };
        JobReport {
            job_name: stage.job().to_owned(),
            state,
            note,
            database: outcome.database_name.clone(),
            collection: mspass_io::db::collection::WF_TIME_SERIES.to_owned(),
            archive: self.archive.iter().map(|path| path.display().to_string()).collect(),
            program: program(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            finished: clock::utc_now(),
            seconds: self.began.elapsed().as_secs_f64(),
            peak_rss_bytes: outcome.peak_rss_bytes,
            threads: u32::try_from(self.options.threads()).unwrap_or(u32::MAX),
            ..JobReport::default()
        }
    }

    /// Prints the table, and the JSON object if it was asked for.
    fn tell(&self, report: &JobReport, page: Option<&Path>, picture: Option<&Path>) {
        if !self.options.quiet {
            print!("{}", render_text(report, page));
            if let Some(picture) = picture {
                println!("picture {}", picture.display());
            }
        }
        if self.options.json {
            let line = serde_json::json!({
                "job": report.job_name, "state": report.state,
                "in": report.in_count, "live": report.live, "dead": report.dead,
                "aborted": report.aborted, "saved": report.saved,
                "samples_in": report.samples_in, "bytes_read": report.bytes_read,
                "seconds": report.seconds, "peak_rss_bytes": report.peak_rss_bytes,
                "resumed": report.resumed, "database": report.database, "report": page,
                "picture": picture,
            });
            println!("{line}");
        }
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    let refuse = |error| Error::Workdir { path: path.to_owned(), error };
    std::fs::write(path, text).map_err(refuse)
}

/// A job name as the name of a file.
fn file_name(job: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    job.chars().map(safe).collect()
}

/// Largest resident memory of this process so far.
pub(crate) fn peak_rss_bytes() -> u64 {
    peak_rss_of(std::process::id())
}

/// The same of another process; 0 when it is gone.
pub(crate) fn peak_rss_of(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

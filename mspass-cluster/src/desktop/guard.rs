//! A job whose process died with data in work is gone on with in a child process: it is started
//! again when it dies over its data, until the one that is to blame is known and buried.
//!
//! A start that finds nothing of the kind is one process.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use mspass_actors::worker::slate;
use rustix::process::{Pid, Signal, getppid, kill_process};
use tokio::runtime::Runtime;
use tokio::signal::unix::{SignalKind, signal};

use super::program;
use crate::error::{Error, Result};
use crate::launch::slate_path;
use crate::process::{LAST_EXIT, bind, own_program};

/// Variable that names the process which guards this one.
const GUARDED_BY: &str = "MSPASS_GUARDED_BY";
/// Starts of the child at most: each poison takes three, so a job goes on with the next command.
const STARTS_MAX: u32 = 300;
/// How often the child is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long the child of a guard that was killed may take to be gone.
const GONE_MAX: Duration = Duration::from_secs(5);

/// What a start of a job is.
pub(super) enum Start {
    /// The one that does the job.
    Job,
    /// The guard of one that has ended with this code.
    Guard(u8),
}

/// The process that guards this one, if one does.
fn guardian() -> Option<i32> {
    let guard = std::env::var(GUARDED_BY).ok()?.parse().ok()?;
    (getppid().map(Pid::as_raw_pid) == Some(guard)).then_some(guard)
}

/// Whether another process guards this one: that one counts the signals.
pub(super) fn is_guarded() -> bool {
    guardian().is_some()
}

/// Finds out what this start is, and guards the job if it has to.
///
/// A guard holds the lock beside the journal as long as it lives, who does the job that of the
/// journal: where either is another's, this start touches nothing.
pub(super) fn enter(journal: &Path, fresh: bool) -> Result<Start> {
    if let Some(guard) = guardian() {
        bind(guard, Signal::KILL)?;
        return Ok(Start::Job);
    }
    let (lock, slate) = (journal.with_extension("guarded"), slate_path(journal, 1));
    let is_suspect = || !fresh && !slate::suspects(&slate).is_empty();
    if !lock.exists() && !is_suspect() {
        return Ok(Start::Job);
    }
    let held = open(&lock)?;
    let refuse = |error| Error::Process { action: "listen to signals".into(), error };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(refuse)?;
    let is_free = runtime.block_on(async {
        // A guard that was killed while it started its child has left it this lock until it runs.
        let journal = OpenOptions::new().write(true).open(journal).ok();
        await_free(&held).await && await_free(journal.as_ref().unwrap_or(&held)).await
    });
    if !is_free {
        return Err(in_use(journal));
    }
    if !is_suspect() {
        return Ok(Start::Job);
    }
    guard_job(&runtime, &slate).map(Start::Guard)
}

/// Opens a lock, and makes its folder anew where somebody deleted it.
fn open(lock: &Path) -> Result<File> {
    let made = lock.parent().map_or(Ok(()), std::fs::create_dir_all);
    let opened =
        made.and_then(|()| OpenOptions::new().write(true).create(true).truncate(false).open(lock));
    opened.map_err(|error| Error::Workdir { path: lock.to_owned(), error })
}

fn is_taken(file: &File) -> bool {
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

fn in_use(journal: &Path) -> Error {
    let job = journal.file_stem().unwrap_or_default().to_string_lossy();
    Error::Option(format!(
        "job '{job}' is being run by another process with this workdir: wait for it, or take \
         another --job name or --workdir"
    ))
}

/// Takes a lock once the child of a guard that was killed is gone; who is not gone then is no such
/// child.
async fn await_free(lock: &File) -> bool {
    let free = async {
        while is_taken(lock) {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(GONE_MAX, free).await.is_ok()
}

/// Runs the job in a child until it ends otherwise than over its data; gives its exit code.
fn guard_job(runtime: &Runtime, slate: &Path) -> Result<u8> {
    let refuse = |error| Error::Process { action: "listen to signals".into(), error };
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate()).map_err(refuse)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(refuse)?;
        let (mut how, mut stopped) = (None, None);
        for _ in 0..STARTS_MAX {
            mark(slate);
            let mut child = start(how.as_deref())?;
            let status = loop {
                let asked = tokio::select! {
                    () = tokio::time::sleep(LOOK) => None,
                    _ = term.recv() => Some(Signal::TERM),
                    _ = interrupt.recv() => Some(Signal::INT),
                };
                if let Some(status) = child.try_wait().map_err(refuse)? {
                    break status;
                }
                if let Some(asked) = asked {
                    // It may have had the first itself, so the second is not left to it.
                    let passed_on = if stopped.is_some() { Signal::KILL } else { asked };
                    stopped = Some(asked);
                    pass_on(&child, passed_on);
                }
            };
            if let Some(asked) = stopped {
                // Whoever asked it to end is to blame, not what was in work.
                drop(std::fs::remove_file(slate));
                let code = status.code().unwrap_or(128 + asked.as_raw());
                return Ok(u8::try_from(code).unwrap_or(1));
            }
            let died_over_data = !is_marked(slate) && !slate::suspects(slate).is_empty();
            let ended = match (status.code(), status.signal().unwrap_or_default()) {
                (Some(code), _) if !died_over_data => return Ok(u8::try_from(code).unwrap_or(1)),
                (Some(code), _) => format!("exit code {code}"),
                (None, number) => format!("signal {number}"),
            };
            if !died_over_data {
                return Err(Error::Failed(format!("its process ended: {ended}")));
            }
            eprintln!("{}: the job died over its data ({ended}) and goes on", program());
            how = Some(ended);
        }
        Err(Error::Failed(format!(
            "its process died {STARTS_MAX} times over its data: the same command goes on"
        )))
    })
}

/// Marks a slate, so that one is known that no child has opened.
fn mark(slate: &Path) {
    if let Ok(file) = OpenOptions::new().write(true).open(slate) {
        drop(file.set_modified(SystemTime::UNIX_EPOCH));
    }
}

fn is_marked(slate: &Path) -> bool {
    let modified = std::fs::metadata(slate).and_then(|slate| slate.modified());
    modified.is_ok_and(|modified| modified == SystemTime::UNIX_EPOCH)
}

/// Starts this same program again, in the place of this one.
fn start(how: Option<&str>) -> Result<Child> {
    let mut command = Command::new(own_program());
    let mut arguments = std::env::args_os();
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    if let Some(how) = how {
        command.env(LAST_EXIT, how);
    }
    command.args(arguments).env(GUARDED_BY, std::process::id().to_string()).stdin(Stdio::null());
    // Ctrl-C in the terminal is for the guard, which passes it on.
    let child = command.process_group(0).spawn();
    child.map_err(|error| Error::Process { action: "start the job".into(), error })
}

fn pass_on(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // It is not reaped yet, so the number is still its own.
    let _ = pid.map(|pid| kill_process(pid, signal));
}

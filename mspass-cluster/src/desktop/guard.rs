//! A job whose process died with data in work is gone on with in a child process: it is started
//! again when it dies over its data, until the one that is to blame is known and buried.
//!
//! A start that finds nothing of the kind is one process.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

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
    /// The one that does the job, with what a child holds as long as it lives.
    Job(Option<File>),
    /// The guard of one that has ended with this code.
    Guard(u8),
}

/// Finds out what this start is, and guards the job if it has to.
pub(super) fn enter(journal: &Path, fresh: bool) -> Result<Start> {
    let lock = journal.with_extension("guarded");
    let guard = std::env::var(GUARDED_BY).ok().and_then(|pid| pid.parse().ok());
    if let Some(guard) = guard
        && getppid().map(Pid::as_raw_pid) == Some(guard)
    {
        bind(guard, Signal::KILL)?;
        let refuse = |error| Error::Workdir { path: lock.clone(), error };
        let held = OpenOptions::new().write(true).create(true).truncate(false).open(&lock);
        let held = held.map_err(refuse)?;
        held.lock().map_err(refuse)?;
        return Ok(Start::Job(Some(held)));
    }
    let refuse = |error| Error::Process { action: "listen to signals".into(), error };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(refuse)?;
    if let Ok(file) = File::open(&lock) {
        runtime.block_on(await_free(&file));
    }
    let slate = slate_path(journal, 1);
    if fresh || slate::suspects(&slate).is_empty() {
        return Ok(Start::Job(None));
    }
    Ok(Start::Guard(guard_job(&runtime, &slate)?))
}

/// Waits until the child of a guard that was killed is gone.
async fn await_free(lock: &File) {
    let free = async {
        while let Err(TryLockError::WouldBlock) = lock.try_lock() {
            tokio::time::sleep(LOOK).await;
        }
    };
    let _ = tokio::time::timeout(GONE_MAX, free).await;
}

/// Runs the job in a child until it ends otherwise than over its data; gives its exit code.
fn guard_job(runtime: &Runtime, slate: &Path) -> Result<u8> {
    let refuse = |error| Error::Process { action: "listen to signals".into(), error };
    runtime.block_on(async {
        let mut term = signal(SignalKind::terminate()).map_err(refuse)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(refuse)?;
        let (mut how, mut stopped) = (None, false);
        for _ in 0..STARTS_MAX {
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
                    stopped = true;
                    pass_on(&child, asked);
                }
            };
            if stopped {
                // Whoever asked it to end is to blame, not what was in work.
                drop(std::fs::remove_file(slate));
            }
            let number = match (status.code(), status.signal()) {
                (Some(code), _) => return Ok(u8::try_from(code).unwrap_or(1)),
                (None, number) => number.unwrap_or_default(),
            };
            if stopped {
                return Ok(u8::try_from(128 + number).unwrap_or(1));
            }
            let ended = format!("signal {number}");
            if slate::suspects(slate).is_empty() {
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

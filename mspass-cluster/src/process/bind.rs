//! A child's first act: to be bound to the process that started it, so that it never outlives it.

use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use rustix::process::{Pid, Signal, getppid};

use crate::error::{Error, Result};

/// First argument of a child, with the pid of its parent after it.
pub const PARENT_FLAG: &str = "--child-of=";

/// First argument of a child that becomes the program named by the arguments after it, once it is
/// bound; the pid of its parent stands behind the flag.
pub const EXEC_FLAG: &str = "--exec-child-of=";

/// The arguments of this program without its name, once it is bound to the process that started it
/// as a child. To be called first in `main`: before it, a parent's death goes unnoticed.
///
/// A child of a [`Supervisor`](super::Supervisor) is killed when its parent dies, however that
/// dies. A program started as `PROGRAM --exec-child-of=PID OTHER ARGUMENTS` is told to end
/// (SIGTERM) when its parent dies and becomes `OTHER`; this returns only when it cannot.
///
/// # Errors
/// [`Error::Process`] when the parent is gone already, or the other program cannot be run.
pub fn arguments() -> Result<Vec<OsString>> {
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let Some(first) = arguments.first() else { return Ok(arguments) };
    if let Some(parent) = pid_after(first, PARENT_FLAG) {
        bind(parent, Signal::KILL)?;
        arguments.remove(0);
    } else if let Some(parent) = pid_after(first, EXEC_FLAG) {
        bind(parent, Signal::TERM)?;
        let program = arguments.get(1).cloned().unwrap_or_default();
        let error = Command::new(&program).args(arguments.iter().skip(2)).exec();
        let action = format!("run {}", program.display());
        return Err(Error::Process { action, error });
    }
    Ok(arguments)
}

/// The arguments of this program without its name, and without what binds it to its parent: for a
/// child that does the same in another role.
pub fn arguments_without_parent() -> Vec<OsString> {
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if arguments.first().is_some_and(|first| pid_after(first, PARENT_FLAG).is_some()) {
        arguments.remove(0);
    }
    arguments
}

fn pid_after(argument: &OsStr, flag: &str) -> Option<i32> {
    argument.to_str()?.strip_prefix(flag)?.parse().ok()
}

/// Has the kernel send this process `signal` when its parent dies.
pub(crate) fn bind(parent: i32, signal: Signal) -> Result<()> {
    let refuse = |error| Error::Process { action: "bind to its parent".into(), error };
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(signal))
        .map_err(|error| refuse(error.into()))?;
    #[cfg(not(target_os = "linux"))]
    let _ = signal;
    // A parent that died before the line above sends no signal any more.
    if getppid().map(Pid::as_raw_pid) == Some(parent) {
        return Ok(());
    }
    Err(refuse(std::io::Error::other("the parent is gone already")))
}

/// This executable, also when its file was replaced since it was started.
pub fn own_program() -> PathBuf {
    match std::env::current_exe() {
        Ok(path) if path.exists() => path,
        _ => PathBuf::from("/proc/self/exe"),
    }
}

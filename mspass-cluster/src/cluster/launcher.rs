//! A whole cluster on this machine: every role a process, restarted when it dies unasked, gone when
//! the launcher is.

use std::collections::HashSet;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::driver::follow_job;
use super::workflows::Workflows;
use super::{ClusterProgram, failed};
use crate::desktop::signals::Interrupt;
use crate::error::{Error, Result};
use crate::options::{Role, Settings};
use crate::process::{ChildSpec, Event, Exit, RestartLimits, Supervisor};

/// How long roles other than workers get to end.
const GRACE: Duration = Duration::from_secs(10);
/// How long a worker gets that has nothing to do any more.
const WORKER_GRACE: Duration = Duration::from_secs(5);
/// How often the processes of an idle cluster are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// The children of a launcher.
pub(super) struct Children {
    supervisor: Supervisor,
    workers: Vec<String>,
    others: Vec<String>,
    peak: u64,
}

/// Starts every role as a process of its own.
pub(super) fn start(settings: &Settings, prefix: &[OsString]) -> Result<Children> {
    let pids = settings.workdir.join("pids");
    let refuse = |error| Error::Workdir { path: pids.clone(), error };
    std::fs::write(&pids, b"").map_err(refuse)?;
    std::fs::create_dir_all(&settings.log_dir).map_err(refuse)?;
    // The first process writes the secret, where none was given; the others read it.
    mspass_actors::security::Secret::from_environment(&settings.workdir)?;
    let supervisor = Supervisor::start(Some(pids))?;
    let mut children = Children { supervisor, workers: Vec::new(), others: Vec::new(), peak: 0 };
    for role in [Role::Scheduler, Role::Db] {
        children.supervisor.add(child(settings, prefix, role, role.name()))?;
        children.others.push(role.name().to_owned());
    }
    for number in 1..=settings.workers {
        let name = format!("worker-{number}");
        children.supervisor.add(child(settings, prefix, Role::Worker, &name))?;
        children.workers.push(name);
    }
    Ok(children)
}

fn child(settings: &Settings, prefix: &[OsString], role: Role, name: &str) -> ChildSpec {
    ChildSpec {
        name: name.to_owned(),
        role: role.name().to_owned(),
        arguments: [prefix, &arguments(settings, role)].concat(),
        environment: Vec::new(),
        log: Some(settings.log_dir.join(format!("{name}.log"))),
        restart: RestartLimits::default(),
        memory: None,
    }
}

/// What a child is told; what it may learn from variables it has from them.
fn arguments(settings: &Settings, role: Role) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut flag = |name: &str, value: OsString| arguments.extend([OsString::from(name), value]);
    flag("--role", role.name().into());
    flag("--workdir", settings.workdir.clone().into());
    flag("--cluster", settings.cluster.clone().into());
    flag("--bind", settings.bind.to_string().into());
    flag("--db", settings.store_name().into());
    flag("--log-dir", settings.log_dir.clone().into());
    flag("--worker-dir", settings.worker_dir.clone().into());
    if role == Role::Worker {
        let threads = settings.threads_of_each(settings.workers);
        flag("--workers", "1".into());
        flag("--threads", threads.to_string().into());
        flag("--datum-timeout", settings.datum_timeout.as_secs_f64().to_string().into());
        if let Some(bytes) = settings.memory_limit {
            flag("--memory-limit", bytes.to_string().into());
        }
    }
    arguments
}

impl Children {
    /// The largest memory that a process of the cluster took so far.
    fn peak(&mut self, workdir: &Path) -> u64 {
        let text = std::fs::read_to_string(workdir.join("pids")).unwrap_or_default();
        let pids: HashSet<u32> =
            text.lines().filter_map(|line| line.split_once(' ')?.1.trim().parse().ok()).collect();
        let peaks = pids.into_iter().map(crate::desktop::peak_rss_of);
        self.peak = peaks.fold(self.peak, u64::max);
        self.peak
    }

    /// The first role that was given up.
    fn given_up(&self) -> Result<()> {
        for event in self.supervisor.events() {
            let Event::Ended { name, exit, restart_in, .. } = event else { continue };
            tracing::warn!("{name} ended: {exit}");
            if restart_in.is_none() && self.others.contains(&name) {
                return Err(failed(format!("{name} does not stay up: {exit}; see its log")));
            }
        }
        let children = self.supervisor.children();
        let workers = children.iter().filter(|child| self.workers.contains(&child.name));
        let broke = |exit: &Option<Exit>| !matches!(exit, None | Some(Exit::Code(0)));
        let mut gone = workers.peekable();
        if gone.peek().is_some() && gone.all(|child| !child.alive && broke(&child.last_exit)) {
            return Err(failed("no worker stays up; see their logs"));
        }
        Ok(())
    }

    fn stop(self) {
        self.supervisor.stop(&self.workers, WORKER_GRACE);
        self.supervisor.stop(&self.others, GRACE);
    }
}

/// Starts a cluster, runs the job on it, and ends it.
pub(super) fn launch(
    program: &ClusterProgram,
    settings: &Settings,
    sample: &Path,
    workflows: &Workflows,
) -> Result<u8> {
    let mut children = start(settings, &[])?;
    let workdir = settings.workdir.clone();
    let mut look = || {
        children.given_up()?;
        Ok(children.peak(&workdir))
    };
    let ended = follow_job(program, settings, sample, workflows, &mut look);
    children.stop();
    ended
}

/// Starts a cluster and keeps it up until it is told to end.
pub(super) fn keep_up(settings: &Settings, prefix: &[OsString]) -> Result<u8> {
    let children = start(settings, prefix)?;
    let runtime = mspass_actors::runtime::Runtime::start("launcher")?;
    let interrupt = Interrupt::listen(&runtime.waiter());
    while interrupt.exit_code().is_none() {
        children.given_up()?;
        interrupt.pause(LOOK);
    }
    children.stop();
    Ok(0)
}

/// Plays several roles on this machine, each as a process of its own.
pub(super) fn several(settings: &Settings, prefix: &[OsString]) -> Result<u8> {
    let pids = settings.workdir.join("pids");
    let refuse = |error| Error::Workdir { path: settings.log_dir.clone(), error };
    std::fs::create_dir_all(&settings.log_dir).map_err(refuse)?;
    let supervisor = Supervisor::start(Some(pids))?;
    let mut names = Vec::new();
    // Whoever submits jobs is a program of its own.
    for role in settings.roles.iter().filter(|role| **role != Role::Frontend) {
        supervisor.add(child(settings, prefix, *role, role.name()))?;
        names.push(role.name().to_owned());
    }
    let runtime = mspass_actors::runtime::Runtime::start("launcher")?;
    let interrupt = Interrupt::listen(&runtime.waiter());
    while interrupt.exit_code().is_none() {
        interrupt.pause(LOOK);
    }
    supervisor.stop(&names, GRACE);
    Ok(0)
}

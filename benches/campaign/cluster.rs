//! A cluster on hosts of its own: its processes can be killed, stopped, added and asked to leave,
//! and the wires between its hosts cut.
//!
//! The cluster is the example as a user runs it; which process plays which role it says itself, in
//! `WORKDIR/pids`, but for those that are started here. These are started again when they die.

#![allow(clippy::disallowed_methods)] // a driver: it reads the clock and waits

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::hosts::Hosts;
use super::programs::{end_within, failed, signal_to};
use super::signal::Draw;

/// Hosts that a cluster of any layout needs.
pub(crate) const HOSTS: u8 = 6;
/// Hosts that get a worker each when workers are added.
const ADDED_TO: [u8; 2] = [4, 5];
/// So many workers may be asked to leave; in every layout at least one more is there.
const DRAINS_MAX: usize = 2;
/// Starts of a process that is started again when it dies.
const STARTS_MAX: u32 = 15;
/// Time for a cluster to be up, all roles of it.
const START_MAX: Duration = Duration::from_secs(30);
/// Time for a disturbed job to end after its last fault: silence of a worker, a restart of each
/// role and the work itself on a busy machine.
const END_MAX: Duration = Duration::from_secs(180);
/// Time for processes to be gone once the launcher is.
const GONE_MAX: Duration = Duration::from_secs(10);
/// Time for a process to end when it is asked to: one that was cut off may first have to notice.
const LEAVE_MAX: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(5);

/// Who starts the processes of a cluster, and on which hosts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Layout {
    /// The launcher with all roles on one host; a worker on each of two others.
    Launched,
    /// Each process on a host of its own: scheduler, db, three workers and the driver.
    Spread,
}

/// A wire between two hosts, and what is on either side.
pub(crate) type Wire = (u8, u8, &'static str);

impl Layout {
    /// The host of the process whose end is the job's: the launcher, or the driver alone.
    fn driver(self) -> u8 {
        match self {
            Self::Launched => 1,
            Self::Spread => 6,
        }
    }

    /// Processes that are started beside it, in order.
    fn parts(self) -> &'static [(&'static str, u8)] {
        match self {
            Self::Launched => &[("worker", 3), ("worker", 4)],
            Self::Spread => {
                &[("scheduler", 1), ("db", 2), ("worker", 3), ("worker", 4), ("worker", 5)]
            }
        }
    }

    /// Wires that something is said over; one worker stands for all.
    fn wires(self) -> &'static [Wire] {
        match self {
            Self::Launched => {
                &[(1, 3, "a worker and all others"), (1, 4, "another worker and all others")]
            }
            Self::Spread => &[
                (1, 2, "scheduler and db"),
                (1, 3, "scheduler and a worker"),
                (2, 4, "db and a worker"),
                (1, 6, "scheduler and driver"),
                (2, 6, "db and driver"),
            ],
        }
    }
}

/// Where clusters are tried, and what on.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) hosts: Hosts,
    /// The program that is every part of a cluster.
    pub(crate) program: PathBuf,
    pub(crate) archive: PathBuf,
}

/// A process that was started here; it ends when this is dropped.
struct Part {
    role: &'static str,
    host: u8,
    starts: u32,
    child: Child,
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A cluster under trial: the launcher or driver, and whatever was started beside it.
pub(crate) struct Cluster<'a> {
    ground: &'a Ground,
    layout: Layout,
    workdir: PathBuf,
    driver: Part,
    parts: Vec<Part>,
    drains: usize,
}

impl<'a> Cluster<'a> {
    /// Starts it, and a job on it.
    pub(crate) fn start(
        ground: &'a Ground,
        layout: Layout,
        workdir: &Path,
    ) -> Result<Self, String> {
        fs::create_dir_all(workdir).map_err(failed("make", workdir))?;
        let driver = drive(ground, layout, workdir)?;
        let workdir = workdir.to_path_buf();
        let mut cluster = Self { ground, layout, workdir, driver, parts: Vec::new(), drains: 0 };
        if layout == Layout::Launched {
            // The launcher begins the list of processes.
            cluster.await_roles()?;
        }
        for (role, host) in layout.parts() {
            cluster.add(role, *host)?;
        }
        cluster.await_roles()?;
        Ok(cluster)
    }

    fn add(&mut self, role: &'static str, host: u8) -> Result<(), String> {
        let part = self.part(role, host, 1)?;
        self.parts.push(part);
        Ok(())
    }

    /// Starts a role on a host, for this many times now.
    fn part(&self, role: &'static str, host: u8, starts: u32) -> Result<Part, String> {
        let Ground { hosts, program, .. } = self.ground;
        let mut command = hosts.command(host, program);
        command.args(["--role", role, "--bind", &hosts.address(host).to_string()]);
        command.arg("--workdir").arg(&self.workdir).args(["--threads", "1"]);
        let out = self.workdir.join(format!("{role}-on-{host}.out"));
        Ok(Part { role, host, starts, child: spawn(command, &out)? })
    }

    /// Waits until each role has a process.
    fn await_roles(&mut self) -> Result<(), String> {
        let started = Instant::now();
        loop {
            let up = |role| !self.alive(role).is_empty();
            if up("scheduler") && up("db") && up("worker") {
                return Ok(());
            }
            if self.ends_within(POLL)? {
                return Ok(());
            }
            if started.elapsed() > START_MAX {
                return Err(self.told("its roles did not start"));
            }
        }
    }

    /// Processes that play a role now.
    fn alive(&self, role: &str) -> Vec<u32> {
        let text = fs::read_to_string(self.workdir.join("pids")).unwrap_or_default();
        let entry = |line: &str| {
            let (name, pid) = line.split_once(' ')?;
            (name == role).then(|| pid.trim().parse().ok())?
        };
        let own = self.parts.iter().filter(|part| part.role == role).map(|part| part.child.id());
        text.lines().filter_map(entry).chain(own).filter(|pid| runs(*pid)).collect()
    }

    fn one_of(&self, role: &str, draw: &mut Draw) -> Option<u32> {
        let pids = self.alive(role);
        pids.get((draw.fraction() * pids.len() as f64) as usize).copied()
    }

    /// Kills a process that plays a role.
    pub(crate) fn kill(&self, role: &str, draw: &mut Draw) -> Result<(), String> {
        self.one_of(role, draw).map_or(Ok(()), |pid| signal_to(pid, "KILL"))
    }

    /// Stops a worker for this long.
    pub(crate) fn stop_worker(&mut self, limit: Duration, draw: &mut Draw) -> Result<(), String> {
        let Some(pid) = self.one_of("worker", draw) else { return Ok(()) };
        signal_to(pid, "STOP")?;
        let ended = self.ends_within(limit);
        signal_to(pid, "CONT")?;
        ended.map(drop)
    }

    /// Asks a worker to leave, unless it might be the last.
    pub(crate) fn drain(&mut self, draw: &mut Draw) -> Result<(), String> {
        self.drains += 1;
        if self.drains > DRAINS_MAX {
            return Ok(());
        }
        self.one_of("worker", draw).map_or(Ok(()), |pid| signal_to(pid, "TERM"))
    }

    /// Adds two workers.
    pub(crate) fn add_workers(&mut self) -> Result<(), String> {
        ADDED_TO.iter().try_for_each(|host| self.add("worker", *host))
    }

    /// Kills the launcher, with everything that it started, or the driver; then runs the same
    /// command again.
    pub(crate) fn kill_driver(&mut self) -> Result<(), String> {
        let child = &mut self.driver.child;
        signal_to(child.id(), "KILL")?;
        child.wait().map_err(|error| format!("cannot wait: {error}"))?;
        self.await_nobody(&[self.driver.host], "after kill -9 of the launcher")?;
        self.driver = drive(self.ground, self.layout, &self.workdir)?;
        self.await_roles()
    }

    /// One of the wires that the cluster talks over.
    pub(crate) fn one_wire(&self, draw: &mut Draw) -> Wire {
        let wires = self.layout.wires();
        wires[(draw.fraction() * wires.len() as f64) as usize]
    }

    /// Cuts a wire for this long: neither side hears of the other, nor that the wire is cut.
    pub(crate) fn cut(&mut self, (a, b, _): Wire, limit: Duration) -> Result<(), String> {
        self.ground.hosts.cut(a, b)?;
        let ended = self.ends_within(limit);
        self.ground.hosts.join(a, b)?;
        ended.map(drop)
    }

    /// Whether the job ends within this time; only with success may it. What dies meanwhile is
    /// started again.
    pub(crate) fn ends_within(&mut self, limit: Duration) -> Result<bool, String> {
        let started = Instant::now();
        loop {
            self.start_again()?;
            let left = limit.saturating_sub(started.elapsed());
            match end_within(&mut self.driver.child, left.min(POLL))? {
                None if left.is_zero() => return Ok(false),
                None => {}
                Some(status) if status.code() == Some(0) => return Ok(true),
                Some(status) => return Err(self.told(&format!("the job ended with {status}"))),
            }
        }
    }

    /// Starts again what died, and forgets what left.
    fn start_again(&mut self) -> Result<(), String> {
        let mut at = 0;
        while let Some(part) = self.parts.get_mut(at) {
            let status = part.child.try_wait().map_err(|error| format!("cannot wait: {error}"))?;
            let (role, host, starts) = (part.role, part.host, part.starts);
            match status {
                None => at += 1,
                Some(status) if status.code() == Some(0) => drop(self.parts.remove(at)),
                Some(status) if starts >= STARTS_MAX => {
                    let fault = format!("the {role} on host {host} does not stay up: {status}");
                    return Err(self.told(&fault));
                }
                Some(_) => self.parts[at] = self.part(role, host, starts + 1)?,
            }
        }
        Ok(())
    }

    /// Lets the job end; its counts. Nothing may run on.
    pub(crate) fn finish(mut self) -> Result<Value, String> {
        if !self.ends_within(END_MAX)? {
            return Err(self.told("the job did not come to its end"));
        }
        let stdout = fs::read_to_string(self.workdir.with_extension("out")).unwrap_or_default();
        let last = stdout.lines().last().unwrap_or_default();
        let counts = serde_json::from_str(last)
            .map_err(|_| self.told(&format!("the last line is not JSON: {last}")))?;
        self.await_nobody(&[self.driver.host], "after the job's end")?;
        self.end_parts()?;
        let all: Vec<u8> = (1..=HOSTS).collect();
        self.await_nobody(&all, "after the cluster's end")?;
        Ok(counts)
    }

    /// Ends the processes that stay when the job ends: the workers first.
    fn end_parts(&mut self) -> Result<(), String> {
        let parts = std::mem::take(&mut self.parts);
        let (workers, others): (Vec<_>, Vec<_>) =
            parts.into_iter().partition(|part| part.role == "worker");
        for mut group in [workers, others] {
            group.iter().try_for_each(|part| signal_to(part.child.id(), "TERM"))?;
            for Part { role, host, child, .. } in &mut group {
                if end_within(child, LEAVE_MAX)?.is_none() {
                    return Err(format!("the {role} on {host} does not end when it is asked to"));
                }
            }
        }
        Ok(())
    }

    /// Waits until no process is left on these hosts.
    fn await_nobody(&self, hosts: &[u8], when: &str) -> Result<(), String> {
        let started = Instant::now();
        loop {
            let mut left = Vec::new();
            for host in hosts {
                let pids = self.ground.hosts.processes(*host)?;
                left.extend(pids.into_iter().filter(|pid| runs(*pid)).map(described));
            }
            if left.is_empty() {
                return Ok(());
            }
            if started.elapsed() > GONE_MAX {
                return Err(self.told(&format!("{left:?} still run {when}")));
            }
            std::thread::sleep(POLL);
        }
    }

    /// A fault with the last words of the launcher.
    fn told(&self, fault: &str) -> String {
        let stderr = fs::read_to_string(self.workdir.with_extension("err")).unwrap_or_default();
        let lines: Vec<_> = stderr.lines().rev().take(8).collect();
        let last: Vec<_> = lines.into_iter().rev().collect();
        format!("{fault}: {}", last.join(" | "))
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        self.ground.hosts.end_processes();
    }
}

/// Starts the process whose end is the job's.
fn drive(ground: &Ground, layout: Layout, workdir: &Path) -> Result<Part, String> {
    let host = layout.driver();
    let mut command = ground.hosts.command(host, &ground.program);
    command.arg("--archive").arg(&ground.archive).arg("--workdir").arg(workdir).arg("--json");
    match layout {
        Layout::Launched => {
            command.args(["--workers", "2", "--bind", &ground.hosts.address(host).to_string()]);
        }
        Layout::Spread => {
            command.args(["--role", "frontend"]);
        }
    }
    let child = spawn(command, &workdir.with_extension("out"))?;
    Ok(Part { role: "driver", host, starts: 1, child })
}

/// Starts a command, its output in `out`, its complaints beside it, after those of the one before.
fn spawn(mut command: Command, out: &Path) -> Result<Child, String> {
    let log = |path: &Path| {
        File::options().create(true).append(true).open(path).map_err(failed("write", path))
    };
    command.stdin(Stdio::null()).stdout(log(out)?).stderr(log(&out.with_extension("err"))?);
    let program = PathBuf::from(command.get_program());
    command.spawn().map_err(failed("start", &program))
}

/// Whether a process runs, and is no zombie.
fn runs(pid: u32) -> bool {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = text.rsplit_once(") ").and_then(|(_, fields)| fields.chars().next());
    state.is_some_and(|state| !matches!(state, 'Z' | 'X'))
}

/// A process and its command line.
fn described(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    format!("{pid} {}", String::from_utf8_lossy(&line).replace('\0', " "))
}

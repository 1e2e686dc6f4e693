//! Runs the main job over a cluster of processes while they are killed, stopped, added and
//! drained; the job must end, its counts and documents must be those of an undisturbed desktop run,
//! and no process may be left behind.
//!
//! The cluster is the example as a user runs it; which process plays which role it says itself, in
//! `WORKDIR/pids`.

#![allow(clippy::disallowed_methods)] // a driver: it reads the clock and waits

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::programs::{Programs, adds_up, end_within, failed, signal_to};
use super::raw_archive;
use super::signal::Draw;

/// Files of the archive that is written: enough work for faults to fall into.
const STATIONS: usize = 96;
/// Faults of one sequence at most.
const FAULTS_MAX: usize = 4;
/// Worker processes at the start.
const WORKERS: &str = "3";
/// Time for a cluster to be up, all roles of it.
const START_MAX: Duration = Duration::from_secs(30);
/// Time for a disturbed job to end after its last fault: silence of a worker, a restart of each
/// role and the work itself on a busy machine.
const END_MAX: Duration = Duration::from_secs(180);
/// Time for processes to be gone once the launcher is.
const GONE_MAX: Duration = Duration::from_secs(10);
/// Longest stop of a process.
const STOP_MAX: f64 = 60.0;
const POLL: Duration = Duration::from_millis(5);

/// What a disturbed job must report just like the undisturbed one.
const COUNTS: [&str; 7] = ["in", "live", "dead", "aborted", "saved", "samples_in", "bytes_read"];

/// One thing that happens to a cluster.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    KillWorker,
    /// Stopped for some seconds, then let go on.
    StopWorker(f64),
    KillScheduler,
    KillDb,
    /// The launcher itself, with everything; then the same command again.
    KillLauncher,
    /// Two workers more.
    AddWorkers,
    /// One worker is asked to leave.
    Drain,
}

impl Fault {
    /// Every kind of fault once, a stop long enough for silence to be noticed.
    pub(crate) const ALL: [Self; 7] = [
        Self::KillWorker,
        Self::StopWorker(20.0),
        Self::KillScheduler,
        Self::KillDb,
        Self::KillLauncher,
        Self::AddWorkers,
        Self::Drain,
    ];

    fn draw(draw: &mut Draw) -> Self {
        let kinds = Self::ALL;
        match kinds[(draw.fraction() * kinds.len() as f64) as usize] {
            Self::StopWorker(_) => Self::StopWorker((STOP_MAX * draw.fraction()).round()),
            other => other,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StopWorker(seconds) => write!(f, "stop a worker for {seconds} s"),
            other => {
                let text = format!("{other:?}").chars().fold(String::new(), |text, c| match c {
                    'A'..='Z' if !text.is_empty() => {
                        text + " " + &c.to_ascii_lowercase().to_string()
                    }
                    c => text + &c.to_ascii_lowercase().to_string(),
                });
                f.write_str(&text)
            }
        }
    }
}

/// What to do.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// The sequences of faults; each is a job of its own.
    pub(crate) sequences: Vec<Vec<Fault>>,
    /// Emptied at the start; afterwards it holds the jobs that failed, for inspection.
    pub(crate) folder: PathBuf,
}

impl Settings {
    /// `count` random sequences.
    pub(crate) fn random(seed: u64, count: usize, folder: PathBuf) -> Self {
        let mut draw = Draw::new(seed);
        let sequence = |_| {
            let faults = 1 + (FAULTS_MAX as f64 * draw.fraction()) as usize;
            (0..faults).map(|_| Fault::draw(&mut draw)).collect()
        };
        Self { seed, sequences: (0..count).map(sequence).collect(), folder }
    }
}

/// Runs the campaign: one text for each job whose end was wrong. `Err` says why it could not be
/// carried out at all.
pub(crate) fn run(settings: &Settings, say: &mut dyn FnMut(String)) -> Result<Vec<String>, String> {
    let folder = &settings.folder;
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed("empty", folder))?;
    }
    fs::create_dir_all(folder).map_err(failed("make", folder))?;
    let archive = folder.join("archive");
    raw_archive::write(&archive, STATIONS, settings.seed)?;
    let mut trial = Trial {
        programs: Programs::build()?,
        archive,
        folder,
        counts: Value::Null,
        whole: END_MAX,
    };
    trial.undisturbed(say)?;
    let mut draw = Draw::new(settings.seed ^ 0x6661_756c_7473);
    let mut failures = Vec::new();
    for (number, sequence) in settings.sequences.iter().enumerate() {
        let workdir = folder.join(format!("job-{}", number + 1));
        let names: Vec<_> = sequence.iter().map(Fault::to_string).collect();
        let names = names.join(", ");
        let started = Instant::now();
        let end = trial.disturbed(&workdir, sequence, &mut draw);
        let took = started.elapsed().as_secs_f64();
        match end {
            Ok(()) => {
                say(format!("sequence {}: equal after {took:.1} s: {names}", number + 1));
                fs::remove_dir_all(&workdir).map_err(failed("empty", &workdir))?;
            }
            Err(fault) => {
                let text = format!("sequence {} ({names}): {fault}", number + 1);
                say(format!("FAILED after {took:.1} s, kept in {}: {text}", workdir.display()));
                failures.push(text);
            }
        }
    }
    if failures.is_empty() {
        fs::remove_dir_all(folder).map_err(failed("empty", folder))?;
    }
    Ok(failures)
}

struct Trial<'a> {
    programs: Programs,
    archive: PathBuf,
    folder: &'a Path,
    /// What the undisturbed run reported.
    counts: Value,
    /// How long an undisturbed cluster took.
    whole: Duration,
}

impl Trial<'_> {
    /// The desktop's result, and an undisturbed cluster's, which must be the same.
    fn undisturbed(&mut self, say: &mut dyn FnMut(String)) -> Result<(), String> {
        let workdir = self.folder.join("undisturbed");
        let mut command = Command::new(&self.programs.desktop);
        command.arg("--archive").arg(&self.archive).arg("--workdir").arg(&workdir).arg("--json");
        let output = command.output().map_err(failed("start", &self.programs.desktop))?;
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = out.lines().last().unwrap_or_default();
        self.counts = serde_json::from_str(last)
            .map_err(|_| format!("the desktop gave no counts: {}", output.status))?;
        if !adds_up(&self.counts) {
            return Err(format!("in is not live + dead + aborted: {}", self.counts));
        }
        let started = Instant::now();
        self.disturbed(&self.folder.join("cluster"), &[], &mut Draw::new(0))?;
        self.whole = started.elapsed();
        say(format!("undisturbed cluster: {:.2} s, {last}", self.whole.as_secs_f64()));
        Ok(())
    }

    /// A job with faults, and what is wrong with its end.
    fn disturbed(&self, workdir: &Path, sequence: &[Fault], draw: &mut Draw) -> Result<(), String> {
        let mut cluster = Cluster::start(self, workdir)?;
        for fault in sequence {
            let pause = self.whole.mul_f64(draw.fraction() / sequence.len().max(2) as f64);
            if cluster.ends_within(pause)? {
                break;
            }
            cluster.suffer(*fault, draw)?;
        }
        let counts = cluster.finish()?;
        for key in COUNTS {
            let (was, is) = (&self.counts[key], &counts[key]);
            if was != is || was.is_null() {
                return Err(format!("{key}: {is}, undisturbed {was}"));
            }
        }
        self.programs.same_documents(&self.folder.join("undisturbed"), workdir)
    }
}

/// A cluster under trial: its launcher, and whatever was started beside it.
struct Cluster<'a> {
    trial: &'a Trial<'a>,
    workdir: PathBuf,
    launcher: Child,
    added: Vec<Child>,
}

impl<'a> Cluster<'a> {
    fn start(trial: &'a Trial<'a>, workdir: &Path) -> Result<Self, String> {
        let launcher = launch(trial, workdir)?;
        let workdir = workdir.to_path_buf();
        let mut cluster = Self { trial, workdir, launcher, added: Vec::new() };
        cluster.await_roles()?;
        Ok(cluster)
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
        self.processes().into_iter().filter(|(name, _)| name == role).map(|(_, pid)| pid).collect()
    }

    /// All processes of `WORKDIR/pids` that still run, with their roles.
    fn processes(&self) -> Vec<(String, u32)> {
        let text = fs::read_to_string(self.workdir.join("pids")).unwrap_or_default();
        let entry = |line: &str| {
            let (role, pid) = line.split_once(' ')?;
            Some((role.to_owned(), pid.trim().parse().ok()?))
        };
        text.lines().filter_map(entry).filter(|(_, pid)| runs(*pid)).collect()
    }

    fn suffer(&mut self, fault: Fault, draw: &mut Draw) -> Result<(), String> {
        let mut one_of = |pids: Vec<u32>| {
            let at = (draw.fraction() * pids.len() as f64) as usize;
            pids.get(at).copied()
        };
        match fault {
            Fault::KillWorker => self.signal(one_of(self.alive("worker")), "KILL"),
            Fault::KillScheduler => self.signal(one_of(self.alive("scheduler")), "KILL"),
            Fault::KillDb => self.signal(one_of(self.alive("db")), "KILL"),
            Fault::Drain => self.signal(one_of(self.alive("worker")), "TERM"),
            Fault::StopWorker(seconds) => {
                let stopped = one_of(self.alive("worker"));
                self.signal(stopped, "STOP")?;
                self.ends_within(Duration::from_secs_f64(seconds))?;
                self.signal(stopped, "CONT")
            }
            Fault::AddWorkers => {
                for _ in 0..2 {
                    let mut command = Command::new(&self.trial.programs.cluster);
                    command.args(["--role", "worker", "--workdir"]).arg(&self.workdir);
                    let child = spawn(command, &self.workdir.with_extension("added"))?;
                    self.added.push(child);
                }
                Ok(())
            }
            Fault::KillLauncher => {
                signal_to(self.launcher.id(), "KILL")?;
                self.launcher.wait().map_err(|error| format!("cannot wait: {error}"))?;
                self.await_nobody("after kill -9 of the launcher")?;
                self.launcher = launch(self.trial, &self.workdir)?;
                self.await_roles()
            }
        }
    }

    fn signal(&self, process: Option<u32>, name: &str) -> Result<(), String> {
        process.map_or(Ok(()), |process| signal_to(process, name))
    }

    /// Whether the launcher ends within this time; only with success may it.
    fn ends_within(&mut self, limit: Duration) -> Result<bool, String> {
        match end_within(&mut self.launcher, limit)? {
            None => Ok(false),
            Some(status) if status.code() == Some(0) => Ok(true),
            Some(status) => Err(self.told(&format!("the launcher ended with {status}"))),
        }
    }

    /// Lets the job end; its counts. Nothing may run on.
    fn finish(mut self) -> Result<Value, String> {
        if !self.ends_within(END_MAX)? {
            return Err(self.told("the job did not come to its end"));
        }
        let stdout = fs::read_to_string(self.workdir.with_extension("out")).unwrap_or_default();
        let last = stdout.lines().last().unwrap_or_default();
        let counts = serde_json::from_str(last)
            .map_err(|_| self.told(&format!("the last line is not JSON: {last}")))?;
        self.end_added();
        self.await_nobody("after the job's end")?;
        Ok(counts)
    }

    /// Ends the workers that were added by hand, and stay when the cluster goes.
    fn end_added(&mut self) {
        for child in &mut self.added {
            let _ = signal_to(child.id(), "TERM");
            if !matches!(end_within(child, GONE_MAX), Ok(Some(_))) {
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        self.added.clear();
    }

    /// Waits until no process of the launcher's is left.
    fn await_nobody(&self, when: &str) -> Result<(), String> {
        let started = Instant::now();
        loop {
            let mut left = self.processes();
            left.retain(|(_, pid)| !self.is_of_added(*pid));
            if left.is_empty() {
                return Ok(());
            }
            if started.elapsed() > GONE_MAX {
                return Err(self.told(&format!("{left:?} still run {when}")));
            }
            std::thread::sleep(POLL);
        }
    }

    /// Whether a process was added by hand, or is the child of one that was.
    fn is_of_added(&self, pid: u32) -> bool {
        let parent = stat_field(pid, 1).and_then(|text| text.parse::<u32>().ok());
        let added = |pid: u32| self.added.iter().any(|child| child.id() == pid);
        added(pid) || parent.is_some_and(added)
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
        let _ = self.launcher.kill();
        let _ = self.launcher.wait();
        self.end_added();
    }
}

fn launch(trial: &Trial<'_>, workdir: &Path) -> Result<Child, String> {
    let mut command = Command::new(&trial.programs.cluster);
    command.arg("--archive").arg(&trial.archive).arg("--workdir").arg(workdir);
    command.args(["--workers", WORKERS, "--json"]);
    spawn(command, &workdir.with_extension("out"))
}

/// Starts a command, its output in `out`, its complaints beside it.
fn spawn(mut command: Command, out: &Path) -> Result<Child, String> {
    let log = |path: &Path| File::create(path).map_err(failed("write", path));
    command.stdin(Stdio::null()).stdout(log(out)?).stderr(log(&out.with_extension("err"))?);
    let program = PathBuf::from(command.get_program());
    command.spawn().map_err(failed("start", &program))
}

/// Whether a process runs, and is no zombie.
fn runs(pid: u32) -> bool {
    stat_field(pid, 0).is_some_and(|state| !matches!(state.as_str(), "Z" | "X"))
}

/// A field of `/proc/PID/stat` after the name: 0 is the state, 1 the parent.
fn stat_field(pid: u32, at: usize) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(") ")?;
    fields.split_whitespace().nth(at).map(str::to_owned)
}

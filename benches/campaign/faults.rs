//! Runs the main job over a cluster of processes while they are killed, stopped, added, drained and
//! cut off from one another; the job must end, its counts and documents must be those of an
//! undisturbed desktop run, and no process may be left behind.

#![allow(clippy::disallowed_methods)] // a driver: it reads the clock and waits

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cluster::{Cluster, Ground, HOSTS, Layout};
use super::hosts::Hosts;
use super::programs::{Programs, adds_up, failed};
use super::raw_archive;
use super::signal::Draw;

/// Files of the archive that is written: enough work for faults to fall into.
const STATIONS: usize = 96;
/// Faults of one sequence at most.
const FAULTS_MAX: usize = 4;
/// Longest stop of a process.
const STOP_MAX: f64 = 60.0;
/// Shortest and longest time for which a wire is cut; a peer that is silent for 15 s is down.
const CUT: (f64, f64) = (1.0, 40.0);

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
    /// The launcher itself, with everything, or the driver; then the same command again.
    KillLauncher,
    /// Two workers more.
    AddWorkers,
    /// One worker is asked to leave.
    Drain,
    /// The wire between two hosts is cut for some seconds, then joined.
    Cut(f64),
}

impl Fault {
    /// Every kind of fault once, a stop and a cut long enough for silence to be noticed.
    pub(crate) const ALL: [Self; 8] = [
        Self::KillWorker,
        Self::StopWorker(20.0),
        Self::KillScheduler,
        Self::KillDb,
        Self::KillLauncher,
        Self::AddWorkers,
        Self::Drain,
        Self::Cut(20.0),
    ];

    fn draw(draw: &mut Draw) -> Self {
        let kinds = Self::ALL;
        match kinds[(draw.fraction() * kinds.len() as f64) as usize] {
            Self::StopWorker(_) => Self::StopWorker((STOP_MAX * draw.fraction()).round()),
            Self::Cut(_) => Self::Cut((CUT.0 + (CUT.1 - CUT.0) * draw.fraction()).round()),
            other => other,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StopWorker(seconds) => write!(f, "stop a worker for {seconds} s"),
            Self::Cut(seconds) => write!(f, "cut a wire for {seconds} s"),
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

/// A job of its own, and what happens to it.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    pub(crate) layout: Layout,
    pub(crate) faults: Vec<Fault>,
}

impl Sequence {
    fn draw(draw: &mut Draw) -> Self {
        let layout = if draw.fraction() < 0.5 { Layout::Launched } else { Layout::Spread };
        let faults = 1 + (FAULTS_MAX as f64 * draw.fraction()) as usize;
        Self { layout, faults: (0..faults).map(|_| Fault::draw(draw)).collect() }
    }
}

/// What to do.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) sequences: Vec<Sequence>,
    /// Emptied at the start; afterwards it holds the jobs that failed, for inspection.
    pub(crate) folder: PathBuf,
}

impl Settings {
    /// `count` random sequences.
    pub(crate) fn random(seed: u64, count: usize, folder: PathBuf) -> Self {
        let mut draw = Draw::new(seed);
        let sequences = (0..count).map(|_| Sequence::draw(&mut draw)).collect();
        Self { seed, sequences, folder }
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
    let programs = Programs::build()?;
    let ground = Ground { hosts: Hosts::new(HOSTS)?, program: programs.cluster.clone(), archive };
    let mut trial = Trial { programs, ground, folder, counts: Value::Null, whole: Duration::ZERO };
    trial.undisturbed(say)?;
    let mut draw = Draw::new(settings.seed ^ 0x6661_756c_7473);
    let mut failures = Vec::new();
    for (at, sequence) in settings.sequences.iter().enumerate() {
        let number = at + 1;
        let workdir = folder.join(format!("job-{number}"));
        let mut story = Vec::new();
        let started = Instant::now();
        let end = trial.disturbed(&workdir, sequence, &mut draw, &mut story);
        let took = started.elapsed().as_secs_f64();
        let story = format!("{:?}: {}", sequence.layout, story.join(", "));
        match end {
            Ok(()) => {
                say(format!("sequence {number}: equal after {took:.1} s, {story}"));
                fs::remove_dir_all(&workdir).map_err(failed("empty", &workdir))?;
            }
            Err(fault) => {
                let text = format!("sequence {number}, {story}: {fault}");
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
    ground: Ground,
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
        command.arg("--archive").arg(&self.ground.archive).arg("--workdir").arg(&workdir);
        command.arg("--json");
        let output = command.output().map_err(failed("start", &self.programs.desktop))?;
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let last = out.lines().last().unwrap_or_default();
        self.counts = serde_json::from_str(last)
            .map_err(|_| format!("the desktop gave no counts: {}", output.status))?;
        if !adds_up(&self.counts) {
            return Err(format!("in is not live + dead + aborted: {}", self.counts));
        }
        let started = Instant::now();
        let nothing = Sequence { layout: Layout::Launched, faults: Vec::new() };
        let workdir = self.folder.join("cluster");
        self.disturbed(&workdir, &nothing, &mut Draw::new(0), &mut Vec::new())?;
        self.whole = started.elapsed();
        say(format!("undisturbed cluster: {:.2} s, {last}", self.whole.as_secs_f64()));
        Ok(())
    }

    /// A job with faults, and what is wrong with its end; `story` tells what happened to it.
    fn disturbed(
        &self,
        workdir: &Path,
        sequence: &Sequence,
        draw: &mut Draw,
        story: &mut Vec<String>,
    ) -> Result<(), String> {
        let Sequence { layout, faults } = sequence;
        let mut cluster = Cluster::start(&self.ground, *layout, workdir)?;
        for (at, fault) in faults.iter().enumerate() {
            let pause = self.whole.mul_f64(draw.fraction() / faults.len().max(2) as f64);
            if cluster.ends_within(pause)? {
                let late: Vec<_> = faults[at..].iter().map(Fault::to_string).collect();
                story.push(format!("ended before: {}", late.join(", ")));
                break;
            }
            suffer(&mut cluster, *fault, draw, story)?;
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

/// Does to a cluster what a fault is, and tells it.
fn suffer(
    cluster: &mut Cluster<'_>,
    fault: Fault,
    draw: &mut Draw,
    story: &mut Vec<String>,
) -> Result<(), String> {
    story.push(fault.to_string());
    match fault {
        Fault::KillWorker => cluster.kill("worker", draw),
        Fault::KillScheduler => cluster.kill("scheduler", draw),
        Fault::KillDb => cluster.kill("db", draw),
        Fault::StopWorker(seconds) => cluster.stop_worker(Duration::from_secs_f64(seconds), draw),
        Fault::Drain => cluster.drain(draw),
        Fault::AddWorkers => cluster.add_workers(),
        Fault::KillLauncher => cluster.kill_driver(),
        Fault::Cut(seconds) => {
            let wire = cluster.one_wire(draw);
            if let Some(told) = story.last_mut() {
                *told = format!("{told} between {}", wire.2);
            }
            cluster.cut(wire, Duration::from_secs_f64(seconds))
        }
    }
}

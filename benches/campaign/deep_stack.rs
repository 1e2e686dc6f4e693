//! Stacks more data than a process may hold: in one process, and over three workers of which one is
//! killed in the middle of the shuffle. Both must keep to their memory, and give the same stacks
//! bit for bit.

#![allow(clippy::disallowed_methods)] // a driver: it reads the clock and waits

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::programs::{Programs, adds_up, end_within, failed, signal_to};
use super::signal::Draw;

/// Traces that the limits below are meant for: 4.3 GB of samples.
pub(crate) const TRACES: u64 = 32_768;
/// Samples of each.
const NPTS: u64 = 16_384;
/// Groups.
const STATIONS: u64 = 64;
/// Memory that each process may use, bytes; for fewer traces, less.
const BUDGET: u64 = 512 << 20;
/// What the largest process may have taken at its end.
const PEAK_MAX: u64 = 600_000_000;
/// A run must end within this time.
const PATIENCE: Duration = Duration::from_secs(1200);
/// How often the pieces are looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What to do.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    pub(crate) traces: u64,
    /// Emptied at the start, and at the end if all went well.
    pub(crate) folder: PathBuf,
}

/// Runs the campaign; one text for each thing that was wrong. `Err` says why it could not be
/// carried out at all.
pub(crate) fn run(settings: &Settings, say: &mut dyn FnMut(String)) -> Result<Vec<String>, String> {
    let Settings { seed, traces, folder } = settings;
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed("empty", folder))?;
    }
    fs::create_dir_all(folder).map_err(failed("make", folder))?;
    let trial = Trial { program: Programs::build()?, traces: *traces };
    let (alone, cluster) = (folder.join("alone"), folder.join("cluster"));
    let mut wrong = Vec::new();

    let mut child = trial.start(&alone, &["--workers", "2"])?;
    let told = trial.end(&mut child, &alone)?;
    trial.judge("one process", &told, &mut wrong, say);

    let mut child = trial.start(&cluster, &["--processes", "--workers", "3"])?;
    let killed = trial.kill_worker(&mut child, &cluster, &mut Draw::new(*seed));
    if killed.is_err() {
        // The launcher takes its processes with it.
        let _ = child.kill();
    }
    say(killed?);
    let told = trial.end(&mut child, &cluster)?;
    trial.judge("three workers, one killed", &told, &mut wrong, say);
    wrong.extend(trial.program.same_documents(&alone, &cluster).err());
    if wrong.is_empty() {
        fs::remove_dir_all(folder).map_err(failed("empty", folder))?;
    }
    Ok(wrong)
}

struct Trial {
    program: Programs,
    traces: u64,
}

impl Trial {
    /// Bytes of all samples.
    fn bytes(&self) -> u64 {
        self.traces * NPTS * 8
    }

    /// What is allowed for all traces, for as many as there are.
    fn share(&self, whole: u64) -> u64 {
        whole * self.traces / TRACES
    }

    fn start(&self, workdir: &Path, how: &[&str]) -> Result<Child, String> {
        let log = |path: PathBuf| File::create(&path).map_err(failed("write", &path));
        let mut command = Command::new(&self.program.deep_stack);
        for (flag, number) in [
            ("--traces", self.traces),
            ("--npts", NPTS),
            ("--stations", STATIONS),
            ("--memory-limit", self.share(BUDGET)),
        ] {
            command.args([flag, &number.to_string()]);
        }
        command.arg("--workdir").arg(workdir).args(["--json", "--quiet"]).args(how);
        command.stdin(Stdio::null()).stdout(log(workdir.with_extension("out"))?);
        command.stderr(log(workdir.with_extension("err"))?);
        command.spawn().map_err(failed("start", &self.program.deep_stack))
    }

    /// Kills a worker when a part of the pieces, drawn from the seed, lies on disk.
    fn kill_worker(
        &self,
        child: &mut Child,
        workdir: &Path,
        draw: &mut Draw,
    ) -> Result<String, String> {
        let part = 0.1 + 0.6 * draw.fraction();
        let enough = (part * self.bytes() as f64) as u64;
        let started = Instant::now();
        while workers(workdir).into_iter().map(spilled).sum::<u64>() < enough {
            if let Some(status) = end_within(child, LOOK)? {
                return Err(format!("{status} before pieces lay on disk: {}", tail(workdir)));
            }
            if started.elapsed() > PATIENCE {
                return Err("the pieces do not come".to_owned());
            }
        }
        let workers = workers(workdir);
        let chosen = workers.get((draw.fraction() * workers.len() as f64) as usize);
        let pid = chosen.ok_or("there is no worker to be killed")?;
        signal_to(*pid, "KILL")?;
        Ok(format!("a worker killed with {:.0} % of the pieces on disk", part * 100.0))
    }

    /// Waits for the end; what the program told.
    fn end(&self, child: &mut Child, workdir: &Path) -> Result<Value, String> {
        let status = end_within(child, PATIENCE)?;
        if status.and_then(|status| status.code()) != Some(0) {
            let _ = child.kill();
            return Err(format!("ended with {status:?}: {}", tail(workdir)));
        }
        let told = fs::read_to_string(workdir.with_extension("out")).unwrap_or_default();
        let last = told.lines().last().unwrap_or_default();
        serde_json::from_str(last).map_err(|_| format!("the last line is not JSON: {last}"))
    }

    fn judge(
        &self,
        name: &str,
        told: &Value,
        wrong: &mut Vec<String>,
        say: &mut dyn FnMut(String),
    ) {
        let number = |key: &str| told[key].as_u64().unwrap_or_default();
        let peak = number("peak_rss_bytes");
        say(format!(
            "{name}: {} MB of samples in {:.1} s, peak {} MB of {} MB",
            self.bytes() / 1_000_000,
            told["seconds"].as_f64().unwrap_or_default(),
            peak / 1_000_000,
            self.share(PEAK_MAX) / 1_000_000,
        ));
        if !adds_up(told) || number("live") != self.traces + STATIONS || number("saved") != STATIONS
        {
            wrong.push(format!("{name}: {told}"));
        }
        if peak > self.share(PEAK_MAX) {
            wrong.push(format!("{name}: a process took {peak} bytes"));
        }
    }
}

/// Processes of workers that live.
fn workers(workdir: &Path) -> Vec<u32> {
    let pids = fs::read_to_string(workdir.join("pids")).unwrap_or_default();
    let pids = pids.lines().filter_map(|line| line.strip_prefix("worker ")?.trim().parse().ok());
    pids.filter(|pid| Path::new(&format!("/proc/{pid}")).exists()).collect()
}

/// Bytes of the files without a name that a process has open: its pieces that memory does not hold.
fn spilled(process: u32) -> u64 {
    let open = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
    let size = |file: fs::DirEntry| {
        let name = fs::read_link(file.path()).ok()?;
        let nameless = name.to_string_lossy().ends_with("(deleted)");
        let about = fs::metadata(file.path()).ok().filter(fs::Metadata::is_file)?;
        nameless.then_some(about.len())
    };
    open.filter_map(size).sum()
}

/// The last words of a program.
fn tail(workdir: &Path) -> String {
    let text = fs::read_to_string(workdir.with_extension("err")).unwrap_or_default();
    let lines: Vec<_> = text.lines().rev().take(5).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join(" | ")
}

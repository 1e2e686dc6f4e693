//! Kills the desktop example while it works and starts it again, until it finishes; the result
//! must be that of an undisturbed run, document for document.
//!
//! Two thirds of the kills are SIGKILL, a third SIGINT. Those of one job are drawn uniformly over
//! the time that the undisturbed run took; each start works until the next of them. The programs
//! are run as a user runs them: nothing here looks inside.

#![allow(clippy::disallowed_methods)] // a driver: it reads the clock and waits

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::programs::{Programs, adds_up, end_within, failed, signal_to};
use super::raw_archive;
use super::signal::Draw;

/// Sound files of the archive that is written where none is given.
const STATIONS: usize = 24;
/// At most so many kills before a job is left to finish.
const KILLS_A_JOB_MAX: f64 = 6.0;
/// One start must end by itself within this many undisturbed run times, and never under a minute.
const PATIENCE: u32 = 20;
const PATIENCE_MIN: Duration = Duration::from_secs(60);

/// What a disturbed job must report just like the undisturbed one.
const COUNTS: [&str; 7] = ["in", "live", "dead", "aborted", "saved", "samples_in", "bytes_read"];

/// What to do.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) seed: u64,
    /// Kills in all, over as many jobs as that takes.
    pub(crate) kills: usize,
    /// Raw data to work on; without one a small archive is written.
    pub(crate) archive: Option<PathBuf>,
    /// Emptied at the start; afterwards it holds the jobs that failed, for inspection.
    pub(crate) folder: PathBuf,
}

/// What happened.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) kills: usize,
    /// One text for each job whose end was not that of the undisturbed run.
    pub(crate) failures: Vec<String>,
}

/// Runs the campaign. `Err` says why it could not be carried out at all.
pub(crate) fn run(settings: &Settings, say: &mut dyn FnMut(String)) -> Result<Outcome, String> {
    let folder = &settings.folder;
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed("empty", folder))?;
    }
    fs::create_dir_all(folder).map_err(failed("make", folder))?;
    let archive = match &settings.archive {
        Some(archive) => archive.clone(),
        None => odd_archive(&folder.join("archive"), settings.seed)?,
    };
    let programs = Programs::build()?;
    let mut trial = Trial { programs, archive, folder, whole: PATIENCE_MIN, counts: Value::Null };
    let started = Instant::now();
    trial.counts = trial.finish(&folder.join("undisturbed"))?;
    trial.whole = started.elapsed();
    say(format!("undisturbed run: {:.2} s, {}", trial.whole.as_secs_f64(), trial.counts));
    if !adds_up(&trial.counts) {
        return Err(format!("in is not live + dead + aborted: {}", trial.counts));
    }

    let mut draw = Draw::new(settings.seed);
    let mut outcome = Outcome { kills: 0, failures: Vec::new() };
    for job in 1.. {
        let left = settings.kills.saturating_sub(outcome.kills);
        if left == 0 {
            break;
        }
        if job > 10 + 10 * settings.kills {
            return Err("nearly every job ends before it can be killed".to_owned());
        }
        let workdir = folder.join(format!("job-{job}"));
        let mut kills = Vec::new();
        let planned = (1 + (KILLS_A_JOB_MAX * draw.fraction()) as usize).min(left);
        let end = trial.disturbed(&workdir, planned, &mut draw, &mut kills);
        outcome.kills += kills.len();
        let progress = format!("{}/{} kills", outcome.kills, settings.kills);
        match end {
            Ok(()) => {
                say(format!("{progress}: job {job} equal: {}", kills.join(", ")));
                fs::remove_dir_all(&workdir).map_err(failed("empty", &workdir))?;
            }
            Err(fault) => {
                let text = format!("job {job} ({}): {fault}", kills.join(", "));
                say(format!("{progress}: FAILED, kept in {}: {text}", workdir.display()));
                outcome.failures.push(text);
            }
        }
    }
    if outcome.failures.is_empty() {
        fs::remove_dir_all(folder).map_err(failed("empty", folder))?;
    }
    Ok(outcome)
}

/// Sound files, and with them what archives also hold: a file cut off in the middle of a record, an
/// empty one, and one of text.
fn odd_archive(folder: &Path, seed: u64) -> Result<PathBuf, String> {
    raw_archive::write(folder, STATIONS, seed)?;
    let sound = folder.join("XX.S000.2024.017.12.mseed");
    let bytes = fs::read(&sound).map_err(failed("read", &sound))?;
    let cut = bytes.len() / 2 + 100;
    let odd = [("cut.mseed", &bytes[..cut]), ("empty", &[][..]), ("notes.txt", b"no data\n")];
    for (name, bytes) in odd {
        let path = folder.join(name);
        fs::write(&path, bytes).map_err(failed("write", &path))?;
    }
    Ok(folder.to_path_buf())
}

struct Trial<'a> {
    programs: Programs,
    archive: PathBuf,
    folder: &'a Path,
    /// How long the undisturbed run took.
    whole: Duration,
    /// What the undisturbed run reported.
    counts: Value,
}

impl Trial<'_> {
    /// A job with kills, noted in `kills` as they happen, and what is wrong with its end.
    fn disturbed(
        &self,
        workdir: &Path,
        planned: usize,
        draw: &mut Draw,
        kills: &mut Vec<String>,
    ) -> Result<(), String> {
        let mut moments: Vec<f64> = (0..planned).map(|_| draw.fraction()).collect();
        moments.sort_by(f64::total_cmp);
        let mut earlier = 0.0;
        for moment in moments {
            let span = self.whole.mul_f64(moment - earlier);
            earlier = moment;
            let gently = draw.fraction() < 1.0 / 3.0;
            let mut child = self.start(workdir)?;
            if let Some(status) = end_within(&mut child, span)? {
                if status.code() != Some(0) {
                    return Err(self.told(workdir, &format!("ended by itself, {status}")));
                }
                break;
            }
            let name = if gently { "SIGINT" } else { "SIGKILL" };
            kills.push(format!("{name} after {:.3} s", span.as_secs_f64()));
            if gently {
                signal_to(child.id(), "INT")?;
            } else {
                child.kill().map_err(|error| format!("cannot kill: {error}"))?;
            }
            let Some(status) = end_within(&mut child, self.patience())? else {
                let _ = child.kill();
                let _ = child.wait();
                return Err(self.told(workdir, &format!("runs on after {name}")));
            };
            // None: ended by the signal itself, before the program could handle it.
            if gently && !matches!(status.code(), Some(130 | 0) | None) {
                return Err(self.told(workdir, &format!("SIGINT ended it with {status}")));
            }
        }
        let counts = self.finish(workdir)?;
        for key in COUNTS {
            let (was, is) = (&self.counts[key], &counts[key]);
            if was != is || was.is_null() {
                return Err(format!("{key}: {is}, undisturbed {was}"));
            }
        }
        self.programs.same_documents(&self.folder.join("undisturbed"), workdir)
    }

    /// Starts the job and lets it end; its counts.
    fn finish(&self, workdir: &Path) -> Result<Value, String> {
        let mut child = self.start(workdir)?;
        match end_within(&mut child, self.patience())? {
            Some(status) if status.code() == Some(0) => {}
            Some(status) => return Err(self.told(workdir, &format!("ended with {status}"))),
            None => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(self.told(workdir, "did not come to its end"));
            }
        }
        let stdout = fs::read_to_string(stdout_of(workdir)).unwrap_or_default();
        let last = stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last).map_err(|_| format!("the last line is not JSON: {last}"))
    }

    fn start(&self, workdir: &Path) -> Result<Child, String> {
        let log = |path: PathBuf| File::create(&path).map_err(failed("write", &path));
        let mut command = Command::new(&self.programs.desktop);
        command.arg("--archive").arg(&self.archive).arg("--workdir").arg(workdir).arg("--json");
        command.stdin(Stdio::null());
        command.stdout(log(stdout_of(workdir))?).stderr(log(stderr_of(workdir))?);
        command.spawn().map_err(failed("start", &self.programs.desktop))
    }

    fn patience(&self) -> Duration {
        PATIENCE_MIN.max(self.whole * PATIENCE)
    }

    /// A fault with the last words of the program.
    fn told(&self, workdir: &Path, fault: &str) -> String {
        let stderr = fs::read_to_string(stderr_of(workdir)).unwrap_or_default();
        let lines: Vec<_> = stderr.lines().rev().take(5).collect();
        let last: Vec<_> = lines.into_iter().rev().collect();
        format!("{fault}: {}", last.join(" | "))
    }
}

fn stdout_of(workdir: &Path) -> PathBuf {
    workdir.with_extension("out")
}

fn stderr_of(workdir: &Path) -> PathBuf {
    workdir.with_extension("err")
}

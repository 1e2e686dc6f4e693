//! Showing how far a job is, on a terminal.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mspass_actors::Result;
use mspass_actors::foreman::JobStatus;
use mspass_actors::job::Driver;
use mspass_io::archive::IndexProgress;

use super::signals::Interrupt;

/// How often the job is asked where it stands.
const POLL: Duration = Duration::from_millis(20);

/// A bar on standard error, hidden without a terminal.
#[derive(Debug)]
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new(quiet: bool) -> Self {
        let target = if quiet || !std::io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        Self(ProgressBar::with_draw_target(Some(0), target))
    }

    /// Begins a phase: its bar counts what `rate` says, from nothing.
    pub(crate) fn begin(&self, rate: &str) {
        let template = format!("{{msg:32}} [{{bar:28}}] {{percent:>3}}%  {rate}  eta {{eta}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            self.0.set_style(style.progress_chars("=> "));
        }
        self.0.reset();
    }

    pub(super) fn indexing(&self, progress: &IndexProgress) {
        self.files(progress.unchanged + progress.scanned, progress.files);
    }

    pub(crate) fn files(&self, done: u64, files: u64) {
        self.0.set_length(files);
        self.0.set_position(done);
        self.0.set_message(format!("indexing {files} files"));
    }

    pub(crate) fn processing(&self, status: &JobStatus, bytes_total: u64) {
        let count = status.stages.len();
        let present = status.stages.iter().position(|stage| stage.waiting > 0);
        let present = present.unwrap_or(count.saturating_sub(1));
        let stage = status.stages.get(present).cloned().unwrap_or_default();
        let totals = &stage.tally;
        // The first stage reads bytes; the others have so many buckets to do.
        let (done, all) = if present == 0 && bytes_total > 0 {
            (totals.bytes_read, bytes_total.max(totals.bytes_read))
        } else {
            (stage.done, stage.done + stage.waiting)
        };
        self.0.set_length(all);
        self.0.set_position(done);
        let lost = totals.dead + totals.aborted;
        let place =
            if count > 1 { format!("stage {} of {count}: ", present + 1) } else { "".into() };
        self.0.set_message(match status.stalled_seconds {
            Some(seconds) => format!("stalled: no worker for {seconds} s"),
            None => format!("{place}{} data, {lost} dead or aborted", totals.entered),
        });
    }

    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// Follows a job until it is finished, failed or, after an interrupt or when time is up, drained.
pub(super) fn follow(
    driver: &Driver,
    bar: &Bar,
    bytes_total: u64,
    interrupt: &Interrupt,
) -> Result<JobStatus> {
    bar.begin("{binary_bytes_per_sec}");
    let mut draining = false;
    loop {
        if interrupt.exit_code().is_some() && !draining {
            draining = true;
            driver.drain()?;
        }
        let status = driver.status()?;
        bar.processing(&status, bytes_total);
        if status.finished || status.failure.is_some() || status.drained {
            return Ok(status);
        }
        interrupt.pause(POLL);
    }
}

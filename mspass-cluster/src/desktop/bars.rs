//! Bars on a terminal: one for the index, one for each stage of a job.

use std::cell::{Cell, RefCell};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use mspass_actors::clock;
use mspass_actors::foreman::{JobStatus, StageStatus};
use mspass_actors::job::Expected;

use super::program;
use crate::frontend::quantity::{bytes, count, short};

/// Bars of stages at most; a workflow of more shows its first ones.
const BARS_MAX: usize = 16;
/// How long a stage works before its rate is told.
const RATE_AFTER: Duration = Duration::from_millis(500);

/// What a person sees of work under way, on standard error; nothing without a terminal.
#[derive(Debug)]
pub(crate) struct Bars {
    all: MultiProgress,
    index: RefCell<Option<ProgressBar>>,
    stages: RefCell<Vec<StageBar>>,
    /// Remarks that were told.
    told: Cell<usize>,
}

#[derive(Debug)]
struct StageBar {
    bar: ProgressBar,
    /// When it began to work, and what earlier runs had brought by then.
    began: Option<(Instant, u64)>,
}

fn style(rest: &str) -> ProgressStyle {
    let template = format!("{{prefix:12}} [{{bar:20}}] {{percent:>3}}% {rest}");
    let style = ProgressStyle::with_template(&template);
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

impl Bars {
    pub(super) fn new(quiet: bool) -> Self {
        let target = if quiet || !std::io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let all = MultiProgress::with_draw_target(target);
        Self { all, index: RefCell::default(), stages: RefCell::default(), told: Cell::new(0) }
    }

    /// How many files are indexed.
    pub(crate) fn indexing(&self, done: u64, files: u64) {
        let mut index = self.index.borrow_mut();
        let bar = index.get_or_insert_with(|| {
            let bar = self.all.add(ProgressBar::new(0).with_prefix("indexing"));
            bar.set_style(style("{per_sec}, eta {eta}, {len} files"));
            bar
        });
        bar.set_length(files);
        bar.set_position(done);
    }

    /// How far each stage is; `memory` is what the largest process takes.
    pub(crate) fn processing(&self, status: &JobStatus, expected: Expected, memory: u64) {
        self.remark(&status.remarks);
        if !self.all.is_hidden() {
            self.show(status, expected, memory);
        }
    }

    /// Tells what some of the data will die of, once, above the bars or without them.
    fn remark(&self, remarks: &[String]) {
        let told = self.told.replace(self.told.get().max(remarks.len()));
        for remark in remarks.iter().skip(told) {
            self.all.suspend(|| eprintln!("{}: {remark}", program()));
        }
    }

    fn show(&self, status: &JobStatus, expected: Expected, memory: u64) {
        if let Some(index) = self.index.take() {
            index.finish_and_clear();
        }
        let mut bars = self.stages.borrow_mut();
        let shown = status.stages.len().min(BARS_MAX);
        for number in bars.len()..shown {
            let prefix = match status.stages.len() {
                1 => "processing".to_owned(),
                stages => format!("stage {} of {stages}", number + 1),
            };
            let bar = self.all.add(ProgressBar::new(1).with_prefix(prefix));
            bar.set_style(style("{msg}"));
            bars.push(StageBar { bar, began: None });
        }
        let present = status.stages.iter().position(|stage| stage.waiting > 0);
        for (number, (stage, bar)) in status.stages.iter().zip(bars.iter_mut()).enumerate() {
            let expected = if number == 0 { expected } else { Expected::default() };
            let stalled = status.stalled_seconds.filter(|_| present == Some(number));
            bar.show(stage, expected, memory, stalled);
        }
    }

    pub(super) fn clear(&self) {
        self.index.take().iter().for_each(ProgressBar::finish_and_clear);
        self.stages.take().iter().for_each(|stage| stage.bar.finish_and_clear());
    }
}

impl StageBar {
    fn show(&mut self, stage: &StageStatus, expected: Expected, memory: u64, stalled: Option<u64>) {
        let tally = &stage.tally;
        let (done, all) = match expected {
            Expected { bytes: 0, data: 0 } => (stage.done, stage.done + stage.waiting),
            Expected { bytes: 0, data } => (tally.entered, data),
            Expected { bytes, .. } => (tally.bytes_read, bytes),
        };
        self.bar.set_length(all.max(done).max(1));
        self.bar.set_position(done);
        if stage.done + stage.waiting == 0 {
            return;
        }
        // A scheduler that was started anew begins to count anew.
        let began = self.began.filter(|(_, before)| *before <= tally.entered);
        let (began, before) = *self.began.insert(began.unwrap_or((clock::now(), tally.entered)));
        let message = match stalled {
            Some(seconds) => format!("stalled: no worker for {seconds} s"),
            None if stage.waiting == 0 && done >= all => told(tally.entered, stage, None),
            None => {
                let took = began.elapsed();
                let rate = (tally.entered - before) as f64 / took.as_secs_f64();
                let eta = self.bar.eta().as_secs();
                let working = (took > RATE_AFTER).then_some((rate, eta, memory));
                told(tally.entered, stage, working)
            }
        };
        self.bar.set_message(message);
    }
}

/// A stage in a few words: its data, and how it goes on where it does.
fn told(data: u64, stage: &StageStatus, working: Option<(f64, u64, u64)>) -> String {
    let mut text = format!("{} data", count(data));
    let lost = stage.tally.dead + stage.tally.aborted;
    if lost > 0 {
        text += &format!(", {} dead", count(lost));
    }
    if let Some((rate, eta, memory)) = working {
        text += &format!(", {}/s, eta {eta} s, {}", short(rate), bytes(memory));
    }
    text
}

#[cfg(test)]
mod tests {
    use mspass_actors::workflow::tally::Tally;

    use super::*;

    #[test]
    fn a_stage_tells_its_data_its_dead_its_rate_and_the_memory() {
        let tally = Tally { entered: 1500, live: 1497, dead: 2, aborted: 1, ..Tally::default() };
        let stage = StageStatus { tally, ..StageStatus::default() };
        assert_eq!(told(1500, &stage, None), "1,500 data, 3 dead");
        let working = Some((43_210.0, 12, 96_000_000));
        assert_eq!(told(1500, &stage, working), "1,500 data, 3 dead, 43.2 k/s, eta 12 s, 96.0 MB");
    }

    #[test]
    fn each_stage_has_a_bar_that_knows_how_far_it_is() {
        let bars = Bars::new(true);
        bars.indexing(1, 4);
        let tally = Tally { entered: 30, live: 30, ..Tally::default() };
        let first = StageStatus { tally, done: 3, waiting: 7 };
        let stages = vec![first, StageStatus::default()];
        let status = JobStatus { stages, ..JobStatus::default() };
        bars.show(&status, Expected { bytes: 0, data: 120 }, 1);
        let shown = bars.stages.borrow();
        let place = |at: usize| (shown[at].bar.position(), shown[at].bar.length());
        assert_eq!((place(0), place(1)), ((30, Some(120)), (0, Some(1))));
        assert!(bars.index.borrow().is_none());
    }
}

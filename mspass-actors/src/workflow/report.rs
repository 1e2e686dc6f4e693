//! What a job did: counts, steps, reasons, coverage and pictures of some of its data.
//!
//! A [`JobReport`] is plain data: it is filled while a job runs, stored with the job, and drawn by
//! the frontend as a table or a page. Every list in it has a bound.

use mspass_core::{SeedId, UtcTime};
use serde::{Deserialize, Serialize};

/// Distinct reasons a report lists.
pub const REASONS_MAX: usize = 100;
/// Damaged or unreadable files a report lists.
pub const FILES_MAX: usize = 100;
/// Channels a report lists.
pub const CHANNELS_MAX: usize = 500;
/// Spans a [`Coverage`] keeps for one channel; beyond it the shortest gap is closed.
pub const SPANS_MAX: usize = 1000;
/// Data a report has pictures of.
pub const PICTURES_MAX: usize = 12;
/// Columns of the envelope in a [`PictureTrace`].
pub const ENVELOPE_COLUMNS_MAX: usize = 1600;

/// How a job ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// Every datum was accounted for.
    #[default]
    Finished,
    /// Stopped before its end; the same job goes on from there when started again.
    Interrupted,
    /// Ended by an error that is not the data's.
    Failed,
}

/// A list cut at a bound, with the number of items that it left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bounded<T> {
    /// The items kept, in order of arrival.
    pub items: Vec<T>,
    /// How many more there were.
    pub left_out: u64,
}

impl<T> Default for Bounded<T> {
    fn default() -> Self {
        Self { items: Vec::new(), left_out: 0 }
    }
}

impl<T> Bounded<T> {
    /// Keeps `item` while fewer than `items_max` are kept, else only counts it.
    pub fn push(&mut self, item: T, items_max: usize) {
        if self.items.len() < items_max {
            self.items.push(item);
        } else {
            self.left_out = self.left_out.saturating_add(1);
        }
    }
}

/// What a job did.
///
/// ```
/// use mspass_actors::workflow::report::JobReport;
/// let report = JobReport { in_count: 72, live: 71, dead: 1, ..JobReport::default() };
/// assert!(report.is_balanced());
/// let text = serde_json::to_string(&report).unwrap();
/// assert!(text.contains(r#""in":72"#));
/// assert_eq!(serde_json::from_str::<JobReport>(&text).unwrap(), report);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobReport {
    /// Name of the job.
    pub job_name: String,
    /// How it ended.
    pub state: JobState,
    /// One sentence about the run where there is something to say: why it failed, which build went
    /// on with the work of another.
    pub note: Option<String>,
    /// Database as the `--db` option takes it: `embedded:PATH` or `mongodb://.../NAME`.
    pub database: String,
    /// Collection that holds the saved data.
    pub collection: String,
    /// Root of the archive read.
    pub archive: String,
    /// Name of the program that ran the job.
    pub program: String,
    /// Its version.
    pub version: String,
    /// Its build.
    pub build: String,
    /// Parameters of the job, an object.
    pub parameters: serde_json::Value,
    /// When this run started.
    pub started: UtcTime,
    /// When this run ended.
    pub finished: UtcTime,
    /// Wall time of this run, seconds.
    pub seconds: f64,
    /// Largest resident memory of this run, bytes.
    pub peak_rss_bytes: u64,
    /// Compute threads of this run.
    pub threads: u32,
    /// Data that the whole job met: read, or aborted while reading.
    #[serde(rename = "in")]
    pub in_count: u64,
    /// Data alive at the end.
    pub live: u64,
    /// Data killed by a step.
    pub dead: u64,
    /// Data that could not be made at all.
    pub aborted: u64,
    /// Data saved.
    pub saved: u64,
    /// Samples read by the whole job.
    pub samples_in: u64,
    /// Samples saved by the whole job.
    pub samples_out: u64,
    /// Bytes read from the archive by the whole job.
    pub bytes_read: u64,
    /// Bytes of samples saved by the whole job.
    pub bytes_saved: u64,
    /// Data taken over from earlier runs of the job; 0 in a first run.
    pub resumed: u64,
    /// The steps in their order.
    pub steps: Vec<StepReport>,
    /// The stages in their order: runs of steps between groupings.
    pub stages: Vec<StageReport>,
    /// Why data died or were aborted and what was logged, counted.
    pub reasons: Bounded<ReasonCount>,
    /// Files with problems.
    pub files: Bounded<FileProblem>,
    /// What was found for each channel.
    pub channels: Bounded<ChannelReport>,
    /// When there are data, for each channel.
    pub coverage: Bounded<Coverage>,
    /// Pictures of some of the data.
    pub pictures: Vec<Picture>,
}

impl JobReport {
    /// Data met but neither live, dead nor aborted yet: 0 when a job is finished.
    pub fn unreached(&self) -> u64 {
        self.in_count.saturating_sub(self.accounted())
    }

    /// Whether in = live + dead + aborted.
    pub fn is_balanced(&self) -> bool {
        self.in_count == self.accounted()
    }

    /// The stage that begins with this step, and its number, where there is more than one.
    pub fn stage_at(&self, step: usize) -> Option<(usize, &StageReport)> {
        let stages = Some(&self.stages).filter(|stages| stages.len() > 1)?;
        (1..).zip(stages).find(|(_, stage)| stage.first_step == step)
    }

    /// The step that took most compute time, where any took some.
    pub fn slowest_step(&self) -> Option<&StepReport> {
        let timed = self.steps.iter().filter(|step| step.seconds > 0.0);
        timed.max_by(|a, b| a.seconds.total_cmp(&b.seconds))
    }

    fn accounted(&self) -> u64 {
        self.live.saturating_add(self.dead).saturating_add(self.aborted)
    }
}

/// One stage of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StageReport {
    /// Number of its first step.
    pub first_step: usize,
    /// Data that it met: of a later stage, groups.
    #[serde(rename = "in")]
    pub in_count: u64,
    /// Data alive at its end.
    pub live: u64,
    /// Data killed by one of its steps.
    pub dead: u64,
    /// Data that could not be made at all.
    pub aborted: u64,
}

/// One step of a job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct StepReport {
    /// Name of the step.
    pub name: String,
    /// Its parameters, an object, or null where it has none.
    pub parameters: serde_json::Value,
    /// Live data that entered it.
    pub entered: u64,
    /// Data that left it alive.
    pub live: u64,
    /// Data that it killed.
    pub died: u64,
    /// Compute time spent in it by all threads together, seconds.
    pub seconds: f64,
}

/// What a reason did to a datum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReasonKind {
    /// The datum was killed.
    Dead,
    /// There was no datum to make.
    Aborted,
    /// The datum lives on; the reason is in its error log.
    Logged,
}

/// How often one step gave one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    /// Name of the step.
    pub step: String,
    /// What became of the data.
    pub kind: ReasonKind,
    /// The reason, as in the error log.
    pub reason: String,
    /// Number of data.
    pub count: u64,
    /// One of them: a file, an id or both.
    pub example: String,
}

/// A problem of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileProblem {
    /// The file, relative to the archive root.
    pub file: String,
    /// Where in the file, bytes; `None` where the whole file is meant.
    pub offset: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

/// Counts of one channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChannelReport {
    /// The channel.
    pub id: SeedId,
    /// Data read of it.
    pub data: u64,
    /// Of these, alive at the end.
    pub live: u64,
    /// Of these, dead.
    pub dead: u64,
    /// Samples read.
    pub samples: u64,
    /// First instant read.
    pub starttime: UtcTime,
    /// Last instant read.
    pub endtime: UtcTime,
}

/// When there are data of a channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Coverage {
    /// The channel.
    pub id: SeedId,
    /// Spans with data, in order of time and apart from each other; at most [`SPANS_MAX`].
    pub spans: Vec<(UtcTime, UtcTime)>,
}

impl Coverage {
    /// Adds the span from `start` to `end`, joined with those that it overlaps or that lie within
    /// `tolerance_nanos` (for contiguous data: one and a half sample intervals).
    ///
    /// A span that ends before it starts is left out. Beyond [`SPANS_MAX`] spans the shortest gap
    /// is closed, so that memory stays bounded and the long gaps remain.
    ///
    /// ```
    /// use mspass_actors::workflow::report::Coverage;
    /// use mspass_core::UtcTime;
    /// let at = |second: i64| UtcTime::from_nanos(second * 1_000_000_000);
    /// let mut coverage = Coverage::default();
    /// coverage.add(at(0), at(10), 0);
    /// coverage.add(at(20), at(30), 0);
    /// coverage.add(at(10), at(12), 0);
    /// assert_eq!(coverage.spans, [(at(0), at(12)), (at(20), at(30))]);
    /// ```
    pub fn add(&mut self, start: UtcTime, end: UtcTime, tolerance_nanos: i64) {
        if end < start {
            return;
        }
        let tolerance = tolerance_nanos.max(0);
        let first = self.spans.partition_point(|span| span.1 + tolerance < start);
        let after = self.spans.partition_point(|span| span.0 <= end + tolerance);
        let mut joined = (start, end);
        for span in &self.spans[first..after] {
            joined = (joined.0.min(span.0), joined.1.max(span.1));
        }
        self.spans.splice(first..after, [joined]);
        if self.spans.len() > SPANS_MAX {
            self.close_shortest_gap();
        }
    }

    fn close_shortest_gap(&mut self) {
        let gaps = self.spans.windows(2).map(|pair| pair[1].0 - pair[0].1);
        if let Some((at, _)) = gaps.enumerate().min_by_key(|&(_, gap)| gap) {
            self.spans[at].1 = self.spans[at + 1].1;
            self.spans.remove(at + 1);
        }
    }
}

/// A datum before and after processing, drawn together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Picture {
    /// What is shown, a few words.
    pub title: String,
    /// Why it is worth a look, a sentence; may be empty.
    pub caption: String,
    /// Id of the saved document, as `mspass plot ID` takes it.
    pub output_id: Option<String>,
    /// The datum as read.
    pub raw: PictureTrace,
    /// The same after the last step.
    pub processed: PictureTrace,
}

/// All that is drawn of one trace, small whatever the length of the trace.
///
/// The frontend makes it of samples (`TracePlot::to_picture` in `mspass-cluster`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PictureTrace {
    /// SEED id or another name.
    pub label: String,
    /// Unit of the samples, such as `counts`; may be empty.
    pub unit: String,
    /// Time of the first sample.
    pub starttime: UtcTime,
    /// Samples a second, Hz.
    pub sampling_rate: f64,
    /// Number of samples.
    pub npts: u64,
    /// Number of samples that are not finite.
    pub nonfinite: u64,
    /// Smallest and largest sample of equal parts of the trace, at most [`ENVELOPE_COLUMNS_MAX`];
    /// `None` where a part has no finite sample. With as many columns as samples, the samples.
    pub envelope: Vec<Option<(f64, f64)>>,
    /// Power spectral density: frequency in Hz, ascending, and dB relative to unit^2 / Hz.
    pub spectrum: Vec<(f64, f64)>,
    /// Power over time and frequency.
    pub spectrogram: Option<Spectrogram>,
}

/// Power of a trace over time and frequency as a picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spectrogram {
    /// Frequency at the upper edge, Hz; the lower edge is 0.
    pub frequency_max: f64,
    /// Power at the dark end of the colours, dB relative to unit^2 / Hz.
    pub power_min_db: f64,
    /// Power at the light end of the colours, dB relative to unit^2 / Hz.
    pub power_max_db: f64,
    /// The picture as a `data:` address (PNG), time to the right and frequency upwards.
    pub image: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> UtcTime {
        UtcTime::from_nanos(second * 1_000_000_000)
    }

    #[test]
    fn coverage_joins_what_touches_in_any_order() {
        let mut coverage = Coverage::default();
        for hour in [3, 0, 2, 5] {
            coverage.add(at(hour * 3600), at(hour * 3600 + 3599), 1_500_000_000);
        }
        assert_eq!(
            coverage.spans,
            [(at(0), at(3599)), (at(7200), at(14399)), (at(18000), at(21599))]
        );
        coverage.add(at(3600), at(7199), 1_500_000_000);
        assert_eq!(coverage.spans, [(at(0), at(14399)), (at(18000), at(21599))]);
        coverage.add(at(9), at(3), 0);
        assert_eq!(coverage.spans.len(), 2);
        coverage.add(at(-100), at(30000), 0);
        assert_eq!(coverage.spans, [(at(-100), at(30000))]);
    }

    #[test]
    fn coverage_closes_the_shortest_gaps_beyond_its_bound() {
        let mut coverage = Coverage::default();
        for number in 0..2 * SPANS_MAX as i64 {
            let late = if number >= 700 { 5000 } else { 0 };
            coverage.add(at(number * 10 + late), at(number * 10 + late + 5), 0);
        }
        assert_eq!(coverage.spans.len(), SPANS_MAX);
        let long =
            coverage.spans.windows(2).filter(|pair| pair[1].0 - pair[0].1 > 4_000_000_000_000);
        assert_eq!(long.count(), 1);
        assert_eq!(coverage.spans[0].0, at(0));
    }

    #[test]
    fn coverage_bears_the_ends_of_time() {
        let mut coverage = Coverage::default();
        let (first, last) = (UtcTime::from_nanos(i64::MIN), UtcTime::from_nanos(i64::MAX));
        coverage.add(last, last, i64::MAX);
        coverage.add(first, first, 5);
        assert_eq!(coverage.spans, [(first, first), (last, last)]);
    }

    #[test]
    fn a_bounded_list_counts_what_it_leaves_out() {
        let mut list = Bounded::default();
        for number in 0..7 {
            list.push(number, 3);
        }
        assert_eq!((list.items, list.left_out), (vec![0, 1, 2], 4));
    }

    #[test]
    fn balance_and_slowest_step() {
        let step = |name: &str, seconds| StepReport {
            name: name.to_owned(),
            seconds,
            ..StepReport::default()
        };
        let mut report =
            JobReport { in_count: 5, live: 2, dead: 1, aborted: 1, ..Default::default() };
        assert!(!report.is_balanced());
        assert_eq!(report.unreached(), 1);
        assert_eq!(report.slowest_step(), None);
        report.steps = vec![step("detrend", 0.2), step("bandpass", 1.5), step("save", f64::NAN)];
        assert_eq!(report.slowest_step().map(|step| step.name.as_str()), Some("bandpass"));
    }

    #[test]
    fn reports_of_an_older_version_are_read() {
        let report: JobReport = serde_json::from_str(r#"{"job_name":"desktop","in":3}"#).unwrap();
        assert_eq!((report.in_count, report.state), (3, JobState::Finished));
    }
}

//! What a plan says, and how it comes from what a sample gave.

use serde::{Deserialize, Serialize};

use super::estimate::Spread;
use super::{Measured, Range, Sampled};
use crate::workflow::Step;
use crate::workflow::report::ReasonCount;
use crate::workflow::stage::{BUCKET_BYTES, Stage, UNSAVED_BYTES_MAX};
use crate::workflow::tally::Tally;

/// Times measured on a sample may be off by these factors.
const TIME_LOW: f64 = 0.6;
const TIME_HIGH: f64 = 1.6;
/// What comes after a grouping may take so much longer, for its groups are larger in the whole.
const GROUPS_HIGH: f64 = 3.0;
/// Bytes of samples that are stored in a second at least.
const SLOW_STORE_BYTES: f64 = 50e6;
/// Copies of the largest datum that a step holds: what it takes, what it gives, what it works in.
const COPIES: u64 = 3;
/// Bytes of pieces that a task holds before it hands them on.
const SCATTER_BYTES: u64 = 8 << 20;

/// What a job would do and cost if nothing of it were done yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the job.
    pub job: String,
    /// Reading, as a step.
    pub source: Step,
    /// Its stages, in order.
    pub stages: Vec<StagePlan>,
    /// What becomes of its results, as a step.
    pub outlet: Step,
    /// Threads that it is estimated for.
    pub threads: usize,
    /// Partitions of the source that were looked at.
    pub sample_partitions: u64,
    /// Whether these are all: then all but times is exact.
    pub sample_is_whole: bool,
    /// Data that come in, at any stage.
    pub data: Range,
    /// Bytes read.
    pub bytes_read: Range,
    /// Data saved.
    pub saved: Range,
    /// Bytes of samples saved.
    pub bytes_saved: Range,
    /// Compute time, seconds.
    pub cpu_seconds: Range,
    /// From begin to end on all threads, seconds.
    pub seconds: Range,
    /// Bytes of data that a thread holds at most.
    pub thread_bytes: u64,
    /// What some of the data will die of, and cannot be reached.
    pub remarks: Vec<String>,
    /// Of what data of the sample died.
    pub reasons: Vec<ReasonCount>,
}

/// What one stage would do and cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StagePlan {
    /// Its steps, fused: a datum goes through all of them on one thread.
    pub steps: Vec<StepPlan>,
    /// Tasks: partitions of the source, or buckets of groups.
    pub partitions: u64,
    /// Bytes of the middle one of them by size.
    pub partition_bytes_median: u64,
    /// Bytes of the largest.
    pub partition_bytes_max: u64,
    /// Data that come in: those of the source, or groups.
    pub data: Range,
    /// Those that live to its end.
    pub live: Range,
    /// Those that a step kills.
    pub dead: Range,
    /// Those that never come to life.
    pub aborted: Range,
    /// Data saved.
    pub saved: Range,
    /// Samples that come in.
    pub samples: Range,
    /// Bytes read from the source, or of pieces from the stage before.
    pub bytes_read: Range,
    /// Bytes of samples saved.
    pub bytes_saved: Range,
    /// Bytes of pieces that go to the next stage.
    pub bytes_shuffled: Range,
    /// Compute time, seconds.
    pub cpu_seconds: Range,
    /// Bytes of data that a thread holds at most.
    pub thread_bytes: u64,
}

/// A step of a stage, and its share of the stage's compute time; the rest is reading and grouping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepPlan {
    /// The step.
    pub step: Step,
    /// 0 to 1.
    pub share: f64,
}

/// Estimates of one stage.
struct StageEstimate<'a> {
    sampled: &'a Sampled,
    spread: &'a Spread,
    /// How many times the sample goes into the source.
    factor: f64,
    /// Whether it reads the source.
    first: bool,
}

impl StageEstimate<'_> {
    fn of(&self, of: impl Fn(&Measured) -> u64) -> Range {
        if self.first {
            let parts = self.sampled.parts.iter();
            let parts: Vec<_> = parts.map(|part| (part.weight, of(part) as f64)).collect();
            return Range::of_whole(&parts, self.spread.weight, self.spread.count);
        }
        // The whole has the groups of the sample at least; its data may all be in others.
        let low = self.sampled.sum(of);
        let high = low * self.factor;
        Range { low, best: (low * high).sqrt(), high }
    }

    fn cpu_seconds(&self) -> Range {
        let measured: f64 = self.sampled.parts.iter().map(|part| part.seconds).sum();
        let best = measured * self.factor;
        let grown = if self.first || self.factor == 1.0 { 1.0 } else { GROUPS_HIGH };
        Range { low: best * TIME_LOW, best, high: best * TIME_HIGH * grown }
    }

    /// Bytes that a thread holds at most while it works on a part.
    fn thread_bytes(&self) -> u64 {
        let data = COPIES * self.sampled.datum_bytes_max;
        let unsaved = self.sampled.max(|part| part.tally.bytes_saved);
        let pieces = self.sampled.max(|part| part.pieces).min(SCATTER_BYTES);
        let bucket = (self.sampled.part_bytes_max as f64 * self.factor) as u64;
        let bucket = if self.first { 0 } else { bucket.min(BUCKET_BYTES as u64) };
        data + unsaved.min(UNSAVED_BYTES_MAX as u64) + pieces + bucket
    }

    fn steps(&self, steps: &[Step], first_step: usize) -> Vec<StepPlan> {
        let seconds: f64 = self.sampled.parts.iter().map(|part| part.seconds).sum();
        let step = |(number, step): (usize, &Step)| {
            let nanos =
                self.sampled.sum(|part| part.tally.steps.get(number).map_or(0, |s| s.nanos));
            let share = (nanos / (1e9 * seconds.max(1e-9))).min(1.0);
            StepPlan { step: step.clone(), share }
        };
        (first_step..).zip(steps).map(step).collect()
    }

    fn plan(&self, steps: Vec<StepPlan>) -> StagePlan {
        StagePlan {
            steps,
            partitions: self.spread.count,
            partition_bytes_median: self.spread.bytes_median(),
            partition_bytes_max: self.spread.bytes_max,
            data: self.of(|part| part.tally.entered),
            live: self.of(|part| part.tally.live),
            dead: self.of(|part| part.tally.dead).or_some(self.factor),
            aborted: self.of(|part| part.tally.aborted).or_some(self.factor),
            saved: self.of(|part| part.tally.saved),
            samples: self.of(|part| part.tally.samples_in),
            bytes_read: self.of(|part| part.bytes_read),
            bytes_saved: self.of(|part| part.tally.bytes_saved),
            bytes_shuffled: self.of(|part| part.pieces),
            cpu_seconds: self.cpu_seconds(),
            thread_bytes: self.thread_bytes(),
        }
    }
}

/// The plan of a job of which a sample was run.
pub(super) fn of_sample(
    stage: &Stage,
    spread: &Spread,
    sampled: &[Sampled],
    remarks: Vec<String>,
    threads: usize,
) -> Plan {
    let workflow = stage.workflow();
    let parts = sampled.first().map(|sampled| &sampled.parts[..]).unwrap_or_default();
    let weight: f64 = parts.iter().map(|part| part.weight).sum();
    let sample_is_whole = weight >= spread.weight;
    let factor = if sample_is_whole { 1.0 } else { spread.weight / weight.max(1.0) };
    let mut stages: Vec<StagePlan> = Vec::new();
    let mut first_step = 0;
    for ((number, steps), sampled) in (0..).zip(workflow.stage_steps()).zip(sampled) {
        let estimate = StageEstimate { sampled, spread, factor, first: number == 0 };
        let mut plan = estimate.plan(estimate.steps(steps, first_step));
        first_step += steps.len();
        if let Some(before) = stages.last() {
            plan.partitions = workflow.buckets(number).into();
            plan.bytes_read = before.bytes_shuffled;
            let mean = plan.bytes_read.best / plan.partitions.max(1) as f64;
            plan.partition_bytes_median = mean as u64;
            plan.partition_bytes_max = (sampled.part_bytes_max as f64 * factor) as u64;
        }
        stages.push(plan);
    }
    let mut found = Tally::default();
    let parts_of_all = sampled.iter().flat_map(|sampled| &sampled.parts);
    for reason in parts_of_all.flat_map(|part| &part.tally.reasons) {
        found.add_reason(reason.clone());
    }
    let sum =
        |of: fn(&StagePlan) -> Range| stages.iter().map(of).fold(Range::default(), Range::plus);
    let (cpu_seconds, bytes_saved) =
        (sum(|stage| stage.cpu_seconds), sum(|stage| stage.bytes_saved));
    let mut seconds = cpu_seconds.times(1.0 / threads.max(1) as f64);
    seconds.high += bytes_saved.high / SLOW_STORE_BYTES;
    Plan {
        job: stage.job().to_owned(),
        source: workflow.source().step(),
        outlet: workflow.outlet().clone(),
        threads,
        sample_partitions: parts.len() as u64,
        sample_is_whole,
        data: sum(|stage| stage.data),
        bytes_read: stages.first().map_or(Range::default(), |stage| stage.bytes_read),
        saved: sum(|stage| stage.saved),
        bytes_saved,
        cpu_seconds,
        seconds,
        thread_bytes: stages.iter().map(|stage| stage.thread_bytes).max().unwrap_or(0),
        remarks,
        reasons: found.reasons,
        stages,
    }
}

//! What a job will do and cost, before it runs: its stages, what crosses between them, and an
//! estimate from running a sample of its source. Nothing is stored.

mod estimate;
mod plan;

use std::path::PathBuf;
use std::time::Duration;

use mspass_io::db::id::job_id;
use mspass_io::store::Database;

use self::estimate::{Spread, weight};
use super::plan::each_origin;
use super::planner::bucket_origin;
use super::survey::foresee;
use crate::clock;
use crate::error::{Error, Result};
use crate::worker::pieces::PieceAccess;
use crate::workflow::partition::{Part, Partition};
use crate::workflow::stage::{Bench, GROUP_BYTES, Stage, StageFault};
use crate::workflow::tally::Tally;

pub use estimate::Range;
pub use plan::{Plan, StagePlan, StepPlan};

/// Bytes that are read for a sample, unless its first partition alone has more.
const SAMPLE_BYTES_MAX: u64 = 256 << 20;
/// How long a sample may take before no further partition is looked at.
const SAMPLE_TIME_MAX: Duration = Duration::from_secs(10);

/// For whom a job is explained.
#[derive(Clone, Debug)]
pub struct ExplainOptions {
    /// Threads that it would run on.
    pub threads: usize,
    /// Where pieces of the sample lie that do not fit in memory; without names, gone with the call.
    pub folder: PathBuf,
}

/// What running one partition gave.
struct Measured {
    weight: f64,
    tally: Tally,
    seconds: f64,
    bytes_read: u64,
    /// Bytes of the pieces that it made; after a grouping the last part has those of all.
    pieces: u64,
}

/// What running the sample through one stage gave.
struct Sampled {
    parts: Vec<Measured>,
    /// Bytes of the largest datum that came to a step.
    datum_bytes_max: u64,
    /// Bytes of the largest part of its input.
    part_bytes_max: u64,
}

impl Sampled {
    fn sum(&self, of: impl Fn(&Measured) -> u64) -> f64 {
        self.parts.iter().map(of).sum::<u64>() as f64
    }

    fn max(&self, of: impl Fn(&Measured) -> u64) -> u64 {
        self.parts.iter().map(of).max().unwrap_or(0)
    }
}

/// Explains a job: looks at its source as [`foresee`] does, parts it as a run would, and runs a
/// sample of the parts, which lie evenly in it, through all stages. Nothing is stored.
///
/// What comes after a grouping is estimated from the groups of the sample, which are smaller than
/// those of the whole.
///
/// # Errors
/// As of [`foresee`]; [`Error::Refused`] where the sample cannot be read.
pub fn explain(database: &Database, stage: &Stage, options: &ExplainOptions) -> Result<Plan> {
    let remarks = foresee(database, stage)?;
    let mut spread = Spread::default();
    let source = stage.workflow().source();
    each_origin(database, source, job_id(stage.job()), &mut |origin| {
        origin.partitions.into_iter().for_each(|partition| spread.add(partition));
        Ok(true)
    })?;
    let access = PieceAccess::alone(&options.folder);
    let bench = Bench::for_counting(database.clone()).with_pieces(access.clone(), GROUP_BYTES);
    let mut trial = Trial { stage, bench, access };
    let first = trial.first(&spread)?;
    let later = (1..stage.workflow().stage_count()).map(|number| trial.later(number));
    let sampled = [Ok(first)].into_iter().chain(later).collect::<Result<Vec<_>>>()?;
    Ok(plan::of_sample(stage, &spread, &sampled, remarks, options.threads))
}

struct Trial<'a> {
    stage: &'a Stage,
    bench: Bench,
    access: PieceAccess,
}

impl Trial<'_> {
    /// Runs partitions of the source, as many as there is time for.
    fn first(&mut self, spread: &Spread) -> Result<Sampled> {
        let began = clock::now();
        let (mut parts, mut bytes) = (Vec::new(), 0);
        self.bench.forget_largest();
        for partition in spread.sample() {
            bytes += partition.bytes;
            let enough = bytes > SAMPLE_BYTES_MAX || began.elapsed() > SAMPLE_TIME_MAX;
            if enough && !parts.is_empty() {
                break;
            }
            let mut part = self.run(&partition, estimate::read_bytes(&partition))?;
            let before: u64 = parts.iter().map(|part: &Measured| part.pieces).sum();
            part.pieces = self.pieces_of(0)?.saturating_sub(before);
            parts.push(part);
        }
        Ok(self.sampled(parts))
    }

    /// Runs the buckets of what the stage before made of the sample.
    fn later(&mut self, stage: u32) -> Result<Sampled> {
        let mut parts = Vec::new();
        self.bench.forget_largest();
        for bucket in 0..self.stage.workflow().buckets(stage) {
            let pieces = self.access.find(self.stage.job(), (stage - 1, bucket), 0);
            let bytes = pieces.map_err(unread)?.iter().map(|piece| piece.bytes).sum();
            let (origin, part) = (bucket_origin(stage, bucket), Part::Bucket(bucket));
            let partition = Partition { stage, origin, version: 0, part, bytes: 0 };
            parts.push(self.run(&partition, bytes)?);
        }
        if let Some(last) = parts.last_mut() {
            last.pieces = self.pieces_of(stage)?;
        }
        Ok(self.sampled(parts))
    }

    fn sampled(&self, parts: Vec<Measured>) -> Sampled {
        let part_bytes_max = parts.iter().map(|part| part.bytes_read).max().unwrap_or(0);
        Sampled { parts, datum_bytes_max: self.bench.largest() as u64, part_bytes_max }
    }

    fn run(&mut self, partition: &Partition, bytes: u64) -> Result<Measured> {
        let began = clock::now();
        let output = self.stage.run(partition, &mut self.bench).map_err(unread)?;
        let seconds = began.elapsed().as_secs_f64();
        let tally = output.tally;
        let bytes_read = tally.bytes_read.max(bytes);
        Ok(Measured { weight: weight(partition), tally, seconds, bytes_read, pieces: 0 })
    }

    /// Bytes of all pieces that a stage has made so far.
    fn pieces_of(&self, stage: u32) -> Result<u64> {
        let mut bytes = 0;
        for bucket in 0..self.stage.workflow().buckets(stage + 1) {
            let found = self.access.find(self.stage.job(), (stage, bucket), 0).map_err(unread)?;
            bytes += found.iter().map(|piece| piece.bytes).sum::<u64>();
        }
        Ok(bytes)
    }
}

fn unread(fault: StageFault) -> Error {
    let reason = match fault {
        StageFault::Store(reason)
        | StageFault::Refused(reason)
        | StageFault::Broken(reason)
        | StageFault::Missing(reason) => reason,
    };
    Error::Refused(format!("a sample of the job's data cannot be run: {reason}"))
}

//! Offering a job's tasks to its foreman, stage by stage: what is not done yet, as there is room.

use bson::oid::ObjectId;
use mspass_io::db::id::{Derived, job_id};
use mspass_io::store::Database;

use super::plan::{Origin, each_origin};
use super::{Driver, Progress, record};
use crate::error::Result;
use crate::foreman::Offer;
use crate::workflow::partition::{Part, Partition};
use crate::workflow::stage::Stage;
use crate::workflow::tally::Tally;

/// Parts of the input in one message at most.
const OFFER_MAX: usize = 256;

/// What plans a job.
pub(super) struct Planner<'a> {
    pub(super) driver: &'a Driver,
    pub(super) database: &'a Database,
    pub(super) stage: &'a Stage,
}

impl Planner<'_> {
    /// Offers everything that is left to do, and says that it is all.
    pub(super) fn plan(&self, progress: &Progress) -> Result<()> {
        let last = self.stage.workflow().stage_count().saturating_sub(1);
        let charges = progress.replay.charges.iter();
        let charges = charges.flat_map(|(key, of)| of.iter().map(|one| (*key, one.clone())));
        let (charges, remarks) = (charges.collect(), progress.remarks.clone());
        let offer = Offer { charges, remarks, ..Offer::default() };
        let mut offers = Offers { planner: self, progress, offer };
        // Buckets are named by all that goes into them.
        let inputs = if last > 0 { self.sum_of_inputs()? } else { 0 };
        let buckets = |stage| self.buckets(stage, inputs);
        let is_done = |bucket: &Partition| progress.replay.done.get(bucket.key()).is_some();
        let pieces_needed = last > 0 && !buckets(last).iter().all(is_done);
        if !self.offer_source(&mut offers, pieces_needed)? {
            return Ok(());
        }
        for stage in 1..=last {
            if !offers.make()? || !self.driver.await_stage(stage - 1)? {
                return Ok(());
            }
            for bucket in buckets(stage) {
                if progress.known && !is_done(&bucket) {
                    record::delete_bucket(self.database, self.stage.job(), bucket.origin)?;
                }
                offers.add(bucket, pieces_needed && stage < last);
                if !offers.make_full()? {
                    return Ok(());
                }
            }
        }
        offers.offer.last = true;
        offers.make().map(drop)
    }

    /// The tasks of the first stage; whether more are wanted.
    fn offer_source(&self, offers: &mut Offers<'_>, pieces_needed: bool) -> Result<bool> {
        let (job, progress) = (self.stage.job(), offers.progress);
        let source = self.stage.workflow().source();
        each_origin(self.database, source, job_id(job), &mut |origin| {
            let Origin { file, partitions } = origin;
            let known = |part: &Partition| {
                let (key, replay) = (part.key(), &progress.replay);
                replay.done.get(key).is_some() || replay.set_aside.contains_key(&key)
            };
            // Nothing of this version of the file is done: what an earlier run made of it, or of
            // another version, goes first.
            if let Some(file) = file
                && progress.known
                && !partitions.iter().any(known)
            {
                record::delete_file(self.database, job, file)?;
            }
            partitions.into_iter().for_each(|part| offers.add(part, pieces_needed));
            offers.make_full()
        })
    }

    /// The sum of the names of all that the first stage reads.
    fn sum_of_inputs(&self) -> Result<u64> {
        let (mut sum, source) = (0_u64, self.stage.workflow().source());
        let job_id = job_id(self.stage.job());
        each_origin(self.database, source, job_id, &mut |origin| {
            let keys = origin.partitions.iter().map(|part| part.key().0 as u64);
            sum = keys.fold(sum, u64::wrapping_add);
            Ok(true)
        })?;
        Ok(sum)
    }

    fn buckets(&self, stage: u32, inputs: u64) -> Vec<Partition> {
        let bucket = |number: u32| Partition {
            stage,
            origin: bucket_origin(stage, number),
            version: inputs,
            part: Part::Bucket(number),
            bytes: 0,
        };
        (0..self.stage.workflow().buckets(stage)).map(bucket).collect()
    }
}

pub(super) fn bucket_origin(stage: u32, bucket: u32) -> ObjectId {
    Derived::new("bucket").number(stage.into()).number(bucket.into()).object_id()
}

/// Tasks on their way to the foreman.
struct Offers<'a> {
    planner: &'a Planner<'a>,
    progress: &'a Progress,
    offer: Offer,
}

impl Offers<'_> {
    /// Adds a task: to be done, or what it brought where it is done. What is done and makes pieces
    /// that are needed is done again.
    fn add(&mut self, part: Partition, pieces_needed: bool) {
        let (key, replay) = (part.key(), &self.progress.replay);
        if let Some(tally) = replay.done.get(key) {
            let taken = &mut self.offer.taken_over;
            taken.resize(taken.len().max(part.stage as usize + 1), Tally::default());
            taken[part.stage as usize].add(&tally);
            if pieces_needed {
                self.offer.again.push(part);
            }
        } else if let Some(letter) = replay.set_aside.get(&key) {
            self.offer.set_aside.push(letter.clone());
        } else {
            self.offer.partitions.push(part);
        }
    }

    /// Makes offers as long as there is enough for a full one; whether more is wanted.
    fn make_full(&mut self) -> Result<bool> {
        while self.offer.partitions.len() + self.offer.again.len() >= OFFER_MAX {
            let Offer { partitions, again, .. } = &mut self.offer;
            let rest = partitions.split_off(partitions.len().min(OFFER_MAX));
            let room = OFFER_MAX - partitions.len();
            let rest_again = again.split_off(again.len().min(room));
            let next = Offer { partitions: rest, again: rest_again, ..Offer::default() };
            let full = std::mem::replace(&mut self.offer, next);
            if !self.planner.driver.make(full)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Makes an offer of all there is.
    fn make(&mut self) -> Result<bool> {
        Ok(self.make_full()? && self.planner.driver.make(std::mem::take(&mut self.offer))?)
    }
}

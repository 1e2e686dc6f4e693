//! Putting data into the pieces of their groups.

use std::sync::Arc;

use mspass_core::Datum;
use mspass_core::metadata::Value;
use xxhash_rust::xxh3::xxh3_64;

use super::records::{PieceWriter, push_key, push_order, push_sortable};
use crate::clock;
use crate::worker::pieces::{PieceAccess, PieceName};
use crate::workflow::stage::{Emit, StageFault, Task};

/// Bytes of records that a task holds before it hands them to the keeper of pieces.
pub(in crate::workflow) const SCATTER_BYTES_MAX: usize = 8 << 20;

/// The values that a datum is grouped by.
pub(in crate::workflow) type KeyOf<T> = Arc<dyn Fn(&T) -> Result<Vec<Value>, String> + Send + Sync>;

/// How data are grouped.
pub(in crate::workflow) struct Grouping<T> {
    /// Number of the step.
    pub(in crate::workflow) step: usize,
    /// By what.
    pub(in crate::workflow) key_of: KeyOf<T>,
    /// What sorts members before their inputs do.
    pub(in crate::workflow) sort: Vec<String>,
    /// Into how many buckets.
    pub(in crate::workflow) buckets: u32,
}

impl<T: Datum> Grouping<T> {
    /// Puts key and order of a datum in the place of what stands there.
    fn place(&self, datum: &mut T, key: &mut Vec<u8>, order: &mut Vec<u8>) -> Result<(), String> {
        key.clear();
        push_key(key, &(self.key_of)(datum)?);
        order.clear();
        for name in &self.sort {
            let value = datum.fact(name).ok_or_else(|| lacks(name, "sort"))?;
            push_sortable(order, &value);
        }
        push_order(order, datum.history_mut());
        Ok(())
    }
}

/// Why a datum that lacks a key dies.
pub(in crate::workflow) fn lacks(name: &str, purpose: &str) -> String {
    format!("it has no '{name}' to {purpose} by")
}

/// Pieces that a task is making.
#[derive(Debug, Default)]
pub(in crate::workflow) struct Scatter {
    buckets: Vec<PieceWriter>,
    bytes: usize,
    chunk: u32,
    /// Key and order of the datum in work.
    key: Vec<u8>,
    order: Vec<u8>,
}

impl Scatter {
    /// Puts a datum into the piece of its group.
    fn push<T: Datum>(&mut self, grouping: &Grouping<T>, datum: &mut T) -> Result<(), String> {
        let Self { buckets, key, order, .. } = self;
        grouping.place(datum, key, order)?;
        buckets.resize_with(grouping.buckets as usize, PieceWriter::default);
        let bucket = &mut buckets[(xxh3_64(key) % u64::from(grouping.buckets)) as usize];
        let before = bucket.bytes();
        bucket.push(key, order, datum)?;
        self.bytes += bucket.bytes() - before;
        Ok(())
    }

    /// Whether there is so much that it should go to the keeper.
    fn is_full(&self) -> bool {
        self.bytes > SCATTER_BYTES_MAX
    }

    /// Hands everything to the keeper, under names made of `name`.
    fn flush(&mut self, name: &PieceName, access: &PieceAccess) -> Result<(), StageFault> {
        for (bucket, writer) in (0..).zip(&mut self.buckets) {
            if !writer.is_empty() {
                let name = PieceName { bucket, chunk: self.chunk, ..name.clone() };
                access.keep(name, writer.finish())?;
            }
        }
        self.bytes = 0;
        self.chunk += 1;
        Ok(())
    }
}

impl Task<'_> {
    /// Hands what is left to the keeper, which then has the whole part.
    pub(in crate::workflow) fn finish_scatter(
        &mut self,
        access: Option<&PieceAccess>,
    ) -> Result<(), StageFault> {
        let Some(access) = access else { return Ok(()) };
        let name = self.piece_name();
        self.scatter.flush(&name, access)?;
        access.finish_part(&name);
        Ok(())
    }
}

/// The end of a stage whose data are grouped: each goes to the piece of its group.
pub(in crate::workflow) fn scatter<T: Datum>(grouping: Arc<Grouping<T>>) -> Emit<T> {
    Arc::new(move |mut datum, task, bench| {
        bench.weigh(&datum);
        let began = clock::now();
        let placed = task.scatter.push(&grouping, &mut datum);
        bench.count(grouping.step, began.elapsed(), placed.is_err());
        if let Err(reason) = placed {
            datum.kill("group_by", reason);
            return task.bury(&datum.into_tombstone());
        }
        task.output.tally.live += 1;
        if task.scatter.is_full()
            && let Some(access) = &bench.pieces
        {
            let name = task.piece_name();
            let flushed = task.scatter.flush(&name, access);
            task.flush_fault = task.flush_fault.take().or(flushed.err());
        }
    })
}

//! Between two stages: data are put into pieces by their group, and taken out group by group.
//!
//! A group lies in the bucket that the hash of its key names. Each task of the stage before makes a
//! piece for each bucket that it has something for; pieces stay with the worker that made them, and
//! who works on a bucket fetches them. Within a group, members are in order of what sorts them and
//! then of their inputs, so the answer depends neither on who made which piece nor on when.

mod gather;
mod records;
mod scatter;

pub(super) use gather::{FoldStep, ensembles, folds};
pub use records::KEY_BYTES_MAX;
pub(super) use scatter::{Grouping, KeyOf, Scatter, lacks, scatter};

/// Buckets that groups are put into, unless the workflow says otherwise.
pub const BUCKETS: u32 = 64;
/// Buckets at most.
pub const BUCKETS_MAX: u32 = 4096;

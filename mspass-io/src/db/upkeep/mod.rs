//! A database kept in order: [`verify`] finds documents that are not as the schema says, [`clean`]
//! mends them.
//!
//! Both read the documents of a collection in batches on several threads, and hold no more than a
//! batch for each ([`BATCH_DOCUMENTS`]).

mod batches;
mod clean;
mod references;
#[cfg(test)]
mod tests;
mod verify;

pub use clean::{CleanOptions, CollectionClean, Removal, clean};
pub use verify::{CollectionVerify, Problem, Test, VerifyOptions, verify};

/// Documents that a thread has in work at once.
pub const BATCH_DOCUMENTS: usize = 500;

/// Threads that work on one collection at most.
pub const THREADS_MAX: usize = 64;

/// `_id`s that a problem names.
pub const EXAMPLES_MAX: usize = 5;

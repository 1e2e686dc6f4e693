//! Documents in batches, on a bounded number of threads.

use std::sync::{Mutex, PoisonError};

use bson::Document;

use super::{BATCH_DOCUMENTS, THREADS_MAX};
use crate::error::{Error, Result};
use crate::store::Cursor;

/// Calls `work` with all documents of `cursor`, a batch at a time, on `threads` threads, each with
/// a state of its own that `begin` makes; gives the states.
pub(super) fn in_batches<S: Send>(
    cursor: Cursor,
    threads: usize,
    begin: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, Vec<Document>) -> Result<()> + Sync,
) -> Result<Vec<S>> {
    let cursor = Mutex::new(Some(cursor));
    let run = || {
        let mut state = begin();
        loop {
            match next_batch(&cursor) {
                Ok(batch) if batch.is_empty() => return Ok(state),
                Ok(batch) => {
                    if let Err(error) = work(&mut state, batch) {
                        // The others end with the batch they have.
                        stop(&cursor);
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    };
    let threads = threads.clamp(1, THREADS_MAX);
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(run)).collect();
        let mut states = vec![run()];
        let panicked = || Err(Error::Refused("a thread that read documents panicked".to_owned()));
        states.extend(others.into_iter().map(|one| one.join().unwrap_or_else(|_| panicked())));
        states.into_iter().collect()
    })
}

type Shared = Mutex<Option<Cursor>>;

fn stop(cursor: &Shared) {
    cursor.lock().unwrap_or_else(PoisonError::into_inner).take();
}

fn next_batch(cursor: &Shared) -> Result<Vec<Document>> {
    let mut shared = cursor.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(documents) = shared.as_mut() else { return Ok(Vec::new()) };
    let batch: Result<Vec<_>> = documents.by_ref().take(BATCH_DOCUMENTS).collect();
    if !batch.as_ref().is_ok_and(|batch| batch.len() == BATCH_DOCUMENTS) {
        *shared = None;
    }
    batch
}

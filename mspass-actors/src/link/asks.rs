//! Asks that wait for their reply.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

use bytes::Bytes;
use sharded_slab::Slab;
use tokio::sync::oneshot;

use super::Fault;

/// Asks under way on one link.
pub const ASKS_MAX: usize = 65_536;

/// A reply as it came.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) body: Vec<u8>,
    pub(crate) blobs: Vec<Bytes>,
}

pub(crate) type Outcome = Result<Answered, Fault>;

struct Pending {
    sequence: u32,
    answer: oneshot::Sender<Outcome>,
}

/// The pending asks of one connection. Dropping it fails them all.
#[derive(Default)]
pub(crate) struct Asks {
    slab: Slab<Pending>,
    count: AtomicUsize,
    sequence: AtomicU32,
}

impl fmt::Debug for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Asks({})", self.len())
    }
}

impl Asks {
    /// A place for an ask: its id and sequence; `None` when there are too many.
    pub(crate) fn insert(&self) -> Option<(u64, u32, oneshot::Receiver<Outcome>)> {
        if self.count.fetch_add(1, Ordering::AcqRel) >= ASKS_MAX {
            self.count.fetch_sub(1, Ordering::AcqRel);
            return None;
        }
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let (answer, outcome) = oneshot::channel();
        let Some(id) = self.slab.insert(Pending { sequence, answer }) else {
            self.count.fetch_sub(1, Ordering::AcqRel);
            return None;
        };
        Some((id as u64, sequence, outcome))
    }

    /// Ends an ask; nothing happens when it is over already.
    pub(crate) fn resolve(&self, id: u64, sequence: u32, outcome: Outcome) {
        let Ok(id) = usize::try_from(id) else { return };
        // A late reply may name a place that was given anew.
        if self.slab.get(id).is_none_or(|pending| pending.sequence != sequence) {
            return;
        }
        if let Some(pending) = self.slab.take(id) {
            self.count.fetch_sub(1, Ordering::AcqRel);
            drop(pending.answer.send(outcome));
        }
    }

    /// Forgets an ask that nobody waits for any more.
    pub(crate) fn forget(&self, id: u64, sequence: u32) {
        self.resolve(id, sequence, Err(Fault::Deadline));
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_are_bounded_and_late_replies_meet_nobody() {
        let asks = Asks::default();
        let (id, sequence, mut outcome) = asks.insert().unwrap();
        asks.resolve(id, sequence.wrapping_add(1), Err(Fault::Gone));
        assert!(outcome.try_recv().is_err());
        asks.resolve(id, sequence, Err(Fault::Gone));
        assert_eq!(outcome.try_recv().unwrap().unwrap_err(), Fault::Gone);
        asks.resolve(id, sequence, Err(Fault::Gone));
        let all: Vec<_> = (0..ASKS_MAX).map(|_| asks.insert().unwrap()).collect();
        assert!(asks.insert().is_none());
        asks.forget(all[0].0, all[0].1);
        assert_eq!(asks.len(), ASKS_MAX - 1);
        assert!(asks.insert().is_some());
    }
}

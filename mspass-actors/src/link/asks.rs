//! Asks that wait for their reply.

use std::fmt;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use sharded_slab::{Clear, Pool};
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

/// A place for an ask. One that was never given holds no answer: a peer may name any place, and a
/// `Slab` panics where it names such a one.
#[derive(Default)]
struct Pending {
    sequence: u32,
    answer: Mutex<Option<oneshot::Sender<Outcome>>>,
}

impl Clear for Pending {
    fn clear(&mut self) {
        *self = Self::default();
    }
}

/// The pending asks of one connection. Dropping it fails them all.
#[derive(Default)]
pub(crate) struct Asks {
    places: Pool<Pending>,
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
        let pending = Pending { sequence, answer: Mutex::new(Some(answer)) };
        let Some(id) = self.places.create_with(|place| *place = pending) else {
            self.count.fetch_sub(1, Ordering::AcqRel);
            return None;
        };
        Some((id as u64, sequence, outcome))
    }

    /// Ends an ask; nothing happens when it is over already.
    pub(crate) fn resolve(&self, id: u64, sequence: u32, outcome: Outcome) {
        let Ok(id) = usize::try_from(id) else { return };
        // A late reply may name a place that was given anew.
        let pending = self.places.get(id).filter(|pending| pending.sequence == sequence);
        let answer = pending.and_then(|pending| {
            pending.answer.lock().unwrap_or_else(PoisonError::into_inner).take()
        });
        // Whoever took the answer frees the place.
        if let Some(answer) = answer {
            self.places.clear(id);
            self.count.fetch_sub(1, Ordering::AcqRel);
            drop(answer.send(outcome));
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
    fn a_reply_may_name_any_place() {
        let asks = Asks::default();
        let (id, sequence, mut outcome) = asks.insert().unwrap();
        for bit in 0..64 {
            for place in [1 << bit, id ^ (1 << bit), (1_u64 << bit) - 1, !id >> bit] {
                let other = (place != id).then_some(place);
                other.into_iter().for_each(|place| {
                    asks.resolve(place, 0, Err(Fault::Gone));
                    asks.resolve(place, sequence, Err(Fault::Gone));
                });
            }
        }
        assert!(outcome.try_recv().is_err() && asks.len() == 1);
        asks.resolve(id, sequence, Err(Fault::Gone));
        assert!(outcome.try_recv().is_ok() && asks.len() == 0);
    }

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

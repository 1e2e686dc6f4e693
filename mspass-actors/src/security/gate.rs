//! How many connections may be open that have not proved themselves.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Connections of one node that may be open without having proved themselves.
pub const UNAUTHENTICATED_MAX: usize = 256;

/// Counts the strangers. When one too many comes, the one that has waited longest gives way: a
/// crowd that says nothing does not keep out those who can prove themselves at once.
#[derive(Clone, Debug, Default)]
pub struct Gate {
    waiting: Arc<Mutex<VecDeque<Arc<Notify>>>>,
}

impl Gate {
    /// Lets a connection wait; it must keep the pass until it has proved itself or is gone.
    pub fn enter(&self) -> Pass {
        let gone = Arc::new(Notify::new());
        let mut waiting = lock(&self.waiting);
        if waiting.len() >= UNAUTHENTICATED_MAX
            && let Some(oldest) = waiting.pop_front()
        {
            oldest.notify_one();
        }
        waiting.push_back(Arc::clone(&gone));
        Pass { gate: self.clone(), gone }
    }

    /// How many have not proved themselves.
    pub fn waiting(&self) -> usize {
        lock(&self.waiting).len()
    }
}

/// A place among those who may try; free again when dropped.
#[derive(Debug)]
pub struct Pass {
    gate: Gate,
    gone: Arc<Notify>,
}

impl Pass {
    /// Waits until this one must give way.
    pub async fn withdrawn(&self) {
        self.gone.notified().await;
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        lock(&self.gate.waiting).retain(|other| !Arc::ptr_eq(other, &self.gone));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::{Gate, Pass, UNAUTHENTICATED_MAX};

    async fn is_withdrawn(pass: &Pass) -> bool {
        tokio::time::timeout(std::time::Duration::ZERO, pass.withdrawn()).await.is_ok()
    }

    #[tokio::test]
    async fn the_oldest_gives_way_and_places_are_freed() {
        let gate = Gate::default();
        let passes: Vec<Pass> = (0..UNAUTHENTICATED_MAX).map(|_| gate.enter()).collect();
        assert!(!is_withdrawn(&passes[0]).await);
        let late = gate.enter();
        assert_eq!(gate.waiting(), UNAUTHENTICATED_MAX);
        assert!(is_withdrawn(&passes[0]).await);
        assert!(!is_withdrawn(&passes[1]).await && !is_withdrawn(&late).await);
        drop(passes);
        assert_eq!(gate.waiting(), 1);
        drop(late);
        assert_eq!(gate.waiting(), 0);
    }
}

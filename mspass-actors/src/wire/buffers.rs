//! Memory for blobs that arrive: admitted as a whole, filled piece by piece, used again.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// What arrives beside a message starts at an address divisible by this.
pub const BUFFER_ALIGNMENT: usize = 64;
/// Bytes of buffers that are kept for the next blobs. Touching fresh memory costs more than the
/// network does.
const KEPT_BYTES_MAX: usize = 64 << 20;
/// Buffers kept.
const KEPT_MAX: usize = 64;

/// One node's memory for blobs that arrive; clones share it.
#[derive(Clone)]
pub struct Buffers {
    shared: Arc<Shared>,
}

struct Shared {
    free: AtomicUsize,
    kept: Mutex<Vec<Vec<u8>>>,
}

impl fmt::Debug for Buffers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Buffers").field("free", &self.free()).finish_non_exhaustive()
    }
}

impl Buffers {
    /// At most `bytes` of blobs are held at a time.
    pub fn new(bytes: usize) -> Self {
        let shared = Shared { free: AtomicUsize::new(bytes), kept: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Bytes not held by blobs.
    pub fn free(&self) -> usize {
        self.shared.free.load(Ordering::Relaxed)
    }

    /// Takes room for a blob as a whole; `None` when there is none.
    pub(crate) fn admit(&self, length: usize) -> Option<Landing> {
        let take = |free: usize| free.checked_sub(length);
        self.shared.free.fetch_update(Ordering::AcqRel, Ordering::Acquire, take).ok()?;
        let whole = length + BUFFER_ALIGNMENT;
        let memory = self.kept(whole).unwrap_or_else(|| vec![0; whole]);
        let start = memory.as_ptr().align_offset(BUFFER_ALIGNMENT).min(BUFFER_ALIGNMENT);
        let owned = Owned { memory, admitted: length, shared: Arc::clone(&self.shared) };
        Some(Landing { owned, start, length, filled: 0 })
    }

    /// A kept buffer that fits without waste.
    fn kept(&self, whole: usize) -> Option<Vec<u8>> {
        let mut kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |buffer: &Vec<u8>| buffer.len() >= whole && buffer.len() / 2 <= whole;
        let at = kept.iter().position(fits)?;
        Some(kept.swap_remove(at))
    }
}

/// Memory that goes back when the last view of it is dropped.
struct Owned {
    memory: Vec<u8>,
    admitted: usize,
    shared: Arc<Shared>,
}

impl AsRef<[u8]> for Owned {
    fn as_ref(&self) -> &[u8] {
        &self.memory
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        self.shared.free.fetch_add(self.admitted, Ordering::AcqRel);
        let memory = std::mem::take(&mut self.memory);
        let mut kept = self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: usize = kept.iter().map(Vec::len).sum();
        if kept.len() < KEPT_MAX && bytes + memory.len() <= KEPT_BYTES_MAX {
            kept.push(memory);
        }
    }
}

/// A blob that is arriving.
pub(crate) struct Landing {
    owned: Owned,
    start: usize,
    length: usize,
    filled: usize,
}

impl fmt::Debug for Landing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Landing({} of {})", self.filled, self.length)
    }
}

impl Landing {
    /// Where the next bytes go.
    pub(crate) fn rest(&mut self) -> &mut [u8] {
        &mut self.owned.memory[self.start + self.filled..self.start + self.length]
    }

    /// So many bytes were put there.
    pub(crate) fn fill(&mut self, bytes: usize) {
        self.filled = (self.filled + bytes).min(self.length);
    }

    /// Whether it is whole.
    pub(crate) fn is_whole(&self) -> bool {
        self.filled == self.length
    }

    /// The whole blob.
    pub(crate) fn into_bytes(self) -> Bytes {
        let range = self.start..self.start + self.length;
        Bytes::from_owner(self.owned).slice(range)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn landed(buffers: &Buffers, length: usize) -> Bytes {
        let mut landing = buffers.admit(length).unwrap();
        landing.rest().fill(7);
        landing.fill(length);
        assert!(landing.is_whole());
        landing.into_bytes()
    }

    #[test]
    fn blobs_are_aligned_and_their_memory_is_used_again() {
        let buffers = Buffers::new(1 << 20);
        let blob = landed(&buffers, 100_000);
        assert_eq!(blob.as_ptr().align_offset(BUFFER_ALIGNMENT), 0);
        assert_eq!((blob.len(), buffers.free()), (100_000, (1 << 20) - 100_000));
        let at = blob.as_ptr();
        drop(blob);
        assert_eq!(buffers.free(), 1 << 20);
        assert_eq!(landed(&buffers, 99_000).as_ptr(), at);
    }

    #[test]
    fn blobs_are_admitted_as_a_whole_or_not_at_all() {
        let buffers = Buffers::new(1 << 30);
        assert!(buffers.admit((1 << 30) + 1).is_none());
        for mebibytes in [15, 16, 17, 1024] {
            let landing = buffers.admit(mebibytes << 20).unwrap();
            assert_eq!(buffers.free(), (1 << 30) - (mebibytes << 20));
            assert!(buffers.admit((1 << 30) - (mebibytes << 20) + 1).is_none());
            drop(landing);
        }
        assert_eq!(buffers.free(), 1 << 30);
    }

    #[test]
    fn few_buffers_are_kept() {
        let buffers = Buffers::new(1 << 30);
        let many: Vec<_> = (0..2 * KEPT_MAX).map(|_| buffers.admit(10)).collect();
        drop(many);
        assert_eq!(buffers.shared.kept.lock().unwrap().len(), KEPT_MAX);
        drop(buffers.admit(KEPT_BYTES_MAX));
        assert_eq!(buffers.shared.kept.lock().unwrap().len(), KEPT_MAX);
    }
}

//! Free space in the file of samples.

use std::collections::{BTreeMap, BTreeSet};

/// Places begin at multiples of this, so that writing one never rewrites a block of another.
pub(super) const BLOCK: u64 = 4096;

/// Bytes of the file that a blob takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Extent {
    pub(super) offset: u64,
    /// A multiple of [`BLOCK`].
    pub(super) length: u64,
}

impl Extent {
    fn end(self) -> u64 {
        self.offset + self.length
    }
}

/// Which parts of the file are free: gaps, joined with their neighbours, and all beyond the end.
#[derive(Debug, Default)]
pub(super) struct Space {
    end: u64,
    by_offset: BTreeMap<u64, u64>,
    by_length: BTreeSet<(u64, u64)>,
}

impl Space {
    /// The space that the extents in use leave; `Err` with the first two that overlap.
    pub(super) fn around(mut used: Vec<Extent>) -> Result<Self, (Extent, Extent)> {
        used.sort_unstable();
        let mut space = Self::default();
        let mut last = Extent { offset: 0, length: 0 };
        for extent in used.into_iter().filter(|e| e.length > 0) {
            if extent.offset < space.end || extent.offset.checked_add(extent.length).is_none() {
                return Err((last, extent));
            }
            if extent.offset > space.end {
                space.insert(Extent { offset: space.end, length: extent.offset - space.end });
            }
            space.end = extent.end();
            last = extent;
        }
        Ok(space)
    }

    /// Where the part in use ends.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Takes room for `length` bytes: the smallest gap that holds them, or the end of the file.
    pub(super) fn take(&mut self, length: u64) -> Extent {
        let length = length.div_ceil(BLOCK) * BLOCK;
        if length == 0 {
            return Extent { offset: 0, length };
        }
        let gap = self.by_length.range((length, 0)..).next().copied();
        let Some((gap_length, offset)) = gap else {
            let offset = self.end;
            self.end += length;
            return Extent { offset, length };
        };
        self.remove(Extent { offset, length: gap_length });
        if gap_length > length {
            self.insert(Extent { offset: offset + length, length: gap_length - length });
        }
        Extent { offset, length }
    }

    /// Gives room back. Returns whether the end of the part in use moved.
    pub(super) fn free(&mut self, extent: Extent) -> bool {
        if extent.length == 0 {
            return false;
        }
        let mut joined = extent;
        let before = self.by_offset.range(..extent.offset).next_back().map(|(o, l)| (*o, *l));
        if let Some((offset, length)) = before.filter(|(o, l)| o + l == extent.offset) {
            self.remove(Extent { offset, length });
            joined = Extent { offset, length: length + joined.length };
        }
        if let Some(length) = self.by_offset.get(&extent.end()).copied() {
            self.remove(Extent { offset: extent.end(), length });
            joined.length += length;
        }
        if joined.end() == self.end {
            self.end = joined.offset;
            return true;
        }
        self.insert(joined);
        false
    }

    fn insert(&mut self, gap: Extent) {
        self.by_offset.insert(gap.offset, gap.length);
        self.by_length.insert((gap.length, gap.offset));
    }

    fn remove(&mut self, gap: Extent) {
        self.by_offset.remove(&gap.offset);
        self.by_length.remove(&(gap.length, gap.offset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(offset: u64, length: u64) -> Extent {
        Extent { offset: offset * BLOCK, length: length * BLOCK }
    }

    #[test]
    fn gaps_are_taken_by_size_joined_and_cut_off_at_the_end() {
        let mut space = Space::around(vec![extent(9, 1), extent(2, 2), extent(5, 1)]).unwrap();
        assert_eq!(space.end(), 10 * BLOCK);
        assert_eq!(space.take(1), extent(4, 1), "the smallest gap that fits");
        assert_eq!(space.take(BLOCK + 1), extent(0, 2));
        assert_eq!(space.take(4 * BLOCK), extent(10, 4), "no gap of four blocks");
        assert!(!space.free(extent(5, 1)), "joined with the gap of three after it");
        assert_eq!(space.take(4 * BLOCK), extent(5, 4));
        assert!(space.free(extent(10, 4)));
        assert!(space.free(extent(9, 1)));
        assert_eq!(space.end(), 9 * BLOCK);
        assert_eq!(space.take(0), extent(0, 0));
    }

    #[test]
    fn overlapping_extents_are_found() {
        assert_eq!(
            Space::around(vec![extent(0, 2), extent(1, 1)]).unwrap_err(),
            (extent(0, 2), extent(1, 1))
        );
    }
}

//! Bytes of a file or slice, read forward in blocks of bounded size.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Bytes read from a file at a time.
pub(super) const BLOCK_BYTES: usize = 256 << 10;

/// Where bytes come from.
#[derive(Debug)]
enum Origin<'a> {
    /// All in memory.
    Slice(&'a [u8]),
    /// Owned file.
    Owned(File),
    /// Borrowed file.
    Borrowed(&'a File),
}

/// A window onto bytes that grows no larger than the longest piece asked for or [`BLOCK_BYTES`].
#[derive(Debug)]
pub(super) struct Block<'a> {
    origin: Origin<'a>,
    buffer: Vec<u8>,
    /// Offset of the first byte in the buffer.
    start: u64,
    /// Bytes in the buffer that are of the file.
    filled: usize,
    /// One past the last byte to be seen.
    end: u64,
    bytes_read: u64,
}

impl<'a> Block<'a> {
    pub(super) fn of_slice(bytes: &'a [u8]) -> Self {
        Self::new(Origin::Slice(bytes), bytes.len() as u64)
    }

    pub(super) fn of_owned_file(file: File, end: u64) -> Self {
        Self::new(Origin::Owned(file), end)
    }

    pub(super) fn of_file(file: &'a File, end: u64) -> Self {
        Self::new(Origin::Borrowed(file), end)
    }

    fn new(origin: Origin<'a>, end: u64) -> Self {
        Self { origin, buffer: Vec::new(), start: 0, filled: 0, end, bytes_read: 0 }
    }

    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Makes `end` the end, if that is earlier.
    pub(super) fn limit(&mut self, end: u64) {
        self.end = self.end.min(end);
    }

    /// Bytes taken from the file so far (of a slice: 0).
    pub(super) fn bytes_read(&self) -> u64 {
        self.bytes_read
    }

    /// Up to `length` bytes at `offset`, fewer only at the end. When they must be read, `ahead`
    /// bytes are, if that is more.
    pub(super) fn peek(&mut self, offset: u64, length: usize, ahead: usize) -> io::Result<&[u8]> {
        let left = usize::try_from(self.end.saturating_sub(offset)).unwrap_or(usize::MAX);
        let length = length.min(left);
        if let Origin::Slice(bytes) = self.origin {
            let at = usize::try_from(offset).unwrap_or(usize::MAX);
            let rest = bytes.get(at..).unwrap_or_default();
            return Ok(&rest[..length.min(rest.len())]);
        }
        let held = offset
            .checked_sub(self.start)
            .and_then(|skip| usize::try_from(skip).ok())
            .filter(|skip| skip.saturating_add(length) <= self.filled);
        let at = match held {
            Some(skip) => skip,
            None => {
                self.fill(offset, length.max(ahead).min(left))?;
                0
            }
        };
        let until = self.filled.min(at + length);
        Ok(&self.buffer[at.min(until)..until])
    }

    /// Reads `length` bytes at `offset` into the buffer, keeping what it already holds of them.
    fn fill(&mut self, offset: u64, length: usize) -> io::Result<()> {
        let file = match &self.origin {
            Origin::Slice(_) => return Ok(()),
            Origin::Owned(file) => file,
            Origin::Borrowed(file) => *file,
        };
        let mut have = 0;
        if let Some(skip) = offset.checked_sub(self.start).and_then(|n| usize::try_from(n).ok())
            && skip < self.filled
        {
            self.buffer.copy_within(skip..self.filled, 0);
            have = self.filled - skip;
        }
        if self.buffer.len() < length {
            self.buffer.resize(length, 0);
        }
        self.start = offset;
        self.filled = have;
        while self.filled < length {
            let at = offset + self.filled as u64;
            match file.read_at(&mut self.buffer[self.filled..length], at) {
                Ok(0) => {
                    // the file is shorter than it was
                    self.end = at;
                    break;
                }
                Ok(count) => {
                    self.filled += count;
                    self.bytes_read += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

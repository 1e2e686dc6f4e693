//! Walking the records of a file or slice.

use std::fs::File;
use std::path::Path;

use super::block::{BLOCK_BYTES, Block};
use super::header::{Parsed, RecordHeader};
use super::record::{Record, RecordError};
use super::v2::{self, Kind};
use super::{RECORD_LENGTH_MAX_V2, RECORD_LENGTH_MIN, v3};
use crate::error::{Error, Result};

/// First guess at how many bytes hold header and blockettes.
pub(super) const HEADER_BYTES: usize = 128;

/// Records longer than this are not read when only headers are wanted.
const SEEK_BYTES_MIN: u32 = 2 << 10;

/// Bytes looked through at a time for the next record.
const SEARCH_BYTES: usize = 32 << 10;

/// A lending reader: the records of a file, a part of one, or a slice, in file order.
///
/// A broken record, or bytes that are none, are reported once, with their offset, and reading goes
/// on at the next record. Memory is bounded by a block and the longest record.
///
/// ```
/// use mspass_io::format::mseed::Records;
/// # let bytes: Vec<u8> = Vec::new();
/// let mut records = Records::of_slice(&bytes);
/// let mut samples = Vec::new();
/// while let Some(item) = records.next_record() {
///     match item.and_then(|record| record.decode_f64(&mut samples)) {
///         Ok(_) => {}
///         Err(error) => eprintln!("{error}"),
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Records<'a> {
    block: Block<'a>,
    header: RecordHeader,
    /// Where the record of `header` begins.
    offset: u64,
    /// Where the next one is looked for.
    cursor: u64,
    /// Record length that a full SEED volume declares; 0 where there is none.
    volume_length: u32,
    /// Length of the record before; 0 at the start.
    usual_length: u32,
    /// The search from `.0` on found the next record at `.1`.
    searched: Option<(u64, u64)>,
    /// An error to be told before going on.
    pending: Option<RecordError>,
}

impl Records<'static> {
    /// The records of the file at `path`; an error where it cannot be opened.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::file("open", path))?;
        let length = file.metadata().map_err(Error::file("read", path))?.len();
        Ok(Self::new(Block::of_owned_file(file, length)))
    }
}

impl<'a> Records<'a> {
    /// The records of a slice.
    pub fn of_slice(bytes: &'a [u8]) -> Self {
        Self::new(Block::of_slice(bytes))
    }

    /// The records of an open file, read by position.
    pub fn of_file(file: &'a File) -> std::io::Result<Self> {
        let length = file.metadata()?.len();
        Ok(Self::new(Block::of_file(file, length)))
    }

    fn new(block: Block<'a>) -> Self {
        Self {
            block,
            header: RecordHeader::blank(),
            offset: 0,
            cursor: 0,
            volume_length: 0,
            usual_length: 0,
            searched: None,
            pending: None,
        }
    }

    /// Only the `nbytes` bytes from `foff` on.
    #[must_use]
    pub fn within(mut self, foff: u64, nbytes: u64) -> Self {
        self.cursor = foff;
        self.block.limit(foff.saturating_add(nbytes));
        self
    }

    /// Bytes read from the file so far; 0 for a slice.
    pub fn bytes_read(&self) -> u64 {
        self.block.bytes_read()
    }

    /// The next record with its bytes; `None` at the end.
    pub fn next_record(&mut self) -> Option<Result<Record<'_>, RecordError>> {
        match self.advance(BLOCK_BYTES)? {
            Ok(()) => Some(self.record()),
            Err(error) => Some(Err(error)),
        }
    }

    /// Where the next record begins and its header; `None` at the end. The samples of long records
    /// are not read.
    pub fn next_header(&mut self) -> Option<Result<(u64, &RecordHeader), RecordError>> {
        let ahead = if self.usual_length > SEEK_BYTES_MIN { HEADER_BYTES } else { BLOCK_BYTES };
        match self.advance(ahead)? {
            Ok(()) if self.header.version == 3 && self.header.length <= SEEK_BYTES_MIN => {
                // these are at hand: let the checksum vouch for the header
                Some(self.record().map(|record| (record.offset, record.header)))
            }
            Ok(()) => Some(Ok((self.offset, &self.header))),
            Err(error) => Some(Err(error)),
        }
    }

    /// The record whose header came last, with its bytes.
    ///
    /// An error where its bytes cannot be read or miss their checksum.
    pub fn record(&mut self) -> Result<Record<'_>, RecordError> {
        let (offset, length) = (self.offset, self.header.length as usize);
        let failure = match self.block.peek(offset, length, BLOCK_BYTES) {
            Err(error) => Some(self.cannot_read(offset, &error)),
            Ok(bytes) if bytes.len() < length => {
                Some(truncated(offset, self.header.length, offset + bytes.len() as u64))
            }
            Ok(bytes) if self.header.version == 3 => match v3::checksums(bytes) {
                Some((due, stored)) if due != stored => {
                    let reason =
                        format!("checksum {stored:08x} in the record, {due:08x} of its bytes");
                    Some(self.reject(offset, reason))
                }
                _ => None,
            },
            Ok(_) => None,
        };
        if let Some(error) = failure {
            return Err(error);
        }
        let header = &self.header;
        match self.block.peek(offset, length, BLOCK_BYTES) {
            Ok(bytes) => Ok(Record { header, offset, bytes }),
            Err(error) => Err(RecordError::unread(offset, &error)),
        }
    }

    /// Goes on at `at`, which must be where a record begins or was looked for.
    pub(super) fn seek(&mut self, at: u64) {
        self.cursor = at;
        self.usual_length = 0;
        self.pending = None;
    }

    /// The first sound header of a record with samples that surely begins at or after `at`.
    pub(super) fn next_header_from(
        &mut self,
        at: u64,
    ) -> std::io::Result<Option<(u64, &RecordHeader)>> {
        let found = self.find_record(at)?;
        self.seek(found);
        loop {
            match self.advance(HEADER_BYTES) {
                None => return Ok(None),
                Some(Ok(())) if self.header.npts > 0 => {
                    return Ok(Some((self.offset, &self.header)));
                }
                Some(_) => {}
            }
        }
    }

    /// Ends the walk: the file cannot be read at `at`.
    fn cannot_read(&mut self, at: u64, error: &std::io::Error) -> RecordError {
        self.cursor = u64::MAX;
        RecordError::unread(at, error)
    }

    /// Gives up the record at `at`, whose header may be wrong too: goes to its end if another
    /// record begins there, else to the next one that is found.
    fn reject(&mut self, at: u64, reason: impl Into<String>) -> RecordError {
        match self.after_broken(at) {
            // never back: the walk may have gone on since the header came
            Ok(cursor)
                if self.cursor == at || self.cursor == at + u64::from(self.header.length) =>
            {
                self.cursor = cursor;
            }
            Ok(_) => {}
            Err(error) => return self.cannot_read(at, &error),
        }
        self.pending = None;
        self.usual_length = 0;
        RecordError::lost(at, reason)
    }

    fn after_broken(&mut self, at: u64) -> std::io::Result<u64> {
        let next = at + u64::from(self.header.length);
        if next > at && (next == self.block.end() || self.is_record(next)?) {
            return Ok(next);
        }
        self.find_record(at + v3::FIXED_BYTES as u64)
    }

    /// Moves to the next record whose header is sound.
    fn advance(&mut self, ahead: usize) -> Option<Result<(), RecordError>> {
        loop {
            if let Some(error) = self.pending.take() {
                return Some(Err(error));
            }
            if self.cursor >= self.block.end() {
                return None;
            }
            match self.step(ahead) {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => return Some(Ok(())),
                Ok(Err(error)) => return Some(Err(error)),
                Err(error) => return Some(Err(self.cannot_read(self.cursor, &error))),
            }
        }
    }

    /// Deals with what is at the cursor and moves on; true where that is a record.
    fn step(&mut self, ahead: usize) -> std::io::Result<Result<bool, RecordError>> {
        let at = self.cursor;
        let bytes = self.block.peek(at, HEADER_BYTES, ahead)?;
        match v2::classify(bytes) {
            Some(Kind::Record) => return self.take_record(at, 2, ahead),
            Some(Kind::Blank) => {
                self.cursor = at + RECORD_LENGTH_MIN as u64;
                return Ok(Ok(false));
            }
            Some(Kind::Control) => {
                if let Some(length) = v2::volume_record_length(bytes) {
                    self.volume_length = length as u32;
                }
                self.cursor = match u64::from(self.volume_length) {
                    0 => self.find_record(at + v2::FIXED_BYTES as u64)?,
                    length => at + length,
                };
                return Ok(Ok(false));
            }
            None if v3::is_plausible(bytes) => return self.take_record(at, 3, ahead),
            None => {}
        }
        self.pass_garbage(at).map(Err)
    }

    /// Bytes at `at` begin no record: reports them, and goes to the next one. If that is within
    /// the record before, then the length of that one was wrong.
    fn pass_garbage(&mut self, at: u64) -> std::io::Result<RecordError> {
        let before = self.offset + u64::from(self.usual_length);
        let after_record = self.usual_length > 0 && before == at;
        let from = if after_record { self.offset + v2::FIXED_BYTES as u64 } else { at + 1 };
        let found = self.find_record(from)?;
        self.cursor = found;
        if found < at {
            let reason = format!(
                "the record says it has {} bytes, but another begins after {}",
                self.usual_length,
                found - self.offset
            );
            return Ok(RecordError::kept(self.offset, reason));
        }
        Ok(RecordError::lost(at, format!("{} bytes that are no record", found - at)))
    }

    /// Reads the header at `at` and works out the length.
    fn take_record(
        &mut self,
        at: u64,
        version: u8,
        ahead: usize,
    ) -> std::io::Result<Result<bool, RecordError>> {
        let mut want = HEADER_BYTES;
        let parsed = loop {
            let bytes = self.block.peek(at, want, ahead)?;
            let whole = bytes.len() < want;
            let parsed = match version {
                2 => v2::parse(bytes, whole, &mut self.header),
                _ => v3::parse(bytes, &mut self.header),
            };
            match parsed {
                Ok(Parsed::Need(more)) if more > want && !whole => want = more,
                Ok(Parsed::Need(_)) => break Err("the header ends with the file".to_owned()),
                Ok(Parsed::Done) => break Ok(()),
                Err(reason) => break Err(reason),
            }
        };
        let parsed = match parsed {
            Ok(()) if version == 2 => self.settle_length(at)?,
            other => other,
        };
        let length = u64::from(self.header.length);
        let reason = match parsed {
            Ok(()) if at + length <= self.block.end() => {
                self.offset = at;
                self.usual_length = self.header.length;
                self.cursor = at + length;
                if let Some(defect) = self.header.defect.filter(|_| self.pending.is_none()) {
                    self.pending = Some(RecordError::kept(at, defect));
                }
                return Ok(Ok(true));
            }
            Ok(()) => truncated(at, self.header.length, self.block.end()).reason,
            Err(reason) => reason,
        };
        Ok(Err(self.reject(at, reason)))
    }

    /// The length of a miniSEED 2 record: as its blockette 1000 says, unless another record of the
    /// channel begins earlier; without one, up to the next record.
    fn settle_length(&mut self, at: u64) -> std::io::Result<Result<(), String>> {
        let declared = self.header.length;
        if declared == 0 {
            let next = self.find_record(at + RECORD_LENGTH_MIN as u64)?;
            let room = next - at;
            let unmarked = u64::from(self.volume_length);
            let length = if next < self.block.end() || room.is_power_of_two() {
                room
            } else if unmarked > 0 && unmarked < room {
                unmarked
            } else {
                u64::from(self.usual_length)
            };
            let fits = (RECORD_LENGTH_MIN as u64..=RECORD_LENGTH_MAX_V2 as u64).contains(&length);
            if !fits || length > room {
                return Ok(Err("no blockette 1000, and no record follows".to_owned()));
            }
            self.header.length = length as u32;
        } else if declared != self.usual_length
            && let Some(length) = self.shorter_length(at, declared)?
        {
            let reason = format!(
                "the record says it has {declared} bytes, but another begins after {length}"
            );
            self.pending = Some(RecordError::kept(at, reason));
            self.header.length = length;
        }
        Ok(v2::check_data_offset(&mut self.header))
    }

    /// The power of two below `declared` after which a record of the same channel begins.
    fn shorter_length(&mut self, at: u64, declared: u32) -> std::io::Result<Option<u32>> {
        let mut length = 128;
        while length < declared {
            let bytes = self.block.peek(at + u64::from(length), v2::FIXED_BYTES, HEADER_BYTES)?;
            if v2::is_plausible(bytes) && bytes.get(8..20) == Some(&self.header.id_bytes[..]) {
                return Ok(Some(length));
            }
            length *= 2;
        }
        Ok(None)
    }

    fn is_record(&mut self, at: u64) -> std::io::Result<bool> {
        let bytes = self.block.peek(at, HEADER_BYTES, HEADER_BYTES)?;
        Ok(v2::classify(bytes).is_some() || v3::is_plausible(bytes))
    }

    /// Where the first record at or after `from` begins, or the end.
    fn find_record(&mut self, from: u64) -> std::io::Result<u64> {
        if let Some((searched, found)) = self.searched
            && (searched..=found).contains(&from)
        {
            return Ok(found);
        }
        let mut at = from;
        let found = loop {
            let bytes = self.block.peek(at, SEARCH_BYTES, SEARCH_BYTES)?;
            let plausible = |rest: &[u8]| v2::is_plausible(rest) || v3::is_plausible(rest);
            if let Some(skip) = (0..bytes.len()).find(|&skip| plausible(&bytes[skip..])) {
                break at + skip as u64;
            }
            if bytes.len() < SEARCH_BYTES {
                break self.block.end();
            }
            at += (SEARCH_BYTES - v2::FIXED_BYTES) as u64;
        };
        self.searched = Some((from, found));
        Ok(found)
    }
}

fn truncated(offset: u64, length: u32, end: u64) -> RecordError {
    let missing = (offset + u64::from(length)).saturating_sub(end);
    RecordError::lost(offset, format!("a record of {length} bytes, cut {missing} bytes short"))
}

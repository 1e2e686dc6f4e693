//! A time range of a run of records whose place in a file is known.

use std::fs::File;
use std::io;
use std::ops::Range;

use mspass_core::UtcTime;

use super::block::Block;
use super::header::{Parsed, RecordHeader};
use super::read::{RATE_TOLERANCE, rates_agree};
use super::record::{Record, RecordError};
use super::records::{HEADER_BYTES, Records};
use super::v2;
use super::v3;

/// Bytes before a window that are read rather than searched.
const APPROACH_BYTES: u64 = 64 << 10;

/// Where in a file the records of one channel lie, in time order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Extent {
    /// Offset of the first record, bytes.
    pub foff: u64,
    /// Length of the run, bytes.
    pub nbytes: u64,
    /// Length of every record, bytes, where they are all as long (the last may be shorter): a
    /// window is then found with the fewest reads.
    pub record_length: Option<u32>,
}

/// A gap-free stretch of the samples read.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Time of its first sample.
    pub starttime: UtcTime,
    /// Hz.
    pub sampling_rate: f64,
    /// Where its samples stand in the caller's vector.
    pub samples: Range<usize>,
}

/// What a windowed read found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Window {
    /// Gap-free stretches, in file order.
    pub pieces: Vec<Piece>,
    /// What was broken in or beside the window, in file order.
    pub errors: Vec<RecordError>,
    /// Bytes read from the file.
    pub bytes_read: u64,
}

/// Decodes the samples with `start <= time < end` and appends them to `out`.
///
/// The clock of each record tells the time of its samples, so adjoining windows share no sample
/// and lose none. Only the records that overlap are read whole. A broken record becomes an error
/// and a gap. An `Err` only where the file cannot be read.
pub fn read_window(
    file: &File,
    extent: &Extent,
    start: UtcTime,
    end: UtcTime,
    out: &mut Vec<f64>,
) -> io::Result<Window> {
    let mut window = Window::default();
    let mut block = Block::of_file(file, file.metadata()?.len());
    let bounds = bisect(&mut block, extent, start, end)?;
    window.bytes_read = block.bytes_read();
    let mut records = match bounds {
        Some((foff, nbytes)) => Records::of_file(file)?.within(foff, nbytes),
        None => {
            let mut records = Records::of_file(file)?.within(extent.foff, extent.nbytes);
            approach(&mut records, extent, start)?;
            records
        }
    };
    let mut collected = Collected { start, end, begun: false, due: None, id_bytes: Vec::new() };
    loop {
        let overlap = match records.next_header() {
            None => break,
            Some(Err(error)) => Err(error),
            // the times of records without samples need not be in order
            Some(Ok((_, header))) if header.npts == 0 => continue,
            Some(Ok((_, header))) if header.starttime >= end => break,
            Some(Ok((_, header))) => Ok(header.endtime() >= start),
        };
        match overlap {
            // what was broken before a record that ends before the window lies before it too
            Ok(false) if !collected.begun => window.errors.clear(),
            Ok(false) => {}
            Ok(true) => {
                collected.begun = true;
                let added = records.record().and_then(|r| collected.add(&r, &mut window, out));
                window.errors.extend(added.unwrap_or_else(Some));
            }
            Err(error) => window.errors.push(error),
        }
    }
    window.bytes_read += records.bytes_read();
    Ok(window)
}

struct Collected {
    start: UtcTime,
    end: UtcTime,
    /// Whether a record that overlaps the window has come.
    begun: bool,
    /// When the sample after the last record is due.
    due: Option<UtcTime>,
    /// Identifier of the run.
    id_bytes: Vec<u8>,
}

impl Collected {
    /// Appends the record's samples in the window.
    fn add(
        &mut self,
        record: &Record<'_>,
        window: &mut Window,
        out: &mut Vec<f64>,
    ) -> Result<Option<RecordError>, RecordError> {
        let header = record.header;
        if header.sampling_rate <= 0.0 {
            return Ok(None);
        }
        if self.id_bytes.is_empty() {
            self.id_bytes.clone_from(&header.id_bytes);
        } else if self.id_bytes != header.id_bytes {
            let reason = format!("a record of {} within the run of another channel", header.id);
            return Err(RecordError::lost(record.offset, reason));
        }
        let first = index_at(header, self.start);
        let last = index_at(header, self.end);
        let before = out.len();
        let integrity = record.decode_f64(out)?;
        out.truncate(before + last as usize);
        if first > 0 {
            out.drain(before..out.len().min(before + first as usize));
        }
        let due = self.due.replace(header.next_starttime());
        let count = out.len() - before;
        let joined = window.pieces.last_mut().filter(|piece| {
            let late = due.map_or(f64::MAX, |due| (header.starttime - due) as f64);
            late.abs() * piece.sampling_rate * 2.0 <= 1e9
                && rates_agree(piece.sampling_rate, header.sampling_rate, RATE_TOLERANCE)
        });
        match joined {
            Some(piece) => piece.samples.end += count,
            None if count > 0 => window.pieces.push(Piece {
                starttime: header.time_of(first),
                sampling_rate: header.sampling_rate,
                samples: before..before + count,
            }),
            None => {}
        }
        Ok(integrity.to_error(record.offset))
    }
}

/// Index of the record's first sample at or after `time`, at most `npts`.
fn index_at(header: &RecordHeader, time: UtcTime) -> u32 {
    let ahead = (time - header.starttime) as f64 / header.period_nanos();
    let mut index = ahead.ceil().clamp(0.0, f64::from(header.npts)) as u32;
    while index > 0 && header.time_of(index - 1) >= time {
        index -= 1;
    }
    while index < header.npts && header.time_of(index) < time {
        index += 1;
    }
    index
}

/// Offset and length of the records that overlap the window; `None` where the records are not all
/// as long, or a probe finds something else.
fn bisect(
    block: &mut Block<'_>,
    extent: &Extent,
    start: UtcTime,
    end: UtcTime,
) -> io::Result<Option<(u64, u64)>> {
    let Some(length) = extent.record_length.filter(|length| *length > 0) else { return Ok(None) };
    let count = extent.nbytes.div_ceil(u64::from(length));
    let extent_end = extent.foff.saturating_add(extent.nbytes);
    let offset = |index: u64| (extent.foff + index * u64::from(length)).min(extent_end);
    let mut header = RecordHeader::blank();
    let mut first_index = |holds: &dyn Fn(&RecordHeader) -> bool| -> io::Result<Option<u64>> {
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            let sound = probe(block, offset(middle), &mut header)?;
            if !sound || u64::from(header.length) != offset(middle + 1) - offset(middle) {
                return Ok(None);
            }
            if holds(&header) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        Ok(Some(low))
    };
    let Some(from) = first_index(&|header| header.endtime() >= start)? else {
        return Ok(None);
    };
    let Some(until) = first_index(&|header| header.starttime >= end)? else { return Ok(None) };
    Ok(Some((offset(from), offset(until.max(from)) - offset(from))))
}

/// Moves `records` near the first record that overlaps a window from `start` on, never past it:
/// bisection over bytes, for records of any length and with broken ones among them.
fn approach(records: &mut Records<'_>, extent: &Extent, start: UtcTime) -> io::Result<()> {
    let (mut low, mut high) = (extent.foff, extent.foff.saturating_add(extent.nbytes));
    while high.saturating_sub(low) > APPROACH_BYTES {
        let middle = low + (high - low) / 2;
        match records.next_header_from(middle)? {
            Some((offset, header)) if offset < high && header.endtime() < start => {
                low = offset + u64::from(header.length);
            }
            _ => high = middle,
        }
    }
    records.seek(low);
    Ok(())
}

/// Reads the header at `offset`; false where that is no record with samples, or of another channel
/// than the one before.
fn probe(block: &mut Block<'_>, offset: u64, header: &mut RecordHeader) -> io::Result<bool> {
    let bytes = block.peek(offset, HEADER_BYTES, HEADER_BYTES)?;
    let seen = !header.id_bytes.is_empty();
    let id_bytes = header.id_bytes.clone();
    let parsed = if v2::classify(bytes) == Some(v2::Kind::Record) {
        v2::parse(bytes, true, header)
    } else if v3::is_plausible(bytes) {
        v3::parse(bytes, header)
    } else {
        return Ok(false);
    };
    let same = !seen || id_bytes == header.id_bytes;
    Ok(parsed == Ok(Parsed::Done) && same && header.npts > 0)
}

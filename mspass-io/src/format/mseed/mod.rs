//! miniSEED 2 (SEED 2.4, data records) and miniSEED 3 (FDSN): reading and writing.
//!
//! [`Records`] walks a file or a slice record by record; a broken record is reported with its byte
//! offset and costs only itself. [`read`] joins records to traces, [`read_window`] decodes a time
//! range of a run of records whose place is known, [`write()`] packs traces into records.
//!
//! Sources: FDSN, *SEED Reference Manual* 2.4 (chapter 8, appendices B and C); FDSN, *miniSEED 3*
//! (<https://docs.fdsn.org/projects/miniseed3>).

mod block;
mod encoding;
mod header;
mod order;
mod pack;
mod rate;
mod read;
mod record;
mod records;
mod steim;
mod steim_pack;
mod v2;
mod v3;
mod window;
mod write;
mod write_v2;
mod write_v3;

#[cfg(test)]
mod tests;

pub use encoding::Encoding;
pub use header::{Flags, RecordHeader};
pub use order::ByteOrder;
pub use read::read;
pub(crate) use read::{collect as read_records, rates_agree};
pub use record::{Integrity, MayPass, Record, RecordError};
pub use records::Records;
pub use window::{Extent, Piece, Window, read_window};
pub use write::{TraceSlice, WriteOptions, Written, write};

/// Shortest record of miniSEED 2 accepted, bytes (SEED says 256; 64 is the fixed header with one
/// blockette and no frame).
pub const RECORD_LENGTH_MIN: usize = 64;

/// Longest record of miniSEED 2 accepted, bytes.
pub const RECORD_LENGTH_MAX_V2: usize = 1 << 20;

/// Longest record of miniSEED 3 accepted, bytes.
pub const RECORD_LENGTH_MAX_V3: usize = 10 << 20;

/// Whether a record begins here, in the tolerant sense in which records are read.
pub(crate) fn begins_with_record(bytes: &[u8]) -> bool {
    v2::classify(bytes).is_some() || v3::is_plausible(bytes)
}

/// Whether a record surely begins somewhere in the bytes.
pub(crate) fn holds_record(bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|at| v2::is_plausible(&bytes[at..]) || v3::is_plausible(&bytes[at..]))
}

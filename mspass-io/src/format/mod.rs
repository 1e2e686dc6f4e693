//! Bytes to objects and back, without databases: miniSEED and SAC; StationXML and QuakeML.
//!
//! [`read_file`] and [`read_bytes`] find out the format by themselves; the modules hold what one
//! format alone can do.

pub mod mseed;
pub mod quakeml;
pub mod sac;
pub mod stationxml;
mod trace;
pub mod xml;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::error::{Error, Result};
use mseed::RecordError;

pub(crate) use sac::year_and_day;
pub use trace::{Contents, Format, SampleSlice, SampleType, Samples, Trace};

/// Bytes of a file looked at to find out its format.
const DETECT_BYTES: usize = 64 << 10;

/// Longest SAC file read, bytes: text with as many samples as the binary header can count would be
/// longer.
const SAC_BYTES_MAX: u64 = 4 << 30;

/// The format that the first bytes of a file tell; `None` for none known.
pub fn detect(bytes: &[u8]) -> Option<Format> {
    if mseed::begins_with_record(bytes) {
        return Some(Format::MiniSeed);
    }
    // a miniSEED file whose first records are broken is still one
    sac::detect(bytes).or_else(|| mseed::holds_record(bytes).then_some(Format::MiniSeed))
}

/// Reads a waveform file of any format known.
///
/// What is broken stands in [`Contents::errors`]; an error where the file cannot be read or is in
/// none of the formats.
pub fn read_file(path: &Path) -> Result<Contents> {
    let mut file = File::open(path).map_err(Error::file("open", path))?;
    let mut head = Vec::new();
    let read = Read::by_ref(&mut file).take(DETECT_BYTES as u64).read_to_end(&mut head);
    read.map_err(Error::file("read", path))?;
    let length = file.metadata().map_err(Error::file("read", path))?.len();
    match detect(&head) {
        Some(Format::MiniSeed) => Ok(mseed::read_records(mseed::Records::open(path)?)),
        Some(format @ (Format::Sac | Format::SacText)) => {
            let wrong_length = format == Format::Sac && sac::file_length(&head) != Some(length);
            if length > SAC_BYTES_MAX || wrong_length {
                let reason = format!("{length} bytes, which is not what the header says");
                let errors = vec![RecordError::lost(0, reason)];
                return Ok(Contents { format, traces: Vec::new(), errors });
            }
            file.read_to_end(&mut head).map_err(Error::file("read", path))?;
            Ok(sac::read(&head))
        }
        None => Err(unknown()),
    }
}

/// Reads the bytes of a waveform file, as [`read_file`] does.
///
/// ```
/// assert!(mspass_io::format::read_bytes(b"just text").is_err());
/// ```
pub fn read_bytes(bytes: &[u8]) -> Result<Contents> {
    match detect(&bytes[..bytes.len().min(DETECT_BYTES)]) {
        Some(Format::MiniSeed) => Ok(mseed::read(bytes)),
        Some(Format::Sac | Format::SacText) => Ok(sac::read(bytes)),
        None => Err(unknown()),
    }
}

fn unknown() -> Error {
    let reason = "neither miniSEED nor SAC".to_owned();
    Error::Format { format: "a waveform file", offset: 0, reason }
}

//! SAC: one evenly sampled trace with a header of named values; binary in either byte order, or
//! text.
//!
//! Source: *SAC User's Manual*, "SAC data file format" (header versions 6 and 7).

mod header;
mod text;

pub use header::Header;
pub(crate) use header::year_and_day;

use crate::error::{Error, Result};
use crate::format::mseed::{ByteOrder, RecordError};
use crate::format::{Contents, Format, Samples, Trace};
use header::HEADER_BYTES;

/// Bytes after the samples in header version 7: 22 values in double precision.
const FOOTER_BYTES: usize = 22 * 8;

/// A SAC file: header and samples.
#[derive(Clone, Debug, PartialEq)]
pub struct SacFile {
    /// Named values.
    pub header: Header,
    /// The dependent variable.
    pub samples: Vec<f32>,
}

impl SacFile {
    /// The file of a trace, its time exact to a microsecond; samples become 32-bit floats.
    ///
    /// An error where the trace is text, has no rate, or has codes longer than eight bytes.
    pub fn from_trace(trace: &Trace) -> Result<Self> {
        let samples = match &trace.samples {
            Samples::Int(samples) => samples.iter().map(|&x| x as f32).collect(),
            Samples::Float(samples) => samples.clone(),
            Samples::Double(samples) => samples.iter().map(|&x| x as f32).collect(),
            Samples::Text(_) => return Err(refuse(0, "text is no SAC trace")),
        };
        let header = Header::of_trace(trace, &samples)?;
        Ok(Self { header, samples })
    }

    /// The trace: id of `knetwk`, `kstnm`, `khole`, `kcmpnm`; time of `nz...` plus `b` (the epoch
    /// where they are undefined); rate of `delta`.
    pub fn to_trace(&self) -> Trace {
        Trace {
            id: self.header.id(),
            publication: 0,
            starttime: self.header.starttime(),
            sampling_rate: self.header.sampling_rate(),
            samples: Samples::Float(self.samples.clone()),
        }
    }

    /// Binary bytes of the file.
    pub fn to_bytes(&self, order: ByteOrder) -> Vec<u8> {
        let mut bytes = self.header.to_bytes(order);
        for sample in &self.samples {
            bytes.extend(header::float_bytes(order, *sample));
        }
        if self.header.version() == 7 {
            bytes.extend(self.header.footer_bytes(order));
        }
        bytes
    }

    /// Text of the file.
    pub fn to_text(&self) -> String {
        text::write(self)
    }

    /// Reads binary or text bytes.
    ///
    /// An error where they are neither, or shorter or longer than their header says.
    ///
    /// ```
    /// use mspass_io::format::{Samples, Trace, mseed::ByteOrder, sac::SacFile};
    /// let trace = Trace {
    ///     id: "YA.UV05.00.HHZ".parse().unwrap(),
    ///     publication: 0,
    ///     starttime: "2010-09-01T00:00:00.123456".parse().unwrap(),
    ///     sampling_rate: 100.0,
    ///     samples: Samples::Float(vec![1.0, -2.5]),
    /// };
    /// let bytes = SacFile::from_trace(&trace).unwrap().to_bytes(ByteOrder::Little);
    /// let again = SacFile::read(&bytes).unwrap().to_trace();
    /// assert_eq!(again.samples, trace.samples);
    /// assert!((again.starttime - trace.starttime).abs() < 1000);
    /// ```
    pub fn read(bytes: &[u8]) -> Result<Self> {
        if let Some((header, order)) = Header::detect(bytes) {
            return read_binary(bytes, header, order);
        }
        text::read(bytes)?.ok_or_else(|| refuse(0, "neither a binary nor a text header"))
    }
}

/// Which form of SAC the bytes begin, if any.
pub(crate) fn detect(bytes: &[u8]) -> Option<Format> {
    if Header::detect(bytes).is_some() {
        Some(Format::Sac)
    } else {
        text::is_text(bytes).then_some(Format::SacText)
    }
}

/// Length that a binary file with these first bytes must have.
pub(crate) fn file_length(bytes: &[u8]) -> Option<u64> {
    Header::detect(bytes).and_then(|(header, _)| length_of(&header))
}

/// The trace of SAC bytes; what is wrong becomes an error entry.
pub fn read(bytes: &[u8]) -> Contents {
    let format = detect(bytes).unwrap_or(Format::Sac);
    match SacFile::read(bytes) {
        Ok(file) if file.samples.is_empty() => {
            Contents { format, traces: Vec::new(), errors: Vec::new() }
        }
        Ok(file) => Contents { format, traces: vec![file.to_trace()], errors: Vec::new() },
        Err(Error::Format { offset, reason, .. }) => {
            Contents { format, traces: Vec::new(), errors: vec![RecordError::lost(offset, reason)] }
        }
        Err(other) => {
            let errors = vec![RecordError::lost(0, other.to_string())];
            Contents { format, traces: Vec::new(), errors }
        }
    }
}

fn length_of(header: &Header) -> Option<u64> {
    let npts = u64::try_from(header.int("npts")?).ok()?;
    let footer = if header.version() == 7 { FOOTER_BYTES as u64 } else { 0 };
    Some(HEADER_BYTES as u64 + npts * 4 + footer)
}

fn read_binary(bytes: &[u8], mut header: Header, order: ByteOrder) -> Result<SacFile> {
    let due = length_of(&header).ok_or_else(|| refuse(0, "the number of samples is undefined"))?;
    if due != bytes.len() as u64 {
        let reason = format!("{} bytes, the header says {due}", bytes.len());
        return Err(refuse(HEADER_BYTES as u64, reason));
    }
    let footer = if header.version() == 7 { FOOTER_BYTES } else { 0 };
    let data = bytes.get(HEADER_BYTES..bytes.len() - footer).unwrap_or_default();
    let samples = data.as_chunks::<4>().0.iter().map(|b| order.f32(*b)).collect();
    if footer > 0 {
        header.set_footer(bytes.get(bytes.len() - footer..).unwrap_or_default(), order);
    }
    header.check()?;
    Ok(SacFile { header, samples })
}

fn refuse(offset: u64, reason: impl Into<String>) -> Error {
    Error::Format { format: "SAC", offset, reason: reason.into() }
}

#[cfg(test)]
mod tests;

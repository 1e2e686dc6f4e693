//! One record: its header, its bytes, its samples.

use std::fmt;

use super::encoding::{self, Encoding};
use super::header::RecordHeader;
use super::steim::{self, Steim};
use crate::format::{SampleType, Samples};

/// Something wrong at a place of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Byte offset of the record, or of the bytes that are none.
    pub offset: u64,
    /// What is wrong.
    pub reason: String,
    /// Whether the samples were taken all the same.
    pub kept: bool,
    /// Whether the system failed to read the bytes, and if so, whether it may do better soon.
    pub unread: Option<MayPass>,
}

/// Whether a failure to read was for want of something (handles, memory, an answer in time) that
/// may be there soon; else the file itself cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MayPass(pub bool);

impl From<&std::io::Error> for MayPass {
    fn from(error: &std::io::Error) -> Self {
        // EINTR, EAGAIN, ENOMEM, ENFILE, EMFILE, ETIMEDOUT, ESTALE
        Self(matches!(error.raw_os_error(), Some(4 | 11 | 12 | 23 | 24 | 110 | 116)))
    }
}

impl RecordError {
    pub(crate) fn lost(offset: u64, reason: impl Into<String>) -> Self {
        Self { offset, reason: reason.into(), kept: false, unread: None }
    }

    pub(crate) fn unread(offset: u64, error: &std::io::Error) -> Self {
        let unread = Some(MayPass::from(error));
        Self { unread, ..Self::lost(offset, format!("cannot read: {error}")) }
    }

    /// What is wrong with a file of which nothing could be read.
    pub fn whole_file(reason: impl Into<String>) -> Self {
        Self::lost(0, reason)
    }

    pub(crate) fn kept(offset: u64, reason: impl Into<String>) -> Self {
        Self { offset, reason: reason.into(), kept: true, unread: None }
    }
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.offset, self.reason)
    }
}

impl std::error::Error for RecordError {}

/// Result of the check that Steim's frames carry: their last sample, written a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Integrity {
    /// It agrees, or the encoding has no such check.
    Sound,
    /// It differs: some sample of the record is wrong, or the check value is.
    LastSampleDiffers {
        /// As the record declares it.
        declared: i32,
        /// As the differences add up to.
        decoded: i32,
    },
}

impl Integrity {
    /// The error to report for the record at `offset`: the samples are kept, as libmseed does.
    pub fn to_error(self, offset: u64) -> Option<RecordError> {
        match self {
            Self::Sound => None,
            Self::LastSampleDiffers { declared, decoded } => Some(RecordError::kept(
                offset,
                format!("the last sample decoded is {decoded}, the record says {declared}"),
            )),
        }
    }
}

/// A record as it lies in a file.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// What it says of itself.
    pub header: &'a RecordHeader,
    /// Where in the file.
    pub offset: u64,
    /// The whole record.
    pub bytes: &'a [u8],
}

impl Record<'_> {
    /// The encoded samples.
    pub fn data(&self) -> &[u8] {
        let start = self.header.data_offset as usize;
        let end = start.saturating_add(self.header.data_length as usize);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// The extra headers of miniSEED 3, JSON text; `None` where there are none or it is no UTF-8.
    pub fn extra_headers(&self) -> Option<&str> {
        let end = self.header.data_offset as usize;
        let start = end.checked_sub(self.header.extra_length as usize)?;
        let text = std::str::from_utf8(self.bytes.get(start..end)?).ok()?;
        (!text.is_empty()).then_some(text)
    }

    /// Decodes the samples in their own type.
    ///
    /// An error where the encoding is unknown, an encoded word is impossible, or the record holds
    /// fewer samples than it declares.
    pub fn decode(&self) -> Result<(Samples, Integrity), RecordError> {
        let Some(sample_type) = self.header.encoding.sample_type() else {
            return Err(self.unknown_encoding());
        };
        let mut samples = Samples::empty(sample_type);
        let integrity = self.decode_onto(&mut samples)?;
        Ok((samples, integrity))
    }

    /// Decodes and appends to `samples`, which must be of the record's type; on an error they are
    /// as before.
    pub fn decode_onto(&self, samples: &mut Samples) -> Result<Integrity, RecordError> {
        match samples {
            Samples::Int(out) => self.append(out, |d, o| self.ints(d, o, |x| x)),
            Samples::Float(out) => self.append(out, |d, o| self.floats(d, o, |x| x)),
            Samples::Double(out) => self.append(out, |d, o| self.doubles(d, o)),
            Samples::Text(out) => self.append(out, |d, o| self.text(d, o)),
        }
    }

    /// Decodes as `f64` (exact for every type but text, which is refused) and appends to `out`; on
    /// an error `out` is as before. Allocates only when `out` must grow.
    pub fn decode_f64(&self, out: &mut Vec<f64>) -> Result<Integrity, RecordError> {
        match self.header.encoding.sample_type() {
            Some(SampleType::Int) => self.append(out, |d, o| self.ints(d, o, f64::from)),
            Some(SampleType::Float) => self.append(out, |d, o| self.floats(d, o, f64::from)),
            Some(SampleType::Double) => self.append(out, |d, o| self.doubles(d, o)),
            Some(SampleType::Text) => Err(self.broken("text has no samples")),
            None => Err(self.unknown_encoding()),
        }
    }

    /// Grows `out` by the record's samples and lets `fill` decode them in place.
    fn append<T: Copy + Default>(
        &self,
        out: &mut Vec<T>,
        fill: impl FnOnce(&[u8], &mut [T]) -> Result<Integrity, String>,
    ) -> Result<Integrity, RecordError> {
        let npts = self.header.npts as usize;
        let data = self.data();
        let held = match (self.header.encoding, self.header.encoding.sample_bytes()) {
            (_, Some(bytes)) => data.len() / bytes,
            (Encoding::Steim1, None) => Steim::One.samples_max(data.len()),
            (Encoding::Steim2, None) => Steim::Two.samples_max(data.len()),
            _ => return Err(self.unknown_encoding()),
        };
        if npts > held {
            let reason = format!("{npts} samples declared, room for {held} at most");
            return Err(self.broken(reason));
        }
        let before = out.len();
        out.resize(before + npts, T::default());
        fill(data, &mut out[before..]).map_err(|reason| {
            out.truncate(before);
            self.broken(reason)
        })
    }

    fn ints<T>(
        &self,
        data: &[u8],
        out: &mut [T],
        convert: impl Fn(i32) -> T + Copy,
    ) -> Result<Integrity, String> {
        let order = self.header.byte_order;
        let steim = match self.header.encoding {
            Encoding::Steim1 => Steim::One,
            Encoding::Steim2 => Steim::Two,
            plain => {
                encoding::decode_ints(plain, order, data, out, convert)?;
                return Ok(Integrity::Sound);
            }
        };
        let last = steim::decode(steim, order, data, out, convert)?;
        let (declared, decoded) = (last.declared, last.decoded);
        Ok(if out.is_empty() || declared == decoded {
            Integrity::Sound
        } else {
            Integrity::LastSampleDiffers { declared, decoded }
        })
    }

    fn floats<T>(
        &self,
        data: &[u8],
        out: &mut [T],
        convert: impl Fn(f32) -> T,
    ) -> Result<Integrity, String> {
        let order = self.header.byte_order;
        encoding::decode_floats(self.header.encoding, order, data, out, convert)?;
        Ok(Integrity::Sound)
    }

    fn doubles(&self, data: &[u8], out: &mut [f64]) -> Result<Integrity, String> {
        if self.header.encoding != Encoding::Float64 {
            return Err("the samples are not 64-bit floats".to_owned());
        }
        encoding::decode_doubles(self.header.byte_order, data, out);
        Ok(Integrity::Sound)
    }

    fn text(&self, data: &[u8], out: &mut [u8]) -> Result<Integrity, String> {
        if self.header.encoding != Encoding::Text {
            return Err("the samples are not text".to_owned());
        }
        out.iter_mut().zip(data).for_each(|(slot, byte)| *slot = *byte);
        Ok(Integrity::Sound)
    }

    fn broken(&self, reason: impl Into<String>) -> RecordError {
        RecordError::lost(self.offset, reason)
    }

    fn unknown_encoding(&self) -> RecordError {
        self.broken(format!("samples in encoding {}, unknown here", self.header.encoding.code()))
    }
}

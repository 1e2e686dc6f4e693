//! Traces packed into records.

use std::io::Write;

use mspass_core::{SeedId, UtcTime};

use super::encoding::Encoding;
use super::order::ByteOrder;
use super::pack::{Payload, choose_encoding};
use super::{RECORD_LENGTH_MAX_V2, RECORD_LENGTH_MAX_V3, write_v2, write_v3};
use crate::error::{Error, Result};
use crate::format::{SampleSlice, Trace};

/// How traces are written.
#[derive(Clone, Debug, PartialEq)]
pub struct WriteOptions {
    /// 2 or 3. Default 2.
    pub version: u8,
    /// Length of the records, bytes: in version 2 a power of two from 128 to 2^20, in version 3 the
    /// most that a record may have. Default 4096.
    pub record_length: usize,
    /// How samples are written. By default integers as Steim-2, or Steim-1 or plain where their
    /// differences are too large; floats and text as they are.
    pub encoding: Option<Encoding>,
    /// Byte order of header and samples in version 2 (3 has its own). Default big.
    pub byte_order: ByteOrder,
    /// Publication version, in version 2 the quality (R = 1, D = 2, Q = 3, M = 4). Default the
    /// trace's own, or D where it has none.
    pub publication: Option<u8>,
    /// Timing quality, 0 to 100, for blockette 1001 of version 2.
    pub timing_quality: Option<u8>,
    /// Extra headers of version 3: the text of a JSON object, put into every record.
    pub extra_headers: Option<String>,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            version: 2,
            record_length: 4096,
            encoding: None,
            byte_order: ByteOrder::Big,
            publication: None,
            timing_quality: None,
            extra_headers: None,
        }
    }
}

/// A trace to be written whose samples are elsewhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TraceSlice<'a> {
    /// Whose samples.
    pub id: &'a SeedId,
    /// Publication version; 0 for none.
    pub publication: u8,
    /// Time of the first sample.
    pub starttime: UtcTime,
    /// Hz; 0 for text without a rate.
    pub sampling_rate: f64,
    /// The samples.
    pub samples: SampleSlice<'a>,
}

impl<'a> From<&'a Trace> for TraceSlice<'a> {
    fn from(trace: &'a Trace) -> Self {
        Self {
            id: &trace.id,
            publication: trace.publication,
            starttime: trace.starttime,
            sampling_rate: trace.sampling_rate,
            samples: trace.samples.as_slice(),
        }
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Records.
    pub records: u64,
    /// Bytes.
    pub bytes: u64,
}

/// One record to be laid out.
pub(super) struct Outline {
    pub(super) publication: u8,
    pub(super) starttime: UtcTime,
    pub(super) sampling_rate: f64,
    pub(super) npts: usize,
    pub(super) encoding: Encoding,
    /// Number of the record, from 1.
    pub(super) sequence: u64,
}

/// Packs a trace into records, each as full as it gets, and writes them to `sink`.
///
/// An error where the options or the trace cannot be written as asked (codes too long, a sampling
/// rate that is none, samples that do not fit the encoding, a time before 1900 in version 2) or
/// where `sink` fails; records before it are written then.
///
/// ```
/// use mspass_io::format::{Samples, Trace, mseed};
/// let trace = Trace {
///     id: "YA.UV05.00.HHZ".parse().unwrap(),
///     publication: 2,
///     starttime: "2010-09-01T00:00:00.123456".parse().unwrap(),
///     sampling_rate: 100.0,
///     samples: Samples::Int((0..3000).map(|i| i * i % 701).collect()),
/// };
/// let options = mseed::WriteOptions { record_length: 512, ..Default::default() };
/// let mut bytes = Vec::new();
/// let written = mseed::write((&trace).into(), &options, &mut bytes).unwrap();
/// assert_eq!(bytes.len() as u64, written.records * 512);
/// assert_eq!(mseed::read(&bytes).traces, [trace]);
/// ```
pub fn write(
    trace: TraceSlice<'_>,
    options: &WriteOptions,
    sink: &mut impl Write,
) -> Result<Written> {
    let is_text = matches!(trace.samples, SampleSlice::Text(_));
    let rate = trace.sampling_rate;
    if !(rate.is_finite() && (rate > 0.0 || is_text && rate == 0.0)) {
        return Err(refuse(format!("a sampling rate of {rate} Hz")));
    }
    let length_max = match options.version {
        2 => RECORD_LENGTH_MAX_V2,
        3 => RECORD_LENGTH_MAX_V3,
        other => return Err(refuse(format!("version {other} of miniSEED"))),
    };
    let length = options.record_length;
    let uneven = options.version == 2 && !length.is_power_of_two();
    if uneven || !(128..=length_max).contains(&length) {
        return Err(refuse(format!("a record length of {length} bytes")));
    }
    let encoding = choose_encoding(options.encoding, trace.samples)?;
    let publication = match options.publication.unwrap_or(trace.publication) {
        0 if options.publication.is_none() => 2,
        given => given,
    };
    let mut layout = match options.version {
        2 => Layout::Two(write_v2::Template::new(&trace, options)?),
        _ => Layout::Three(write_v3::Template::new(&trace, options)?),
    };
    let mut payload = Payload::new(encoding, layout.data_order(encoding), trace.samples);
    let mut written = Written::default();
    let mut record = Vec::with_capacity(length.min(RECORD_LENGTH_MAX_V2));
    let mut at = 0;
    while at < trace.samples.len() {
        record.clear();
        record.resize(layout.data_offset(), 0);
        let capacity = length.saturating_sub(layout.data_offset());
        let npts = payload.fill(at, capacity, layout.npts_max(), &mut record)?;
        if npts == 0 {
            return Err(refuse(format!("records of {length} bytes have no room for samples")));
        }
        let period = if rate > 0.0 { 1e9 / rate } else { 0.0 };
        layout.finish(
            &Outline {
                publication,
                starttime: trace.starttime + (at as f64 * period).round() as i64,
                sampling_rate: rate,
                npts,
                encoding,
                sequence: written.records + 1,
            },
            &mut record,
        )?;
        sink.write_all(&record).map_err(Error::store("miniSEED", "write a record"))?;
        written.records += 1;
        written.bytes += record.len() as u64;
        at += npts;
    }
    Ok(written)
}

/// The two versions' headers.
enum Layout {
    Two(write_v2::Template),
    Three(write_v3::Template),
}

impl Layout {
    fn data_order(&self, encoding: Encoding) -> ByteOrder {
        match self {
            Self::Two(template) => template.order,
            Self::Three(_) => match encoding {
                Encoding::Steim1 | Encoding::Steim2 => ByteOrder::Big,
                _ => ByteOrder::Little,
            },
        }
    }

    fn data_offset(&self) -> usize {
        match self {
            Self::Two(template) => template.data_offset,
            Self::Three(template) => template.data_offset,
        }
    }

    fn npts_max(&self) -> usize {
        match self {
            Self::Two(_) => usize::from(u16::MAX),
            Self::Three(_) => u32::MAX as usize,
        }
    }

    /// Puts the header before the samples, and pads or seals the record.
    fn finish(&mut self, outline: &Outline, record: &mut Vec<u8>) -> Result<()> {
        match self {
            Self::Two(template) => template.finish(outline, record),
            Self::Three(template) => template.finish(outline, record),
        }
    }
}

pub(super) fn refuse(reason: impl std::fmt::Display) -> Error {
    Error::Refused(format!("cannot write miniSEED: {reason}"))
}

/// Civil fields of a time: year, day of the year, hour, minute, second, nanosecond.
pub(super) fn civil(time: UtcTime) -> (i64, i64, [u8; 3], u32) {
    const SECOND: i64 = mspass_core::time::NANOS_PER_SECOND;
    let seconds = time.nanos().div_euclid(SECOND);
    let (year, day) = crate::format::year_and_day(seconds.div_euclid(86_400));
    let of_day = seconds.rem_euclid(86_400);
    let clock = [of_day / 3600, of_day / 60 % 60, of_day % 60].map(|field| field as u8);
    (year, day, clock, time.nanos().rem_euclid(SECOND) as u32)
}

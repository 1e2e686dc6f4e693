//! What a record says of itself, the same for both versions.

use mspass_core::{SeedId, UtcTime};

use super::encoding::Encoding;
use super::order::ByteOrder;

/// State bits of a record, as miniSEED 2 numbers them; miniSEED 3's three are mapped onto them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags {
    /// Calibration (1), correction applied (2), event begins (4), ends (8), leap second added (16),
    /// removed (32), event in progress (64).
    pub activity: u8,
    /// Clock locked is 32.
    pub clock: u8,
    /// Saturated (1), clipped (2), spikes (4), glitches (8), missing (16), telemetry (32), filter
    /// charging (64), time questionable (128).
    pub quality: u8,
}

/// The header of one record.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RecordHeader {
    /// 2 or 3.
    pub version: u8,
    /// Whose samples.
    pub id: SeedId,
    /// Publication version of miniSEED 3; miniSEED 2's quality as R = 1, D = 2, Q = 3, M = 4.
    pub publication: u8,
    /// Time of the first sample, corrections included.
    pub starttime: UtcTime,
    /// Number of samples.
    pub npts: u32,
    /// Hz; 0 for records that have no rate, such as logs.
    pub sampling_rate: f64,
    /// How the samples are written.
    pub encoding: Encoding,
    /// Byte order of the samples (of the header: big in most miniSEED 2, little in miniSEED 3).
    pub byte_order: ByteOrder,
    /// Where the samples begin, bytes from the start of the record.
    pub data_offset: u32,
    /// Bytes of encoded samples (in miniSEED 2 the rest of the record).
    pub data_length: u32,
    /// Length of the record, bytes.
    pub length: u32,
    /// Vendor's figure of clock quality, 0 to 100, where the record has one.
    pub timing_quality: Option<u8>,
    /// State bits.
    pub flags: Flags,
    /// Identifier bytes that `id` was made of; equal bytes need no new id.
    pub(super) id_bytes: Vec<u8>,
    /// Bytes of extra headers (miniSEED 3), which end where the samples begin.
    pub(super) extra_length: u32,
    /// What is wrong with the blockettes, where the record can be read all the same.
    pub(super) defect: Option<&'static str>,
}

impl RecordHeader {
    pub(super) fn blank() -> Self {
        Self {
            version: 0,
            id: SeedId::default(),
            publication: 0,
            starttime: UtcTime::default(),
            npts: 0,
            sampling_rate: 0.0,
            encoding: Encoding::Steim1,
            byte_order: ByteOrder::Big,
            data_offset: 0,
            data_length: 0,
            length: 0,
            timing_quality: None,
            flags: Flags::default(),
            id_bytes: Vec::new(),
            extra_length: 0,
            defect: None,
        }
    }

    /// miniSEED 2's quality letter; `M` for publication versions above 4.
    pub fn quality(&self) -> char {
        match self.publication {
            0 | 1 => 'R',
            2 => 'D',
            3 => 'Q',
            _ => 'M',
        }
    }

    /// Sample period in nanoseconds; 0 without a rate.
    pub fn period_nanos(&self) -> f64 {
        if self.sampling_rate > 0.0 { 1e9 / self.sampling_rate } else { 0.0 }
    }

    /// Time of sample `index` of the record, a leap second in the record not counted.
    pub fn time_of(&self, index: u32) -> UtcTime {
        self.starttime + (f64::from(index) * self.period_nanos()).round() as i64
    }

    /// When the first sample of the next record is due; a leap second flagged in this one is
    /// counted.
    pub fn next_starttime(&self) -> UtcTime {
        self.time_of(self.npts) + self.leap_nanos()
    }

    /// Time of the last sample by the record's own clock (of the start where there is none).
    pub fn endtime(&self) -> UtcTime {
        self.time_of(self.npts.saturating_sub(1))
    }

    /// Refuses a record whose last sample would lie beyond the times that can be told.
    pub(super) fn check_span(&self) -> Result<(), String> {
        let last = self.starttime.nanos() as f64 + f64::from(self.npts) * self.period_nanos();
        if last < i64::MAX as f64 {
            return Ok(());
        }
        Err(format!(
            "{} samples at {:e} Hz reach beyond the year 2262",
            self.npts, self.sampling_rate
        ))
    }

    /// The bytes that the id was made of.
    pub(crate) fn id_bytes(&self) -> &[u8] {
        &self.id_bytes
    }

    /// How far a leap second added within the record shifts the times after it. (The bit for one
    /// removed is ignored, as libmseed does: there has never been one.)
    fn leap_nanos(&self) -> i64 {
        if self.flags.activity & 0x10 == 0 { 0 } else { -mspass_core::time::NANOS_PER_SECOND }
    }

    /// Sets version and id, the latter only if its bytes are not those of the record before.
    pub(super) fn set_id(&mut self, version: u8, bytes: &[u8], make: fn(&[u8]) -> SeedId) {
        if self.id_bytes != bytes || self.version != version {
            self.version = version;
            self.id = make(bytes);
            self.id_bytes.clear();
            self.id_bytes.extend_from_slice(bytes);
        }
    }
}

/// What came of parsing the bytes at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    /// The header is complete; its `length` is 0 where the record does not tell it.
    Done,
    /// So many bytes of the record are needed.
    Need(usize),
}

/// A code as found in a header: up to the first NUL, ASCII letters and marks only, trimmed; a dot,
/// which separates the codes of an id, becomes an underscore.
pub(super) fn clean_code(bytes: &[u8]) -> String {
    let text = bytes.split(|&b| b == 0).next().unwrap_or_default();
    let kept = text.iter().filter(|b| b.is_ascii_graphic() || **b == b' ');
    let code: String = kept.map(|&b| if b == b'.' { '_' } else { char::from(b) }).collect();
    code.trim().to_owned()
}

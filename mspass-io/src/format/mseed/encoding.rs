//! Sample encodings other than Steim's, and their numbers.
//!
//! SEED Reference Manual 2.4, blockette 1000 field 3, and appendices B and C for the old
//! gain-ranged ones; miniSEED 3 uses the same numbers.

use super::order::ByteOrder;
use crate::format::SampleType;

/// How a record's samples are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// 0: text, one byte a "sample".
    Text,
    /// 1: 16-bit integers.
    Int16,
    /// 2: 24-bit integers.
    Int24,
    /// 3: 32-bit integers.
    Int32,
    /// 4: 32-bit floats.
    Float32,
    /// 5: 64-bit floats.
    Float64,
    /// 10: Steim's first compression.
    Steim1,
    /// 11: Steim's second compression.
    Steim2,
    /// 12: GEOSCOPE, 24-bit integers, taken as floats.
    Geoscope24,
    /// 13: GEOSCOPE, 12-bit mantissa and 3-bit gain.
    Geoscope16With3,
    /// 14: GEOSCOPE, 12-bit mantissa and 4-bit gain.
    Geoscope16With4,
    /// 16: CDSN, 14-bit mantissa and 2-bit gain.
    Cdsn,
    /// 30: SRO, 12-bit mantissa and 4-bit gain.
    Sro,
    /// 32: DWWSSN, 16-bit integers.
    Dwwssn,
    /// A number that this reader cannot decode.
    Other(u8),
}

impl Encoding {
    /// The encoding of a number.
    pub fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Text,
            1 => Self::Int16,
            2 => Self::Int24,
            3 => Self::Int32,
            4 => Self::Float32,
            5 => Self::Float64,
            10 => Self::Steim1,
            11 => Self::Steim2,
            12 => Self::Geoscope24,
            13 => Self::Geoscope16With3,
            14 => Self::Geoscope16With4,
            16 => Self::Cdsn,
            30 => Self::Sro,
            32 => Self::Dwwssn,
            other => Self::Other(other),
        }
    }

    /// Its number.
    pub fn code(self) -> u8 {
        match self {
            Self::Text => 0,
            Self::Int16 => 1,
            Self::Int24 => 2,
            Self::Int32 => 3,
            Self::Float32 => 4,
            Self::Float64 => 5,
            Self::Steim1 => 10,
            Self::Steim2 => 11,
            Self::Geoscope24 => 12,
            Self::Geoscope16With3 => 13,
            Self::Geoscope16With4 => 14,
            Self::Cdsn => 16,
            Self::Sro => 30,
            Self::Dwwssn => 32,
            Self::Other(code) => code,
        }
    }

    /// Type of the decoded samples; `None` where they cannot be decoded.
    pub fn sample_type(self) -> Option<SampleType> {
        match self {
            Self::Text => Some(SampleType::Text),
            Self::Int16 | Self::Int24 | Self::Int32 | Self::Steim1 | Self::Steim2 => {
                Some(SampleType::Int)
            }
            Self::Cdsn | Self::Sro | Self::Dwwssn => Some(SampleType::Int),
            Self::Float32 | Self::Geoscope24 => Some(SampleType::Float),
            Self::Geoscope16With3 | Self::Geoscope16With4 => Some(SampleType::Float),
            Self::Float64 => Some(SampleType::Double),
            Self::Other(_) => None,
        }
    }

    /// Bytes of one sample; `None` for compressed and unknown encodings.
    pub(super) fn sample_bytes(self) -> Option<usize> {
        match self {
            Self::Text => Some(1),
            Self::Int16 | Self::Geoscope16With3 | Self::Geoscope16With4 => Some(2),
            Self::Cdsn | Self::Sro | Self::Dwwssn => Some(2),
            Self::Int24 | Self::Geoscope24 => Some(3),
            Self::Int32 | Self::Float32 => Some(4),
            Self::Float64 => Some(8),
            Self::Steim1 | Self::Steim2 | Self::Other(_) => None,
        }
    }
}

/// Fills `out` from samples of `N` bytes; both ends are as long as the shorter.
fn fill<const N: usize, T>(data: &[u8], out: &mut [T], sample: impl Fn([u8; N]) -> T) {
    for (slot, bytes) in out.iter_mut().zip(data.as_chunks::<N>().0) {
        *slot = sample(*bytes);
    }
}

/// Decodes integers of a fixed width into `out`, as many as it holds; `data` must hold them all.
///
/// An error where a sample is impossible (SRO's gain above 10), or where `encoding` is not of
/// integers.
pub(super) fn decode_ints<T>(
    encoding: Encoding,
    order: ByteOrder,
    data: &[u8],
    out: &mut [T],
    convert: impl Fn(i32) -> T,
) -> Result<(), String> {
    match encoding {
        Encoding::Int16 | Encoding::Dwwssn => {
            fill(data, out, |b| convert(i32::from(order.u16(b).cast_signed())));
        }
        Encoding::Int24 => fill(data, out, |b| convert(int24(order, b))),
        Encoding::Int32 => fill(data, out, |b| convert(order.u32(b).cast_signed())),
        Encoding::Cdsn => fill(data, out, |b| convert(cdsn(order.u16(b)))),
        Encoding::Sro => {
            let chunks = data.as_chunks::<2>().0.iter().take(out.len());
            if chunks.map(|b| order.u16(*b) >> 12).any(|gain| gain > 10) {
                return Err("an SRO gain exponent beyond 10".to_owned());
            }
            fill(data, out, |b| convert(sro(order.u16(b))));
        }
        other => return Err(format!("encoding {} is not of integers", other.code())),
    }
    Ok(())
}

/// Decodes 32-bit floats into `out`, as [`decode_ints`] does.
pub(super) fn decode_floats<T>(
    encoding: Encoding,
    order: ByteOrder,
    data: &[u8],
    out: &mut [T],
    convert: impl Fn(f32) -> T,
) -> Result<(), String> {
    match encoding {
        Encoding::Float32 => fill(data, out, |b| convert(order.f32(b))),
        Encoding::Geoscope24 => fill(data, out, |b| convert(int24(order, b) as f32)),
        Encoding::Geoscope16With3 => fill(data, out, |b| convert(geoscope(order.u16(b), 7))),
        Encoding::Geoscope16With4 => fill(data, out, |b| convert(geoscope(order.u16(b), 15))),
        other => return Err(format!("encoding {} is not of 32-bit floats", other.code())),
    }
    Ok(())
}

/// Decodes 64-bit floats into `out`.
pub(super) fn decode_doubles(order: ByteOrder, data: &[u8], out: &mut [f64]) {
    fill(data, out, |b| f64::from_bits(order.u64(b)));
}

fn int24(order: ByteOrder, bytes: [u8; 3]) -> i32 {
    let [a, b, c] = bytes;
    let high = match order {
        ByteOrder::Big => [a, b, c, 0],
        ByteOrder::Little => [c, b, a, 0],
    };
    i32::from_be_bytes(high) >> 8
}

/// Mantissa biased by 2048 over a power of two.
fn geoscope(word: u16, gain_mask: u16) -> f32 {
    let mantissa = f32::from((word & 0x0fff).cast_signed() - 2048);
    let gain = (word >> 12) & gain_mask;
    mantissa / f32::from(1u16 << gain)
}

/// Mantissa biased by 8191 times 1, 4, 16 or 128.
fn cdsn(word: u16) -> i32 {
    const SHIFTS: [u32; 4] = [0, 2, 4, 7];
    let mantissa = i32::from(word & 0x3fff) - 8191;
    mantissa << SHIFTS[usize::from(word >> 14)]
}

/// Two's complement mantissa of 12 bits times 2^(10 - gain); the gain is at most 10.
fn sro(word: u16) -> i32 {
    let mantissa = i32::from((word << 4).cast_signed() >> 4);
    mantissa << (10u32.saturating_sub(u32::from(word >> 12)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip() {
        for code in 0..=u8::MAX {
            assert_eq!(Encoding::from_code(code).code(), code);
        }
    }

    #[test]
    fn gain_ranged_words_follow_their_definitions() {
        assert_eq!(geoscope(0x0fff, 7), 2047.0);
        assert_eq!(geoscope(0x1000, 7), -1024.0);
        assert_eq!(geoscope(0x8000, 7), -2048.0);
        assert_eq!(geoscope(0x8000, 15), -8.0);
        assert_eq!(cdsn(0x0000), -8191);
        assert_eq!(cdsn(0x3fff), 8192);
        assert_eq!(cdsn(0xc000), -8191 * 128);
        assert_eq!(sro(0x07ff), 2047 << 10);
        assert_eq!(sro(0xafff), -1);
        assert_eq!(sro(0x0800), -2048 << 10);
    }

    #[test]
    fn int24_keeps_its_sign() {
        let mut out = [0; 2];
        let data = [0xff, 0xff, 0xfe, 0x01, 0x02, 0x03];
        decode_ints(Encoding::Int24, ByteOrder::Big, &data, &mut out, |x| x).unwrap();
        assert_eq!(out, [-2, 0x01_02_03]);
        let data = [0xfe, 0xff, 0xff, 0x03, 0x02, 0x01];
        decode_ints(Encoding::Int24, ByteOrder::Little, &data, &mut out, |x| x).unwrap();
        assert_eq!(out, [-2, 0x01_02_03]);
    }
}

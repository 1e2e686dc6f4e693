//! Headers of miniSEED 2 records.

use mspass_core::{SeedId, UtcTime};

use super::order::ByteOrder;
use super::rate::factor_and_multiplier;
use super::v2::FIXED_BYTES;
use super::write::{Outline, TraceSlice, WriteOptions, civil, refuse};
use crate::error::Result;

/// Sequence numbers have six digits.
const SEQUENCE_MAX: u64 = 999_999;

/// What all records of a trace share.
pub(super) struct Template {
    pub(super) order: ByteOrder,
    pub(super) data_offset: usize,
    length: usize,
    codes: [u8; 12],
    factor: i16,
    multiplier: i16,
    /// The rate for a blockette 100, where that says it better.
    rate: Option<f32>,
    timing_quality: Option<u8>,
}

impl Template {
    pub(super) fn new(trace: &TraceSlice<'_>, options: &WriteOptions) -> Result<Self> {
        let (factor, multiplier, found) = match trace.sampling_rate {
            0.0 => (0, 0, 0.0),
            rate => factor_and_multiplier(rate),
        };
        let rate = trace.sampling_rate as f32;
        let (exact, single) = (trace.sampling_rate, f64::from(rate));
        let is_exact = (found - exact).abs() <= 1e-15 * exact;
        let better = !is_exact && (single - exact).abs() < (found - exact).abs();
        let rate = (better && rate.is_finite() && rate > 0.0).then_some(rate);
        Ok(Self {
            order: options.byte_order,
            // the header, blockettes 1000 and 1001, and where needed 100
            data_offset: if rate.is_some() { 128 } else { 64 },
            length: options.record_length,
            codes: codes(trace.id)?,
            factor,
            multiplier,
            rate,
            timing_quality: options.timing_quality,
        })
    }

    pub(super) fn finish(&self, outline: &Outline, record: &mut Vec<u8>) -> Result<()> {
        record.resize(self.length, 0);
        let (time, microseconds) = self.time(outline.starttime)?;
        let short = |value: u16| match self.order {
            ByteOrder::Big => value.to_be_bytes(),
            ByteOrder::Little => value.to_le_bytes(),
        };
        let mut head = Vec::with_capacity(self.data_offset);
        let sequence = (outline.sequence - 1) % SEQUENCE_MAX + 1;
        head.extend(format!("{sequence:06}").bytes());
        head.push(match outline.publication {
            0 | 1 => b'R',
            2 => b'D',
            3 => b'Q',
            _ => b'M',
        });
        head.push(b' ');
        head.extend(self.codes);
        head.extend(time);
        let npts = u16::try_from(outline.npts).map_err(|_| refuse("too many samples"))?;
        head.extend(short(npts));
        head.extend(short(self.factor.cast_unsigned()));
        head.extend(short(self.multiplier.cast_unsigned()));
        // no flags, number of blockettes, no correction
        let extended = microseconds != 0 || self.timing_quality.is_some();
        let blockettes = 1 + u8::from(extended) + u8::from(self.rate.is_some());
        head.extend([0, 0, 0, blockettes, 0, 0, 0, 0]);
        head.extend(short(self.data_offset as u16));
        head.extend(short(FIXED_BYTES as u16));
        let order = u8::from(self.order == ByteOrder::Big);
        let exponent = self.length.trailing_zeros() as u8;
        let mut blockettes = vec![(1000u16, vec![outline.encoding.code(), order, exponent, 0])];
        if extended {
            let quality = self.timing_quality.unwrap_or(0).min(100);
            blockettes.push((1001, vec![quality, microseconds, 0, 0]));
        }
        if let Some(rate) = self.rate {
            let rate = match self.order {
                ByteOrder::Big => rate.to_be_bytes(),
                ByteOrder::Little => rate.to_le_bytes(),
            };
            blockettes.push((100, [rate, [0; 4]].concat()));
        }
        for (index, (kind, body)) in blockettes.iter().enumerate() {
            let end = head.len() + 4 + body.len();
            let next = if index + 1 < blockettes.len() { end } else { 0 };
            head.extend(short(*kind));
            head.extend(short(next as u16));
            head.extend(body);
        }
        record.iter_mut().zip(head).for_each(|(slot, byte)| *slot = byte);
        Ok(())
    }

    /// The ten bytes of a start time, to 0.1 ms, and the microseconds beyond.
    fn time(&self, time: UtcTime) -> Result<([u8; 10], u8)> {
        let (year, day, [hour, minute, second], nanos) = civil(time + 500);
        if !(1900..=2100).contains(&year) {
            return Err(refuse(format!("version 2 has no year {year}")));
        }
        let micros = nanos / 1000;
        let short = |value: u16| match self.order {
            ByteOrder::Big => value.to_be_bytes(),
            ByteOrder::Little => value.to_le_bytes(),
        };
        let [y0, y1] = short(year as u16);
        let [d0, d1] = short(day as u16);
        let [f0, f1] = short((micros / 100) as u16);
        Ok(([y0, y1, d0, d1, hour, minute, second, 0, f0, f1], (micros % 100) as u8))
    }
}

/// Station, location, channel and network, each filled up with spaces.
fn codes(id: &SeedId) -> Result<[u8; 12]> {
    let mut codes = [b' '; 12];
    let places =
        [(id.station(), 0, 5), (id.location(), 5, 2), (id.channel(), 7, 3), (id.network(), 10, 2)];
    for (code, at, length) in places {
        if code.len() > length || !code.is_ascii() {
            return Err(refuse(format!("the code '{code}' in {length} ASCII letters")));
        }
        codes[at..].iter_mut().zip(code.bytes()).for_each(|(slot, byte)| *slot = byte);
    }
    Ok(codes)
}

//! Samples of a trace put into records.

use super::encoding::Encoding;
use super::order::ByteOrder;
use super::steim::{FRAME_BYTES, Steim};
use super::steim_pack;
use super::write::refuse;
use crate::error::Result;
use crate::format::SampleSlice;

/// The encoding asked for if it takes such samples, else the densest that does.
pub(super) fn choose_encoding(
    asked: Option<Encoding>,
    samples: SampleSlice<'_>,
) -> Result<Encoding> {
    let Some(encoding) = asked else {
        return Ok(match samples {
            SampleSlice::Int(samples) => densest(samples),
            SampleSlice::Float(_) => Encoding::Float32,
            SampleSlice::Double(_) => Encoding::Float64,
            SampleSlice::Text(_) => Encoding::Text,
        });
    };
    let fits = match samples {
        SampleSlice::Int(_) => matches!(
            encoding,
            Encoding::Int16
                | Encoding::Int24
                | Encoding::Int32
                | Encoding::Steim1
                | Encoding::Steim2
        ),
        SampleSlice::Float(_) => encoding == Encoding::Float32,
        SampleSlice::Double(_) => encoding == Encoding::Float64,
        SampleSlice::Text(_) => encoding == Encoding::Text,
    };
    if fits {
        Ok(encoding)
    } else {
        let kind = samples.sample_type();
        Err(refuse(format!("{kind:?} samples in encoding {} ({encoding:?})", encoding.code())))
    }
}

/// Steim-2 if every difference fits 30 bits, else Steim-1 if it fits 32, else plain integers.
fn densest(samples: &[i32]) -> Encoding {
    let diffs = || samples.windows(2).map(|pair| i64::from(pair[1]) - i64::from(pair[0]));
    let within = |bits: u32| {
        let limit = 1i64 << (bits - 1);
        diffs().all(|diff| (-limit..limit).contains(&diff))
    };
    if within(30) {
        Encoding::Steim2
    } else if within(32) {
        Encoding::Steim1
    } else {
        Encoding::Int32
    }
}

/// The samples of a trace on their way into records.
pub(super) struct Payload<'a> {
    encoding: Encoding,
    order: ByteOrder,
    samples: SampleSlice<'a>,
}

impl<'a> Payload<'a> {
    pub(super) fn new(encoding: Encoding, order: ByteOrder, samples: SampleSlice<'a>) -> Self {
        Self { encoding, order, samples }
    }

    /// Appends to `record` as many samples from `at` on as `capacity` bytes hold, at most
    /// `npts_max`; gives their number.
    pub(super) fn fill(
        &mut self,
        at: usize,
        capacity: usize,
        npts_max: usize,
        record: &mut Vec<u8>,
    ) -> Result<usize> {
        let samples = match self.samples {
            SampleSlice::Int(samples) => samples,
            SampleSlice::Float(samples) => {
                return Ok(put(samples, at, capacity, npts_max, record, |x| match self.order {
                    ByteOrder::Big => x.to_be_bytes(),
                    ByteOrder::Little => x.to_le_bytes(),
                }));
            }
            SampleSlice::Double(samples) => {
                return Ok(put(samples, at, capacity, npts_max, record, |x| match self.order {
                    ByteOrder::Big => x.to_be_bytes(),
                    ByteOrder::Little => x.to_le_bytes(),
                }));
            }
            SampleSlice::Text(text) => {
                return Ok(put(text, at, capacity, npts_max, record, |x| [x]));
            }
        };
        let steim = match self.encoding {
            Encoding::Steim1 => Steim::One,
            Encoding::Steim2 => Steim::Two,
            plain => return self.fill_ints(plain, samples, at, capacity, npts_max, record),
        };
        let before = at.checked_sub(1).and_then(|index| samples.get(index)).copied();
        let until = samples.len().min(at.saturating_add(npts_max));
        let rest = samples.get(at..until).unwrap_or_default();
        let frames = capacity / FRAME_BYTES;
        let packed = steim_pack::encode(steim, self.order, before, rest, frames, record);
        packed.map(|packed| packed.npts).map_err(|index| {
            let place = at + index;
            refuse(format!("the step to sample {place} has more than the 30 bits of Steim-2"))
        })
    }

    fn fill_ints(
        &self,
        encoding: Encoding,
        samples: &[i32],
        at: usize,
        capacity: usize,
        npts_max: usize,
        record: &mut Vec<u8>,
    ) -> Result<usize> {
        let bits = match encoding {
            Encoding::Int16 => 16,
            Encoding::Int24 => 24,
            _ => 32,
        };
        let limit = 1i64 << (bits - 1);
        let count = samples.len().saturating_sub(at).min(npts_max).min(capacity * 8 / bits);
        let beyond = |x: &&i32| !(-limit..limit).contains(&i64::from(**x));
        if let Some(sample) = samples.iter().skip(at).take(count).find(beyond) {
            return Err(refuse(format!("the sample {sample} in {bits} bits")));
        }
        let order = self.order;
        Ok(match bits {
            16 => put(samples, at, capacity, npts_max, record, |x| match order {
                ByteOrder::Big => (x as i16).to_be_bytes(),
                ByteOrder::Little => (x as i16).to_le_bytes(),
            }),
            24 => put(samples, at, capacity, npts_max, record, |x| {
                let [_, a, b, c] = x.to_be_bytes();
                match order {
                    ByteOrder::Big => [a, b, c],
                    ByteOrder::Little => [c, b, a],
                }
            }),
            _ => put(samples, at, capacity, npts_max, record, |x| match order {
                ByteOrder::Big => x.to_be_bytes(),
                ByteOrder::Little => x.to_le_bytes(),
            }),
        })
    }
}

/// Appends samples of `N` bytes each.
fn put<T: Copy, const N: usize>(
    samples: &[T],
    at: usize,
    capacity: usize,
    npts_max: usize,
    record: &mut Vec<u8>,
    bytes: impl Fn(T) -> [u8; N],
) -> usize {
    let rest = samples.get(at..).unwrap_or_default();
    let count = rest.len().min(npts_max).min(capacity / N);
    rest.iter().take(count).for_each(|sample| record.extend(bytes(*sample)));
    count
}

//! Steim's first and second compression, encoding.

use super::order::ByteOrder;
use super::steim::{FRAME_BYTES, Steim};

/// What came of filling one record's frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packed {
    /// Samples taken.
    pub(super) npts: usize,
    /// Frames used.
    pub(super) frames: usize,
}

/// A word: its code in the frame's first word, its bits, the differences in it.
struct Word {
    code: u32,
    bytes: [u8; 4],
    count: usize,
}

/// Differences of a word, as bits: width of each, how many, code, top bits.
struct Shape {
    width: u32,
    count: usize,
    code: u32,
    top: u32,
}

const fn shape(width: u32, count: usize, code: u32, top: u32) -> Shape {
    Shape { width, count, code, top }
}

/// Densest first.
const SHAPES_ONE: [Shape; 3] = [shape(8, 4, 1, 0), shape(16, 2, 2, 0), shape(32, 1, 3, 0)];
const SHAPES_TWO: [Shape; 7] = [
    shape(4, 7, 3, 2),
    shape(5, 6, 3, 1),
    shape(6, 5, 3, 0),
    shape(8, 4, 1, 0),
    shape(10, 3, 2, 3),
    shape(15, 2, 2, 2),
    shape(30, 1, 2, 1),
];

/// Appends to `out` frames, at most `frames_max`, with as many of `samples` as they hold.
///
/// `before` is the sample ahead of them. An error gives the index of a sample whose difference
/// does not fit the encoding.
pub(super) fn encode(
    steim: Steim,
    order: ByteOrder,
    before: Option<i32>,
    samples: &[i32],
    frames_max: usize,
    out: &mut Vec<u8>,
) -> Result<Packed, usize> {
    let put = |word: u32| match order {
        ByteOrder::Big => word.to_be_bytes(),
        ByteOrder::Little => word.to_le_bytes(),
    };
    let Some(&first) = samples.first() else { return Ok(Packed { npts: 0, frames: 0 }) };
    let start = out.len();
    let mut npts = 0;
    let mut frames = 0;
    while frames < frames_max && npts < samples.len() {
        let frame = out.len();
        out.resize(frame + FRAME_BYTES, 0);
        let mut control = 0;
        let skip = if frames == 0 { 3 } else { 1 };
        for index in skip..16 {
            let Some(word) = next_word(steim, order, before.unwrap_or(first), samples, npts)?
            else {
                break;
            };
            control |= word.code << (30 - 2 * index);
            out[frame + 4 * index..][..4].copy_from_slice(&word.bytes);
            npts += word.count;
        }
        out[frame..][..4].copy_from_slice(&put(control));
        frames += 1;
    }
    if let Some(&last) = samples.get(npts.wrapping_sub(1)) {
        out[start + 4..][..4].copy_from_slice(&put(first.cast_unsigned()));
        out[start + 8..][..4].copy_from_slice(&put(last.cast_unsigned()));
    }
    Ok(Packed { npts, frames })
}

/// The word that holds the most differences from `at` on; `None` at the end.
fn next_word(
    steim: Steim,
    order: ByteOrder,
    before: i32,
    samples: &[i32],
    at: usize,
) -> Result<Option<Word>, usize> {
    let mut diffs = [0i32; 7];
    let mut widths = [0u32; 7];
    let mut previous = at.checked_sub(1).and_then(|i| samples.get(i)).copied().unwrap_or(before);
    let rest = samples.get(at..).unwrap_or_default();
    let ahead = rest.len().min(7);
    if ahead == 0 {
        return Ok(None);
    }
    let mut widest = 0;
    for ((slot, width), &sample) in diffs.iter_mut().zip(&mut widths).zip(rest) {
        let diff = sample.wrapping_sub(previous);
        previous = sample;
        *slot = diff;
        // bits of a number with its sign: 1 for 0 and -1, 32 for the extremes
        widest = widest.max(33 - (diff ^ (diff >> 31)).leading_zeros());
        *width = widest;
    }
    let shapes: &[Shape] = match steim {
        Steim::One => &SHAPES_ONE,
        Steim::Two => &SHAPES_TWO,
    };
    let fits = |shape: &&Shape| shape.count <= ahead && widths[shape.count - 1] <= shape.width;
    let Some(shape) = shapes.iter().find(fits) else { return Err(at) };
    let parts = &diffs[..shape.count];
    let bytes = match (shape.width, order) {
        // parts of eight bits, and Steim-1's of sixteen, stand in file order
        (8, _) => [parts[0] as u8, parts[1] as u8, parts[2] as u8, parts[3] as u8],
        (16, ByteOrder::Little) => {
            let ([a, b], [c, d]) =
                ((parts[0] as i16).to_le_bytes(), (parts[1] as i16).to_le_bytes());
            [a, b, c, d]
        }
        _ => {
            let mask = u32::MAX >> (32 - shape.width);
            let packed = parts.iter().fold(0u64, |packed, diff| {
                (packed << shape.width) | u64::from(diff.cast_unsigned() & mask)
            });
            let word = packed as u32 | shape.top << 30;
            match order {
                ByteOrder::Big => word.to_be_bytes(),
                ByteOrder::Little => word.to_le_bytes(),
            }
        }
    };
    Ok(Some(Word { code: shape.code, bytes, count: shape.count }))
}

#[cfg(test)]
mod tests {
    use super::super::steim::decode;
    use super::*;

    /// Differences of every width, with both signs.
    fn samples(bits_max: u32) -> Vec<i32> {
        let mut sample = 0i32;
        let mut state = 12_345u32;
        (0..5000)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let bits = (state >> 8) % bits_max;
                let diff = (state.rotate_left(7) & ((1u32 << bits) - 1)).cast_signed();
                sample = sample.wrapping_add(if state & 1 == 0 { diff } else { -diff });
                sample
            })
            .collect()
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for order in [ByteOrder::Big, ByteOrder::Little] {
            for (steim, bits_max) in [(Steim::One, 31), (Steim::Two, 28)] {
                let samples = samples(bits_max);
                let mut out = Vec::new();
                let packed = encode(steim, order, None, &samples, 10_000, &mut out).unwrap();
                assert_eq!((packed.npts, packed.frames * 64), (samples.len(), out.len()));
                let mut again = vec![0; samples.len()];
                let last = decode(steim, order, &out, &mut again, |x| x).unwrap();
                assert_eq!(last.declared, last.decoded);
                assert_eq!(again, samples);
            }
        }
    }

    #[test]
    fn frames_are_filled_and_no_more() {
        let mut out = Vec::new();
        let flat = [7; 1000];
        let packed = encode(Steim::Two, ByteOrder::Big, None, &flat, 2, &mut out).unwrap();
        assert_eq!(packed, Packed { npts: (13 + 15) * 7, frames: 2 });
        assert_eq!(out.len(), 128);
    }

    #[test]
    fn a_difference_beyond_thirty_bits_is_told() {
        let limit = 1 << 29;
        let mut out = Vec::new();
        let encode_two = |samples: &[i32], out: &mut Vec<u8>| {
            encode(Steim::Two, ByteOrder::Big, None, samples, 9, out)
        };
        assert_eq!(encode_two(&[0, limit - 1, -1, 0, -limit], &mut out).unwrap().npts, 5);
        assert_eq!(encode_two(&[0, limit], &mut out), Err(1));
        assert_eq!(encode_two(&[0, -limit - 1], &mut out), Err(1));
    }
}

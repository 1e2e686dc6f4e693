//! Steim's first and second compression, decoding.
//!
//! SEED Reference Manual 2.4, appendix B: frames of sixteen 32-bit words, the first of which tells
//! by two bits a word how many differences each other word holds. The first frame also has the
//! first and the last sample of the record. Sums wrap, as the encoders' do.

use super::order::ByteOrder;

/// Bytes of a frame.
pub(super) const FRAME_BYTES: usize = 64;

/// Most samples of a frame: fifteen words of seven differences, rounded up for whole-word stores.
const FRAME_SAMPLES: usize = 112;

/// Which of the two compressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Steim {
    /// Differences of 8, 16 and 32 bits.
    One,
    /// Differences of 4, 5, 6, 8, 10, 15 and 30 bits.
    Two,
}

impl Steim {
    /// Most samples that `bytes` of frames can hold.
    pub(super) fn samples_max(self, bytes: usize) -> usize {
        let per_word = match self {
            Self::One => 4,
            Self::Two => 7,
        };
        bytes / FRAME_BYTES * 15 * per_word
    }
}

/// The last sample as the record declares it and as decoded: the check of integrity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LastSample {
    pub(super) declared: i32,
    pub(super) decoded: i32,
}

/// Decodes `out.len()` samples from `data`.
///
/// An error where a word is impossible or the frames hold fewer samples; `out` is then garbage.
pub(super) fn decode<T>(
    steim: Steim,
    order: ByteOrder,
    data: &[u8],
    out: &mut [T],
    convert: impl Fn(i32) -> T + Copy,
) -> Result<LastSample, String> {
    match (steim, order) {
        (Steim::One, ByteOrder::Big) => decode_frames::<T, false, true>(data, out, convert),
        (Steim::One, ByteOrder::Little) => decode_frames::<T, false, false>(data, out, convert),
        (Steim::Two, ByteOrder::Big) => decode_frames::<T, true, true>(data, out, convert),
        (Steim::Two, ByteOrder::Little) => decode_frames::<T, true, false>(data, out, convert),
    }
}

fn decode_frames<T, const TWO: bool, const BIG: bool>(
    data: &[u8],
    out: &mut [T],
    convert: impl Fn(i32) -> T + Copy,
) -> Result<LastSample, String> {
    let wanted = out.len();
    let word = |bytes: [u8; 4]| {
        if BIG { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    let mut rest = out;
    let mut last = LastSample { declared: 0, decoded: 0 };
    let mut first_sample = 0;
    let mut started = false;
    let mut diffs = [0i32; FRAME_SAMPLES];
    for (index, frame) in data.as_chunks::<FRAME_BYTES>().0.iter().enumerate() {
        if rest.is_empty() {
            break;
        }
        let words = frame.as_chunks::<4>().0;
        let mut skip = 1;
        if index == 0 {
            first_sample = word(words[1]).cast_signed();
            last.declared = word(words[2]).cast_signed();
            skip = 3;
        }
        let mut control = word(words[0]) << (2 * skip);
        let mut count = 0;
        for bytes in &words[skip..] {
            let code = control >> 30;
            control <<= 2;
            // fifteen words of at most seven: there is always room for eight
            let Some(room) = diffs.get_mut(count..).and_then(|d| d.first_chunk_mut::<7>()) else {
                return Err("an overfull frame".to_owned());
            };
            count += if TWO {
                match unpack_two(code, word(*bytes), *bytes, room) {
                    Some(unpacked) => unpacked,
                    // behind the last sample anything may stand
                    None if count >= rest.len() => break,
                    None => return Err(format!("an impossible word in frame {index}")),
                }
            } else {
                unpack_one::<BIG>(code, word(*bytes), *bytes, room)
            };
        }
        let take = count.min(rest.len());
        let (here, after) = rest.split_at_mut(take);
        rest = after;
        if !started && take > 0 {
            started = true;
            last.decoded = first_sample.wrapping_sub(diffs[0]);
        }
        let mut sample = last.decoded;
        for (slot, diff) in here.iter_mut().zip(&diffs) {
            sample = sample.wrapping_add(*diff);
            *slot = convert(sample);
        }
        last.decoded = sample;
    }
    match rest.len() {
        0 => Ok(last),
        missing => Err(format!("{} samples in the frames, {wanted} declared", wanted - missing)),
    }
}

/// Bits of `word` from `left` (counted from the top) on, `width` of them, with their sign.
#[inline(always)]
fn field(word: u32, left: u32, width: u32) -> i32 {
    (word << left).cast_signed() >> (32 - width)
}

#[inline(always)]
fn bytes_of(bytes: [u8; 4], room: &mut [i32; 7]) -> usize {
    for (slot, byte) in room.iter_mut().zip(bytes) {
        *slot = i32::from(byte.cast_signed());
    }
    4
}

/// Parts of a word stand in the order of the file, whatever the byte order within each.
#[inline(always)]
fn unpack_one<const BIG: bool>(code: u32, word: u32, bytes: [u8; 4], room: &mut [i32; 7]) -> usize {
    match code {
        0 => 0,
        1 => bytes_of(bytes, room),
        2 => {
            let (high, low) = (field(word, 0, 16), field(word, 16, 16));
            (room[0], room[1]) = if BIG { (high, low) } else { (low, high) };
            2
        }
        _ => {
            room[0] = word.cast_signed();
            1
        }
    }
}

/// `None` for the two combinations that the format leaves undefined.
#[inline(always)]
fn unpack_two(code: u32, word: u32, bytes: [u8; 4], room: &mut [i32; 7]) -> Option<usize> {
    #[inline(always)]
    fn spread<const N: usize>(word: u32, width: u32, room: &mut [i32; 7]) -> Option<usize> {
        let first = 32 - width * N as u32;
        for (index, slot) in room.iter_mut().take(N).enumerate() {
            *slot = field(word, first + width * index as u32, width);
        }
        Some(N)
    }
    match (code, word >> 30) {
        (0, _) => Some(0),
        (1, _) => Some(bytes_of(bytes, room)),
        (2, 1) => spread::<1>(word, 30, room),
        (2, 2) => spread::<2>(word, 15, room),
        (2, 3) => spread::<3>(word, 10, room),
        (3, 0) => spread::<5>(word, 6, room),
        (3, 1) => spread::<6>(word, 5, room),
        (3, 2) => spread::<7>(word, 4, room),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One frame whose words after the constants are `words`, with their codes.
    fn frame(order: ByteOrder, first: i32, last: i32, words: &[(u32, [u8; 4])]) -> Vec<u8> {
        let put = |value: u32| match order {
            ByteOrder::Big => value.to_be_bytes(),
            ByteOrder::Little => value.to_le_bytes(),
        };
        let mut control = 0;
        for (index, (code, _)) in words.iter().enumerate() {
            control |= code << (30 - 2 * (index + 3));
        }
        let mut bytes = Vec::from(put(control));
        bytes.extend(put(first.cast_unsigned()));
        bytes.extend(put(last.cast_unsigned()));
        words.iter().for_each(|(_, word)| bytes.extend(word));
        bytes.resize(FRAME_BYTES, 0);
        bytes
    }

    fn ints(steim: Steim, order: ByteOrder, data: &[u8], npts: usize) -> Result<Vec<i32>, String> {
        let mut out = vec![0; npts];
        decode(steim, order, data, &mut out, |x| x).map(|_| out)
    }

    #[test]
    fn steim_one_reads_every_width() {
        let words = [(1, [9, 1, 0xff, 2]), (2, [0, 5, 0xff, 0xfe]), (3, [0, 0, 1, 0])];
        let data = frame(ByteOrder::Big, 100, 363, &words);
        let samples = ints(Steim::One, ByteOrder::Big, &data, 7).unwrap();
        assert_eq!(samples, [100, 101, 100, 102, 107, 105, 361]);
    }

    #[test]
    fn steim_one_little_endian_keeps_the_order_of_parts() {
        let words = [(1, [9, 1, 0xff, 2]), (2, [5, 0, 0xfe, 0xff]), (3, [0, 1, 0, 0])];
        let data = frame(ByteOrder::Little, 100, 361, &words);
        let samples = ints(Steim::One, ByteOrder::Little, &data, 7).unwrap();
        assert_eq!(samples, [100, 101, 100, 102, 107, 105, 361]);
    }

    #[test]
    fn steim_two_reads_every_width() {
        let word = |top: u32, width: u32, values: &[i32]| {
            let mask = (1u32 << width) - 1;
            let packed = values.iter().fold(0, |w, v| (w << width) | (v.cast_unsigned() & mask));
            (packed | top << 30).to_be_bytes()
        };
        let parts: [(u32, u32, u32, &[i32]); 7] = [
            (2, 1, 30, &[-536_870_912]),
            (2, 2, 15, &[-16_384, 16_383]),
            (2, 3, 10, &[-512, 511, -1]),
            (1, 0, 8, &[-128, 127, 0, 5]),
            (3, 0, 6, &[-32, 31, 1, 2, 3]),
            (3, 1, 5, &[-16, 15, 1, 2, 3, 4]),
            (3, 2, 4, &[-8, 7, 1, 2, 3, 4, 5]),
        ];
        let words: Vec<_> = parts
            .iter()
            .map(|&(code, top, width, values)| {
                let bytes = if width == 8 {
                    [values[0] as u8, values[1] as u8, values[2] as u8, values[3] as u8]
                } else {
                    word(top, width, values)
                };
                (code, bytes)
            })
            .collect();
        let diffs: Vec<i32> = parts.iter().flat_map(|part| part.3.iter().copied()).collect();
        let mut expected = vec![1000];
        for diff in &diffs[1..] {
            expected.push(expected.last().unwrap() + diff);
        }
        let data = frame(ByteOrder::Big, 1000, *expected.last().unwrap(), &words);
        assert_eq!(ints(Steim::Two, ByteOrder::Big, &data, diffs.len()).unwrap(), expected);
        let missing = ints(Steim::Two, ByteOrder::Big, &data, diffs.len() + 1).unwrap_err();
        assert!(missing.contains("28 samples"), "{missing}");
    }

    #[test]
    fn what_stands_behind_the_last_sample_is_ignored() {
        let data = frame(ByteOrder::Big, 1, 3, &[(1, [0, 1, 1, 0]), (2, [0; 4])]);
        assert_eq!(ints(Steim::Two, ByteOrder::Big, &data, 3).unwrap(), [1, 2, 3]);
        assert!(ints(Steim::Two, ByteOrder::Big, &data, 5).is_err());
    }

    #[test]
    fn impossible_words_and_wrong_last_samples_are_told() {
        for word in [(2, [0; 4]), (3, [0xff; 4])] {
            let data = frame(ByteOrder::Big, 1, 1, &[word]);
            assert!(ints(Steim::Two, ByteOrder::Big, &data, 1).is_err());
        }
        let data = frame(ByteOrder::Big, i32::MAX, 7, &[(1, [0, 1, 0, 0])]);
        let mut out = [0; 2];
        let last = decode(Steim::One, ByteOrder::Big, &data, &mut out, |x| x).unwrap();
        assert_eq!(out, [i32::MAX, i32::MIN]);
        assert_eq!(last, LastSample { declared: 7, decoded: i32::MIN });
    }
}

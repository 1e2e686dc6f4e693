//! Fixed header and blockettes of miniSEED 2.

use mspass_core::{SeedId, UtcTime};

use super::encoding::Encoding;
use super::header::{Flags, Parsed, RecordHeader, clean_code};
use super::order::{ByteOrder, bytes_at};
use super::{RECORD_LENGTH_MAX_V2, RECORD_LENGTH_MIN};

/// Bytes of the fixed header.
pub(super) const FIXED_BYTES: usize = 48;

/// Blockettes of data records; the chain ends at any other.
const BLOCKETTES: [u16; 14] =
    [100, 200, 201, 300, 310, 320, 390, 395, 400, 405, 500, 1000, 1001, 2000];

/// Activity bit: the time correction is in the start time already.
const CORRECTION_APPLIED: u8 = 0x02;

/// What the first bytes at a place can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A data record.
    Record,
    /// A control record of a full SEED volume.
    Control,
    /// A blank ("noise") record.
    Blank,
}

/// Whether a data, control or blank record may begin here: as tolerant as readers must be.
pub(super) fn classify(bytes: &[u8]) -> Option<Kind> {
    let head = bytes.first_chunk::<FIXED_BYTES>()?;
    let sequence = head[..6].iter().all(|b| b.is_ascii_digit() || matches!(b, b' ' | 0));
    if !sequence {
        return None;
    }
    match head[6] {
        b'D' | b'R' | b'Q' | b'M' => {
            let clock = head[24] < 24 && head[25] < 60 && head[26] <= 60;
            let kind = matches!(head[7], b' ' | 0) && clock && order_of(head).is_some();
            kind.then_some(Kind::Record)
        }
        b'V' | b'A' | b'S' | b'T' => {
            let numbered = head[..6].iter().all(|b| b.is_ascii_digit() || *b == b' ');
            (numbered && matches!(head[7], b' ' | b'*')).then_some(Kind::Control)
        }
        b' ' => head[7..].iter().all(|b| *b == b' ').then_some(Kind::Blank),
        _ => None,
    }
}

/// Whether a record surely begins here: what is looked for among bytes that are none.
pub(super) fn is_plausible(bytes: &[u8]) -> bool {
    // the letters are rare among samples: test them first
    let Some(&[kind, reserved]) = bytes.get(6..8).and_then(|b| b.first_chunk::<2>()) else {
        return false;
    };
    match kind {
        b'D' | b'R' | b'Q' | b'M' if matches!(reserved, b' ' | 0) => is_plausible_record(bytes),
        b'V' | b'A' | b'S' | b'T' if reserved == b' ' => {
            let head = bytes.first_chunk::<FIXED_BYTES>();
            head.is_some_and(|head| {
                head[..6].iter().chain(&head[8..15]).all(u8::is_ascii_digit)
                    && head[15..].iter().all(|b| (0x20..0x7f).contains(b))
            })
        }
        _ => false,
    }
}

fn is_plausible_record(bytes: &[u8]) -> bool {
    let Some(head) = bytes.first_chunk::<FIXED_BYTES>() else { return false };
    let codes = &head[8..20];
    let sane = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b' ' | b'-' | 0);
    let Some(order) = order_of(head) else { return false };
    let number = |at: usize| order.u16([head[at], head[at + 1]]);
    classify(head) == Some(Kind::Record)
        && codes.iter().all(sane)
        && codes.iter().any(u8::is_ascii_alphanumeric)
        && number(28) < 10_000
        && (number(44) == 0 || number(44) >= 48)
        && (number(46) == 0 || number(46) >= 48)
}

/// Byte order of the header, told by year and day; the smaller blockette offset decides the few
/// days of 2056 that make sense in both. `None` where neither is a date.
fn order_of(head: &[u8; FIXED_BYTES]) -> Option<ByteOrder> {
    let number = |order: ByteOrder, at: usize| order.u16([head[at], head[at + 1]]);
    let holds = |order: ByteOrder| {
        (1900..=2100).contains(&number(order, 20)) && (1..=366).contains(&number(order, 22))
    };
    match (holds(ByteOrder::Big), holds(ByteOrder::Little)) {
        (true, true) if number(ByteOrder::Little, 46) < number(ByteOrder::Big, 46) => {
            Some(ByteOrder::Little)
        }
        (true, _) => Some(ByteOrder::Big),
        (false, true) => Some(ByteOrder::Little),
        (false, false) => None,
    }
}

/// Record length that the first blockette of a volume header (005, 008 or 010) declares.
pub(super) fn volume_record_length(bytes: &[u8]) -> Option<usize> {
    let blockette = bytes.get(8..11)?;
    if bytes.get(6) != Some(&b'V') || !matches!(blockette, b"005" | b"008" | b"010") {
        return None;
    }
    let digits = std::str::from_utf8(bytes.get(19..21)?).ok()?;
    length_of_exponent(digits.trim().parse().ok()?)
}

fn length_of_exponent(exponent: u8) -> Option<usize> {
    let length = 1usize.checked_shl(u32::from(exponent))?;
    (RECORD_LENGTH_MIN..=RECORD_LENGTH_MAX_V2).contains(&length).then_some(length)
}

/// Reads the header of a data record; `whole` says that no more bytes can be had.
///
/// On an error `length` is set if the record tells it.
pub(super) fn parse(
    bytes: &[u8],
    whole: bool,
    header: &mut RecordHeader,
) -> Result<Parsed, String> {
    let Some(head) = bytes.first_chunk::<FIXED_BYTES>() else {
        header.length = 0;
        return Ok(Parsed::Need(FIXED_BYTES));
    };
    let order = order_of(head).ok_or("no date in the header")?;
    let number = |at: usize| order.u16([head[at], head[at + 1]]);
    header.set_id(2, &head[8..20], id_of_codes);
    header.publication = match head[6] {
        b'D' => 2,
        b'Q' => 3,
        b'M' => 4,
        _ => 1,
    };
    header.npts = u32::from(number(30));
    header.flags = Flags { activity: head[36], clock: head[37], quality: head[38] };
    header.data_offset = u32::from(number(44));
    header.extra_length = 0;
    let mut found = Found::default();
    if let Parsed::Need(length) = walk_blockettes(bytes, whole, order, number(46), &mut found) {
        return Ok(Parsed::Need(length));
    }
    header.encoding = Encoding::from_code(found.encoding.unwrap_or(10));
    header.byte_order = found.data_order.unwrap_or(order);
    header.length = found.length.unwrap_or(0) as u32;
    header.timing_quality = found.timing_quality;
    header.defect = found.defect;
    let nominal = nominal_rate(number(32).cast_signed(), number(34).cast_signed());
    header.sampling_rate = found.rate.unwrap_or(nominal);
    let correction = match head[36] & CORRECTION_APPLIED {
        0 => order.u32([head[40], head[41], head[42], head[43]]).cast_signed(),
        _ => 0,
    };
    let whole_seconds = UtcTime::from_ordinal(
        i64::from(number(20)),
        i64::from(number(22)),
        i64::from(head[24]),
        i64::from(head[25]),
        i64::from(head[26]),
        0,
    )
    .ok_or("no time in the header")?;
    // ten-thousandths above 9999 are not allowed, yet found: they are seconds
    let fraction = (i64::from(number(28)) + i64::from(correction)) * 100_000;
    header.starttime = whole_seconds + (fraction + i64::from(found.microseconds) * 1000);
    header.check_span()?;
    check_data_offset(header)?;
    Ok(Parsed::Done)
}

/// What the blockettes tell.
#[derive(Default)]
struct Found {
    encoding: Option<u8>,
    data_order: Option<ByteOrder>,
    length: Option<usize>,
    rate: Option<f64>,
    timing_quality: Option<u8>,
    microseconds: i8,
    defect: Option<&'static str>,
}

/// Follows the chain as long as its offsets grow.
fn walk_blockettes(
    bytes: &[u8],
    whole: bool,
    order: ByteOrder,
    first: u16,
    found: &mut Found,
) -> Parsed {
    let mut at = usize::from(first);
    if (1..FIXED_BYTES).contains(&at) {
        found.defect = Some("blockettes within the fixed header");
    }
    while at >= FIXED_BYTES {
        if found.length.is_some_and(|length| at + 8 > length) {
            found.defect = Some("the blockettes lead beyond the record");
            break;
        }
        let Some([t0, t1, n0, n1, a, b, c, d]) = bytes_at::<8>(bytes, at) else {
            if !whole {
                return Parsed::Need(at + 8);
            }
            found.defect = Some("the blockettes lead beyond the file");
            break;
        };
        let blockette = order.u16([t0, t1]);
        match blockette {
            100 => {
                let rate = f64::from(order.f32([a, b, c, d]));
                found.rate = (rate.is_finite() && rate > 0.0).then_some(rate);
            }
            1000 if found.encoding.is_none() => {
                found.encoding = Some(a);
                found.data_order = Some(if b == 0 { ByteOrder::Little } else { ByteOrder::Big });
                found.length = length_of_exponent(c);
                if found.length.is_none() {
                    found.defect = Some("blockette 1000 gives an impossible record length");
                }
            }
            1001 => {
                found.timing_quality = (a <= 100).then_some(a);
                found.microseconds = b.cast_signed();
            }
            _ if !BLOCKETTES.contains(&blockette) => {
                found.defect = Some("a blockette of unknown type");
                break;
            }
            _ => {}
        }
        let next = usize::from(order.u16([n0, n1]));
        if next < at + 4 {
            if next != 0 {
                found.defect = Some("the blockettes lead backwards");
            }
            break;
        }
        at = next;
    }
    Parsed::Done
}

/// Samples must lie behind the fixed header and within the record.
pub(super) fn check_data_offset(header: &mut RecordHeader) -> Result<(), String> {
    let (start, length) = (header.data_offset, header.length);
    header.data_length = length.saturating_sub(start);
    let beyond = length > 0 && start >= length;
    if header.npts > 0 && (start < FIXED_BYTES as u32 || beyond) {
        return Err(format!("samples at byte {start} of a record of {length}"));
    }
    Ok(())
}

/// SEED's pair of factor and multiplier: negative ones divide.
fn nominal_rate(factor: i16, multiplier: i16) -> f64 {
    let apply = |rate: f64, by: i16| match by {
        1.. => rate * f64::from(by),
        0 => rate,
        ..0 => rate / -f64::from(by),
    };
    if factor == 0 { 0.0 } else { apply(apply(1.0, factor), multiplier) }
}

/// Station, location, channel and network as the fixed header has them.
fn id_of_codes(bytes: &[u8]) -> SeedId {
    let code = |from: usize, to: usize| clean_code(bytes.get(from..to).unwrap_or_default());
    SeedId::new(&code(10, 12), &code(0, 5), &code(5, 7), &code(7, 10)).unwrap_or_default()
}

//! Header of miniSEED 3, its source identifier and its checksum.

use mspass_core::{SeedId, UtcTime};

use super::RECORD_LENGTH_MAX_V3;
use super::encoding::Encoding;
use super::header::{Flags, Parsed, RecordHeader, clean_code};
use super::order::ByteOrder;

/// Bytes of the fixed header.
pub(super) const FIXED_BYTES: usize = 40;

/// Where the checksum stands.
pub(super) const CRC_AT: usize = 28;

/// Whether a record begins here.
pub(super) fn is_plausible(bytes: &[u8]) -> bool {
    bytes.starts_with(b"MS\x03")
        && bytes.first_chunk::<FIXED_BYTES>().is_some_and(|head| {
            let day = u16::from_le_bytes([head[10], head[11]]);
            let nanos = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
            let clock = head[12] < 24 && head[13] < 60 && head[14] <= 60;
            clock && (1..=366).contains(&day) && nanos < 1_000_000_000
        })
}

/// Reads the header; on an error `length` is set if it can be told.
pub(super) fn parse(bytes: &[u8], header: &mut RecordHeader) -> Result<Parsed, String> {
    header.length = 0;
    let Some(head) = bytes.first_chunk::<FIXED_BYTES>() else {
        return Ok(Parsed::Need(FIXED_BYTES));
    };
    let short = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let sid_end = FIXED_BYTES + usize::from(head[33]);
    let extra_length = usize::from(short(34));
    let data_offset = sid_end + extra_length;
    let length = data_offset as u64 + u64::from(word(36));
    if length > RECORD_LENGTH_MAX_V3 as u64 {
        return Err(format!("a record of {length} bytes, {RECORD_LENGTH_MAX_V3} allowed"));
    }
    let Some(sid) = bytes.get(FIXED_BYTES..sid_end) else {
        return Ok(Parsed::Need(sid_end));
    };
    header.length = length as u32;
    header.set_id(3, sid, id_of_source);
    header.publication = head[32];
    header.npts = word(24);
    header.encoding = Encoding::from_code(head[15]);
    header.byte_order = match header.encoding {
        Encoding::Steim1 | Encoding::Steim2 => ByteOrder::Big,
        _ => ByteOrder::Little,
    };
    header.data_offset = data_offset as u32;
    header.data_length = word(36);
    header.extra_length = extra_length as u32;
    header.timing_quality = None;
    header.defect = None;
    let set = |bit: u8, flag: u8| if head[3] & bit == 0 { 0 } else { flag };
    header.flags = Flags { activity: set(1, 1), clock: set(4, 32), quality: set(2, 128) };
    let bits = u64::from(word(16)) | u64::from(word(20)) << 32;
    header.sampling_rate = match f64::from_bits(bits) {
        rate if rate.is_finite() && rate > 0.0 => rate,
        period if period.is_finite() && period < 0.0 => -1.0 / period,
        _ => 0.0,
    };
    header.starttime = UtcTime::from_ordinal(
        i64::from(short(8)),
        i64::from(short(10)),
        i64::from(head[12]),
        i64::from(head[13]),
        i64::from(head[14]),
        i64::from(word(4)),
    )
    .ok_or("no time in the header")?;
    header.check_span()?;
    Ok(Parsed::Done)
}

/// The checksum as it should be, and as the record has it.
pub(super) fn checksums(record: &[u8]) -> Option<(u32, u32)> {
    let (before, rest) = record.split_at_checked(CRC_AT)?;
    let (stored, after) = rest.split_first_chunk::<4>()?;
    let crc = crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(before), &[0; 4]), after);
    Some((crc, u32::from_le_bytes(*stored)))
}

/// The codes of an FDSN source identifier, `FDSN:NET_STA_LOC_BAND_SOURCE_SUBSOURCE`; the three
/// last make the channel code, joined by `_` where one is not a single letter. Any other text
/// becomes the station.
fn id_of_source(bytes: &[u8]) -> SeedId {
    let text = clean_code(bytes);
    let codes: Vec<&str> = match text.split_once(':') {
        Some(("FDSN" | "XFDSN", codes)) => codes.split('_').collect(),
        _ => Vec::new(),
    };
    let id = match codes[..] {
        [network, station, location, band, source, subsource] => {
            let single = [band, source, subsource].iter().all(|code| code.len() <= 1);
            let channel = [band, source, subsource].join(if single { "" } else { "_" });
            SeedId::new(network, station, location, &channel)
        }
        _ => SeedId::new("", text.get(..64).unwrap_or(&text), "", ""),
    };
    id.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_identifiers_become_codes() {
        let cases = [
            ("FDSN:IU_COLA_00_B_H_Z", "IU.COLA.00.BHZ"),
            ("XFDSN:IU_COLA_00_B_H_Z", "IU.COLA.00.BHZ"),
            ("FDSN:YY_LONGSTATION__L_O_G", "YY.LONGSTATION..LOG"),
            ("FDSN:YY_S_00_BB_H_SUB", "YY.S.00.BB_H_SUB"),
            ("FDSN:YY_S_00__H_", "YY.S.00.H"),
            ("LOCAL:thing.7", ".LOCAL:thing_7.."),
            ("", "..."),
        ];
        for (source, id) in cases {
            assert_eq!(id_of_source(source.as_bytes()).to_string(), id);
        }
        assert_eq!(id_of_source(&[b'x'; 255]).station().len(), 64);
    }
}

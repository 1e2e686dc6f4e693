//! Reading damaged and odd records, made by changing sound ones.

use mspass_core::UtcTime;

use super::*;
use crate::format::{Samples, Trace};

const LENGTH: usize = 512;

/// A trace that wanders, and its records of 512 bytes.
fn sound(npts: usize, version: u8) -> (Trace, Vec<u8>) {
    let mut state = 1u32;
    let mut sample = 0i32;
    let samples = (0..npts).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        sample = sample.wrapping_add((state >> 20).cast_signed() - 2048);
        sample
    });
    let trace = Trace {
        id: "YA.UV05.00.HHZ".parse().unwrap(),
        publication: 2,
        starttime: UtcTime::from_nanos(1_283_299_200_000_000_000),
        sampling_rate: 100.0,
        samples: Samples::Int(samples.collect()),
    };
    let options = WriteOptions { version, record_length: LENGTH, ..Default::default() };
    let mut bytes = Vec::new();
    write((&trace).into(), &options, &mut bytes).unwrap();
    (trace, bytes)
}

/// Start times of the records that can be decoded, and the offsets of what cannot.
fn walk(bytes: &[u8]) -> (Vec<i64>, Vec<RecordError>) {
    let mut records = Records::of_slice(bytes);
    let (mut starts, mut errors) = (Vec::new(), Vec::new());
    let mut samples = Vec::new();
    while let Some(item) = records.next_record() {
        match item.and_then(|record| {
            let integrity = record.decode_f64(&mut samples)?;
            Ok((record.header.starttime.nanos(), integrity.to_error(record.offset)))
        }) {
            Ok((start, error)) => {
                starts.push(start);
                errors.extend(error);
            }
            Err(error) => errors.push(error),
        }
    }
    (starts, errors)
}

fn first_header(bytes: &[u8]) -> RecordHeader {
    Records::of_slice(bytes).next_record().unwrap().unwrap().header.clone()
}

#[test]
fn a_broken_record_costs_only_itself() {
    let (_, bytes) = sound(3000, 2);
    let (starts, errors) = walk(&bytes);
    assert!(errors.is_empty());
    let count = bytes.len() / LENGTH;
    assert!(count > 8);
    type Damage = (&'static str, fn(&mut [u8]));
    let damages: [Damage; 12] = [
        ("noise", |r| r.iter_mut().enumerate().for_each(|(i, b)| *b = (i * 37 + 11) as u8)),
        ("zeros", |r| r.fill(0)),
        ("sequence", |r| r[2] = b'x'),
        ("quality", |r| r[6] = 0xd1),
        ("date", |r| r[20] = 0xff),
        ("samples at byte 9", |r| r[44..46].copy_from_slice(&[0, 9])),
        ("samples beyond the end", |r| r[44..46].copy_from_slice(&[3, 0])),
        ("twice the length", |r| r[54] = 10),
        ("eight times the length", |r| r[54] = 12),
        ("half the length", |r| r[54] = 8),
        ("too many samples", |r| r[30] = 0xff),
        ("an impossible word", |r| r[76..80].fill(0)),
    ];
    for index in 0..count {
        for (name, damage) in &damages {
            let mut damaged = bytes.clone();
            let at = index * LENGTH;
            damage(&mut damaged[at..at + LENGTH]);
            let (left, errors) = walk(&damaged);
            assert!(!errors.is_empty(), "{name} in record {index} goes unnoticed");
            for (other, start) in starts.iter().enumerate() {
                assert!(other == index || left.contains(start), "{name} in {index} costs {other}");
            }
            for error in &errors {
                let place = error.offset as usize;
                assert!((at..at + LENGTH).contains(&place), "{name} in {index}: {error}");
            }
        }
    }
}

#[test]
fn a_broken_record_of_version_3_costs_only_itself() {
    let (_, bytes) = sound(3000, 3);
    let (starts, errors) = walk(&bytes);
    assert!(errors.is_empty());
    let mut places = Vec::new();
    let mut records = Records::of_slice(&bytes);
    while let Some(record) = records.next_record() {
        places.push(record.unwrap().offset as usize);
    }
    for (index, &at) in places.iter().enumerate() {
        for byte in 0..100 {
            let mut damaged = bytes.clone();
            damaged[at + byte] ^= 0x55;
            let (left, errors) = walk(&damaged);
            assert_eq!(errors.len(), 1, "byte {byte} of record {index}: {errors:?}");
            assert_eq!(errors[0].offset, at as u64);
            let expected: Vec<i64> =
                starts.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, s)| *s).collect();
            assert_eq!(left, expected);
        }
    }
}

#[test]
fn bytes_between_records_are_told_once() {
    let (trace, bytes) = sound(3000, 2);
    let junk = b"0000 some bytes that are no record";
    let cut = 3 * LENGTH;
    let mixed = [junk, &bytes[..cut], junk, &bytes[cut..], junk].concat();
    let contents = read(&mixed);
    assert_eq!(contents.traces, [trace]);
    let offsets: Vec<u64> = contents.errors.iter().map(|e| e.offset).collect();
    let between = (junk.len() + cut) as u64;
    assert_eq!(offsets, [0, between, (mixed.len() - junk.len()) as u64]);
}

#[test]
fn a_truncated_tail_is_told() {
    let (_, bytes) = sound(3000, 2);
    let whole = bytes.len() / LENGTH - 1;
    for length in [47, 48, 64, 100, 511] {
        let (starts, errors) = walk(&bytes[..whole * LENGTH + length]);
        assert_eq!(starts.len(), whole);
        assert_eq!(errors.len(), 1, "{length}: {errors:?}");
        assert_eq!(errors[0].offset, (whole * LENGTH) as u64);
    }
    let cut = walk(&bytes[..LENGTH + 100]).1;
    assert_eq!(cut[0].reason, "a record of 512 bytes, cut 412 bytes short");
}

#[test]
fn without_blockette_1000_the_next_record_tells_the_length() {
    let (trace, mut bytes) = sound(3000, 2);
    for record in bytes.chunks_mut(LENGTH) {
        // no chain; the encoding is then taken to be Steim-1, so say so only where it is
        record[46..48].fill(0);
    }
    let mut records = Records::of_slice(&bytes);
    let mut count = 0;
    while let Some(record) = records.next_record() {
        let record = record.unwrap();
        assert_eq!((record.header.length, record.header.encoding), (512, Encoding::Steim1));
        count += 1;
    }
    assert_eq!(count * LENGTH, bytes.len());
    let options = WriteOptions {
        record_length: LENGTH,
        encoding: Some(Encoding::Steim1),
        ..Default::default()
    };
    let mut bytes = Vec::new();
    write((&trace).into(), &options, &mut bytes).unwrap();
    bytes.chunks_mut(LENGTH).for_each(|record| record[46..48].fill(0));
    assert_eq!(read(&bytes).traces, [trace]);
}

#[test]
fn chains_that_loop_end() {
    let (_, mut bytes) = sound(100, 2);
    for next in [48u16, 47, 1, 50, 52, 510, 65_535] {
        bytes[50..52].copy_from_slice(&next.to_be_bytes());
        let header = first_header(&bytes);
        assert_eq!((header.length, header.encoding), (512, Encoding::Steim2));
        let (starts, errors) = walk(&bytes);
        assert_eq!((starts.len(), errors.len()), (1, 1), "{next}: {errors:?}");
        assert!(errors.iter().all(|error| error.kept));
    }
    bytes[46..48].copy_from_slice(&65_535u16.to_be_bytes());
    assert_eq!(first_header(&bytes).length, 512, "by the end of the file");
}

#[test]
fn corrections_count_once() {
    let (trace, mut bytes) = sound(100, 2);
    bytes[40..44].copy_from_slice(&(-12_345i32).to_be_bytes());
    let start = trace.starttime.nanos();
    assert_eq!(first_header(&bytes).starttime.nanos(), start - 1_234_500_000);
    bytes[36] |= 2;
    assert_eq!(first_header(&bytes).starttime.nanos(), start, "applied already");
}

#[test]
fn a_leap_second_has_a_sixtieth_second() {
    let (_, mut bytes) = sound(100, 2);
    bytes[20..24].copy_from_slice(&[0x07, 0xe0, 0x01, 0x6e]);
    bytes[24..27].copy_from_slice(&[23, 59, 60]);
    assert_eq!(first_header(&bytes).starttime.to_string(), "2017-01-01T00:00:00Z");
    bytes[26] = 59;
    bytes[36] = 0x10;
    let header = first_header(&bytes);
    assert_eq!(header.next_starttime().to_string(), "2016-12-31T23:59:59Z");
}

#[test]
fn factors_and_multipliers_divide_when_negative() {
    let (_, mut bytes) = sound(100, 2);
    let rates =
        [((-10i16, 1i16), 0.1), ((100, -3), 100.0 / 3.0), ((-10, -2), 0.05), ((20, 5), 100.0)];
    for ((factor, multiplier), rate) in rates {
        bytes[32..34].copy_from_slice(&factor.to_be_bytes());
        bytes[34..36].copy_from_slice(&multiplier.to_be_bytes());
        assert!((first_header(&bytes).sampling_rate - rate).abs() < 1e-12);
    }
}

#[test]
fn rates_that_lead_beyond_time_are_refused() {
    let (_, bytes) = sound(100, 3);
    let mut slow = bytes.clone();
    slow[16..24].copy_from_slice(&1e-37f64.to_le_bytes());
    slow[28..32].fill(0);
    let checksum = crc32c::crc32c(&slow).to_le_bytes();
    slow[28..32].copy_from_slice(&checksum);
    let (starts, errors) = walk(&slow);
    assert!(starts.is_empty() && errors[0].reason.contains("1e-37 Hz"), "{errors:?}");
}

#[test]
fn both_byte_orders_of_header_and_samples_are_written_and_read() {
    let (trace, _) = sound(3000, 2);
    for encoding in [Encoding::Steim1, Encoding::Steim2, Encoding::Int32, Encoding::Int24] {
        let options = WriteOptions {
            byte_order: ByteOrder::Little,
            encoding: Some(encoding),
            ..Default::default()
        };
        let mut bytes = Vec::new();
        write((&trace).into(), &options, &mut bytes).unwrap();
        assert_eq!(first_header(&bytes).byte_order, ByteOrder::Little);
        assert_eq!(read(&bytes).traces, std::slice::from_ref(&trace));
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let (trace, _) = sound(10, 2);
    let refused = |trace: &Trace, options: &WriteOptions| {
        write(trace.into(), options, &mut Vec::new()).unwrap_err().to_string()
    };
    let wide = Trace { samples: Samples::Int(vec![0, 1 << 29]), ..trace.clone() };
    let steim2 = WriteOptions { encoding: Some(Encoding::Steim2), ..Default::default() };
    assert!(refused(&wide, &steim2).contains("step to sample 1"));
    let int16 = WriteOptions { encoding: Some(Encoding::Int16), ..Default::default() };
    assert!(refused(&wide, &int16).contains("536870912"));
    let float = WriteOptions { encoding: Some(Encoding::Float32), ..Default::default() };
    assert!(refused(&trace, &float).contains("encoding 4"));
    for record_length in [0, 100, 500, 64, 1 << 21] {
        let options = WriteOptions { record_length, ..Default::default() };
        assert!(refused(&trace, &options).contains("record length"));
    }
    let long = Trace { id: "YA.TOOLONG.00.HHZ".parse().unwrap(), ..trace.clone() };
    assert!(refused(&long, &WriteOptions::default()).contains("TOOLONG"));
    assert!(
        refused(&Trace { sampling_rate: 0.0, ..trace.clone() }, &WriteOptions::default())
            .contains("0 Hz")
    );
    let extra = WriteOptions {
        version: 3,
        extra_headers: Some("not JSON".to_owned()),
        ..Default::default()
    };
    assert!(refused(&trace, &extra).contains("JSON"));
}

#[test]
fn wide_steps_choose_a_wider_encoding() {
    let (trace, _) = sound(10, 2);
    let cases = [
        (vec![0, (1 << 29) - 1, -1], Encoding::Steim2),
        (vec![0, 1 << 29, 5], Encoding::Steim1),
        (vec![i32::MIN, i32::MAX], Encoding::Int32),
    ];
    for (samples, encoding) in cases {
        let trace = Trace { samples: Samples::Int(samples), ..trace.clone() };
        let mut bytes = Vec::new();
        write((&trace).into(), &WriteOptions::default(), &mut bytes).unwrap();
        assert_eq!(first_header(&bytes).encoding, encoding);
        assert_eq!(read(&bytes).traces, [trace]);
    }
}

#[test]
fn more_than_65535_samples_are_split() {
    let flat = Trace { samples: Samples::Int(vec![7; 200_000]), ..sound(1, 2).0 };
    let options = WriteOptions { record_length: 1 << 17, ..Default::default() };
    let mut bytes = Vec::new();
    let written = write((&flat).into(), &options, &mut bytes).unwrap();
    assert_eq!(written.records, 4);
    assert_eq!(read(&bytes).traces, [flat]);
}

/// Every sample belongs to exactly one of adjoining windows, found by bisection or not.
#[test]
fn windows_tile_a_run() {
    for version in [2, 3] {
        check_tiling(version);
    }
}

fn check_tiling(version: u8) {
    use std::io::{Seek, Write as _};
    let (trace, bytes) = sound(120_000, version);
    let Samples::Int(samples) = &trace.samples else { panic!("not integers") };
    let length = first_header(&bytes).length;
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"sixteen bytes ..").unwrap();
    file.write_all(&bytes).unwrap();
    file.rewind().unwrap();
    let nbytes = bytes.len() as u64;
    for record_length in [Some(length), None] {
        let extent = Extent { foff: 16, nbytes, record_length };
        for step in [7_000_000i64, 999_999_999, 100_000_000_000, 4_000_000_000_000] {
            let (mut all, mut bytes_read) = (Vec::new(), 0);
            let mut start = trace.starttime + -5_000_000_000;
            while start < trace.starttime + 1_210_000_000_000 {
                if step < 1_000_000_000 && start > trace.starttime + 20_000_000_000 {
                    start = trace.starttime + 1_210_000_000_000;
                    continue;
                }
                let before = all.len();
                let window = read_window(&file, &extent, start, start + step, &mut all).unwrap();
                bytes_read += window.bytes_read;
                assert!(window.errors.is_empty() && window.pieces.len() <= 1);
                if let Some(piece) = window.pieces.first() {
                    assert_eq!(piece.samples, before..all.len());
                    assert_eq!(piece.starttime, trace.starttime + before as i64 * 10_000_000);
                    assert!(piece.starttime >= start);
                }
                start = start + step;
            }
            let due: Vec<f64> = samples.iter().take(all.len()).map(|x| f64::from(*x)).collect();
            assert!(all == due && all.len() >= 2000);
            if step == 100_000_000_000 {
                assert_eq!(all.len(), samples.len());
                let most = if record_length.is_some() { 2 } else { 20 };
                assert!(bytes_read < nbytes * most, "{bytes_read} of {nbytes}");
            }
        }
    }
}

#[test]
fn a_broken_record_parts_a_window() {
    use std::io::Write as _;
    let (trace, mut bytes) = sound(5000, 2);
    let broken = 5 * LENGTH;
    bytes[broken..broken + 40].fill(0xff);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&bytes).unwrap();
    let extent = Extent { foff: 0, nbytes: bytes.len() as u64, record_length: Some(512) };
    let mut out = Vec::new();
    let end = trace.starttime + 3_600_000_000_000;
    let window = read_window(&file, &extent, trace.starttime, end, &mut out).unwrap();
    assert_eq!((window.pieces.len(), window.errors.len()), (2, 1));
    assert_eq!(window.errors[0].offset, broken as u64);
    assert_eq!(window.pieces[1].samples.end, out.len());
    let gap = window.pieces[1].starttime - window.pieces[0].starttime;
    let Samples::Int(samples) = &trace.samples else { panic!("not integers") };
    let after = (gap / 10_000_000) as usize;
    assert_eq!(out[window.pieces[1].samples.start], f64::from(samples[after]));
}

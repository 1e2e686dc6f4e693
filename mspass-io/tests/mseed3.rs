//! The miniSEED 3 files that pymseed wrote hold what was packed into them.

use std::collections::BTreeMap;
use std::path::Path;

use mspass_io::format::mseed::Records;
use serde_json::Value;

mod expectation;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mseed3")
}

#[test]
fn samples_and_headers_are_those_packed() {
    let expected = std::fs::read_to_string(folder().join("expected.json")).unwrap();
    let expected: BTreeMap<String, Value> = serde_json::from_str(&expected).unwrap();
    assert_eq!(expected.len(), 9);
    for (name, due) in &expected {
        expectation::check(&folder().join(name), due).unwrap_or_else(|e| panic!("{name}: {e}"));
    }
}

#[test]
fn extra_headers_are_kept_as_text() {
    let mut records = Records::open(&folder().join("extra_headers.mseed3")).unwrap();
    let mut count = 0;
    while let Some(record) = records.next_record() {
        let record = record.unwrap();
        let extra: Value = serde_json::from_str(record.extra_headers().unwrap()).unwrap();
        assert_eq!(extra["FDSN"]["Time"]["Quality"], 88);
        assert_eq!(record.header.publication, 3);
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn any_flipped_bit_of_a_record_is_noticed() {
    let bytes = std::fs::read(folder().join("int16.mseed3")).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1 << (at % 8);
        let contents = mspass_io::format::mseed::read(&damaged);
        assert!(!contents.errors.is_empty(), "byte {at}");
    }
}

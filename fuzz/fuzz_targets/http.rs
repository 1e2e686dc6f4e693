//! Fuzzes `served::http`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mspass_fuzz::write_examples(&mspass_fuzz::served::ENTRIES, "http"),
    |bytes: &[u8]| mspass_fuzz::served::http(bytes)
);

//! Fuzzes `frames::link`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mspass_fuzz::write_examples(&mspass_fuzz::frames::ENTRIES, "link"),
    |bytes: &[u8]| mspass_fuzz::frames::link(bytes)
);

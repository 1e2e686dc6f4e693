//! Fuzzes `frames::journal`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mspass_fuzz::write_examples(&mspass_fuzz::frames::ENTRIES, "journal"),
    |bytes: &[u8]| mspass_fuzz::frames::journal(bytes)
);

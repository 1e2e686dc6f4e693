//! Fuzzes `frames::frame_header`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mspass_fuzz::write_examples(&mspass_fuzz::frames::ENTRIES, "frame_header"),
    |bytes: &[u8]| mspass_fuzz::frames::frame_header(bytes)
);

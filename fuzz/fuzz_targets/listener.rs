//! Fuzzes `entries::listener`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mspass_fuzz::write_examples(&mspass_fuzz::entries::ENTRIES, "listener"),
    |bytes: &[u8]| mspass_fuzz::entries::listener(bytes)
);

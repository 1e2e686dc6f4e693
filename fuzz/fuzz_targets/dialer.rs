//! Fuzzes `entries::dialer`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mspass_fuzz::write_examples(&mspass_fuzz::entries::ENTRIES, "dialer"),
    |bytes: &[u8]| mspass_fuzz::entries::dialer(bytes)
);

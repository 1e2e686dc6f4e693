//! Fuzzes `entries::lease_messages`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mspass_fuzz::write_examples(&mspass_fuzz::entries::ENTRIES, "lease_messages"),
    |bytes: &[u8]| mspass_fuzz::entries::lease_messages(bytes)
);

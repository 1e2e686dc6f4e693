//! Fuzzes `entries::store_messages`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mspass_fuzz::write_examples(&mspass_fuzz::entries::ENTRIES, "store_messages"),
    |bytes: &[u8]| mspass_fuzz::entries::store_messages(bytes)
);

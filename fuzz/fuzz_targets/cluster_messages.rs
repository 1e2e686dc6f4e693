//! Fuzzes `served::cluster_messages`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mspass_fuzz::write_examples(&mspass_fuzz::served::ENTRIES, "cluster_messages"),
    |bytes: &[u8]| mspass_fuzz::served::cluster_messages(bytes)
);

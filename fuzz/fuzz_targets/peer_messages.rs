//! Fuzzes `entries::peer_messages`.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: mspass_fuzz::write_examples(&mspass_fuzz::entries::ENTRIES, "peer_messages"),
    |bytes: &[u8]| mspass_fuzz::entries::peer_messages(bytes)
);

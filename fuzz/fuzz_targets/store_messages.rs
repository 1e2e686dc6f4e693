//! Fuzzes `entries::store_messages`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mspass_fuzz::entries::store_messages(bytes));

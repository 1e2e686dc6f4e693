//! Fuzzes `entries::listener`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mspass_fuzz::entries::listener(bytes));

//! Fuzzes `entries::dialer`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| mspass_fuzz::entries::dialer(bytes));

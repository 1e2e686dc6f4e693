//! A slice of the fuzzing in `fuzz/`: random and damaged bytes to the frontend and the scheduler.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

#[path = "../../fuzz/src/entries.rs"]
pub mod entries;
#[path = "../../fuzz/src/served.rs"]
pub mod served;
#[path = "../../fuzz/slice.rs"]
pub mod slice;

#[test]
fn no_bytes_do_harm() {
    slice::no_bytes_do_harm(&served::ENTRIES, 5_000);
}

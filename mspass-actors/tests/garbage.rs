//! A slice of the fuzzing in `fuzz/`: random and damaged bytes into every parser of links, stores
//! and jobs.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test may panic and wait")]

#[path = "../../fuzz/src/entries.rs"]
pub mod entries;
#[path = "../../fuzz/src/frames.rs"]
pub mod frames;
#[path = "../../fuzz/slice.rs"]
pub mod slice;

#[test]
fn no_bytes_do_harm() {
    slice::no_bytes_do_harm(&entries::ENTRIES, 20_000);
}

#[test]
fn no_frames_do_harm() {
    let parcels = frames::parcels_of_examples();
    assert_eq!(parcels, 9, "the examples are sound");
    slice::no_bytes_do_harm(&frames::ENTRIES, 4_000);
}

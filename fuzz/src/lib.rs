//! The entry points that the fuzz targets and the tests share.

pub mod entries;
pub mod frames;
pub mod served;

use std::path::Path;

/// Writes a target's examples into the corpus that `MSPASS_CORPUS` names, for libFuzzer to begin
/// with.
pub fn write_examples(entries: &[(&str, entries::Entry, entries::Examples)], target: &str) {
    let Some(corpus) = std::env::var_os("MSPASS_CORPUS") else { return };
    let found = entries.iter().find(|(name, ..)| *name == target);
    let (.., examples) = found.expect("every target is an entry");
    for (number, example) in examples().iter().enumerate() {
        let path = Path::new(&corpus).join(format!("example-{number}"));
        std::fs::write(path, example).expect("the corpus can be written to");
    }
}

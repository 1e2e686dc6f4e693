//! Folders of waveform files: which files there are, and which runs of records are in them.
//!
//! [`walk`] lists a tree, [`scan_file`] reads one file's headers, [`scan_files`] does so for many
//! on a bounded number of threads.

mod index;
mod scan;
mod walk;

pub use index::{ERRORS_MAX, IndexOptions, IndexProgress, index, index_while};
pub use scan::{FileScan, Gap, Run, ScanOptions, scan_file, scan_files, scan_runs};
pub use walk::{FoundFile, Walk, WalkError, walk};

#[cfg(test)]
mod tests;

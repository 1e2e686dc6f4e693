//! Databases carried in files: MongoDB's dumps and extended JSON, read and written.
//!
//! A folder holds one file a collection: `NAME.bson`, documents end to end as `mongodump` writes
//! them, or `NAME.json`, extended JSON (legacy, relaxed or canonical), one document a line or an
//! array of them. Where a folder has `.bson` files, its `.json` files are not collections:
//! `NAME.metadata.json` beside them holds the indexes, others are passed over. The samples are in
//! `fs.files` and `fs.chunks`, GridFS's own collections, and become blobs.
//!
//! Files are read from beginning to end in pieces; what is in memory at once is a batch of
//! documents ([`BATCH_BYTES_MAX`]), and blobs of which chunks are still to come
//! ([`PENDING_BYTES_MAX`]).

mod documents;
mod export;
mod folder;
mod import;
mod indexes;
mod json;
mod samples;

pub use export::{ExportOptions, ExportReport, export};
pub use folder::Form;
pub use import::{Checked, CollectionImport, ImportOptions, ImportReport, check, import};

/// Documents handed to a store at once.
const BATCH_DOCUMENTS: usize = 1000;

/// Bytes of documents or samples that a batch gathers before it is handed to a store; a single
/// document or blob may be larger.
pub const BATCH_BYTES_MAX: usize = 8 << 20;

/// Bytes of chunks that wait for the rest of their blobs.
pub const PENDING_BYTES_MAX: usize = 512 << 20;

/// Blobs that one dump may hold; each takes 32 bytes of memory while it is read.
pub const BLOBS_MAX: usize = 1 << 24;

/// Collection of the descriptions of samples.
const FILES: &str = "fs.files";

/// Collection of the bytes of samples.
const CHUNKS: &str = "fs.chunks";

/// Bytes in a chunk that we write, as all GridFS clients do unless told otherwise.
const CHUNK_BYTES: usize = 255 * 1024;

/// How far an import or export has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What is done: "check", "import" or "export".
    pub doing: &'static str,
    /// Collection at hand.
    pub collection: String,
    /// Bytes read or written of all files.
    pub bytes: u64,
    /// Bytes to be read, 0 where that is not known.
    pub bytes_total: u64,
    /// Documents read or written, those of GridFS included.
    pub documents: u64,
}

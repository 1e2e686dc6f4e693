//! What travels: frames with a checked header, messages by field name, and blobs beside them.
//!
//! A frame is a [`Header`] and a body. The body of a message is its MessagePack form, after it the
//! lengths of its blobs as `u64` little-endian; the blobs themselves follow in frames of kind
//! [`Kind::Chunk`], so that nothing large is ever copied into another buffer.

mod blob;
mod buffers;
mod codec;
mod header;

pub use blob::Blob;
pub(crate) use buffers::Landing;
pub use buffers::{BUFFER_ALIGNMENT, Buffers};
pub(crate) use codec::{Scope, decode, encode_into, home, park, round_trip, unpark};
pub use header::{HEADER_BYTES, Header, Kind, Malformed};

/// Bytes of one message without its blobs on the control lane; a longer one takes the bulk lane.
pub const CONTROL_BODY_MAX: usize = 256 << 10;
/// Bytes of one message without its blobs.
pub const BODY_MAX: usize = 64 << 20;
/// Bytes of one piece of a blob.
pub const CHUNK_MAX: usize = 256 << 10;
/// Blobs of one message.
pub const BLOBS_MAX: usize = 4096;

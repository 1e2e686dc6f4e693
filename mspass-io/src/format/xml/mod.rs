//! XML for StationXML and QuakeML: a pull reader with bounds, small trees, and a writer.
//!
//! Entities beyond XML's five are refused, so nothing expands; a document type is passed over.
//! Elements and attributes of foreign namespaces are skipped with all they hold.

mod element;
mod encoding;
mod pull;
mod writer;

pub(crate) use element::{Element, Remarks, time};
pub use element::{REMARKS_MAX, Remark};
pub(crate) use encoding::decode;
pub(crate) use pull::{Pull, Tag};
pub(crate) use writer::{Writer, decimal, iso};

/// Longest document read, bytes.
pub const DOCUMENT_BYTES_MAX: usize = 256 << 20;

/// Elements inside elements at most.
pub const DEPTH_MAX: usize = 64;

/// Elements of one channel or one event at most.
pub const ELEMENTS_MAX: usize = 1 << 18;

/// Attributes of one element at most.
pub const ATTRIBUTES_MAX: usize = 128;

/// Reads a file of at most [`DOCUMENT_BYTES_MAX`].
pub(crate) fn read_bytes(
    format: &'static str,
    path: &std::path::Path,
) -> crate::error::Result<Vec<u8>> {
    use crate::error::Error;
    use std::io::Read;
    let file = std::fs::File::open(path).map_err(Error::file("open", path))?;
    let mut bytes = Vec::new();
    let most = DOCUMENT_BYTES_MAX as u64 + 1;
    file.take(most).read_to_end(&mut bytes).map_err(Error::file("read", path))?;
    check_length(format, &bytes)?;
    Ok(bytes)
}

/// An error for a document longer than [`DOCUMENT_BYTES_MAX`].
fn check_length(format: &'static str, bytes: &[u8]) -> crate::error::Result<()> {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        let reason = format!("more than {DOCUMENT_BYTES_MAX} bytes: split the document");
        let offset = DOCUMENT_BYTES_MAX as u64;
        return Err(crate::error::Error::Format { format, offset, reason });
    }
    Ok(())
}

#[cfg(test)]
mod tests;

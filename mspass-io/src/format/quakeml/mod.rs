//! QuakeML 1.2 (BED) to [`Event`]s and back.
//!
//! Words that the standard does not have are left out with a remark, and so is what holds nothing;
//! only XML that is not well formed is an error. Ids are kept as written. What is kept of a
//! document is at most about twelve times its length, whatever it holds.

mod read;
mod words;
mod write;

use std::path::Path;

use mspass_core::Event;

use super::xml::{self, Pull, Remark, Remarks};
use crate::error::Result;

/// What the namespaces of QuakeML's versions and parts begin with.
const NAMESPACES: &str = "http://quakeml.org/xmlns/";

const FORMAT: &str = "QuakeML";

/// What was read of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct EventReading {
    /// The events, in the document's order.
    pub events: Vec<Event>,
    /// Version that the root's namespace names.
    pub version: Option<String>,
    /// What could not be used.
    pub remarks: Vec<Remark>,
}

/// Reads a file; an error as of [`read`], or where the file cannot be read.
pub fn read_file(path: &Path) -> Result<EventReading> {
    read(&xml::read_bytes(FORMAT, path)?)
}

/// Reads a document; an error naming line and byte where it is not well-formed XML, not QuakeML, or
/// beyond a bound ([`xml::DOCUMENT_BYTES_MAX`] and its kin).
///
/// ```
/// use mspass_io::format::quakeml;
/// let text = r#"<q:quakeml xmlns:q="http://quakeml.org/xmlns/quakeml/1.2"
///     xmlns="http://quakeml.org/xmlns/bed/1.2"><eventParameters publicID="smi:a/b">
///     <event publicID="smi:a/1"><type>earthquake</type></event></eventParameters></q:quakeml>"#;
/// let reading = quakeml::read(text.as_bytes()).unwrap();
/// assert_eq!(reading.events[0].kind.as_deref(), Some("earthquake"));
/// ```
pub fn read(bytes: &[u8]) -> Result<EventReading> {
    let text = xml::decode(FORMAT, bytes)?;
    read::document(Pull::new(FORMAT, &text, is_own), Remarks::new(&text))
}

/// Writes a document of version 1.2.
pub fn write(events: &[Event]) -> String {
    write::document(events)
}

fn is_own(namespace: Option<&str>) -> bool {
    namespace.is_none_or(|name| name.starts_with(NAMESPACES))
}

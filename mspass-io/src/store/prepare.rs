//! What a document must be to be stored, and the form it is stored in.

use bson::oid::ObjectId;
use bson::raw::RawDocumentBuf;
use bson::{Bson, Document};

use super::select::id_key;
use crate::error::{Error, Result};
use crate::query::{DOCUMENT_BYTES_MAX, NESTING_MAX};

/// Bytes that the name of a collection may have at most.
const COLLECTION_BYTES_MAX: usize = 120;

/// A document ready to be stored.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// Byte key of its `_id`.
    pub(crate) key: Vec<u8>,
    pub(crate) raw: RawDocumentBuf,
}

/// Checks a document and puts its `_id` first, a new one where it has none.
pub(crate) fn prepare(document: &Document) -> Result<Prepared> {
    check_depth(document, 0)?;
    let raw = match document.iter().next() {
        Some((key, _)) if key == "_id" => RawDocumentBuf::try_from(document),
        _ => {
            let mut ordered = Document::new();
            let id = document.get("_id").cloned();
            ordered.insert("_id", id.unwrap_or_else(|| ObjectId::new().into()));
            let others = document.iter().filter(|(key, _)| *key != "_id");
            ordered.extend(others.map(|(key, value)| (key.clone(), value.clone())));
            RawDocumentBuf::try_from(&ordered)
        }
    };
    let raw = raw.map_err(|e| Error::query(format!("a document is not BSON: {e}")))?;
    if raw.as_bytes().len() > DOCUMENT_BYTES_MAX {
        return Err(Error::query(format!(
            "a document has {} bytes, more than {DOCUMENT_BYTES_MAX}",
            raw.as_bytes().len()
        )));
    }
    if let Some(kind @ (Bson::Array(_) | Bson::RegularExpression(_) | Bson::Undefined)) =
        document.get("_id")
    {
        return Err(Error::query(format!("an _id cannot be {kind}")));
    }
    Ok(Prepared { key: id_key(&raw), raw })
}

/// Refuses a name that no collection can have on every store.
pub(super) fn check_collection(name: &str) -> Result<()> {
    let sound = !name.is_empty()
        && name.len() <= COLLECTION_BYTES_MAX
        && !name.contains(['$', '\0'])
        && !name.starts_with("system.");
    if sound { Ok(()) } else { Err(Error::query(format!("'{name}' is no name of a collection"))) }
}

/// The `_id` of a stored document.
pub(super) fn id_of(raw: &RawDocumentBuf) -> Result<Bson> {
    match raw.get("_id") {
        Ok(Some(id)) => Bson::try_from(id),
        Ok(None) => Ok(Bson::Null),
        Err(error) => Err(error),
    }
    .map_err(|e| Error::Format { format: "BSON", offset: 0, reason: e.to_string() })
}

fn check_depth(document: &Document, depth: usize) -> Result<()> {
    document.values().try_for_each(|value| check_value(value, depth + 1))
}

fn check_value(value: &Bson, depth: usize) -> Result<()> {
    if depth > NESTING_MAX {
        return Err(Error::query(format!("a document is nested deeper than {NESTING_MAX} levels")));
    }
    match value {
        Bson::Document(inner) => check_depth(inner, depth),
        Bson::Array(inner) => inner.iter().try_for_each(|value| check_value(value, depth + 1)),
        Bson::JavaScriptCodeWithScope(code) => check_depth(&code.scope, depth),
        _ => Ok(()),
    }
}

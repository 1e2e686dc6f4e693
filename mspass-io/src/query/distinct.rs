//! The different values at a path.

use std::collections::BTreeMap;

use bson::Bson;
use bson::raw::{RawBsonRef, RawDocument};

use super::key::encode_key;
use super::path::{Part, Path, array_document, elements, field};
use crate::error::{Error, Result};

/// The different values at `path` among `documents`, arrays taken apart, in BSON order.
///
/// Values that compare equal (1 and 1.0) count once, as the first of them.
pub fn distinct_values<D: AsRef<RawDocument>>(
    path: &str,
    documents: impl Iterator<Item = Result<D>>,
) -> Result<Vec<Bson>> {
    let path = Path::parse(path);
    let mut found: BTreeMap<Vec<u8>, Bson> = BTreeMap::new();
    let mut failure = None;
    for document in documents {
        collect(document?.as_ref(), path.parts(), &mut |value| {
            let mut key = Vec::new();
            encode_key(&mut key, value);
            if let std::collections::btree_map::Entry::Vacant(entry) = found.entry(key) {
                match Bson::try_from(value) {
                    Ok(value) => drop(entry.insert(value)),
                    Err(error) => failure = Some(error),
                }
            }
        });
        if let Some(error) = failure.take() {
            return Err(Error::Format { format: "BSON", offset: 0, reason: error.to_string() });
        }
    }
    Ok(found.into_values().collect())
}

fn collect(document: &RawDocument, parts: &[Part], emit: &mut dyn FnMut(RawBsonRef<'_>)) {
    let Some((part, rest)) = parts.split_first() else { return };
    match (field(document, &part.name), rest.first()) {
        (None, _) => {}
        (Some(RawBsonRef::Array(array)), None) => elements(array).for_each(emit),
        (Some(value), None) => emit(value),
        (Some(RawBsonRef::Document(inner)), Some(_)) => collect(inner, rest, emit),
        (Some(RawBsonRef::Array(array)), Some(next)) => {
            let digits = !next.name.is_empty() && next.name.bytes().all(|b| b.is_ascii_digit());
            if digits {
                if let Some(inner) = array_document(array) {
                    collect(inner, rest, emit);
                }
                return;
            }
            for element in elements(array) {
                match element {
                    RawBsonRef::Document(inner) => collect(inner, rest, emit),
                    RawBsonRef::Array(inner) => {
                        if let Some(inner) = array_document(inner) {
                            collect(inner, rest, emit);
                        }
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

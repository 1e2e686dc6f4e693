//! Indexes as `mongodump` writes them down.

use bson::{Bson, Document};

use super::documents::Documents;
use super::folder::{DumpFile, Form, Listing};
use crate::error::Result;

/// The indexes that `mongodump` wrote down, those of `_id` and of special kinds apart.
pub(super) fn read_indexes(listing: &Listing) -> Result<Vec<(String, Document)>> {
    let mut found = Vec::new();
    for (collection, path) in &listing.metadata {
        let file = DumpFile {
            collection: collection.clone(),
            path: path.clone(),
            form: Form::Json,
            bytes: 0,
        };
        let Some(metadata) = Documents::open(&file)?.next().transpose()? else { continue };
        let Ok(indexes) = metadata.document.get_array("indexes") else { continue };
        for index in indexes.iter().filter_map(Bson::as_document) {
            let Ok(keys) = index.get_document("key") else { continue };
            if let Some(keys) = plain(keys) {
                found.push((collection.clone(), keys));
            }
        }
    }
    Ok(found)
}

/// Keys with a direction each; none for geographic, text and hashed indexes and for that of `_id`.
fn plain(keys: &Document) -> Option<Document> {
    let direction = |value: &Bson| match value {
        Bson::Int32(1) | Bson::Int64(1) => Some(1),
        Bson::Int32(-1) | Bson::Int64(-1) => Some(-1),
        Bson::Double(value) if value.abs() == 1.0 => Some(*value as i32),
        _ => None,
    };
    if keys.len() == 1 && keys.contains_key("_id") {
        return None;
    }
    keys.iter().map(|(key, value)| Some((key.clone(), Bson::Int32(direction(value)?)))).collect()
}

//! Metadata values as BSON and back.

use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document};
use mspass_core::Metadata;
use mspass_core::metadata::Value;

use super::id::to_object_id;

/// A metadata value as BSON; whole numbers take 32 bits where they fit, as pymongo writes them.
pub fn to_bson(value: &Value) -> Bson {
    match value {
        Value::Bool(value) => Bson::Boolean(*value),
        Value::Int(value) => i32::try_from(*value).map_or(Bson::Int64(*value), Bson::Int32),
        Value::Double(value) => Bson::Double(*value),
        Value::Text(text) => Bson::String(text.clone()),
        Value::Bytes(bytes) => {
            Bson::Binary(Binary { subtype: BinarySubtype::Generic, bytes: bytes.clone() })
        }
        Value::Id(id) => Bson::ObjectId(to_object_id(*id)),
        Value::List(list) => Bson::Array(list.iter().map(to_bson).collect()),
        Value::Map(map) => {
            Bson::Document(map.iter().map(|(name, value)| (name.clone(), to_bson(value))).collect())
        }
        // `Null`, and whatever kind a later core adds before this crate knows it.
        _ => Bson::Null,
    }
}

/// All metadata as a document.
pub fn metadata_document(metadata: &Metadata) -> Document {
    metadata.iter().map(|(name, value)| (name.to_owned(), to_bson(value))).collect()
}

//! Metadata values as BSON and back.

use bson::spec::BinarySubtype;
use bson::{Binary, Bson, Document};
use mspass_core::Metadata;
use mspass_core::metadata::Value;

use super::id::{to_document_id, to_object_id};

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

/// A BSON value as metadata: dates become epoch seconds; what metadata has no kind for (regular
/// expressions, decimals, ...) its text as extended JSON.
pub fn from_bson(value: &Bson) -> Value {
    match value {
        Bson::Boolean(value) => Value::Bool(*value),
        Bson::Int32(value) => Value::Int(i64::from(*value)),
        Bson::Int64(value) => Value::Int(*value),
        Bson::Double(value) => Value::Double(*value),
        Bson::String(text) => Value::Text(text.clone()),
        Bson::Binary(binary) => Value::Bytes(binary.bytes.clone()),
        Bson::ObjectId(id) => Value::Id(to_document_id(*id)),
        Bson::Array(list) => Value::List(list.iter().map(from_bson).collect()),
        Bson::Document(document) => Value::Map(
            document.iter().map(|(name, value)| (name.clone(), from_bson(value))).collect(),
        ),
        Bson::DateTime(date) => Value::Double(date.timestamp_millis() as f64 / 1000.0),
        Bson::Null | Bson::Undefined => Value::Null,
        other => Value::Text(other.clone().into_relaxed_extjson().to_string()),
    }
}

/// All metadata as a document.
pub fn metadata_document(metadata: &Metadata) -> Document {
    metadata.iter().map(|(name, value)| (name.to_owned(), to_bson(value))).collect()
}

//! How strictly a schema holds: what is done about keys of wrong names and types.

use bson::{Bson, Document};
use mspass_core::{ErrorLog, Severity};

use super::{Constraint, KeyType, Schema};

/// How strictly the schema holds when data are read and saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Everything passes.
    #[default]
    Promiscuous,
    /// A value of a wrong type is converted. Where that fails, or a required key is missing, a
    /// required key kills; another is left out and logged. Unknown names are logged.
    Cautious,
    /// A value of a wrong type kills, and so does a required key that is missing. Unknown names
    /// are logged.
    Pedantic,
}

impl Schema {
    /// Checks a document against its collection and, in cautious mode, mends it. What was found
    /// goes to `log`; what kills is the error.
    pub fn check(
        &self,
        collection: &str,
        document: &mut Document,
        mode: Mode,
        log: &mut ErrorLog,
    ) -> Result<(), String> {
        if mode == Mode::Promiscuous {
            return Ok(());
        }
        let Some(keys) = self.collection(collection).map(|collection| &collection.keys) else {
            return Err(format!("the schema has no collection {collection}"));
        };
        let missing = keys.iter().find(|(name, definition)| {
            definition.constraint == Constraint::Required && !document.contains_key(name.as_str())
        });
        if let Some((name, _)) = missing {
            return Err(format!("required key {name} is missing"));
        }
        let mut unknown: Vec<String> = Vec::new();
        let names: Vec<String> = document.keys().cloned().collect();
        for name in names {
            let (Some(definition), Some(value)) = (keys.get(&name), document.get(&name)) else {
                unknown.push(name);
                continue;
            };
            if definition.key_type.admits(value) {
                continue;
            }
            let due = definition.key_type.name();
            let wrong = format!("{name} is {value}, not of type {due}");
            let converted = definition.key_type.convert(value);
            match converted.filter(|_| mode == Mode::Cautious) {
                Some(converted) => {
                    log.push("schema", Severity::Complaint, format!("{wrong}: converted"));
                    document.insert(name, converted);
                }
                None if mode == Mode::Pedantic => return Err(wrong),
                None if definition.constraint == Constraint::Required => return Err(wrong),
                None => {
                    log.push("schema", Severity::Complaint, format!("{wrong}: left out"));
                    document.remove(&name);
                }
            }
        }
        if !unknown.is_empty() {
            let names = unknown.join(", ");
            let message = format!("{collection} has no keys of these names: {names}");
            log.push("schema", Severity::Informational, message);
        }
        Ok(())
    }
}

impl KeyType {
    /// The value as one of this type, where nothing is lost.
    pub fn convert(self, value: &Bson) -> Option<Bson> {
        let text = match value {
            Bson::String(text) => Some(text.trim()),
            _ => None,
        };
        let number = match value {
            Bson::Int32(value) => Some(f64::from(*value)),
            Bson::Int64(value) if value.unsigned_abs() <= 1 << 53 => Some(*value as f64),
            Bson::Double(value) => Some(*value),
            _ => text.and_then(|text| text.parse().ok()).filter(|n: &f64| n.is_finite()),
        };
        match self {
            Self::Double => number.map(Bson::Double),
            Self::Int => {
                let whole = number.filter(|n| n.fract() == 0.0 && n.abs() <= (1_i64 << 53) as f64);
                whole.map(|n| {
                    let whole = n as i64;
                    i32::try_from(whole).map_or(Bson::Int64(whole), Bson::Int32)
                })
            }
            Self::Bool => match (text, number) {
                (Some("true" | "True"), _) => Some(Bson::Boolean(true)),
                (Some("false" | "False"), _) => Some(Bson::Boolean(false)),
                (None, Some(n)) if n == 0.0 || n == 1.0 => Some(Bson::Boolean(n == 1.0)),
                _ => None,
            },
            Self::Text => match value {
                Bson::Int32(_) | Bson::Int64(_) | Bson::Double(_) | Bson::Boolean(_) => {
                    Some(Bson::String(value.to_string()))
                }
                Bson::ObjectId(id) => Some(Bson::String(id.to_hex())),
                _ => None,
            },
            Self::ObjectId => {
                text.and_then(|text| bson::oid::ObjectId::parse_str(text).ok()).map(Bson::ObjectId)
            }
            Self::List | Self::Map | Self::Bytes | Self::Any => None,
        }
    }
}

//! The layout of schema files, and how one becomes a schema.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::{Attribute, Constraint, KeyDefinition, KeyType, Schema};
use crate::error::{Error, Result};

/// Collections that may stand on one another's keys, one on the other, at most.
const BASES_MAX: usize = 16;

#[derive(Default, Deserialize)]
struct Layout {
    #[serde(rename = "Database", default)]
    database: BTreeMap<String, Table<Key>>,
    #[serde(rename = "Metadata", default)]
    metadata: BTreeMap<String, Table<Held>>,
}

#[derive(Deserialize)]
struct Table<K> {
    #[serde(default)]
    default: Option<String>,
    #[serde(default)]
    base: Option<Spanned<String>>,
    #[serde(default = "BTreeMap::new")]
    schema: BTreeMap<String, K>,
}

#[derive(Deserialize)]
struct Key {
    #[serde(rename = "type", default)]
    key_type: Option<KeyType>,
    #[serde(default)]
    reference: Option<Spanned<String>>,
    #[serde(default)]
    constraint: Option<Constraint>,
    /// How older files say that a key is not required.
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    unit: Option<String>,
    #[serde(default)]
    concept: String,
    #[serde(default)]
    aliases: Aliases,
}

#[derive(Deserialize)]
struct Held {
    #[serde(default)]
    collection: Option<Spanned<String>>,
    #[serde(rename = "type", default)]
    key_type: Option<KeyType>,
    #[serde(default)]
    readonly: Option<bool>,
    #[serde(default)]
    aliases: Aliases,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Aliases {
    One(String),
    Many(Vec<String>),
}

impl Default for Aliases {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

/// `schema` with what `text` adds or states anew.
pub(super) fn extend(schema: &Schema, name: &str, text: &str) -> Result<Schema> {
    let refuse = |line: u64, reason: String| {
        let reason = reason.lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
        Error::Refused(format!("{name}, line {line}: {reason}: correct the schema file"))
    };
    let layout: Layout = serde_saphyr::from_str(text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        refuse(line, message_of(&error))
    })?;
    let refuse = |at: &Spanned<String>, reason| refuse(at.referenced.line(), reason);
    let mut extended = schema.clone();
    let order = in_order(&layout.database, |base| schema.collections.contains_key(base));
    for table in order.map_err(|base| refuse(base, no_base(base)))? {
        extended.add_collection(table, &layout.database, &refuse)?;
    }
    let order = in_order(&layout.metadata, |base| schema.kinds.contains_key(base));
    for table in order.map_err(|base| refuse(base, no_base(base)))? {
        extended.add_kind(table, &layout.metadata[table], &refuse)?;
    }
    extended.name_aliases();
    Ok(extended)
}

fn no_base(base: &Spanned<String>) -> String {
    format!("the base '{}' is not there, or stands on itself", base.value)
}

/// The first line of what the parser says, without its picture of the text.
fn message_of(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    // The line stands before it already.
    let text = text.split(" at line ").next().unwrap_or(text).to_owned();
    match text.split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest.to_owned(),
        _ => text,
    }
}

/// Names of tables such that every base comes before what stands on it; else the base that is not
/// there.
fn in_order<K>(
    tables: &BTreeMap<String, Table<K>>,
    is_known: impl Fn(&str) -> bool,
) -> Result<Vec<&str>, &Spanned<String>> {
    let mut order: Vec<&str> = Vec::new();
    for _ in 0..BASES_MAX {
        for (name, table) in tables {
            let ready = table.base.as_ref().is_none_or(|base| {
                let stated = tables.contains_key(&base.value);
                order.contains(&base.value.as_str()) || (!stated && is_known(&base.value))
            });
            if ready && !order.contains(&name.as_str()) {
                order.push(name);
            }
        }
    }
    let mut left = tables.iter().filter(|(name, _)| !order.contains(&name.as_str()));
    match left.find_map(|(_, table)| table.base.as_ref()) {
        Some(base) => Err(base),
        None => Ok(order),
    }
}

impl Schema {
    fn add_collection(
        &mut self,
        name: &str,
        tables: &BTreeMap<String, Table<Key>>,
        refuse: &impl Fn(&Spanned<String>, String) -> Error,
    ) -> Result<()> {
        let Some(table) = tables.get(name) else { return Ok(()) };
        let mut collection = self.collections.get(name).cloned().unwrap_or_default();
        if let Some(base) = &table.base {
            let base = self.collections.get(&base.value).cloned().unwrap_or_default();
            for (key, definition) in base.keys {
                collection.keys.entry(key).or_insert(definition);
            }
        }
        collection.default = table.default.clone().or(collection.default);
        for (key, stated) in &table.schema {
            let definition = self.definition(key, stated, tables, refuse)?;
            collection.keys.insert(key.clone(), definition);
        }
        self.collections.insert(name.to_owned(), collection);
        Ok(())
    }

    fn definition(
        &self,
        name: &str,
        key: &Key,
        tables: &BTreeMap<String, Table<Key>>,
        refuse: &impl Fn(&Spanned<String>, String) -> Error,
    ) -> Result<KeyDefinition> {
        let reference = key.reference.as_ref();
        let is_id = reference.is_some_and(|reference| name == format!("{}_id", reference.value));
        let key_type = match (key.key_type, reference) {
            (Some(key_type), _) => key_type,
            (None, Some(_)) if is_id => KeyType::ObjectId,
            (None, Some(reference)) => {
                let stated = stated_type(tables, &reference.value, name);
                let known = self.key(&reference.value, name).map(|key| key.key_type);
                let there = stated.or(known);
                there.ok_or_else(|| {
                    let collection = &reference.value;
                    refuse(reference, format!("{collection} has no {name}: give {name} a type"))
                })?
            }
            (None, None) => KeyType::Any,
        };
        let constraint = key.constraint.unwrap_or(match (key.optional, is_id) {
            (_, true) => Constraint::CrossReference,
            (true, _) => Constraint::Optional,
            (false, _) => Constraint::Required,
        });
        Ok(KeyDefinition {
            key_type,
            constraint,
            unit: key.unit.clone(),
            concept: key.concept.clone(),
            aliases: aliases_of(&key.aliases),
            reference: reference.map(|reference| reference.value.clone()),
        })
    }

    fn add_kind(
        &mut self,
        name: &str,
        table: &Table<Held>,
        refuse: &impl Fn(&Spanned<String>, String) -> Error,
    ) -> Result<()> {
        let mut kind = self.kinds.get(name).cloned().unwrap_or_default();
        if let Some(base) = &table.base {
            for (key, attribute) in self.kinds.get(&base.value).cloned().unwrap_or_default() {
                kind.entry(key).or_insert(attribute);
            }
        }
        for (key, held) in &table.schema {
            if let Some(collection) = &held.collection
                && !self.collections.contains_key(&collection.value)
            {
                return Err(refuse(collection, format!("no collection '{}'", collection.value)));
            }
            let attribute = Attribute {
                collection: held.collection.as_ref().map(|at| at.value.clone()),
                key_type: held.key_type,
                readonly: held.readonly.unwrap_or(true),
                aliases: aliases_of(&held.aliases),
            };
            kind.insert(key.clone(), attribute);
        }
        self.kinds.insert(name.to_owned(), kind);
        Ok(())
    }

    /// Fills the table of aliases.
    fn name_aliases(&mut self) {
        let collections = self.collections.iter().flat_map(|(name, collection)| {
            let keys = collection.keys.iter();
            keys.map(move |(key, definition)| (name, key, &definition.aliases))
        });
        let kinds = self.kinds.iter().flat_map(|(name, keys)| {
            keys.iter().map(move |(key, attribute)| (name, key, &attribute.aliases))
        });
        let mut names: HashMap<String, HashMap<String, String>> = HashMap::new();
        for (within, key, aliases) in collections.chain(kinds) {
            let aliases = aliases.iter().map(|alias| (alias.clone(), key.clone()));
            names.entry(within.clone()).or_default().extend(aliases);
        }
        self.names = names;
    }
}

/// The type that a file states for a key of a collection, or of what the collection stands on.
fn stated_type(
    tables: &BTreeMap<String, Table<Key>>,
    collection: &str,
    key: &str,
) -> Option<KeyType> {
    let mut table = tables.get(collection)?;
    for _ in 0..BASES_MAX {
        if let Some(key_type) = table.schema.get(key).and_then(|key| key.key_type) {
            return Some(key_type);
        }
        table = tables.get(&table.base.as_ref()?.value)?;
    }
    None
}

fn aliases_of(aliases: &Aliases) -> Vec<String> {
    match aliases {
        Aliases::One(alias) => vec![alias.clone()],
        Aliases::Many(aliases) => aliases.clone(),
    }
}

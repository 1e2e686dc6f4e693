//! The schema: which collections there are, with which keys, types, units and constraints.
//!
//! It is data: `mspass.yaml` beside this file, in the layout of MsPASS's own schema files. A user
//! extends it ([`Schema::extended`]) or puts another in its place ([`Schema::parse`]).

mod check;
mod layout;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use bson::Bson;
use serde::Deserialize;

use crate::error::{Error, Result};

pub use check::Mode;

/// Bytes of a schema file at most.
pub const SCHEMA_BYTES_MAX: u64 = 4 << 20;

const SHIPPED: &str = include_str!("mspass.yaml");

static MSPASS: LazyLock<Arc<Schema>> = LazyLock::new(|| {
    Arc::new(Schema::parse("mspass.yaml", SHIPPED).expect("the shipped schema is tested"))
});

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum KeyType {
    /// ObjectId.
    #[serde(rename = "ObjectID", alias = "ObjectId", alias = "objectid")]
    ObjectId,
    /// Whole number of 32 or 64 bits.
    #[serde(rename = "int", alias = "integer", alias = "long")]
    Int,
    /// Floating-point number.
    #[serde(rename = "double", alias = "float")]
    Double,
    /// Text.
    #[serde(rename = "string", alias = "str")]
    Text,
    /// True or false.
    #[serde(rename = "bool", alias = "boolean")]
    Bool,
    /// Array.
    #[serde(rename = "list", alias = "array")]
    List,
    /// Document.
    #[serde(rename = "dict", alias = "document")]
    Map,
    /// Bytes.
    #[serde(rename = "bytes", alias = "binary")]
    Bytes,
    /// Anything.
    #[serde(rename = "any")]
    Any,
}

/// What holds of a key in the documents of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Constraint {
    /// Every document has it.
    #[serde(rename = "required")]
    Required,
    /// Most documents have it.
    #[serde(rename = "normal")]
    Normal,
    /// Some documents have it.
    #[serde(rename = "optional")]
    Optional,
    /// It is the `_id` of a document elsewhere.
    #[serde(rename = "xref_id")]
    CrossReference,
}

/// A key of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDefinition {
    /// What its values are.
    pub key_type: KeyType,
    /// Whether it must be there.
    pub constraint: Constraint,
    /// Unit of its values, where they have one.
    pub unit: Option<String>,
    /// What it means.
    pub concept: String,
    /// Other names for it.
    pub aliases: Vec<String>,
    /// The collection it refers to.
    pub reference: Option<String>,
}

/// A key of data in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The collection that defines it, if one does.
    pub collection: Option<String>,
    /// What its values are, where no collection says.
    pub key_type: Option<KeyType>,
    /// Whether data may not change it.
    pub readonly: bool,
    /// Other names for it.
    pub aliases: Vec<String>,
}

/// The keys of one collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Collection {
    /// The general name it answers to: "wf" for that of waveforms.
    pub default: Option<String>,
    /// Its keys.
    pub keys: BTreeMap<String, KeyDefinition>,
}

/// Collections and their keys, and what data may change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    collections: BTreeMap<String, Collection>,
    kinds: BTreeMap<String, BTreeMap<String, Attribute>>,
    /// Of each collection or kind, the key that an alias stands for.
    names: HashMap<String, HashMap<String, String>>,
}

impl Schema {
    /// The shipped schema.
    pub fn mspass() -> Arc<Self> {
        Arc::clone(&MSPASS)
    }

    /// The schema that a YAML text states; `name` says in messages where the text is from.
    ///
    /// # Errors
    /// [`Error::Refused`], one sentence with the line, where the text is no schema.
    ///
    /// ```
    /// use mspass_io::db::schema::Schema;
    /// let text = "Database:\n  pick:\n    schema:\n      time: {type: moment}\n";
    /// let error = Schema::parse("mine.yaml", text).unwrap_err().to_string();
    /// assert!(error.starts_with("mine.yaml, line 4: "), "{error}");
    /// ```
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        Self::default().extended(name, text)
    }

    /// The schema of a YAML file.
    ///
    /// # Errors
    /// [`Error::File`] where it cannot be read, else as [`Schema::parse`].
    pub fn open(path: &Path) -> Result<Self> {
        Self::parse(&path.display().to_string(), &read(path)?)
    }

    /// This schema with what a YAML text adds or states anew.
    ///
    /// # Errors
    /// As [`Schema::parse`].
    pub fn extended(&self, name: &str, text: &str) -> Result<Self> {
        layout::extend(self, name, text)
    }

    /// This schema with what a YAML file adds or states anew.
    ///
    /// # Errors
    /// As [`Schema::open`].
    pub fn extended_by_file(&self, path: &Path) -> Result<Self> {
        self.extended(&path.display().to_string(), &read(path)?)
    }

    /// A collection.
    pub fn collection(&self, name: &str) -> Option<&Collection> {
        self.collections.get(name)
    }

    /// Names of all collections, sorted.
    pub fn collections(&self) -> impl Iterator<Item = &str> {
        self.collections.keys().map(String::as_str)
    }

    /// The collection that answers to a general name.
    pub fn default_collection(&self, general: &str) -> Option<&str> {
        let mut all = self.collections.iter();
        let found = all.find(|(_, collection)| collection.default.as_deref() == Some(general));
        found.map(|(name, _)| name.as_str())
    }

    /// A key of a collection.
    pub fn key(&self, collection: &str, key: &str) -> Option<&KeyDefinition> {
        self.collections.get(collection)?.keys.get(key)
    }

    /// Keys that every document of a collection has.
    pub fn required_keys(&self, collection: &str) -> Vec<&str> {
        self.keys_with(collection, Constraint::Required)
    }

    /// Keys of a collection that name documents elsewhere.
    pub fn xref_keys(&self, collection: &str) -> Vec<&str> {
        self.keys_with(collection, Constraint::CrossReference)
    }

    fn keys_with(&self, collection: &str, constraint: Constraint) -> Vec<&str> {
        let keys = self.collections.get(collection).map(|collection| collection.keys.iter());
        let with = keys.into_iter().flatten().filter(|(_, key)| key.constraint == constraint);
        with.map(|(name, _)| name.as_str()).collect()
    }

    /// The name of the key that `name` is an alias of in a collection or kind of datum; `name`
    /// itself where it is none.
    pub fn unique_name<'a>(&'a self, within: &str, name: &'a str) -> &'a str {
        self.names.get(within).and_then(|names| names.get(name)).map_or(name, String::as_str)
    }

    /// Whether data of a kind may not change a key.
    pub fn is_readonly(&self, kind: &str, key: &str) -> bool {
        self.kinds.get(kind).and_then(|keys| keys.get(key)).is_some_and(|key| key.readonly)
    }

    /// The same schema in which data of a kind may change a key, or may not.
    #[must_use]
    pub fn with_readonly(mut self, kind: &str, key: &str, readonly: bool) -> Self {
        if let Some(key) = self.kinds.get_mut(kind).and_then(|keys| keys.get_mut(key)) {
            key.readonly = readonly;
        }
        self
    }

    /// Whether a key is a copy, under a prefix, of one of `site`, `channel` or `source`.
    pub fn is_copy(&self, key: &str) -> bool {
        ["site", "channel", "source"].iter().any(|collection| {
            let rest = key.strip_prefix(collection).and_then(|rest| rest.strip_prefix('_'));
            rest.is_some_and(|rest| rest != "id" && self.key(collection, rest).is_some())
        })
    }
}

impl KeyType {
    /// Whether a value is of this type.
    pub fn admits(self, value: &Bson) -> bool {
        match self {
            Self::ObjectId => matches!(value, Bson::ObjectId(_)),
            Self::Int => matches!(value, Bson::Int32(_) | Bson::Int64(_)),
            Self::Double => matches!(value, Bson::Double(_)),
            Self::Text => matches!(value, Bson::String(_)),
            Self::Bool => matches!(value, Bson::Boolean(_)),
            Self::List => matches!(value, Bson::Array(_)),
            Self::Map => matches!(value, Bson::Document(_)),
            Self::Bytes => matches!(value, Bson::Binary(_)),
            Self::Any => true,
        }
    }

    /// Its name in schema files.
    pub fn name(self) -> &'static str {
        match self {
            Self::ObjectId => "ObjectID",
            Self::Int => "int",
            Self::Double => "double",
            Self::Text => "string",
            Self::Bool => "bool",
            Self::List => "list",
            Self::Map => "dict",
            Self::Bytes => "bytes",
            Self::Any => "any",
        }
    }
}

fn read(path: &Path) -> Result<String> {
    let length = std::fs::metadata(path).map_err(Error::file("read", path))?.len();
    if length > SCHEMA_BYTES_MAX {
        let path = path.display();
        return Err(Error::Refused(format!("{path} has {length} bytes, which is no schema file")));
    }
    std::fs::read_to_string(path).map_err(Error::file("read", path))
}

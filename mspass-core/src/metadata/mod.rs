//! Names and values that travel with a datum, beside its structural facts.
//!
//! `npts`, `starttime`, `sampling_rate`, the SEED id and the rotation matrix are fields of the
//! objects and never stand here; documents get their MsPASS keys when they are saved.

pub mod key;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub use key::Key;
pub use value::Value;

/// A string-keyed map with change tracking.
///
/// ```
/// use mspass_core::metadata::{key, Metadata, Value};
/// let mut metadata = Metadata::default();
/// metadata.put(key::CALIB, 2.5);
/// metadata.insert("my_snr", 7);
/// assert_eq!(metadata.value(key::CALIB).unwrap(), Some(2.5));
/// assert_eq!(metadata.get("my_snr"), Some(&Value::Int(7)));
/// assert_eq!(metadata.modified().collect::<Vec<_>>(), ["calib", "my_snr"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    entries: BTreeMap<String, Value>,
    modified: BTreeSet<String>,
}

/// A key holds a value of another type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("metadata key '{key}' holds a {found}, not the type asked for")]
pub struct WrongKind {
    /// The key.
    pub key: String,
    /// What it holds.
    pub found: &'static str,
}

impl Metadata {
    /// The value under `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries.get(name)
    }

    /// The value of a typed key: `None` when it is absent, an error when it is of another type;
    /// numbers convert where that is exact.
    pub fn value<T>(&self, key: Key<T>) -> Result<Option<T>, WrongKind>
    where
        T: for<'a> TryFrom<&'a Value>,
    {
        let Some(value) = self.entries.get(key.name()) else { return Ok(None) };
        let refuse = |_| WrongKind { key: key.name().to_owned(), found: value.kind() };
        T::try_from(value)
            .map(Some)
            .map_err(refuse)
            .or_else(|error| if *value == Value::Null { Ok(None) } else { Err(error) })
    }

    /// Sets a typed key.
    pub fn put<T: Into<Value>>(&mut self, key: Key<T>, value: T) {
        self.insert(key.name(), value);
    }

    /// Sets `name` and marks it as modified.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        let name = name.into();
        self.modified.insert(name.clone());
        self.entries.insert(name, value.into());
    }

    /// Removes `name` and gives what it held; the removal counts as a modification.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let value = self.entries.remove(name)?;
        self.modified.insert(name.to_owned());
        Some(value)
    }

    /// Keeps the entries that `keep` wants; every removal counts as a modification.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &Value) -> bool) {
        let modified = &mut self.modified;
        self.entries.retain(|name, value| {
            let kept = keep(name, value);
            if !kept && !modified.contains(name) {
                modified.insert(name.clone());
            }
            kept
        });
    }

    /// Gives `from` the name `to`, replacing what stood there; false when `from` is absent.
    pub fn rename(&mut self, from: &str, to: &str) -> bool {
        match self.remove(from) {
            Some(value) => {
                self.insert(to, value);
                true
            }
            None => false,
        }
    }

    /// Appends `text` to the text under `name`, parted by `separator`; sets it when absent.
    pub fn append_chain(&mut self, name: &str, text: &str, separator: &str) {
        let chain = match self.entries.get(name) {
            Some(Value::Text(chain)) => format!("{chain}{separator}{text}"),
            _ => text.to_owned(),
        };
        self.insert(name, chain);
    }

    /// Takes all entries of `other`; where both have a name, `other` wins.
    pub fn merge(&mut self, other: &Self) {
        for (name, value) in &other.entries {
            self.insert(name.clone(), value.clone());
        }
    }

    /// Names set or removed since [`Self::clear_modified`], in order.
    pub fn modified(&self) -> impl Iterator<Item = &str> {
        self.modified.iter().map(String::as_str)
    }

    /// Takes the present state as the unmodified one.
    pub fn clear_modified(&mut self) {
        self.modified.clear();
    }

    /// Entries in order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.entries.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes on the heap, for memory budgets.
    pub fn heap_bytes(&self) -> usize {
        let entry = |(name, value): (&String, &Value)| {
            size_of::<String>() + name.capacity() + size_of::<Value>() + value.heap_bytes()
        };
        let marks = self.modified.iter().map(|name| size_of::<String>() + name.capacity());
        self.entries.iter().map(entry).sum::<usize>() + marks.sum::<usize>()
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Metadata {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut metadata = Self::default();
        for (name, value) in entries {
            metadata.insert(name, value);
        }
        metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_convert_only_where_exact() {
        let metadata: Metadata =
            [("whole", Value::Double(3.0)), ("half", Value::Double(0.5))].into_iter().collect();
        assert_eq!(metadata.value(Key::<i64>::new("whole")), Ok(Some(3)));
        assert!(metadata.value(Key::<i64>::new("half")).is_err());
        assert_eq!(metadata.value(Key::<f64>::new("absent")), Ok(None));
    }

    #[test]
    fn changes_are_tracked() {
        let mut metadata: Metadata = [("a", 1), ("b", 2)].into_iter().collect();
        metadata.clear_modified();
        assert!(metadata.rename("a", "c"));
        assert!(!metadata.rename("a", "c"));
        metadata.append_chain("chain", "x", ":");
        metadata.append_chain("chain", "y", ":");
        assert_eq!(metadata.get("chain"), Some(&Value::Text("x:y".into())));
        assert_eq!(metadata.modified().collect::<Vec<_>>(), ["a", "c", "chain"]);
    }
}

//! Projections: which keys of a document are given.

use bson::raw::{RawArray, RawBsonRef, RawDocument};
use bson::{Array, Bson, Document};

use super::NESTING_MAX;
use super::filter::{is_true, number};
use crate::error::{Error, Result};

/// A compiled projection.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    /// Whether the keys named are kept, rather than left out.
    inclusive: bool,
    id: Option<bool>,
    keys: Vec<(String, Keys)>,
}

/// What is named at and below a key.
#[derive(Clone, Debug)]
enum Keys {
    All,
    Some(Vec<(String, Self)>),
}

impl Projection {
    /// Compiles `{path: 1, ...}` or `{path: 0, ...}`; nested documents stand for dotted paths.
    pub fn parse(projection: &Document) -> Result<Self> {
        let mut parsed = Self::default();
        let mut inclusive = None;
        for (key, value) in projection {
            if key == "_id" && !matches!(value, Bson::Document(_)) {
                parsed.id = Some(parse_flag(key, value)?);
                continue;
            }
            let parts = split(key)?;
            add(&mut parsed.keys, &parts, value, &mut inclusive, key, 0)?;
        }
        parsed.inclusive = match (inclusive, parsed.id) {
            (Some(inclusive), _) => inclusive,
            (None, Some(id)) => id,
            (None, None) => false,
        };
        Ok(parsed)
    }

    /// Whether it gives every document whole.
    pub fn is_empty(&self) -> bool {
        !self.inclusive && self.keys.is_empty() && self.id != Some(false)
    }

    /// The document with the keys asked for.
    pub fn apply(&self, document: &RawDocument) -> Result<Document> {
        if self.is_empty() {
            return Document::try_from(document).map_err(not_bson);
        }
        let mut out = Document::new();
        for element in document {
            let (key, value) = element.map_err(not_bson)?;
            let key = key.as_str();
            let named = self.keys.iter().find(|(name, _)| name == key).map(|(_, keys)| keys);
            let kept = match (key, named) {
                ("_id", None) => match self.id {
                    Some(false) => None,
                    _ => Some(whole(value)?),
                },
                (_, named) => self.value(value, named)?,
            };
            if let Some(kept) = kept {
                out.insert(key, kept);
            }
        }
        Ok(out)
    }

    /// A value whose key is named as `keys` says, or not at all.
    fn value(&self, value: RawBsonRef<'_>, keys: Option<&Keys>) -> Result<Option<Bson>> {
        match keys {
            None => (!self.inclusive).then(|| whole(value)).transpose(),
            Some(Keys::All) => self.inclusive.then(|| whole(value)).transpose(),
            Some(Keys::Some(keys)) => match value {
                RawBsonRef::Document(document) => {
                    Ok(Some(Bson::Document(self.document(document, keys)?)))
                }
                RawBsonRef::Array(array) => Ok(Some(Bson::Array(self.array(array, keys)?))),
                _ => (!self.inclusive).then(|| whole(value)).transpose(),
            },
        }
    }

    fn document(&self, document: &RawDocument, keys: &[(String, Keys)]) -> Result<Document> {
        let mut out = Document::new();
        for element in document {
            let (key, value) = element.map_err(not_bson)?;
            let key = key.as_str();
            let named = keys.iter().find(|(name, _)| name == key).map(|(_, keys)| keys);
            if let Some(kept) = self.value(value, named)? {
                out.insert(key, kept);
            }
        }
        Ok(out)
    }

    fn array(&self, array: &RawArray, keys: &[(String, Keys)]) -> Result<Array> {
        let mut out = Array::new();
        for element in array {
            let kept = match element.map_err(not_bson)? {
                RawBsonRef::Document(inner) => Some(Bson::Document(self.document(inner, keys)?)),
                RawBsonRef::Array(inner) => Some(Bson::Array(self.array(inner, keys)?)),
                value => (!self.inclusive).then(|| whole(value)).transpose()?,
            };
            out.extend(kept);
        }
        Ok(out)
    }
}

fn whole(value: RawBsonRef<'_>) -> Result<Bson> {
    Bson::try_from(value).map_err(not_bson)
}

fn not_bson(error: bson::error::Error) -> Error {
    Error::Format { format: "BSON", offset: 0, reason: error.to_string() }
}

fn parse_flag(key: &str, value: &Bson) -> Result<bool> {
    if matches!(value, Bson::Boolean(_)) || number(value).is_some() {
        return Ok(is_true(value));
    }
    Err(Error::query(format!("the projection of '{key}' is neither 1 nor 0")))
}

fn split(path: &str) -> Result<Vec<&str>> {
    let parts: Vec<_> = path.split('.').collect();
    if parts.iter().any(|part| part.is_empty() || part.starts_with('$')) {
        return Err(Error::query(format!("'{path}' is no path to project")));
    }
    Ok(parts)
}

fn add(
    keys: &mut Vec<(String, Keys)>,
    parts: &[&str],
    value: &Bson,
    inclusive: &mut Option<bool>,
    path: &str,
    depth: usize,
) -> Result<()> {
    let Some((part, rest)) = parts.split_first() else { return Ok(()) };
    let collision = || Error::query(format!("a projection names '{path}' twice"));
    if depth > NESTING_MAX {
        return Err(Error::query(format!(
            "a projection is nested deeper than {NESTING_MAX} levels"
        )));
    }
    let place = keys.iter().position(|(name, _)| name == part);
    let nested = matches!(value, Bson::Document(_));
    if rest.is_empty() && !nested {
        if place.is_some() {
            return Err(collision());
        }
        let flag = parse_flag(path, value)?;
        if *inclusive.get_or_insert(flag) != flag {
            return Err(Error::query("a projection both names keys and leaves keys out"));
        }
        keys.push(((*part).to_owned(), Keys::All));
        return Ok(());
    }
    let place = place.unwrap_or_else(|| {
        keys.push(((*part).to_owned(), Keys::Some(Vec::new())));
        keys.len() - 1
    });
    let Keys::Some(inner) = &mut keys[place].1 else { return Err(collision()) };
    match value {
        Bson::Document(document) if rest.is_empty() => {
            if document.is_empty() {
                return Err(Error::query(format!("the projection of '{path}' is empty")));
            }
            for (key, value) in document {
                let parts = split(key)?;
                add(inner, &parts, value, inclusive, key, depth + 1)?;
            }
            Ok(())
        }
        _ => add(inner, rest, value, inclusive, path, depth + 1),
    }
}

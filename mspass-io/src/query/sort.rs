//! Sort keys: what a document is ordered by, as bytes.

use bson::raw::{RawArray, RawBsonRef, RawDocument};
use bson::{Bson, Document};

use super::filter::number;
use super::key::{KEY_MISSING, encode_key, invert};
use super::number::Number;
use super::path::{Part, Path, elements, field};
use crate::error::{Error, Result};

/// Keys that one sort may have at most; MongoDB's own limit.
const SORT_KEYS_MAX: usize = 32;

/// Sort keys that the arrays of one document may give at most.
const KEYS_PER_DOCUMENT_MAX: usize = 100_000;

/// Bytes that order documents as a [`Sort`] asks.
pub type SortKey = Vec<u8>;

/// A compiled sort document.
#[derive(Clone, Debug, Default)]
pub struct Sort {
    keys: Vec<(Path, bool)>,
}

/// Where a path leads to when arrays are taken apart.
enum Reached<'a, 'p> {
    Value(Option<RawBsonRef<'a>>),
    Array { array: &'a RawArray, rest: &'p [Part] },
}

/// A component of a sort key: found, or still to be followed.
#[derive(Clone, Copy)]
enum Component<'a, 'p> {
    Found(Option<RawBsonRef<'a>>),
    Follow { value: Option<RawBsonRef<'a>>, rest: &'p [Part] },
}

impl Sort {
    /// Compiles `{path: 1 or -1, ...}`, in order of weight.
    pub fn parse(sort: &Document) -> Result<Self> {
        if sort.len() > SORT_KEYS_MAX {
            return Err(Error::query(format!("a sort has more than {SORT_KEYS_MAX} keys")));
        }
        let keys = sort.iter().map(|(path, direction)| {
            if path.is_empty() || path.split('.').any(|p| p.is_empty() || p.starts_with('$')) {
                return Err(Error::query(format!("'{path}' is no path to sort by")));
            }
            Ok((Path::parse(path), parse_direction(path, direction)?))
        });
        Ok(Self { keys: keys.collect::<Result<_>>()? })
    }

    /// Whether it asks for no order.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The paths and whether each is descending.
    pub(crate) fn keys(&self) -> &[(Path, bool)] {
        &self.keys
    }

    /// The key that orders the document among others: of an array the least element for an
    /// ascending key, the greatest for a descending one; a missing value is null.
    pub fn key(&self, document: &RawDocument) -> Result<SortKey> {
        let root = RawBsonRef::Document(document);
        let parts: Vec<_> = self
            .keys
            .iter()
            .map(|(path, _)| Component::Follow { value: Some(root), rest: path.parts() })
            .collect();
        let mut least = None;
        let mut count = 0;
        self.least_key(&parts, &mut least, &mut count)?;
        Ok(least.unwrap_or_default())
    }

    fn least_key(
        &self,
        parts: &[Component<'_, '_>],
        least: &mut Option<SortKey>,
        count: &mut usize,
    ) -> Result<()> {
        let mut reached = Vec::with_capacity(parts.len());
        let mut common: Option<&RawArray> = None;
        for part in parts {
            let end = match *part {
                Component::Found(value) => Reached::Value(value),
                Component::Follow { value, rest } => follow(value, rest),
            };
            if let Reached::Array { array, .. } = end {
                let same = |other: &RawArray| std::ptr::eq(other.as_bytes(), array.as_bytes());
                if common.is_some_and(|other| !same(other)) {
                    return Err(Error::query("a sort over two arrays of one document"));
                }
                common = Some(array);
            }
            reached.push(end);
        }
        let Some(array) = common else {
            return self.take_least(&reached, least, count);
        };
        let mut is_empty = true;
        for element in elements(array).map(Some) {
            is_empty = false;
            self.least_key(&within(&reached, element), least, count)?;
        }
        if is_empty {
            let undefined = |end: &Reached<'_, '_>| match end {
                Reached::Array { rest: [], .. } => Some(RawBsonRef::Undefined),
                _ => None,
            };
            let parts: Vec<_> = reached
                .iter()
                .map(|end| match end {
                    Reached::Value(value) => Component::Found(*value),
                    array => Component::Found(undefined(array)),
                })
                .collect();
            self.least_key(&parts, least, count)?;
        }
        Ok(())
    }

    fn take_least(
        &self,
        reached: &[Reached<'_, '_>],
        least: &mut Option<SortKey>,
        count: &mut usize,
    ) -> Result<()> {
        *count += 1;
        if *count > KEYS_PER_DOCUMENT_MAX {
            return Err(Error::query(format!(
                "a sort over arrays of more than {KEYS_PER_DOCUMENT_MAX} elements"
            )));
        }
        let mut key = SortKey::new();
        for (end, (_, descending)) in reached.iter().zip(&self.keys) {
            let start = key.len();
            match end {
                Reached::Value(Some(value)) => encode_key(&mut key, *value),
                _ => key.extend(KEY_MISSING),
            }
            if *descending {
                invert(&mut key[start..]);
            }
        }
        if least.as_ref().is_none_or(|least| key < *least) {
            *least = Some(key);
        }
        Ok(())
    }
}

/// The components for one element of the array that some of them reached.
fn within<'a, 'p>(
    reached: &[Reached<'a, 'p>],
    element: Option<RawBsonRef<'a>>,
) -> Vec<Component<'a, 'p>> {
    let component = |end: &Reached<'a, 'p>| match *end {
        Reached::Value(value) => Component::Found(value),
        Reached::Array { rest: [], .. } => Component::Found(element),
        Reached::Array { rest, .. } => match element {
            Some(RawBsonRef::Document(_)) => Component::Follow { value: element, rest },
            _ => Component::Found(None),
        },
    };
    reached.iter().map(component).collect()
}

/// Follows a path through documents, and through arrays that it names a place of.
fn follow<'a, 'p>(value: Option<RawBsonRef<'a>>, rest: &'p [Part]) -> Reached<'a, 'p> {
    let (mut value, mut rest) = (value, rest);
    loop {
        match (value, rest.split_first()) {
            (Some(RawBsonRef::Array(array)), next) => {
                let place = next.and_then(|(part, after)| Some((part.index?, after)));
                match place.and_then(|(i, after)| Some((elements(array).nth(i)?, after))) {
                    Some((element, after)) => (value, rest) = (Some(element), after),
                    None => return Reached::Array { array, rest },
                }
            }
            (Some(RawBsonRef::Document(document)), Some((part, after))) => {
                (value, rest) = (field(document, &part.name), after);
            }
            (_, Some(_)) => return Reached::Value(None),
            (value, None) => return Reached::Value(value),
        }
    }
}

fn parse_direction(path: &str, direction: &Bson) -> Result<bool> {
    match number(direction).and_then(Number::to_integer) {
        Some(1) => Ok(false),
        Some(-1) => Ok(true),
        _ => Err(Error::query(format!("the sort direction of '{path}' is neither 1 nor -1"))),
    }
}

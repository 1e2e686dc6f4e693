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
        let paths = self.keys.iter().map(|(path, _)| path.parts());
        let components = paths.map(|rest| Component { rest, value: None, place: None }).collect();
        let mut keys = Keys { sort: self, least: None, count: 0 };
        keys.collect(Some(document), components)?;
        Ok(keys.least.unwrap_or_default())
    }
}

fn parse_direction(path: &str, direction: &Bson) -> Result<bool> {
    match number(direction).and_then(Number::to_integer) {
        Some(1) => Ok(false),
        Some(-1) => Ok(true),
        _ => Err(Error::query(format!("the sort direction of '{path}' is neither 1 nor -1"))),
    }
}

/// One component of a sort key while arrays are taken apart.
#[derive(Clone, Copy)]
struct Component<'a, 'p> {
    /// What of the path is still to be followed.
    rest: &'p [Part],
    /// What the component is once nothing is left to follow; `None` is null.
    value: Option<RawBsonRef<'a>>,
    /// Where the path leads if it names a place in the array being taken apart.
    place: Option<Place<'a, 'p>>,
}

/// What a path leads to through the place in an array that it names.
#[derive(Clone, Copy)]
struct Place<'a, 'p> {
    holds_array: bool,
    value: Option<RawBsonRef<'a>>,
    rest: &'p [Part],
}

/// The least of the sort keys of one document.
struct Keys<'s> {
    sort: &'s Sort,
    least: Option<SortKey>,
    count: usize,
}

impl Keys<'_> {
    /// Makes the keys of a document, those of every element of the one array that the components
    /// meet: as MongoDB makes the keys of an index.
    fn collect<'a>(
        &mut self,
        document: Option<&'a RawDocument>,
        mut components: Vec<Component<'a, '_>>,
    ) -> Result<()> {
        let mut common: Option<&'a RawArray> = None;
        let mut in_array = vec![false; components.len()];
        let mut by_element = true;
        for (component, in_array) in components.iter_mut().zip(&mut in_array) {
            if component.rest.is_empty() {
                continue;
            }
            by_element &= component.follow(document)?;
            if let Some(RawBsonRef::Array(array)) = component.value {
                let same = |known: &RawArray| std::ptr::eq(known.as_bytes(), array.as_bytes());
                if !common.is_none_or(same) {
                    return Err(Error::query("a sort over two arrays of one document"));
                }
                common = Some(array);
                *in_array = true;
            }
        }
        let Some(array) = common else { return self.offer(&components) };
        let is_empty = elements(array).next().is_none();
        for component in components.iter_mut().filter(|c| !c.rest.is_empty()) {
            component.place = Place::find(array, component.rest);
        }
        let within = |element: RawBsonRef<'a>| {
            let mut components = components.clone();
            for (component, in_array) in components.iter_mut().zip(&in_array) {
                if *in_array && component.rest.is_empty() {
                    let whole = RawBsonRef::Array(array);
                    component.value = Some(if by_element || is_empty { element } else { whole });
                }
            }
            components
        };
        if is_empty {
            return self.collect(None, within(RawBsonRef::Undefined));
        }
        elements(array).try_for_each(|element| self.collect(element.as_document(), within(element)))
    }

    fn offer(&mut self, components: &[Component<'_, '_>]) -> Result<()> {
        self.count += 1;
        if self.count > KEYS_PER_DOCUMENT_MAX {
            return Err(Error::query(format!(
                "a sort over arrays of more than {KEYS_PER_DOCUMENT_MAX} elements"
            )));
        }
        let mut key = SortKey::new();
        for (component, (_, descending)) in components.iter().zip(&self.sort.keys) {
            let start = key.len();
            match component.value {
                Some(value) => encode_key(&mut key, value),
                None => key.extend(KEY_MISSING),
            }
            if *descending {
                invert(&mut key[start..]);
            }
        }
        if self.least.as_ref().is_none_or(|least| key < *least) {
            self.least = Some(key);
        }
        Ok(())
    }
}

impl<'a> Component<'a, '_> {
    /// Goes on to the end of the path or the next array. Returns whether an array at the end is to
    /// be taken apart: not so one that lies directly in an array.
    fn follow(&mut self, document: Option<&'a RawDocument>) -> Result<bool> {
        let first = self.rest.first().map_or("", |part| part.name.as_str());
        let named = document.is_some_and(|document| field(document, first).is_some());
        match (self.place.take(), document) {
            (Some(_), _) if named => Err(Error::query(format!(
                "a sort by '{first}', which is both a place in an array and a key in its elements"
            ))),
            (Some(place), _) => {
                (self.value, self.rest) = (place.value, place.rest);
                Ok(!place.holds_array)
            }
            (None, Some(document)) if named => {
                (self.value, self.rest) = along(document, self.rest);
                Ok(true)
            }
            _ => {
                (self.value, self.rest) = (None, &[]);
                Ok(true)
            }
        }
    }
}

impl<'a, 'p> Place<'a, 'p> {
    fn find(array: &'a RawArray, rest: &'p [Part]) -> Option<Self> {
        let (part, after) = rest.split_first()?;
        let element = elements(array).nth(part.index?)?;
        let (value, rest) = match element {
            RawBsonRef::Document(document) if !after.is_empty() => along(document, after),
            RawBsonRef::Array(_) => (Some(element), after),
            _ if after.is_empty() => (Some(element), after),
            _ => (None, &[][..]),
        };
        Some(Self { holds_array: matches!(element, RawBsonRef::Array(_)), value, rest })
    }
}

/// The value at the end of a path or the first array along it, and what is left of the path then.
fn along<'a, 'p>(
    mut document: &'a RawDocument,
    path: &'p [Part],
) -> (Option<RawBsonRef<'a>>, &'p [Part]) {
    let mut path = path;
    while let Some((part, rest)) = path.split_first() {
        match field(document, &part.name) {
            Some(array @ RawBsonRef::Array(_)) => return (Some(array), rest),
            Some(value) if rest.is_empty() => return (Some(value), rest),
            Some(RawBsonRef::Document(inner)) => (document, path) = (inner, rest),
            _ => break,
        }
    }
    (None, &[])
}

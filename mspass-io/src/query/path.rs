//! Dotted paths: what a path leads to in a document, arrays taken apart as MongoDB does.

use bson::raw::{RawArray, RawBsonRef, RawDocument};

/// A dotted path such as `site.0.lat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Path {
    text: String,
    parts: Vec<Part>,
}

/// What stands between two dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) name: String,
    /// The place in an array that the part names, if it can.
    pub(crate) index: Option<usize>,
}

/// What an array at the end of a path gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    /// Its elements, then itself.
    Elements,
    /// Itself only.
    Whole,
}

impl Path {
    pub(crate) fn parse(text: &str) -> Self {
        let parts = text.split('.').map(Part::parse).collect();
        Self { text: text.to_owned(), parts }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether `test` accepts any of the values that the path leads to; a place where the path
    /// ends early counts as a missing value (`None`).
    pub(crate) fn any(
        &self,
        document: &RawDocument,
        leaf: Leaf,
        test: &mut dyn FnMut(Option<RawBsonRef<'_>>) -> bool,
    ) -> bool {
        any_in_document(document, &self.parts, leaf, test)
    }
}

impl Part {
    pub(crate) fn parse(name: &str) -> Self {
        let canonical = name == "0" || !name.starts_with('0');
        let digits = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
        let index = if digits && canonical { name.parse().ok() } else { None };
        Self { name: name.to_owned(), index }
    }
}

/// The value of a key; only this one value is decoded.
pub(crate) fn field<'a>(document: &'a RawDocument, key: &str) -> Option<RawBsonRef<'a>> {
    document
        .iter_elements()
        .map_while(Result::ok)
        .find(|element| element.key().as_str() == key)
        .and_then(|element| element.value().ok())
}

/// The array's elements; a damaged one ends it.
pub(crate) fn elements(array: &RawArray) -> impl Iterator<Item = RawBsonRef<'_>> {
    array.into_iter().map_while(Result::ok)
}

/// The array as the document that BSON stores it as, keys "0", "1", ...
pub(crate) fn array_document(array: &RawArray) -> Option<&RawDocument> {
    RawDocument::from_bytes(array.as_bytes()).ok()
}

type Test<'t> = dyn FnMut(Option<RawBsonRef<'_>>) -> bool + 't;

fn any_in_document(
    document: &RawDocument,
    parts: &[Part],
    leaf: Leaf,
    test: &mut Test<'_>,
) -> bool {
    let mut document = document;
    for (i, part) in parts.iter().enumerate() {
        let rest = &parts[i + 1..];
        match field(document, &part.name) {
            None => return test(None),
            Some(RawBsonRef::Array(array)) => return any_in_array(array, rest, leaf, test),
            Some(value) if rest.is_empty() => return test(Some(value)),
            Some(RawBsonRef::Document(inner)) => document = inner,
            Some(_) => return test(None),
        }
    }
    false
}

fn any_in_array(array: &RawArray, rest: &[Part], leaf: Leaf, test: &mut Test<'_>) -> bool {
    let Some((next, after)) = rest.split_first() else {
        return (leaf == Leaf::Elements && elements(array).any(|e| test(Some(e))))
            || test(Some(RawBsonRef::Array(array)));
    };
    for (i, element) in elements(array).enumerate() {
        let named = next.index == Some(i);
        let found = match element {
            RawBsonRef::Document(inner) => {
                any_in_document(inner, rest, leaf, test)
                    || (named && after.is_empty() && test(Some(element)))
                    || (named && !after.is_empty() && any_in_document(inner, after, leaf, test))
            }
            _ if named && after.is_empty() => test(Some(element)),
            RawBsonRef::Array(inner) if named => any_in_array(inner, after, leaf, test),
            _ => false,
        };
        if found {
            return true;
        }
    }
    false
}

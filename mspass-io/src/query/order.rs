//! BSON comparison order.

use std::cmp::Ordering;

use bson::raw::{RawArray, RawBsonRef, RawDocument, RawDocumentBuf};
use bson::spec::BinarySubtype;

use super::number::{self, Number};

/// Types that compare with each other, in ascending order (MongoDB's type brackets).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Bracket {
    MinKey = 1,
    /// Undefined; also what a missing value counts as in a filter.
    Undefined,
    Null,
    Number,
    /// String and Symbol.
    String,
    Document,
    Array,
    Binary,
    ObjectId,
    Boolean,
    DateTime,
    Timestamp,
    Regex,
    DbPointer,
    Code,
    CodeWithScope,
    MaxKey,
}

impl Bracket {
    pub(crate) fn of(value: RawBsonRef<'_>) -> Self {
        match value {
            RawBsonRef::MinKey => Self::MinKey,
            RawBsonRef::Undefined => Self::Undefined,
            RawBsonRef::Null => Self::Null,
            RawBsonRef::Double(_)
            | RawBsonRef::Int32(_)
            | RawBsonRef::Int64(_)
            | RawBsonRef::Decimal128(_) => Self::Number,
            RawBsonRef::String(_) | RawBsonRef::Symbol(_) => Self::String,
            RawBsonRef::Document(_) => Self::Document,
            RawBsonRef::Array(_) => Self::Array,
            RawBsonRef::Binary(_) => Self::Binary,
            RawBsonRef::ObjectId(_) => Self::ObjectId,
            RawBsonRef::Boolean(_) => Self::Boolean,
            RawBsonRef::DateTime(_) => Self::DateTime,
            RawBsonRef::Timestamp(_) => Self::Timestamp,
            RawBsonRef::RegularExpression(_) => Self::Regex,
            RawBsonRef::DbPointer(_) => Self::DbPointer,
            RawBsonRef::JavaScriptCode(_) => Self::Code,
            RawBsonRef::JavaScriptCodeWithScope(_) => Self::CodeWithScope,
            RawBsonRef::MaxKey => Self::MaxKey,
        }
    }
}

/// Compares two values in BSON order.
///
/// Numbers compare by value across their types, without rounding, NaN below all others; documents
/// compare element by element: type, then key, then value.
pub fn compare(a: RawBsonRef<'_>, b: RawBsonRef<'_>) -> Ordering {
    use RawBsonRef as V;
    match (a, b) {
        (V::String(a) | V::Symbol(a), V::String(b) | V::Symbol(b)) => {
            a.as_bytes().cmp(b.as_bytes())
        }
        (V::Document(a), V::Document(b)) => compare_documents(a, b),
        (V::Array(a), V::Array(b)) => compare_arrays(a, b),
        (V::Binary(a), V::Binary(b)) => {
            let shape = |x: bson::raw::RawBinaryRef<'_>| (binary_length(x), u8::from(x.subtype));
            shape(a).cmp(&shape(b)).then_with(|| a.bytes.cmp(b.bytes))
        }
        (V::ObjectId(a), V::ObjectId(b)) => a.bytes().cmp(&b.bytes()),
        (V::Boolean(a), V::Boolean(b)) => a.cmp(&b),
        (V::DateTime(a), V::DateTime(b)) => a.timestamp_millis().cmp(&b.timestamp_millis()),
        (V::Timestamp(a), V::Timestamp(b)) => (a.time, a.increment).cmp(&(b.time, b.increment)),
        (V::RegularExpression(a), V::RegularExpression(b)) => (a.pattern.as_str())
            .cmp(b.pattern.as_str())
            .then_with(|| a.options.as_str().cmp(b.options.as_str())),
        (V::DbPointer(_), V::DbPointer(_)) => {
            let (a, b) = (value_bytes(a), value_bytes(b));
            a.len().cmp(&b.len()).then_with(|| a.cmp(&b))
        }
        (V::JavaScriptCode(a), V::JavaScriptCode(b)) => a.as_bytes().cmp(b.as_bytes()),
        (V::JavaScriptCodeWithScope(a), V::JavaScriptCodeWithScope(b)) => (a.code.as_bytes())
            .cmp(b.code.as_bytes())
            .then_with(|| compare_documents(a.scope, b.scope)),
        _ => match (Number::of(a), Number::of(b)) {
            (Some(a), Some(b)) => number::compare(a, b),
            _ => Bracket::of(a).cmp(&Bracket::of(b)),
        },
    }
}

/// Bytes after the length field, as BSON counts them: subtype 2 has a second length inside.
pub(crate) fn binary_length(binary: bson::raw::RawBinaryRef<'_>) -> usize {
    let inner = if binary.subtype == BinarySubtype::BinaryOld { 4 } else { 0 };
    binary.bytes.len() + inner
}

/// The bytes of a value as they stand in a document (for the types whose parts are private).
pub(crate) fn value_bytes(value: RawBsonRef<'_>) -> Vec<u8> {
    let mut document = RawDocumentBuf::new();
    document.append(bson::raw::cstr!(""), value);
    let mut bytes = document.into_bytes();
    bytes.pop(); // end of the document
    bytes.drain(..6.min(bytes.len())); // its length, the type and the empty key
    bytes
}

pub(crate) fn compare_documents(a: &RawDocument, b: &RawDocument) -> Ordering {
    let (mut a, mut b) = (a.iter_elements(), b.iter_elements());
    loop {
        let (x, y) = match (a.next(), b.next()) {
            (Some(Ok(x)), Some(Ok(y))) => (x, y),
            (x, y) => return x.is_some_and(|x| x.is_ok()).cmp(&y.is_some_and(|y| y.is_ok())),
        };
        let (Ok(value_x), Ok(value_y)) = (x.value(), y.value()) else { return Ordering::Equal };
        let order = (Bracket::of(value_x).cmp(&Bracket::of(value_y)))
            .then_with(|| x.key().as_str().as_bytes().cmp(y.key().as_str().as_bytes()))
            .then_with(|| compare(value_x, value_y));
        if order.is_ne() {
            return order;
        }
    }
}

fn compare_arrays(a: &RawArray, b: &RawArray) -> Ordering {
    let (mut a, mut b) = (a.into_iter(), b.into_iter());
    loop {
        match (a.next(), b.next()) {
            (Some(Ok(x)), Some(Ok(y))) => {
                let order = compare(x, y);
                if order.is_ne() {
                    return order;
                }
            }
            (x, y) => return x.is_some_and(|x| x.is_ok()).cmp(&y.is_some_and(|y| y.is_ok())),
        }
    }
}

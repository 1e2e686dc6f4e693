//! Applying a compiled update to one document.

use std::cmp::Ordering;

use bson::raw::{RawBson, RawDocumentBuf, cstr};
use bson::{Array, Bson, Document};

use super::{Operation, Pull, join, refuse};
use crate::error::{Error, Result};
use crate::query::filter::{number, raw};
use crate::query::matcher::Matcher;
use crate::query::number::Number;
use crate::query::order::compare;
use crate::query::path::Part;

/// Places that an update may add to an array at once; MongoDB's own limit.
const ARRAY_PADDING_MAX: usize = 1_500_000;

/// What becomes of the value at a path.
enum Change {
    Keep(Option<Bson>),
    Put(Bson),
    Remove,
}

pub(super) fn apply(steps: &[(Vec<Part>, Operation)], document: &mut Document) -> Result<bool> {
    let id = document.get("_id").cloned();
    let mut root = Bson::Document(std::mem::take(document));
    let mut changed = false;
    for (parts, operation) in steps {
        changed |= match operation {
            Operation::Nothing => false,
            Operation::RenameFrom(from) => rename(&mut root, from, parts)?,
            _ => modify(&mut root, parts, operation)?,
        };
    }
    if let Bson::Document(root) = root {
        *document = root;
    }
    let same = match (&id, document.get("_id")) {
        (Some(before), Some(after)) => {
            before.element_type() == after.element_type() && is_equal(before, after)?
        }
        (None, None) => true,
        _ => false,
    };
    if !same {
        return refuse("an update cannot change the _id of a document");
    }
    Ok(changed)
}

fn is_equal(a: &Bson, b: &Bson) -> Result<bool> {
    Ok(order(a, b)?.is_eq())
}

fn order(a: &Bson, b: &Bson) -> Result<Ordering> {
    Ok(compare(raw(a)?.as_raw_bson_ref(), raw(b)?.as_raw_bson_ref()))
}

/// Moves the value at `from` to `to`.
fn rename(root: &mut Bson, from: &[Part], to: &[Part]) -> Result<bool> {
    let mut value = &*root;
    let mut through_array = false;
    for part in from {
        let inner = match value {
            Bson::Document(document) => document.get(&part.name),
            Bson::Array(array) => {
                through_array = true;
                let Some(index) = part.index else { return blocked(true, from) };
                array.get(index)
            }
            _ => return blocked(true, from),
        };
        let Some(inner) = inner else { return Ok(false) };
        value = inner;
    }
    if through_array {
        return refuse(format!("$rename of '{}' out of an array", join(from)));
    }
    let value = value.clone();
    let mut target = &*root;
    for part in to {
        match target {
            Bson::Document(document) => match document.get(&part.name) {
                Some(inner) => target = inner,
                None => break,
            },
            Bson::Array(_) => return refuse(format!("$rename to '{}' in an array", join(to))),
            _ => break,
        }
    }
    modify(root, to, &Operation::Set(value))?;
    modify(root, from, &Operation::Unset)?;
    Ok(true)
}

/// Applies one operation at a path, making the documents on the way where it needs them.
fn modify(root: &mut Bson, parts: &[Part], operation: &Operation) -> Result<bool> {
    let creates =
        !matches!(operation, Operation::Unset | Operation::Pull(_) | Operation::Pop { .. });
    let needs_way = creates || !matches!(operation, Operation::Unset);
    let Some((last, way)) = parts.split_last() else { return Ok(false) };
    let mut container = root;
    for part in way {
        let empty = || Bson::Document(Document::new());
        container = match container {
            Bson::Document(document) => {
                if !document.contains_key(&part.name) {
                    if !creates {
                        return Ok(false);
                    }
                    document.insert(part.name.as_str(), empty());
                }
                document.get_mut(&part.name).expect("present or inserted above")
            }
            Bson::Array(array) => {
                let Some(index) = part.index else { return blocked(needs_way, parts) };
                if index >= array.len() {
                    if !creates {
                        return Ok(false);
                    }
                    pad(array, index, empty())?;
                }
                &mut array[index]
            }
            _ => return blocked(needs_way, parts),
        };
    }
    match container {
        Bson::Document(document) => {
            let before = document.get_mut(&last.name).map(|v| std::mem::replace(v, Bson::Null));
            match operation.change(before, parts)? {
                Change::Keep(Some(value)) => {
                    document.insert(last.name.as_str(), value);
                    Ok(false)
                }
                Change::Keep(None) => Ok(false),
                Change::Put(value) => {
                    document.insert(last.name.as_str(), value);
                    Ok(true)
                }
                Change::Remove => Ok(document.remove(&last.name).is_some()),
            }
        }
        Bson::Array(array) => {
            let Some(index) = last.index else { return blocked(needs_way, parts) };
            let before = array.get_mut(index).map(|v| std::mem::replace(v, Bson::Null));
            let existed = before.is_some();
            match operation.change(before, parts)? {
                Change::Keep(None) => return Ok(false),
                Change::Keep(Some(value)) => {
                    array[index] = value;
                    return Ok(false);
                }
                Change::Put(value) if existed => array[index] = value,
                Change::Put(value) => pad(array, index, value)?,
                Change::Remove => {} // an element that is unset becomes null
            }
            Ok(true)
        }
        _ => blocked(needs_way, parts),
    }
}

/// A value that is neither document nor array, or a name in an array, bars the way.
fn blocked(needs_way: bool, parts: &[Part]) -> Result<bool> {
    if needs_way {
        return refuse(format!("'{}' leads through a value that has no keys", join(parts)));
    }
    Ok(false)
}

fn pad(array: &mut Array, index: usize, value: Bson) -> Result<()> {
    if index - array.len() > ARRAY_PADDING_MAX {
        return refuse(format!("an update adds more than {ARRAY_PADDING_MAX} array places"));
    }
    array.resize(index, Bson::Null);
    array.push(value);
    Ok(())
}

impl Operation {
    fn change(&self, before: Option<Bson>, path: &[Part]) -> Result<Change> {
        match self {
            Self::Set(value) => Ok(match before {
                Some(before) if before == *value => Change::Keep(Some(before)),
                _ => Change::Put(value.clone()),
            }),
            Self::Unset => Ok(before.map_or(Change::Keep(None), |_| Change::Remove)),
            Self::Inc(by) => match before {
                None => Ok(Change::Put(by.clone())),
                Some(before) => calculate(&before, by, i64::checked_add, |a, b| a + b, path),
            },
            Self::Mul(by) => {
                let zero = match by {
                    Bson::Double(by) => Bson::Double(by * 0.0),
                    Bson::Int64(_) => Bson::Int64(0),
                    _ => Bson::Int32(0),
                };
                match before {
                    None => Ok(Change::Put(zero)),
                    Some(before) => calculate(&before, by, i64::checked_mul, |a, b| a * b, path),
                }
            }
            Self::Min(limit) => bound(before, limit, Ordering::Less),
            Self::Max(limit) => bound(before, limit, Ordering::Greater),
            Self::Push { values, position, slice } => {
                let array = array_of(before, path)?.unwrap_or_default();
                Ok(Change::Put(Bson::Array(push(array, values, *position, *slice))))
            }
            Self::AddToSet(values) => add_to_set(array_of(before, path)?, values),
            Self::Pull(pull) => match array_of(before, path)? {
                None => Ok(Change::Keep(None)),
                Some(array) => pull.apply(array),
            },
            Self::Pop { first } => Ok(match array_of(before, path)? {
                None => Change::Keep(None),
                Some(array) if array.is_empty() => Change::Keep(Some(Bson::Array(array))),
                Some(mut array) => {
                    drop(if *first { Some(array.remove(0)) } else { array.pop() });
                    Change::Put(Bson::Array(array))
                }
            }),
            Self::RenameFrom(_) | Self::Nothing => Ok(Change::Keep(before)),
        }
    }
}

fn array_of(value: Option<Bson>, path: &[Part]) -> Result<Option<Array>> {
    match value {
        None => Ok(None),
        Some(Bson::Array(array)) => Ok(Some(array)),
        Some(_) => refuse(format!("'{}' is not an array", join(path))),
    }
}

fn bound(before: Option<Bson>, limit: &Bson, replaces: Ordering) -> Result<Change> {
    Ok(match before {
        Some(before) if order(limit, &before)? != replaces => Change::Keep(Some(before)),
        _ => Change::Put(limit.clone()),
    })
}

/// Integers stay integers, widened where the result needs it; with a double the result is one.
fn calculate(
    before: &Bson,
    by: &Bson,
    integers: fn(i64, i64) -> Option<i64>,
    doubles: fn(f64, f64) -> f64,
    path: &[Part],
) -> Result<Change> {
    let wide = |path| Error::query(format!("'{}' outgrows 64 bits", join(path)));
    let after = match (number(before), number(by)) {
        (Some(Number::Int(a)), Some(Number::Int(b))) => {
            let result = integers(a, b).ok_or_else(|| wide(path))?;
            let narrow = matches!((before, by), (Bson::Int32(_), Bson::Int32(_)));
            match i32::try_from(result) {
                Ok(result) if narrow => Bson::Int32(result),
                _ => Bson::Int64(result),
            }
        }
        (Some(Number::Decimal(_)), _) => {
            return refuse(format!("'{}' is a Decimal128, which is not computed with", join(path)));
        }
        (Some(a), Some(b)) => Bson::Double(doubles(a.to_f64(), b.to_f64())),
        _ => return refuse(format!("'{}' is not a number", join(path))),
    };
    Ok(Change::Put(after))
}

fn push(mut array: Array, values: &[Bson], position: Option<i64>, slice: Option<i64>) -> Array {
    let length = array.len();
    let at = match position {
        None => length,
        Some(n) if n >= 0 => length.min(n as usize),
        Some(n) => length.saturating_sub(n.unsigned_abs() as usize),
    };
    array.splice(at..at, values.iter().cloned());
    match slice {
        None => {}
        Some(n) if n >= 0 => array.truncate(n as usize),
        Some(n) => drop(array.drain(..array.len().saturating_sub(n.unsigned_abs() as usize))),
    }
    array
}

fn add_to_set(before: Option<Array>, values: &[Bson]) -> Result<Change> {
    let existed = before.is_some();
    let mut array = before.unwrap_or_default();
    let length = array.len();
    for value in values {
        let mut known = false;
        for element in &array {
            known = known || is_equal(element, value)?;
        }
        if !known {
            array.push(value.clone());
        }
    }
    if existed && array.len() == length {
        return Ok(Change::Keep(Some(Bson::Array(array))));
    }
    Ok(Change::Put(Bson::Array(array)))
}

impl Pull {
    fn apply(&self, array: Array) -> Result<Change> {
        let length = array.len();
        let mut kept = Array::with_capacity(length);
        for element in array {
            if !self.takes(&element)? {
                kept.push(element);
            }
        }
        if kept.len() == length {
            return Ok(Change::Keep(Some(Bson::Array(kept))));
        }
        Ok(Change::Put(Bson::Array(kept)))
    }

    fn takes(&self, element: &Bson) -> Result<bool> {
        let matches = |matcher: &Matcher, document: &RawDocumentBuf| matcher.matches(document);
        match self {
            Self::Equal(value) => is_equal(element, value),
            Self::Document(matcher) => match raw(element)? {
                RawBson::Document(document) => Ok(matches(matcher, &document)),
                _ => Ok(false),
            },
            Self::Value(matcher) => {
                let mut wrapped = RawDocumentBuf::new();
                wrapped.append(cstr!(""), raw(element)?);
                Ok(matches(matcher, &wrapped))
            }
        }
    }
}

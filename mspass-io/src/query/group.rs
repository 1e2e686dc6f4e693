//! Grouping documents and computing aggregates over each group.

use std::collections::BTreeMap;

use bson::raw::{RawArray, RawBsonRef, RawDocument};
use bson::{Array, Bson, Document};

use super::filter::raw;
use super::key::encode_key;
use super::number::{self, Number};
use super::path::{Part, Path, elements, field};
use crate::error::{Error, Result};
use crate::store::Aggregate;

/// Groups that one call may give at most, so that its answer stays in memory.
const GROUPS_MAX: usize = 1_000_000;

/// Documents grouped by the values at some paths, with aggregates over each group.
///
/// Arrays on the way to a value give the array of what is found in their elements, as in MongoDB's
/// `$group`; a missing key counts as null. Decimal128 numbers are added as the
/// nearest doubles.
#[derive(Debug)]
pub struct Grouping {
    keys: Vec<(String, Path)>,
    aggregates: Vec<(String, Aggregate, Path)>,
    groups: BTreeMap<Vec<u8>, Group>,
}

#[derive(Debug)]
struct Group {
    id: Document,
    states: Vec<State>,
}

#[derive(Clone, Debug)]
enum State {
    Sum(Sum),
    Count(i64),
    Extreme(Option<(Vec<u8>, Bson)>),
    Average(Sum, u64),
}

/// A sum that keeps integers exact and doubles to twice their precision.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    whole: i128,
    high: f64,
    low: f64,
    /// 0 for int, 1 for long, 2 for double: the widest type met.
    width: u8,
}

impl Grouping {
    /// Nothing grouped yet. Dots in a key become `_` in the `_id` of the groups.
    pub fn new(keys: &[&str], aggregates: &[(&str, Aggregate, &str)]) -> Result<Self> {
        let name_of = |key: &&str| (key.replace('.', "_"), Path::parse(key));
        for (name, _, _) in aggregates {
            if *name == "_id" || name.is_empty() || name.contains('.') || name.starts_with('$') {
                return Err(Error::query(format!("no aggregate can be named '{name}'")));
            }
        }
        Ok(Self {
            keys: keys.iter().map(name_of).collect(),
            aggregates: aggregates
                .iter()
                .map(|(name, aggregate, path)| ((*name).to_owned(), *aggregate, Path::parse(path)))
                .collect(),
            groups: BTreeMap::new(),
        })
    }

    /// Takes one document into its group.
    pub fn add(&mut self, document: &RawDocument) -> Result<()> {
        let mut id = Document::new();
        for (name, path) in &self.keys {
            let value = value_at(document, path.parts())?;
            id.insert(name.as_str(), value.unwrap_or(Bson::Null));
        }
        let mut key = Vec::new();
        encode_key(&mut key, raw(&Bson::Document(id.clone()))?.as_raw_bson_ref());
        if self.groups.len() >= GROUPS_MAX && !self.groups.contains_key(&key) {
            return Err(Error::query(format!("more than {GROUPS_MAX} groups")));
        }
        let group = self.groups.entry(key).or_insert_with(|| Group {
            id,
            states: self
                .aggregates
                .iter()
                .map(|(_, aggregate, _)| State::new(*aggregate))
                .collect(),
        });
        for (state, (_, aggregate, path)) in group.states.iter_mut().zip(&self.aggregates) {
            let value = match aggregate {
                Aggregate::Count => None,
                _ => value_at(document, path.parts())?,
            };
            state.add(*aggregate, value)?;
        }
        Ok(())
    }

    /// `{_id: {key: value, ...}, name: value, ...}` of each group, sorted by `_id`.
    pub fn finish(self) -> Vec<Document> {
        let document = |group: Group| {
            let mut out = Document::new();
            out.insert("_id", group.id);
            for ((name, _, _), state) in self.aggregates.iter().zip(group.states) {
                out.insert(name.as_str(), state.finish());
            }
            out
        };
        self.groups.into_values().map(document).collect()
    }
}

impl State {
    fn new(aggregate: Aggregate) -> Self {
        match aggregate {
            Aggregate::Sum => Self::Sum(Sum::default()),
            Aggregate::Count => Self::Count(0),
            Aggregate::Min | Aggregate::Max => Self::Extreme(None),
            Aggregate::Avg => Self::Average(Sum::default(), 0),
        }
    }

    fn add(&mut self, aggregate: Aggregate, value: Option<Bson>) -> Result<()> {
        match self {
            Self::Sum(sum) => {
                sum.add(value.as_ref());
            }
            Self::Average(sum, count) => *count += u64::from(sum.add(value.as_ref())),
            Self::Count(count) => *count += 1,
            Self::Extreme(extreme) => {
                let Some(value) = value.filter(|v| !matches!(v, Bson::Null | Bson::Undefined))
                else {
                    return Ok(());
                };
                let mut key = Vec::new();
                encode_key(&mut key, raw(&value)?.as_raw_bson_ref());
                let replaces = extreme.as_ref().is_none_or(|(other, _)| match aggregate {
                    Aggregate::Min => key < *other,
                    _ => key > *other,
                });
                if replaces {
                    *extreme = Some((key, value));
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Bson {
        match self {
            Self::Sum(sum) => sum.finish(),
            Self::Count(count) => integer(count, 0),
            Self::Extreme(extreme) => extreme.map_or(Bson::Null, |(_, value)| value),
            Self::Average(_, 0) => Bson::Null,
            Self::Average(sum, count) => Bson::Double(sum.to_f64() / count as f64),
        }
    }
}

/// An integer in the smallest of the types int and long that is not below `width`.
fn integer(n: i64, width: u8) -> Bson {
    match i32::try_from(n) {
        Ok(n) if width == 0 => Bson::Int32(n),
        _ => Bson::Int64(n),
    }
}

impl Sum {
    /// Adds a number; anything else is passed over. Returns whether it was one.
    fn add(&mut self, value: Option<&Bson>) -> bool {
        match value {
            Some(Bson::Int32(n)) => self.whole += i128::from(*n),
            Some(Bson::Int64(n)) => {
                self.whole += i128::from(*n);
                self.width = self.width.max(1);
            }
            Some(Bson::Double(x)) => self.add_double(*x),
            Some(Bson::Decimal128(d)) => match Number::of(RawBsonRef::Decimal128(*d)) {
                Some(number) => self.add_double(number::Number::to_f64(number)),
                None => return false,
            },
            _ => return false,
        }
        true
    }

    /// Knuth's exact two-term addition keeps the rounding error of each step.
    fn add_double(&mut self, x: f64) {
        self.width = 2;
        let sum = self.high + x;
        let part = sum - x;
        self.low += (self.high - part) + (x - (sum - part));
        self.high = sum;
    }

    fn to_f64(self) -> f64 {
        let mut sum = self;
        // An i128 as three doubles, none of which is rounded.
        let (top, middle) = (self.whole >> 64, (self.whole >> 32) & 0xffff_ffff);
        let mut add = |x: f64| {
            if x != 0.0 {
                sum.add_double(x);
            }
        };
        add(top as f64 * 18_446_744_073_709_551_616.0);
        add(middle as f64 * 4_294_967_296.0);
        add((self.whole & 0xffff_ffff) as f64);
        let total = sum.high + sum.low;
        if total.is_nan() && !sum.high.is_nan() { sum.high } else { total }
    }

    fn finish(self) -> Bson {
        match i64::try_from(self.whole) {
            Ok(n) if self.width < 2 => integer(n, self.width),
            _ => Bson::Double(self.to_f64()),
        }
    }
}

/// The value at a path as an aggregation expression sees it: of an array, the array of what its
/// elements hold; places in arrays have no names.
fn value_at(document: &RawDocument, parts: &[Part]) -> Result<Option<Bson>> {
    let Some((part, rest)) = parts.split_first() else { return Ok(None) };
    match field(document, &part.name) {
        Some(value) if rest.is_empty() => Bson::try_from(value)
            .map(Some)
            .map_err(|e| Error::Format { format: "BSON", offset: 0, reason: e.to_string() }),
        Some(RawBsonRef::Document(inner)) => value_at(inner, rest),
        Some(RawBsonRef::Array(array)) => Ok(Some(Bson::Array(values_within(array, rest)?))),
        _ => Ok(None),
    }
}

fn values_within(array: &RawArray, rest: &[Part]) -> Result<Array> {
    let mut values = Array::new();
    for element in elements(array) {
        if let RawBsonRef::Document(inner) = element {
            values.extend(value_at(inner, rest)?);
        }
    }
    Ok(values)
}

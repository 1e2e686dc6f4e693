//! A compiled filter and how it tests a document.

use std::cmp::Ordering;

use bson::Document;
use bson::raw::{RawBson, RawBsonRef, RawDocument};
use bson::spec::ElementType;

use super::filter;
use super::number::Number;
use super::order::{Bracket, compare};
use super::path::{Leaf, Path, array_document, elements};
use super::pattern::Pattern;
use crate::error::Result;

/// A filter, parsed once and tested against many documents.
#[derive(Clone, Debug)]
pub struct Matcher {
    root: Node,
}

impl Matcher {
    /// Compiles a MongoDB filter; what it does not know is [`crate::Error::Query`].
    pub fn parse(filter: &Document) -> Result<Self> {
        Ok(Self { root: filter::parse(filter)? })
    }

    /// Whether the document matches.
    pub fn matches(&self, document: &RawDocument) -> bool {
        self.root.matches(document)
    }

    /// Whether every document matches.
    pub fn is_empty(&self) -> bool {
        matches!(&self.root, Node::And(nodes) if nodes.is_empty())
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }
}

/// A condition on a document.
#[derive(Clone, Debug)]
pub(crate) enum Node {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// Some value at the path passes the test.
    Field(Path, Test),
}

/// A condition on one value.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    Compare(Comparison, RawBson),
    /// One of the values, which are sorted; or one of the patterns.
    In {
        values: Vec<RawBson>,
        patterns: Vec<Pattern>,
    },
    Pattern(Pattern),
    /// Remainder of the division.
    Mod {
        divisor: i64,
        remainder: i64,
    },
    Exists,
    Type(Types),
    Size(i64),
    /// Some element that is a document matches.
    ElementObject(Box<Node>),
    /// Some element passes by itself.
    ElementValue(Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Greater,
    GreaterEqual,
    Less,
    LessEqual,
}

/// The types that `$type` names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Types {
    pub(crate) types: Vec<ElementType>,
    pub(crate) any_number: bool,
}

impl Node {
    fn matches(&self, document: &RawDocument) -> bool {
        match self {
            Self::And(nodes) => nodes.iter().all(|n| n.matches(document)),
            Self::Or(nodes) => nodes.iter().any(|n| n.matches(document)),
            Self::Not(node) => !node.matches(document),
            Self::Field(path, test) => {
                path.any(document, test.leaf(), &mut |value| test.accepts(value))
            }
        }
    }

    fn matches_value(&self, value: RawBsonRef<'_>) -> bool {
        match self {
            Self::And(nodes) => nodes.iter().all(|n| n.matches_value(value)),
            Self::Or(nodes) => nodes.iter().any(|n| n.matches_value(value)),
            Self::Not(node) => !node.matches_value(value),
            Self::Field(_, test) => test.accepts(Some(value)),
        }
    }
}

impl Test {
    fn leaf(&self) -> Leaf {
        match self {
            Self::Size(_) | Self::ElementObject(_) | Self::ElementValue(_) => Leaf::Whole,
            _ => Leaf::Elements,
        }
    }

    /// `None` is a missing value.
    fn accepts(&self, value: Option<RawBsonRef<'_>>) -> bool {
        if let Self::Compare(comparison, operand) = self {
            return comparison.accepts(value, operand.as_raw_bson_ref());
        }
        let Some(value) = value else {
            return matches!(self, Self::In { values, .. } if values.contains(&RawBson::Null));
        };
        match self {
            Self::Compare(..) => false,
            Self::In { values, patterns } => {
                values.binary_search_by(|v| compare(v.as_raw_bson_ref(), value)).is_ok()
                    || patterns.iter().any(|p| p.accepts(value))
                    || (value == RawBsonRef::Undefined && values.contains(&RawBson::Null))
            }
            Self::Pattern(pattern) => pattern.accepts(value),
            Self::Mod { divisor, remainder } => Number::of(value)
                .and_then(Number::truncate)
                .is_some_and(|n| n.wrapping_rem(*divisor) == *remainder),
            Self::Exists => true,
            Self::Type(types) => types.contain(value),
            Self::Size(size) => match value {
                RawBsonRef::Array(array) => elements(array).count() as i64 == *size,
                _ => false,
            },
            Self::ElementObject(node) => match value {
                RawBsonRef::Array(array) => elements(array).any(|element| match element {
                    RawBsonRef::Document(inner) => node.matches(inner),
                    RawBsonRef::Array(inner) => {
                        array_document(inner).is_some_and(|inner| node.matches(inner))
                    }
                    _ => false,
                }),
                _ => false,
            },
            Self::ElementValue(node) => match value {
                RawBsonRef::Array(array) => elements(array).any(|e| node.matches_value(e)),
                _ => false,
            },
        }
    }
}

impl Comparison {
    fn accepts(self, value: Option<RawBsonRef<'_>>, operand: RawBsonRef<'_>) -> bool {
        let bracket = value.map_or(Bracket::Undefined, Bracket::of);
        let wanted = Bracket::of(operand);
        if bracket != wanted {
            // Null stands for missing and undefined values; MinKey and MaxKey bound all types.
            return match wanted {
                Bracket::Null if bracket == Bracket::Undefined => self.includes_equal(),
                Bracket::MaxKey => matches!(self, Self::Less | Self::LessEqual),
                Bracket::MinKey => matches!(self, Self::Greater | Self::GreaterEqual),
                _ => false,
            };
        }
        let Some(value) = value else { return false };
        let is_nan = |v| Number::of(v).is_some_and(Number::is_nan);
        match (is_nan(value), is_nan(operand)) {
            (true, true) => return self.includes_equal(),
            (false, false) => {}
            _ => return false,
        }
        let order = compare(value, operand);
        match self {
            Self::Equal => order == Ordering::Equal,
            Self::Greater => order == Ordering::Greater,
            Self::GreaterEqual => order != Ordering::Less,
            Self::Less => order == Ordering::Less,
            Self::LessEqual => order != Ordering::Greater,
        }
    }

    fn includes_equal(self) -> bool {
        matches!(self, Self::Equal | Self::GreaterEqual | Self::LessEqual)
    }
}

impl Types {
    fn contain(&self, value: RawBsonRef<'_>) -> bool {
        (self.any_number && Bracket::of(value) == Bracket::Number)
            || self.types.contains(&value.element_type())
    }
}

//! Values given with a step.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::metadata::Value;

/// A header value given once for all data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Constant {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A real number.
    Double(f64),
    /// Text.
    Text(String),
}

impl Constant {
    pub(super) fn check(&self) -> Result<()> {
        match self {
            Self::Double(number) if !number.is_finite() => {
                Err(Error::parameter("value", number, "must be finite"))
            }
            _ => Ok(()),
        }
    }

    /// Whether `value` is below, at or above it; `None` where the two have no order: numbers have
    /// one with each other (NaN with none), texts likewise, and truths are equal or have none.
    pub(super) fn order(&self, value: &Value) -> Option<Ordering> {
        match (value, self) {
            (Value::Int(value), Self::Int(constant)) => Some(value.cmp(constant)),
            (Value::Int(value), Self::Double(constant)) => (*value as f64).partial_cmp(constant),
            (Value::Double(value), Self::Int(constant)) => value.partial_cmp(&(*constant as f64)),
            (Value::Double(value), Self::Double(constant)) => value.partial_cmp(constant),
            (Value::Text(value), Self::Text(constant)) => Some(value.cmp(constant)),
            (Value::Bool(value), Self::Bool(constant)) if value == constant => {
                Some(Ordering::Equal)
            }
            _ => None,
        }
    }
}

impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Double(value) => value.fmt(f),
            Self::Text(value) => write!(f, "'{value}'"),
        }
    }
}

impl From<&Constant> for Value {
    fn from(constant: &Constant) -> Self {
        match constant {
            Constant::Bool(value) => Self::Bool(*value),
            Constant::Int(value) => Self::Int(*value),
            Constant::Double(value) => Self::Double(*value),
            Constant::Text(value) => Self::Text(value.clone()),
        }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),*) => {$(
        impl From<$type> for Constant {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}
from!(bool => Bool, i64 => Int, i32 => Int, u32 => Int, f64 => Double, String => Text,
    &str => Text);

/// A header value in words, for reasons.
pub(super) fn words(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Text(value) => format!("'{value}'"),
        other => format!("a value of kind {}", other.kind()),
    }
}

//! The closed set of values that metadata holds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::history::DocumentId;

/// A value of [`Metadata`](super::Metadata).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Value {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A real number.
    Double(f64),
    /// Text.
    Text(String),
    /// Raw bytes.
    Bytes(Vec<u8>),
    /// The `_id` of a document.
    Id(DocumentId),
    /// Values in order.
    List(Vec<Value>),
    /// A subdocument.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// The kind of value, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Double(_) => "double",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::Id(_) => "id",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// Bytes this value takes beside its own size, for memory budgets.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.capacity(),
            Self::Bytes(bytes) => bytes.capacity(),
            Self::List(list) => {
                list.iter().map(|value| size_of::<Self>() + value.heap_bytes()).sum()
            }
            Self::Map(map) => map
                .iter()
                .map(|(key, value)| key.capacity() + size_of::<Self>() + value.heap_bytes())
                .sum(),
            _ => 0,
        }
    }
}

/// A Rust type that a [`Value`] can give exactly, used by [`Key`](super::Key)s.
pub(super) mod exact {
    /// The `i64` that equals `value` exactly.
    pub(crate) fn to_int(value: f64) -> Option<i64> {
        let whole = value.fract() == 0.0 && (-9.2e18..9.2e18).contains(&value);
        whole.then_some(value as i64)
    }

    /// The `f64` that equals `value` exactly.
    pub(crate) fn to_double(value: i64) -> Option<f64> {
        let double = value as f64;
        (to_int(double) == Some(value)).then_some(double)
    }
}

impl TryFrom<&Value> for f64 {
    type Error = ();
    fn try_from(value: &Value) -> Result<Self, ()> {
        match value {
            Value::Double(double) => Ok(*double),
            Value::Int(int) => exact::to_double(*int).ok_or(()),
            _ => Err(()),
        }
    }
}

impl TryFrom<&Value> for i64 {
    type Error = ();
    fn try_from(value: &Value) -> Result<Self, ()> {
        match value {
            Value::Int(int) => Ok(*int),
            Value::Double(double) => exact::to_int(*double).ok_or(()),
            _ => Err(()),
        }
    }
}

impl TryFrom<&Value> for bool {
    type Error = ();
    fn try_from(value: &Value) -> Result<Self, ()> {
        if let Value::Bool(value) = value { Ok(*value) } else { Err(()) }
    }
}

impl TryFrom<&Value> for String {
    type Error = ();
    fn try_from(value: &Value) -> Result<Self, ()> {
        if let Value::Text(text) = value { Ok(text.clone()) } else { Err(()) }
    }
}

impl TryFrom<&Value> for DocumentId {
    type Error = ();
    fn try_from(value: &Value) -> Result<Self, ()> {
        if let Value::Id(id) = value { Ok(*id) } else { Err(()) }
    }
}

macro_rules! from {
    ($($type:ty => $variant:ident),*) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}
from!(bool => Bool, i64 => Int, i32 => Int, u32 => Int, f64 => Double, String => Text, &str => Text,
    Vec<u8> => Bytes, DocumentId => Id, Vec<Value> => List, BTreeMap<String, Value> => Map);

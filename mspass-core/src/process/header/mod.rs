//! Tests of header values and arithmetic with them.
//!
//! A header value is what [`Datum::fact`](crate::Datum::fact) gives for a key: a structural fact
//! such as `npts`, else a metadata value. One that is null counts as missing.

mod arithmetic;
mod constant;
mod edit;
mod kill;

use crate::datum::Datum;
use crate::error::{Error, Result};
use crate::metadata::Value;

pub use arithmetic::{Operand, Operator};
pub use constant::Constant;
pub use edit::{Edit, HeaderEdit};
pub use kill::{HeaderTest, Interval, Is, Kill, Missing};

/// The value under a key; nothing where it is null.
fn fact(datum: &impl Datum, key: &str) -> Option<Value> {
    datum.fact(key).filter(|value| *value != Value::Null)
}

pub(super) fn missing(key: &str) -> Error {
    Error::unfit(format!("the header has no '{key}'"))
}

fn check_key(key: &str) -> Result<()> {
    if key.is_empty() {
        return Err(Error::parameter("key", "''", "must be the name of a header value"));
    }
    Ok(())
}

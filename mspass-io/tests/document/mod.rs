//! Compares what is read from a document with an entry of `expected.json`: counts, codes, times and
//! words exact, numbers within 1e-9 relative; an end beyond representable time may saturate.

use std::path::Path;

use mspass_core::UtcTime;
use serde_json::Value;

pub(crate) mod events;
pub(crate) mod stations;

/// The first difference between a document and what is due, as text.
pub(crate) type Check = fn(&Path, &Value) -> Result<(), String>;

pub(crate) fn ensure(holds: bool, reason: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(reason()) }
}

/// Compares one value with `due[key]`; a key that is missing is null.
pub(crate) struct At<'a> {
    pub(crate) due: &'a Value,
    pub(crate) place: String,
}

impl At<'_> {
    pub(crate) fn text(&self, key: &str, found: Option<&str>) -> Result<(), String> {
        let due = self.due[key].as_str();
        ensure(due == found, || format!("{} {key}: {found:?}, due {due:?}", self.place))
    }

    pub(crate) fn count(&self, key: &str, found: usize) -> Result<(), String> {
        let due = self.due[key].as_u64();
        let same = due == Some(found as u64);
        ensure(same, || format!("{} {key}: {found}, due {due:?}", self.place))
    }

    pub(crate) fn whole(&self, key: &str, found: Option<i64>) -> Result<(), String> {
        let due = self.due[key].as_i64();
        ensure(due == found, || format!("{} {key}: {found:?}, due {due:?}", self.place))
    }

    pub(crate) fn number(&self, key: &str, found: Option<f64>) -> Result<(), String> {
        let due = self.due[key].as_f64();
        let same = match (due, found) {
            (Some(due), Some(found)) => (due - found).abs() <= 1e-9 * due.abs(),
            (None, None) => true,
            _ => false,
        };
        ensure(same, || format!("{} {key}: {found:?}, due {due:?}", self.place))
    }

    pub(crate) fn time(&self, key: &str, found: Option<UtcTime>) -> Result<(), String> {
        let due = &self.due[key];
        let same = match (due.as_i64(), found) {
            (Some(due), Some(found)) => due == found.nanos(),
            (None, Some(found)) => due.is_number() && found == UtcTime::MAX,
            (due, None) => due.is_none() && !self.due[key].is_number(),
        };
        ensure(same, || format!("{} {key}: {found:?}, due {due}", self.place))
    }
}

/// The list under a key, which must be as long as what was found.
pub(crate) fn list<'a>(due: &'a Value, key: &str, found: usize) -> Result<&'a [Value], String> {
    let list = due[key].as_array().ok_or_else(|| format!("no {key} due"))?;
    ensure(list.len() == found, || format!("{found} {key}, due {}", list.len()))?;
    Ok(list)
}

//! When a document matches a subject.

use std::fmt::Write as _;

use bson::{Bson, Document, doc};
use serde::{Deserialize, Serialize};

use super::value;
use crate::db::fields::{as_number, number};

/// When a document matches a subject (a waveform's document).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Rule {
    /// The subject names it: its `<collection>_id`, or the key given here, equals `_id`.
    Id {
        /// Key of the subject; `None` for `<collection>_id`.
        key: Option<String>,
    },
    /// `net`, `sta`, `loc` and perhaps `chan` are equal, and the subject's `starttime` lies in the
    /// document's epoch. A location that is missing, blank or `--` is the empty one.
    Miniseed {
        /// Whether `chan` must be equal too.
        with_channel: bool,
    },
    /// Keys are equal: `(key of the subject, key of the document)`.
    Equality {
        /// All of them must be there and equal; numbers compare by value.
        keys: Vec<(String, String)>,
    },
    /// The document's `time` is nearest to the subject's start less an offset, within a tolerance.
    OriginTime {
        /// Seconds from origin to the start of the waveform.
        offset: f64,
        /// Seconds.
        tolerance: f64,
        /// Key of the subject that holds the time; `None` for `starttime`.
        key: Option<String>,
    },
    /// The document's `time` lies in the subject's span and `sta` is equal, and `net` where the
    /// document has one.
    Arrival {
        /// Name of the phase that it must have; `None` for any.
        phase: Option<String>,
    },
}

/// What of a subject a rule looks at.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    /// Groups of documents to look in, by [`Rule::group`].
    pub(super) groups: Vec<String>,
    /// Span that the document's must touch.
    pub(super) span: (f64, f64),
}

impl Rule {
    /// Keys of the document that the rule looks at.
    pub(super) fn keys(&self) -> Vec<String> {
        let fixed: &[&str] = match self {
            Self::Id { .. } => &["_id"],
            Self::Miniseed { .. } => &["net", "sta", "loc", "chan", "starttime", "endtime"],
            Self::Equality { keys } => return keys.iter().map(|(_, key)| key.clone()).collect(),
            Self::OriginTime { .. } => &["time"],
            Self::Arrival { .. } => &["net", "sta", "time", "phase"],
        };
        fixed.iter().map(|key| (*key).to_owned()).collect()
    }

    /// The group that a document belongs to and the span it holds; `None` for one that never
    /// matches.
    pub(super) fn group(&self, document: &Document) -> Option<(String, f64, f64)> {
        let always = (f64::NEG_INFINITY, f64::INFINITY);
        let (group, (start, end)) = match self {
            Self::Id { .. } => (joined([document.get("_id")?]), always),
            Self::Miniseed { with_channel } => {
                let start = number(document, "starttime").unwrap_or(f64::NEG_INFINITY);
                let end = number(document, "endtime").unwrap_or(f64::INFINITY);
                (seed(document, *with_channel)?, (start, end))
            }
            Self::Equality { keys } => {
                let values: Option<Vec<&Bson>> =
                    keys.iter().map(|(_, key)| value(document, key)).collect();
                (joined(values?), always)
            }
            Self::OriginTime { .. } => {
                let time = number(document, "time")?;
                (String::new(), (time, time))
            }
            Self::Arrival { phase } => {
                let other =
                    phase.as_deref().is_some_and(|due| document.get_str("phase").ok() != Some(due));
                if other {
                    return None;
                }
                let net = document.get_str("net").unwrap_or_default();
                let time = number(document, "time")?;
                (station(net, document.get_str("sta").ok()?), (time, time))
            }
        };
        (start <= end).then_some((group, start, end))
    }

    /// What of a subject the rule looks at; the key that the subject lacks as an error.
    pub(super) fn wanted(&self, collection: &str, subject: &Document) -> Result<Wanted, String> {
        let real = |key: &str| {
            value(subject, key).and_then(as_number).ok_or_else(|| format!("it has no {key}"))
        };
        let whole = (0.0, 0.0);
        let (groups, span) = match self {
            Self::Id { key } => {
                let key = key.clone().unwrap_or_else(|| format!("{collection}_id"));
                let id = value(subject, &key).ok_or_else(|| format!("it has no {key}"))?;
                (vec![joined([id])], whole)
            }
            Self::Miniseed { with_channel } => {
                let codes = seed(subject, *with_channel)
                    .ok_or("it lacks a code of net, sta and chan".to_owned())?;
                let start = real("starttime")?;
                (vec![codes], (start, start))
            }
            Self::Equality { keys } => {
                let of = |(key, _): &(String, String)| {
                    value(subject, key).ok_or_else(|| format!("it has no {key}"))
                };
                let values: Result<Vec<&Bson>, String> = keys.iter().map(of).collect();
                (vec![joined(values?)], whole)
            }
            Self::OriginTime { offset, tolerance, key } => {
                let time = real(key.as_deref().unwrap_or("starttime"))? - offset;
                (vec![String::new()], (time - tolerance, time + tolerance))
            }
            Self::Arrival { .. } => {
                let code = |key: &str| value(subject, key).and_then(Bson::as_str);
                let sta = code("sta").ok_or("it has no sta".to_owned())?;
                let net = code("net").unwrap_or_default();
                let mut groups = vec![station(net, sta), station("", sta)];
                groups.dedup();
                (groups, (real("starttime")?, real("endtime")?))
            }
        };
        if span.0.is_finite() && span.1.is_finite() {
            Ok(Wanted { groups, span })
        } else {
            Err("its times are not finite".to_owned())
        }
    }

    /// A filter that all matches of a subject pass; [`Self::group`] decides in the end.
    pub(super) fn filter(&self, collection: &str, subject: &Document, wanted: &Wanted) -> Document {
        let (from, to) = wanted.span;
        let of = |key: &str| value(subject, key).cloned().unwrap_or(Bson::Null);
        match self {
            Self::Id { key } => {
                let key = key.clone().unwrap_or_else(|| format!("{collection}_id"));
                doc! { "_id": of(&key) }
            }
            Self::Miniseed { with_channel } => {
                let mut filter = doc! { "net": of("net"), "sta": of("sta") };
                if *with_channel {
                    filter.insert("chan", of("chan"));
                }
                let open = |key: &str, bound: Document| {
                    let none = doc! { key: Bson::Null };
                    doc! { "$or": [none, doc! { key: bound }] }
                };
                let bounds = [
                    open("starttime", doc! { "$lte": to }),
                    open("endtime", doc! { "$gte": from }),
                ];
                filter.insert("$and", bounds.to_vec());
                filter
            }
            Self::Equality { keys } => {
                keys.iter().map(|(subject_key, key)| (key.clone(), of(subject_key))).collect()
            }
            Self::OriginTime { .. } => doc! { "time": { "$gte": from, "$lte": to } },
            Self::Arrival { .. } => {
                doc! { "sta": of("sta"), "time": { "$gte": from, "$lte": to } }
            }
        }
    }

    /// Seconds by which a document misses the time looked for; the nearest wins where this is some.
    pub(super) fn distance(&self, document: &Document, wanted: &Wanted) -> Option<f64> {
        let Self::OriginTime { .. } = self else { return None };
        let middle = wanted.span.0 + (wanted.span.1 - wanted.span.0) / 2.0;
        Some((number(document, "time")? - middle).abs())
    }
}

fn station(net: &str, sta: &str) -> String {
    format!("{net}\u{1f}{sta}")
}

/// Codes with the location made plain; `None` when one beside it is missing.
fn seed(document: &Document, with_channel: bool) -> Option<String> {
    let code = |key: &str| value(document, key).and_then(Bson::as_str).map(str::trim);
    let location = code("loc").filter(|code| *code != "--").unwrap_or_default();
    let mut codes = station(code("net")?, code("sta")?);
    let _ = write!(codes, "\u{1f}{location}");
    if with_channel {
        let _ = write!(codes, "\u{1f}{}", code("chan")?);
    }
    Some(codes)
}

/// Values as one text that is the same for equal ones, numbers by value.
fn joined<'a>(values: impl IntoIterator<Item = &'a Bson>) -> String {
    let mut text = String::new();
    for value in values {
        let _ = match as_number(value) {
            Some(number) => write!(text, "n{}\u{1f}", number + 0.0),
            None => write!(text, "{value}\u{1f}"),
        };
    }
    text
}

//! Normalisation: finding the channel, site, source or arrival that belongs to a waveform.
//!
//! A [`MatchSpec`] says by which [`Rule`] a document of a collection matches and what of it is
//! taken over; a [`Matcher`] applies it, asking the database each time or a [`Cache`] in memory
//! that any number of threads share. What matches is a *subject*: a waveform's document, or
//! [`subject_of`] a datum. Names are also looked for behind MsPASS's `READONLYERROR_`.

mod bulk;
mod cache;
mod matcher;
mod rule;
mod timeline;

use bson::{Bson, Document};
use mspass_core::{Datum, Severity};
use serde::{Deserialize, Serialize};

pub use bulk::{
    BATCH_MAX, EXAMPLES_MAX, MatchCounts, NormalizeOptions, NormalizeReport, bulk_normalize,
};
pub use cache::{CACHE_DOCUMENTS_MAX, CACHES_MAX, Cache, Caches};
pub use matcher::{CANDIDATES_MAX, Matcher};
pub use rule::Rule;

use super::value::{from_bson, metadata_document};
use super::waveform::Waveform;

/// What MsPASS puts before a read-only key that was changed.
pub const READ_ONLY: &str = "READONLYERROR_";

/// What matches and what is taken over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchSpec {
    /// Collection of the documents that match ("channel").
    pub collection: String,
    /// When one matches.
    pub rule: Rule,
    /// MongoDB filter that restricts the collection; empty for all of it.
    #[serde(default)]
    pub filter: Document,
    /// Keys taken over; a match that lacks one is a failure.
    #[serde(default)]
    pub load: Vec<String>,
    /// Keys taken over where they are.
    #[serde(default)]
    pub load_if_defined: Vec<String>,
    /// Other names for keys taken over: `(key, name)`.
    #[serde(default)]
    pub aliases: Vec<(String, String)>,
    /// Whether several matches are a failure; if not, the one that began last is taken.
    #[serde(default = "yes")]
    pub require_unique: bool,
    /// Whether names get the collection before them (`channel_lat`). Ids have it always.
    #[serde(default = "yes")]
    pub prepend_collection: bool,
}

fn yes() -> bool {
    true
}

impl MatchSpec {
    /// Documents of `collection` that match by `rule`, one alone, of which the id is taken over.
    pub fn new(collection: impl Into<String>, rule: Rule) -> Self {
        Self {
            collection: collection.into(),
            rule,
            filter: Document::new(),
            load: Vec::new(),
            load_if_defined: Vec::new(),
            aliases: Vec::new(),
            require_unique: true,
            prepend_collection: true,
        }
    }

    /// The channel of a miniSEED waveform, with its place and direction.
    pub fn channel() -> Self {
        let spec = Self::new(super::inventory::CHANNEL, Rule::Miniseed { with_channel: true });
        let spec = spec.load(&["lat", "lon", "elev"]);
        spec.load_if_defined(&["hang", "vang", "edepth", "starttime", "endtime"])
    }

    /// The site of a miniSEED waveform, with its place.
    pub fn site() -> Self {
        let spec = Self::new(super::inventory::SITE, Rule::Miniseed { with_channel: false });
        spec.load(&["lat", "lon", "elev"]).load_if_defined(&["edepth", "starttime", "endtime"])
    }

    /// The source at a waveform's start, within 4 s.
    pub fn source() -> Self {
        let rule = Rule::OriginTime { offset: 0.0, tolerance: 4.0, key: None };
        let spec = Self::new(super::inventory::SOURCE, rule);
        spec.load(&["lat", "lon", "depth", "time"]).load_if_defined(&["magnitude"])
    }

    /// Takes over these keys.
    #[must_use]
    pub fn load(mut self, keys: &[&str]) -> Self {
        self.load.extend(keys.iter().map(|key| (*key).to_owned()));
        self
    }

    /// Takes over these keys where they are.
    #[must_use]
    pub fn load_if_defined(mut self, keys: &[&str]) -> Self {
        self.load_if_defined.extend(keys.iter().map(|key| (*key).to_owned()));
        self
    }

    /// Takes a key over under another name.
    #[must_use]
    pub fn alias(mut self, key: &str, name: &str) -> Self {
        self.aliases.push((key.to_owned(), name.to_owned()));
        self
    }

    /// Keys of a subject without which nothing matches.
    pub fn needs(&self) -> Vec<String> {
        match &self.rule {
            Rule::Id { key } => {
                vec![key.clone().unwrap_or_else(|| format!("{}_id", self.collection))]
            }
            Rule::Miniseed { with_channel: true } => ["net", "sta", "chan"].map(Into::into).into(),
            Rule::Miniseed { with_channel: false } => ["net", "sta"].map(Into::into).into(),
            Rule::Equality { keys } => keys.iter().map(|(key, _)| key.clone()).collect(),
            Rule::OriginTime { key, .. } => {
                vec![key.clone().unwrap_or_else(|| "starttime".to_owned())]
            }
            Rule::Arrival { .. } => ["sta", "starttime", "endtime"].map(Into::into).into(),
        }
    }

    /// Names under which something may be taken over.
    pub fn gives(&self) -> Vec<String> {
        let keys = self.load.iter().chain(&self.load_if_defined).map(|key| self.name(key));
        keys.chain([self.name("_id")]).collect()
    }

    /// Name under which a key is taken over.
    fn name(&self, key: &str) -> String {
        if key == "_id" {
            return format!("{}_id", self.collection);
        }
        let alias = self.aliases.iter().find(|(from, _)| from == key);
        let base = alias.map_or(key, |(_, to)| to);
        let prefix = format!("{}_", self.collection);
        if self.prepend_collection && !base.starts_with(&prefix) {
            format!("{prefix}{base}")
        } else {
            base.to_owned()
        }
    }

    /// What is taken over of a match; the key that it lacks as an error.
    fn take(&self, found: &Document) -> Taken {
        let mut taken = Document::new();
        if let Some(id) = found.get("_id") {
            taken.insert(self.name("_id"), id.clone());
        }
        for key in self.load.iter().filter(|key| *key != "_id") {
            let value = found.get(key).ok_or_else(|| key.clone())?;
            taken.insert(self.name(key), value.clone());
        }
        for key in &self.load_if_defined {
            if let Some(value) = found.get(key) {
                taken.insert(self.name(key), value.clone());
            }
        }
        Ok(taken)
    }

    /// All keys of the collection that are looked at.
    fn projection(&self) -> Document {
        let keys = self.load.iter().chain(&self.load_if_defined).cloned();
        let keys = keys.chain(self.rule.keys());
        keys.map(|key| (key, Bson::Int32(1))).collect()
    }
}

/// The names and values to take over of a match, or the key that it lacks.
type Taken = Result<Document, String>;

/// What came of looking for a match.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Outcome {
    /// One matches; the names and values to take over.
    Found(Document),
    /// None matches; the reason.
    Missing(String),
    /// Several match where one alone is asked for; the reason.
    Ambiguous(String),
    /// One matches and lacks a key; the reason.
    Incomplete(String),
}

/// What happens to a datum without a match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnFailure {
    /// It dies.
    #[default]
    Kill,
    /// It lives, with an entry in its log.
    Log,
}

/// Looks for the match of `subject` and puts what is taken over into the datum's metadata; without
/// a match the datum dies or lives on with an entry in its log. Dead data stay as they are.
pub fn normalize<T: Datum>(
    datum: &mut T,
    subject: &Document,
    matcher: &Matcher,
    on_failure: OnFailure,
) -> crate::error::Result<bool> {
    if datum.life() != mspass_core::Life::Live {
        return Ok(false);
    }
    let reason = match matcher.find(subject)? {
        Outcome::Found(taken) => {
            for (name, value) in &taken {
                datum.metadata_mut().insert(name.clone(), from_bson(value));
            }
            return Ok(true);
        }
        Outcome::Missing(reason) | Outcome::Ambiguous(reason) | Outcome::Incomplete(reason) => {
            reason
        }
    };
    match on_failure {
        OnFailure::Kill => datum.kill("normalize", reason),
        OnFailure::Log => datum.log_mut().push("normalize", Severity::Complaint, reason),
    }
    Ok(false)
}

/// A datum as a subject: its metadata, codes and times under MsPASS's names.
pub fn subject_of<T: Waveform>(datum: &T) -> Document {
    let mut subject = metadata_document(datum.metadata());
    subject.extend(datum.header());
    subject
}

/// The value of a subject under a name, or under it behind `READONLYERROR_`.
fn value<'a>(subject: &'a Document, name: &str) -> Option<&'a Bson> {
    let found = subject.get(name).or_else(|| subject.get(format!("{READ_ONLY}{name}")));
    found.filter(|value| **value != Bson::Null)
}

#[cfg(test)]
mod tests;

//! Looks for the match of a subject, in the database or in a cache.

use std::sync::Arc;

use bson::{Bson, Document, doc};

use super::cache::{CACHE_DOCUMENTS_MAX, Cache};
use super::rule::Wanted;
use super::{MatchSpec, Outcome, Taken};
use crate::db::fields::number;
use crate::db::inventory::text;
use crate::error::{Error, Result};
use crate::store::{Database, Find};

/// Documents looked at for one subject at most, in the database; more are an error.
pub const CANDIDATES_MAX: usize = 1000;

/// A document that matches, and what is taken over of it where that is known already.
#[derive(Clone, Copy)]
pub(super) struct Candidate<'a> {
    pub(super) document: &'a Document,
    pub(super) taken: Option<&'a Taken>,
}

/// Looks for matches as a [`MatchSpec`] says; cheap to clone.
#[derive(Clone, Debug)]
pub struct Matcher {
    spec: Arc<MatchSpec>,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Database(Database),
    Cache(Arc<Cache>),
}

impl Matcher {
    /// Asks the database each time.
    pub fn in_database(database: &Database, spec: MatchSpec) -> Self {
        Self { spec: Arc::new(spec), place: Place::Database(database.clone()) }
    }

    /// Reads the collection once and asks memory from then on.
    pub fn cached(database: &Database, spec: MatchSpec) -> Result<Self> {
        let cache = Arc::new(Cache::build(database, &spec, CACHE_DOCUMENTS_MAX)?);
        Ok(Self::with_cache(cache, spec))
    }

    /// Asks a cache that was built for this very `spec`.
    pub fn with_cache(cache: Arc<Cache>, spec: MatchSpec) -> Self {
        Self { spec: Arc::new(spec), place: Place::Cache(cache) }
    }

    /// What it looks for.
    pub fn spec(&self) -> &MatchSpec {
        &self.spec
    }

    /// Looks for the match of a subject; an error only where the store fails.
    pub fn find(&self, subject: &Document) -> Result<Outcome> {
        let MatchSpec { collection, rule, .. } = &*self.spec;
        let wanted = match rule.wanted(collection, subject) {
            Ok(wanted) => wanted,
            Err(reason) => {
                return Ok(Outcome::Missing(format!("no {collection} can match: {reason}")));
            }
        };
        match &self.place {
            Place::Cache(cache) => Ok(self.settle(subject, &wanted, cache.matches(&wanted))),
            Place::Database(database) => {
                let found = self.ask(database, subject, &wanted)?;
                let found = found.iter().map(|document| Candidate { document, taken: None });
                Ok(self.settle(subject, &wanted, found))
            }
        }
    }

    /// The matches in the database, the one that began last first.
    fn ask(
        &self,
        database: &Database,
        subject: &Document,
        wanted: &Wanted,
    ) -> Result<Vec<Document>> {
        let MatchSpec { collection, rule, .. } = &*self.spec;
        let mut filter = rule.filter(collection, subject, wanted);
        if !self.spec.filter.is_empty() {
            filter = doc! { "$and": [filter, self.spec.filter.clone()] };
        }
        let find = Find::filter(filter)
            .projection(self.spec.projection())
            .limit(CANDIDATES_MAX as u64 + 1);
        let mut found = Vec::new();
        for (count, document) in database.documents.find(collection, &find)?.enumerate() {
            if count == CANDIDATES_MAX {
                return Err(Error::Refused(format!(
                    "more than {CANDIDATES_MAX} documents of {collection} match one waveform: \
                     match by more keys"
                )));
            }
            let document = document?;
            let Some((group, start, end)) = rule.group(&document) else { continue };
            if wanted.groups.contains(&group) && start <= wanted.span.1 && end >= wanted.span.0 {
                found.push((start, document));
            }
        }
        found.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        Ok(found.into_iter().map(|(_, document)| document).collect())
    }

    fn settle<'a>(
        &self,
        subject: &Document,
        wanted: &Wanted,
        mut found: impl Iterator<Item = Candidate<'a>>,
    ) -> Outcome {
        let MatchSpec { collection, rule, require_unique, .. } = &*self.spec;
        let Some(mut best) = found.next() else {
            return Outcome::Missing(format!("no {collection} matches {}", named(subject)));
        };
        let mut others = 0;
        for other in found {
            let distance = |of: &Candidate<'_>| rule.distance(of.document, wanted);
            match (distance(&best), distance(&other)) {
                (Some(of_best), Some(of_other)) if of_other < of_best => best = other,
                (Some(_), Some(_)) => {}
                _ => others += 1,
            }
        }
        if others > 0 && *require_unique {
            let count = others + 1;
            let subject = named(subject);
            return Outcome::Ambiguous(format!("{count} of {collection} match {subject}"));
        }
        match best.taken.cloned().unwrap_or_else(|| self.spec.take(best.document)) {
            Ok(taken) => Outcome::Found(taken),
            Err(key) => {
                let id = best.document.get("_id").unwrap_or(&Bson::Null);
                Outcome::Incomplete(format!("the {collection} {id} that matches has no {key}"))
            }
        }
    }
}

/// What a subject is called in messages.
fn named(subject: &Document) -> String {
    let codes = ["net", "sta", "loc", "chan"].map(|key| text(subject, key));
    let time = number(subject, "starttime").map_or(String::new(), |start| {
        format!(" at {}", mspass_core::UtcTime::from_seconds(start))
    });
    format!("{}{time}", codes.join("."))
}

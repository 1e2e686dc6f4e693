//! Documents of a collection in memory, indexed for one rule and shared by all threads.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bson::Document;

use super::matcher::Candidate;
use super::rule::Wanted;
use super::timeline::Timeline;
use super::{MatchSpec, Taken};
use crate::error::{Error, Result};
use crate::store::{Database, Find};

/// Documents that a cache holds at most; more are an error, never a part of them.
pub const CACHE_DOCUMENTS_MAX: usize = 1 << 20;

/// Caches of one [`Caches`] at most.
pub const CACHES_MAX: usize = 64;

/// Documents of a collection, as far as a [`MatchSpec`] looks at them; never changed once built.
#[derive(Debug)]
pub struct Cache {
    documents: Vec<Kept>,
    groups: HashMap<String, Timeline>,
}

/// A document, with what is taken over of it.
#[derive(Debug)]
struct Kept {
    document: Document,
    taken: Taken,
}

impl Cache {
    /// Reads the documents of a collection that pass the filter of `spec`, `limit` of them at most
    /// (and [`CACHE_DOCUMENTS_MAX`]); an error where there are more.
    pub fn build(database: &Database, spec: &MatchSpec, limit: usize) -> Result<Self> {
        let limit = limit.min(CACHE_DOCUMENTS_MAX);
        let find = Find::filter(spec.filter.clone()).projection(spec.projection());
        let mut cache = Self { documents: Vec::new(), groups: HashMap::new() };
        for document in database.documents.find(&spec.collection, &find)? {
            let document = document?;
            if cache.documents.len() == limit {
                return Err(Error::Refused(format!(
                    "the collection {} has more than {limit} documents to keep in memory: narrow \
                     the filter, or match in the database",
                    spec.collection
                )));
            }
            if let Some((group, start, end)) = spec.rule.group(&document) {
                let row = u32::try_from(cache.documents.len()).unwrap_or(u32::MAX);
                cache.groups.entry(group).or_default().push(start, end, row);
                let taken = spec.take(&document);
                cache.documents.push(Kept { document, taken });
            }
        }
        cache.groups.values_mut().for_each(Timeline::sort);
        Ok(cache)
    }

    /// Number of documents.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// The documents that match, the one that began last first.
    pub(super) fn matches(&self, wanted: &Wanted) -> impl Iterator<Item = Candidate<'_>> {
        let (start, end) = wanted.span;
        let timelines = wanted.groups.iter().filter_map(|group| self.groups.get(group));
        let mut rows: Vec<(f64, u32)> =
            timelines.flat_map(|timeline| timeline.overlapping(start, end)).collect();
        if wanted.groups.len() > 1 {
            rows.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        }
        let kept = rows.into_iter().filter_map(|(_, row)| self.documents.get(row as usize));
        kept.map(|Kept { document, taken }| Candidate { document, taken: Some(taken) })
    }
}

/// The caches of one database that a process keeps, one for each [`MatchSpec`], each built once.
#[derive(Debug, Default)]
pub struct Caches {
    built: Mutex<Vec<(MatchSpec, Slot)>>,
}

/// A cache, once it is built; its lock is held while that is done.
type Slot = Arc<Mutex<Option<Arc<Cache>>>>;

impl Caches {
    /// The cache for `spec`, built by the first who asks while others wait. An error of the build
    /// is the asker's alone: the next one tries again. Beyond [`CACHES_MAX`] the oldest is let go.
    pub fn cache(&self, database: &Database, spec: &MatchSpec) -> Result<Arc<Cache>> {
        let slot = self.slot(spec);
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cache) = &*slot {
            return Ok(Arc::clone(cache));
        }
        let cache = Arc::new(Cache::build(database, spec, CACHE_DOCUMENTS_MAX)?);
        *slot = Some(Arc::clone(&cache));
        Ok(cache)
    }

    fn slot(&self, spec: &MatchSpec) -> Slot {
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, slot)) = built.iter().find(|(other, _)| other == spec) {
            return Arc::clone(slot);
        }
        if built.len() == CACHES_MAX {
            built.remove(0);
        }
        let slot = Slot::default();
        built.push((spec.clone(), Arc::clone(&slot)));
        slot
    }
}
